//! What decisions read off a service spec, and the few things that they put into one.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::canon::{self, NetworkNames};
use crate::engine::{DEPLOYMENT_LABEL, IMAGE_LABEL, LiveStack, Pinned, Platform};
use crate::names::{DeploymentId, ServiceName, StackName, Version};
use crate::release::ServiceVersion;
use crate::stack::Stack;

/// The service label that names what was asked for. An Engine drops members that it is too old for; by this label they
/// are known to have been asked for all the same.
pub const SPEC_LABEL: &str = "release-manager.spec";

/// How many tasks a service wants, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// So many tasks.
    Replicated(u64),
    /// One task on each node that may run it.
    Global,
    /// So many tasks that run to their end.
    ReplicatedJob(u64),
    /// One task on each node, to its end.
    GlobalJob,
}

impl Mode {
    pub(crate) fn of(spec: &Value) -> Self {
        let mode = &spec["Mode"];
        if mode["Global"].is_object() {
            Self::Global
        } else if mode["GlobalJob"].is_object() {
            Self::GlobalJob
        } else if mode["ReplicatedJob"].is_object() {
            let job = &mode["ReplicatedJob"];
            Self::ReplicatedJob(job["TotalCompletions"].as_u64().or(job["MaxConcurrent"].as_u64()).unwrap_or(1))
        } else {
            Self::Replicated(mode["Replicated"]["Replicas"].as_u64().unwrap_or(1))
        }
    }

    pub(crate) fn is_job(self) -> bool {
        matches!(self, Self::ReplicatedJob(_) | Self::GlobalJob)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Replicated(_) => "replicated",
            Self::Global => "global",
            Self::ReplicatedJob(_) => "replicated-job",
            Self::GlobalJob => "global-job",
        }
    }
}

/// The image in a service spec.
pub fn image_of(spec: &Value) -> Option<&str> {
    spec.pointer("/TaskTemplate/ContainerSpec/Image").and_then(Value::as_str).filter(|image| !image.is_empty())
}

/// The image in a service spec with the platforms that belong to it.
pub(crate) fn pinned_in(spec: &Value) -> Option<Pinned> {
    let platforms = list(spec, "/TaskTemplate/Placement/Platforms");
    let platforms = platforms.iter().filter_map(|platform| Platform::deserialize(platform).ok()).collect();
    Some(Pinned { image: image_of(spec)?.to_owned(), platforms })
}

/// The version that a service spec says; `unknown` where its image has none that a registry would take.
pub fn version_of_spec(spec: &Value) -> Version {
    image_of(spec)
        .and_then(ServiceVersion::of_image)
        .map_or_else(|| "unknown".parse().expect("`unknown` follows the grammar of tags"), |read| read.version)
}

/// The stack with these images put in, pinned ones as a rule. Services that are not named keep theirs.
#[must_use]
pub fn with_images(stack: &Stack, images: &BTreeMap<ServiceName, String>) -> Stack {
    let mut stack = stack.clone();
    for (name, service) in &mut stack.services {
        if let Some(image) = images.get(name) {
            put_image(&mut service.spec, image);
        }
    }
    stack
}

/// The stack with these images put in, and with the platforms that they can run on.
#[must_use]
pub fn with_pins(stack: &Stack, pins: &BTreeMap<ServiceName, Pinned>) -> Stack {
    let mut stack = stack.clone();
    for (name, pinned) in pins {
        let Some(service) = stack.services.get_mut(name) else { continue };
        put_image(&mut service.spec, &pinned.image);
        if !pinned.platforms.is_empty() {
            set(&mut service.spec, &["TaskTemplate", "Placement", "Platforms"], serde_json::json!(pinned.platforms));
        }
    }
    stack
}

fn put_image(spec: &mut Value, image: &str) {
    let before = image_of(spec).map(|image| canon::familiar(image).0);
    let (reference, _) = canon::familiar(image);
    // The platforms belong to the image that they were found for.
    if image_of(spec) != Some(image)
        && let Some(placement) = spec.pointer_mut("/TaskTemplate/Placement").and_then(Value::as_object_mut)
    {
        placement.remove("Platforms");
    }
    set(spec, &["TaskTemplate", "ContainerSpec", "Image"], Value::from(image));
    // The docker command trusts this label to tell whether the file has changed: it must not name another image.
    if before.is_some_and(|before| before != reference) && spec["Labels"][IMAGE_LABEL].is_string() {
        spec["Labels"][IMAGE_LABEL] = Value::from(reference);
    }
}

/// The spec as a deployment writes it: with the labels that say whose it is and what was asked for. One that was read
/// from a live service keeps saying what was asked for when that was written.
pub fn stamped(spec: &Value, id: DeploymentId) -> Value {
    let mut stamped = spec.clone();
    set(&mut stamped, &["Labels", DEPLOYMENT_LABEL], Value::from(id.to_string()));
    if !spec["Labels"][SPEC_LABEL].is_string() {
        let fingerprint = canon::fingerprint(&canon::canon(spec, &BTreeMap::new()));
        set(&mut stamped, &["Labels", SPEC_LABEL], Value::from(fingerprint));
    }
    stamped
}

/// A live spec with its networks by name, as stack files say them: ids change when a network is made anew.
pub(crate) fn with_network_names(spec: &Value, networks: &NetworkNames) -> Value {
    let mut spec = spec.clone();
    for network in spec.pointer_mut("/TaskTemplate/Networks").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = network["Target"].as_str().and_then(|id| networks.get(id)) {
            network["Target"] = Value::from(name.as_str());
        }
    }
    spec
}

/// The deployment that has written a live spec; `None` where it was written by other means.
pub(crate) fn written_by(spec: &Value) -> Option<DeploymentId> {
    spec["Labels"][DEPLOYMENT_LABEL].as_str()?.parse().ok().map(DeploymentId)
}

/// The versions that a running stack has. A service whose image no registry would take is left out.
pub fn adopt(live: &LiveStack, stack: &StackName) -> BTreeMap<ServiceName, ServiceVersion> {
    live.services
        .iter()
        .filter_map(|(full_name, service)| {
            let name = short_name(stack, full_name)?;
            Some((name, ServiceVersion::of_image(image_of(&service.spec)?)?))
        })
        .collect()
}

/// The service's name in the stack file, if it is one of the stack's.
pub(crate) fn short_name(stack: &StackName, full_name: &str) -> Option<ServiceName> {
    full_name.strip_prefix(stack.as_str())?.strip_prefix('_')?.parse().ok()
}

/// Sets a value, making the objects on the way to it.
pub(super) fn set(spec: &mut Value, path: &[&str], value: Value) {
    let Some((last, way)) = path.split_last() else { return };
    let mut place = spec;
    for key in way {
        place = &mut object(place)[*key];
    }
    object(place)[*last] = value;
}

fn object(place: &mut Value) -> &mut Value {
    if !place.is_object() {
        *place = Value::Object(Map::new());
    }
    place
}

/// The elements of a list in a spec; none where there is no list.
pub(crate) fn list<'a>(spec: &'a Value, pointer: &str) -> &'a [Value] {
    spec.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A number in a spec; 0 where there is none.
pub(crate) fn number(spec: &Value, pointer: &str) -> i64 {
    spec.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}
