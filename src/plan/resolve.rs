//! What becomes of images and of services that the file does not name, before there is a plan: the switches of
//! `docker stack deploy`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ports::published;
use super::spec::{image_of, set, short_name};
use super::unused;
use crate::engine::{IMAGE_LABEL, LiveService, LiveStack};
use crate::names::ServiceName;
use crate::stack::Stack;

/// When a registry is asked for the digest of an image: `--resolve-image`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resolve {
    /// At every deployment.
    #[default]
    Always,
    /// When the image in the stack file is another than at the last deployment.
    Changed,
    /// Never: images are sent as they stand in the file.
    Never,
}

/// What becomes of the image of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageChoice {
    /// A registry is asked for its digest.
    Ask(String),
    /// The service keeps the image that it has, whatever the tag means by now.
    Keep {
        /// The live image, with its digest if it has one.
        image: String,
    },
    /// The image is sent as it stands in the file.
    AsWritten,
}

/// Decides about the image of every service.
pub fn choices(wanted: &Stack, live: &LiveStack, resolve: Resolve) -> BTreeMap<ServiceName, ImageChoice> {
    let choice = |(name, service): (&ServiceName, &crate::stack::Service)| {
        let image = image_of(&service.spec)?;
        let live = live.services.get(&wanted.name.scope(name));
        let unchanged = live.filter(|live| label(&live.spec) == label(&service.spec)).and_then(image_of_service);
        let choice = match (resolve, unchanged) {
            (Resolve::Changed | Resolve::Never, Some(image)) => ImageChoice::Keep { image: image.to_owned() },
            (Resolve::Always | Resolve::Changed, _) => ImageChoice::Ask(image.to_owned()),
            (Resolve::Never, None) => ImageChoice::AsWritten,
        };
        Some((name.clone(), choice))
    };
    wanted.services.iter().filter_map(choice).collect()
}

fn label(spec: &Value) -> Option<&str> {
    spec["Labels"][IMAGE_LABEL].as_str()
}

fn image_of_service(live: &LiveService) -> Option<&str> {
    image_of(&live.spec)
}

/// Puts the images in that services keep. The label goes on to say what stands in the file, as with the docker command.
pub(crate) fn keep(stack: &mut Stack, choices: &BTreeMap<ServiceName, ImageChoice>) {
    for (name, choice) in choices {
        if let (ImageChoice::Keep { image }, Some(service)) = (choice, stack.services.get_mut(name)) {
            set(&mut service.spec, &["TaskTemplate", "ContainerSpec", "Image"], Value::from(image.as_str()));
        }
    }
}

/// The live stack as a deployment without `--prune` takes it: services that the file does not name count as strangers,
/// so that they are neither removed nor asked to give up their ports, and no object is removed because the file does not
/// name it.
#[must_use]
pub fn without_pruning(wanted: &Stack, mut live: LiveStack) -> LiveStack {
    let is_wanted =
        |full_name: &str| short_name(&wanted.name, full_name).is_some_and(|name| wanted.services.contains_key(&name));
    let (kept, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
        live.services.into_iter().partition(|(full_name, _)| is_wanted(full_name));
    live.services = kept;
    unused::disown(wanted, &mut live, &left.values().map(|service| &service.spec).collect::<Vec<_>>());
    for (full_name, service) in left {
        let (on_nodes, ingress): (Vec<_>, Vec<_>) =
            published(&service.spec).into_iter().partition(|(_, of_the_node)| *of_the_node);
        let numbers = |ports: Vec<(String, bool)>| ports.into_iter().map(|(port, _)| port).collect();
        live.others_on_nodes.insert(full_name.clone(), numbers(on_nodes));
        live.others.insert(full_name, numbers(ingress));
    }
    live
}
