//! The canonical form of a service spec: two specs that ask the same of the Engine have the same one.
//!
//! The Engine fills in defaults, keeps ids where names were sent and drops members that it does not know. None of that
//! is a difference.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::spec::{Mode, set};
use crate::engine::IMAGE_LABEL;

/// Names of networks by id.
pub(crate) type NetworkNames = BTreeMap<String, String>;

const SECOND: u64 = 1_000_000_000;

/// Maps whose keys and values are the user's own words: an empty value is a value there.
const FREE_MAPS: [&str; 4] = ["Labels", "Options", "Sysctls", "DriverOpts"];

/// Members that older Engines drop without a word.
const NEWER: [&str; 8] = [
    "/TaskTemplate/ContainerSpec/Healthcheck/StartInterval",
    "/TaskTemplate/ContainerSpec/Privileges/NoNewPrivileges",
    "/TaskTemplate/ContainerSpec/Privileges/Seccomp",
    "/TaskTemplate/ContainerSpec/Privileges/AppArmor",
    "/TaskTemplate/ContainerSpec/OomScoreAdj",
    "/TaskTemplate/Resources/SwapBytes",
    "/TaskTemplate/Resources/MemorySwappiness",
    "/TaskTemplate/Resources/Limits/Pids",
];

/// The same inside each mount.
const NEWER_IN_MOUNTS: [&str; 5] = [
    "/VolumeOptions/Subpath",
    "/BindOptions/CreateMountpoint",
    "/BindOptions/ReadOnlyNonRecursive",
    "/BindOptions/ReadOnlyForceRecursive",
    "/ImageOptions/Subpath",
];

/// The canonical form, networks by name. Labels of our own, restart counters and what follows from the image are left
/// out: they are no part of what was asked for.
pub(crate) fn canon(spec: &Value, networks: &NetworkNames) -> Value {
    let mut spec = spec.clone();
    make_numbers_plain(&mut spec);
    let mode = canonical_mode(&spec);
    ensure_object(&mut spec);
    canonical_labels(&mut spec);
    canonical_updates(&mut spec, "UpdateConfig");
    canonical_updates(&mut spec, "RollbackConfig");
    canonical_endpoint(&mut spec);
    ensure_object(&mut spec["TaskTemplate"]);
    canonical_task(&mut spec["TaskTemplate"], networks);
    ensure_object(&mut spec["TaskTemplate"]["ContainerSpec"]);
    canonical_container(&mut spec["TaskTemplate"]["ContainerSpec"]);
    prune(&mut spec, false);
    // After pruning, as 0 replicas are not the default.
    set(&mut spec, &["Mode"], mode);
    spec
}

fn canonical_mode(spec: &Value) -> Value {
    match Mode::of(spec) {
        Mode::Replicated(replicas) => json!({"Replicated": {"Replicas": replicas}}),
        Mode::Global => json!({"Global": {}}),
        Mode::ReplicatedJob(total) => {
            let concurrent = spec["Mode"]["ReplicatedJob"]["MaxConcurrent"].as_u64().unwrap_or(1);
            json!({"ReplicatedJob": {"MaxConcurrent": concurrent, "TotalCompletions": total}})
        }
        Mode::GlobalJob => json!({"GlobalJob": {}}),
    }
}

fn canonical_labels(spec: &mut Value) {
    if let Some(labels) = spec.get_mut("Labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| key != IMAGE_LABEL && !key.starts_with("release-manager."));
    }
}

/// Absent, one task at a time is replaced; present without a number, all at once.
fn canonical_updates(spec: &mut Value, key: &str) {
    if !spec[key].is_object() {
        spec[key] = json!({"Parallelism": 1});
    }
    let config = &mut spec[key];
    fill(config, "FailureAction", "pause".into());
    fill(config, "Order", "stop-first".into());
    fill(config, "Monitor", (5 * SECOND).into());
}

fn canonical_endpoint(spec: &mut Value) {
    ensure_object(&mut spec["EndpointSpec"]);
    fill(&mut spec["EndpointSpec"], "Mode", "vip".into());
    for port in items(spec, "/EndpointSpec/Ports") {
        fill(port, "Protocol", "tcp".into());
        fill(port, "PublishMode", "ingress".into());
    }
    sort(spec, "/EndpointSpec/Ports");
}

fn canonical_task(task: &mut Value, networks: &NetworkNames) {
    remove(task, "ForceUpdate");
    if task["Runtime"] == "container" {
        remove(task, "Runtime");
    }
    ensure_object(&mut task["RestartPolicy"]);
    fill(&mut task["RestartPolicy"], "Condition", "any".into());
    if task["RestartPolicy"]["Delay"].is_null() {
        task["RestartPolicy"]["Delay"] = (5 * SECOND).into();
    }
    remove(&mut task["Placement"], "Platforms");
    sort(task, "/Placement/Constraints");
    for network in items(task, "/Networks") {
        if let Some(name) = network["Target"].as_str().and_then(|id| networks.get(id)) {
            network["Target"] = name.as_str().into();
        }
        sort(network, "/Aliases");
    }
    sort(task, "/Networks");
}

fn canonical_container(container: &mut Value) {
    if let Some(image) = container["Image"].as_str() {
        let (reference, digest) = familiar(image);
        container["Image"] = digest.map_or(reference.clone(), |digest| format!("{reference}@{digest}")).into();
    }
    if container["Isolation"] == "default" {
        remove(container, "Isolation");
    }
    if container["StopGracePeriod"].is_null() {
        container["StopGracePeriod"] = (10 * SECOND).into();
    }
    // Three values: absent leaves it to the node's own configuration.
    if container["Init"] == false {
        container["Init"] = "false".into();
    }
    canonical_references(container);
    for mount in items(container, "/Mounts") {
        remove(mount, "Consistency");
    }
    for list in ["/Env", "/CapabilityAdd", "/CapabilityDrop", "/Ulimits"] {
        sort(container, list);
    }
}

/// Secrets and configs by name: ids are the Engine's own affair.
fn canonical_references(container: &mut Value) {
    const CREDENTIAL: &str = "/Privileges/CredentialSpec/Config";
    let configs = super::spec::list(container, "/Configs").to_vec();
    if let Some(credential) = container.pointer_mut(CREDENTIAL)
        && let Some(config) = configs.iter().find(|config| config["ConfigID"] == *credential)
    {
        *credential = config["ConfigName"].clone();
    }
    for (list, id) in [("/Secrets", "SecretID"), ("/Configs", "ConfigID")] {
        for reference in items(container, list) {
            remove(reference, id);
        }
        sort(container, list);
    }
}

/// Whether the live spec is the one that was written: members that the Engine is too old for may be missing, and
/// networks that are not among `networks` may go by an id.
pub(crate) fn is_as_written(written: &Value, live: &Value, networks: &NetworkNames) -> bool {
    let mut written = canon(written, networks);
    let mut live = canon(live, networks);
    align_networks(&written, &mut live, |_| true);
    without_newer(&mut written, &live);
    written == live
}

/// Gives networks of `live` whose names are not known the name that `wanted` has in the same place, if that name
/// passes.
pub(crate) fn align_networks(wanted: &Value, live: &mut Value, passes: impl Fn(&str) -> bool) {
    let target = |network: &Value| network["Target"].as_str().unwrap_or_default().to_owned();
    let wanted: Vec<Value> = super::spec::list(wanted, "/TaskTemplate/Networks").to_vec();
    let Some(networks) = live.pointer_mut("/TaskTemplate/Networks").and_then(Value::as_array_mut) else { return };
    let present: Vec<String> = networks.iter().map(target).collect();
    let mut free: Vec<&Value> =
        wanted.iter().filter(|network| !present.contains(&target(network)) && passes(&target(network))).collect();
    for network in networks.iter_mut() {
        if !is_id(&target(network)) || wanted.iter().any(|other| target(other) == target(network)) {
            continue;
        }
        let same_otherwise = |other: &&Value| {
            let mut renamed = network.clone();
            renamed["Target"] = other["Target"].clone();
            renamed == **other
        };
        if let Some(index) = free.iter().position(same_otherwise) {
            network["Target"] = free.remove(index)["Target"].clone();
        }
    }
    networks.sort_by_cached_key(text);
}

/// The Engine's ids are 25 digits to the base of 36.
fn is_id(text: &str) -> bool {
    text.len() == 25 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Takes out of `wanted` what older Engines drop, where `live` does not have it.
pub(crate) fn without_newer(wanted: &mut Value, live: &Value) {
    for pointer in NEWER {
        if live.pointer(pointer).is_none() {
            remove_at(wanted, pointer);
        }
    }
    let live_mounts = super::spec::list(live, "/TaskTemplate/ContainerSpec/Mounts");
    let mounts = wanted.pointer_mut("/TaskTemplate/ContainerSpec/Mounts").and_then(Value::as_array_mut);
    for (mount, live) in mounts.into_iter().flatten().zip(live_mounts) {
        for pointer in NEWER_IN_MOUNTS {
            if live.pointer(pointer).is_none() {
                remove_at(mount, pointer);
            }
        }
    }
}

/// Removes a member, and the objects that it leaves empty.
fn remove_at(value: &mut Value, pointer: &str) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    let Some(object) = value.pointer_mut(parent).and_then(Value::as_object_mut) else { return };
    if object.remove(key).is_some() && object.is_empty() && !parent.is_empty() {
        remove_at(value, parent);
    }
}

/// The image as people write it, with a tag unless it has only a digest, and the digest.
pub(crate) fn familiar(image: &str) -> (String, Option<String>) {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest.to_owned())));
    let name = ["docker.io/", "index.docker.io/"].iter().find_map(|host| name.strip_prefix(host)).unwrap_or(name);
    let name = name.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(name);
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    let name = if has_tag || digest.is_some() { name.to_owned() } else { format!("{name}:latest") };
    (name, digest)
}

/// Whether an image has a digest and is otherwise the one that is wanted.
pub(crate) fn is_pin_of(image: &str, wanted: &str) -> bool {
    let ((name, digest), (wanted_name, wanted_digest)) = (familiar(image), familiar(wanted));
    name == wanted_name && digest.is_some() && (wanted_digest.is_none() || wanted_digest == digest)
}

/// Names a canonical spec: 16 hex digits.
pub(crate) fn fingerprint(canonical: &Value) -> String {
    hex_digest(text(canonical))[..16].to_owned()
}

/// The hex SHA-256 of a text.
pub(super) fn hex_digest(text: impl AsRef<[u8]>) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    hex
}

/// JSON with sorted keys: same value, same bytes.
pub(super) fn text(value: &Value) -> String {
    let mut text = String::new();
    write_text(value, &mut text);
    text
}

fn write_text(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<(&String, &Value)> = object.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (position, (key, value)) in members.into_iter().enumerate() {
                text.push_str(if position == 0 { "" } else { "," });
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write_text(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                text.push_str(if position == 0 { "" } else { "," });
                write_text(item, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

/// Whole numbers as such, others as precise as the Engine keeps them (it stores ratios in 32 bits).
fn make_numbers_plain(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let text = number.as_f64().map(|float| format!("{float:.6}")).unwrap_or_default();
            if let Ok(plain) = text.trim_end_matches('0').trim_end_matches('.').parse() {
                *number = plain;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_numbers_plain),
        Value::Object(object) => object.values_mut().for_each(make_numbers_plain),
        _ => (),
    }
}

/// Takes out members that say nothing: null, false, 0, empty texts, lists and objects.
fn prune(value: &mut Value, free: bool) {
    match value {
        Value::Object(object) => object.retain(|key, value| {
            prune(value, FREE_MAPS.contains(&key.as_str()));
            if free { !value.is_null() } else { !says_nothing(value) }
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| prune(item, false)),
        _ => (),
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

fn ensure_object(value: &mut Value) {
    if !value.is_object() {
        *value = json!({});
    }
}

fn fill(object: &mut Value, key: &str, default: Value) {
    if object.is_object() && says_nothing(&object[key]) {
        object[key] = default;
    }
}

fn remove(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}

fn items<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn sort(value: &mut Value, pointer: &str) {
    if let Some(items) = value.pointer_mut(pointer).and_then(Value::as_array_mut) {
        items.sort_by_cached_key(text);
    }
}
