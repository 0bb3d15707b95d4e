//! From the model to the Engine API's JSON, as the docker command sends it.
//!
//! What the command leaves out when it is empty is left out here; what it always sends stands here always. Lists are in
//! an order of their own wherever the Engine does not care, so that the same file always gives the same bytes.

mod container;
mod files;
mod json;
mod mounts;
mod networks;
mod policy;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::findings::{Findings, Place};
use super::load::model::{Document, Image, Service};
use super::{Service as Rendered, Stack, image};
use crate::engine::{IMAGE_LABEL, NAMESPACE_LABEL};
use crate::names::{ServiceName, StackName};
use crate::ports::Files;
use json::Json;

/// What every part of the conversion looks into.
#[derive(Clone, Copy)]
struct Context<'a> {
    stack: &'a StackName,
    document: &'a Document,
}

impl Context<'_> {
    /// The full name of something of this stack.
    fn scoped(&self, key: &str) -> String {
        format!("{}_{key}", self.stack)
    }

    fn named(&self, key: &str, name: Option<&String>) -> String {
        name.cloned().unwrap_or_else(|| self.scoped(key))
    }

    /// Labels with the one by which the stack is found again; it wins over one of the same name.
    fn labels(&self, given: &BTreeMap<String, String>) -> Value {
        let mut labels = given.clone();
        labels.insert(NAMESPACE_LABEL.to_owned(), self.stack.to_string());
        Value::from_iter(labels)
    }
}

/// Converts a whole stack.
pub(crate) fn convert(stack: &StackName, document: &Document, files: &Files, findings: &mut Findings) -> Stack {
    let context = Context { stack, document };
    let mut rendered = Stack {
        name: stack.clone(),
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        secrets: files::objects(context, files::Kind::Secret, files, findings),
        configs: files::objects(context, files::Kind::Config, files, findings),
        given: BTreeSet::new(),
    };
    for (key, service) in &document.services {
        let Some(name) = findings.take(&service.place, key.parse().map_err(|error| format!("{error}"))) else {
            continue;
        };
        let spec = service_spec(context, key, service, findings);
        let depends_on = depends_on(document, service, findings);
        rendered.networks.extend(networks::objects(context, service));
        rendered.services.insert(name, Rendered { spec, depends_on });
    }
    rendered
}

fn depends_on(document: &Document, service: &Service, findings: &mut Findings) -> BTreeSet<ServiceName> {
    let mut names = BTreeSet::new();
    for wanted in &service.depends_on {
        if !document.services.contains_key(&wanted.value) {
            let message = format!("there is no service `{}` in this stack: nothing waits for it", wanted.value);
            findings.warn(&wanted.place, message);
            continue;
        }
        names.extend(wanted.value.parse::<ServiceName>());
    }
    names
}

fn service_spec(context: Context<'_>, key: &str, service: &Service, findings: &mut Findings) -> Value {
    let (raw, sent) = images(service, findings);
    let mut labels = context.labels(&service.deploy.labels);
    labels[IMAGE_LABEL] = Value::from(raw);
    let policy = &service.deploy;
    let task = Json::default()
        .put("ContainerSpec", container::spec(context, key, service, &sent, findings))
        .put("Resources", policy::resources(policy))
        .some("RestartPolicy", policy::restart(service, findings))
        .put("Placement", policy::placement(policy))
        .list("Networks", networks::attachments(context, key, service, findings))
        .some("LogDriver", service.logging.as_ref().map(policy::log_driver));
    let endpoint = Json::default()
        .text("Mode", &policy.endpoint_mode.to_ascii_lowercase())
        .list("Ports", networks::ports(&service.ports));
    Json::default()
        .put("Name", context.scoped(key))
        .put("Labels", labels)
        .put("TaskTemplate", task)
        .put("Mode", policy::mode(service, findings))
        .some("UpdateConfig", policy.update.as_ref().map(policy::update))
        .some("RollbackConfig", policy.rollback.as_ref().map(policy::update))
        .put("EndpointSpec", endpoint)
        .into()
}

/// The image as it stands in the file, and as it is sent.
fn images(service: &Service, findings: &mut Findings) -> (String, String) {
    let raw = match service.image.as_ref().map(|image| (&image.place, &image.value)) {
        Some((_, Image::Broken)) => return (String::new(), String::new()),
        Some((place, Image::Named(raw))) if !raw.is_empty() => {
            let sent = findings.take(place, image::normalise(raw)).unwrap_or_default();
            return (raw.clone(), sent);
        }
        _ => "a service needs an `image`",
    };
    findings.refuse(&service.place, raw);
    (String::new(), String::new())
}

/// Finds services that wait for each other in a circle. Without recursion: a hostile file has long chains.
pub(crate) fn refuse_cycles(document: &Document, findings: &mut Findings) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in document.services.keys() {
        follow(document, start, &mut done, findings);
    }
}

/// Walks along everything that a service waits for. `done` are those from which everything was walked.
fn follow<'a>(document: &'a Document, start: &'a str, done: &mut BTreeSet<&'a str>, findings: &mut Findings) {
    // The way here, how far each service on it was followed, and where each stands.
    let mut way: Vec<(&str, usize)> = Vec::new();
    let mut position: BTreeMap<&str, usize> = BTreeMap::new();
    let enter = |key: &'a str, way: &mut Vec<(&'a str, usize)>, position: &mut BTreeMap<&'a str, usize>| {
        position.insert(key, way.len());
        way.push((key, 0));
    };
    if !done.contains(start) {
        enter(start, &mut way, &mut position);
    }
    while let Some((key, followed)) = way.last_mut() {
        let waits_for = document.services.get(*key).map_or(&[][..], |service| &service.depends_on);
        let Some(next) = waits_for.get(*followed) else {
            position.remove(*key);
            done.insert(key);
            way.pop();
            continue;
        };
        *followed += 1;
        if let Some(at) = position.get(next.value.as_str()) {
            let circle: Vec<&str> = way[*at..].iter().map(|(key, _)| *key).collect();
            refuse_cycle(&next.place, &circle, findings);
        } else if !done.contains(next.value.as_str()) && document.services.contains_key(&next.value) {
            enter(&next.value, &mut way, &mut position);
        }
    }
}

fn refuse_cycle(place: &Place, cycle: &[&str], findings: &mut Findings) {
    let shown: Vec<String> = cycle.iter().chain(cycle.first()).map(|name| format!("`{name}`")).collect();
    let names = if shown.len() <= 20 {
        shown.join(" -> ")
    } else {
        format!("{} -> … -> {}", shown[..10].join(" -> "), shown[shown.len() - 2..].join(" -> "))
    };
    findings.refuse(place, format!("services wait for each other in a circle, so none could start: {names}"));
}
