//! Networks, secrets and configs: what must be made, and which name services must use for what has changed.
//!
//! The Engine never changes the data of a secret or config. Changed content becomes a new object, named after the old
//! one and its content, and the services that use it follow.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::canon::hex_digest;
use super::spec::{list, set};
use super::{Action, ActionKind};
use crate::engine::{CONTENT_LABEL, LiveObject, LiveStack, NAMESPACE_LABEL, Write};
use crate::stack::{Object, Stack};

/// So many digits of the content's digest stand in the name.
const ROTATED_DIGITS: usize = 12;
/// The Engine takes names of secrets and configs up to this length.
pub(super) const LONGEST_NAME: usize = 64;

/// The kinds of object whose content can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Secret,
    Config,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Config => "config",
        }
    }

    /// Where a spec lists them, and the member that holds the name.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Secret => ("/TaskTemplate/ContainerSpec/Secrets", "SecretName"),
            Self::Config => ("/TaskTemplate/ContainerSpec/Configs", "ConfigName"),
        }
    }

    fn write(self, spec: Value) -> Write {
        match self {
            Self::Secret => Write::CreateSecret { spec },
            Self::Config => Write::CreateConfig { spec },
        }
    }
}

/// What is to be done about objects.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Objects to make, in order.
    pub(super) creates: Vec<Action>,
    /// The names that services must use instead.
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) configs: BTreeMap<String, String>,
    /// Secrets whose content nobody can compare.
    pub(super) unreadable: BTreeSet<String>,
}

impl Objects {
    /// The spec with its references led to the objects that hold the wanted content.
    pub(super) fn followed(&self, spec: &Value) -> Value {
        let mut spec = spec.clone();
        for (kind, renamed) in [(Kind::Secret, &self.secrets), (Kind::Config, &self.configs)] {
            follow(&mut spec, kind, renamed);
        }
        if let Some(config) = spec.pointer_mut("/TaskTemplate/ContainerSpec/Privileges/CredentialSpec/Config")
            && let Some(new) = config.as_str().and_then(|name| self.configs.get(name))
        {
            *config = new.as_str().into();
        }
        spec
    }
}

fn follow(spec: &mut Value, kind: Kind, renamed: &BTreeMap<String, String>) {
    let (pointer, member) = kind.place();
    for reference in spec.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(new) = reference[member].as_str().and_then(|name| renamed.get(name)) {
            reference[member] = new.as_str().into();
        }
    }
}

/// The names of the networks that a spec uses.
pub(super) fn networks_of(spec: &Value) -> BTreeSet<String> {
    list(spec, "/TaskTemplate/Networks")
        .iter()
        .filter_map(|network| network["Target"].as_str().map(str::to_owned))
        .collect()
}

/// The names of the secrets or configs that a spec uses.
pub(super) fn references_of(spec: &Value, kind: Kind) -> BTreeSet<String> {
    let (pointer, member) = kind.place();
    list(spec, pointer).iter().filter_map(|reference| reference[member].as_str().map(str::to_owned)).collect()
}

/// Decides about the objects of these services; with `all` also about secrets and configs that no service uses, as the
/// docker command does.
pub(super) fn objects(wanted: &Stack, live: &LiveStack, specs: &[&Value], all: bool) -> Objects {
    let mut objects = Objects::default();
    let networks: BTreeSet<String> = specs.iter().flat_map(|spec| networks_of(spec)).collect();
    for name in networks {
        if let Some(Object::Ours { spec }) = wanted.networks.get(&name)
            && !live.networks.contains_key(&name)
        {
            let write = Write::CreateNetwork { spec: spec.clone() };
            objects.creates.push(create("network", name, "it does not exist yet".to_owned(), write));
        }
    }
    for kind in [Kind::Secret, Kind::Config] {
        let used: BTreeSet<String> = specs.iter().flat_map(|spec| references_of(spec, kind)).collect();
        let (declared, existing) = match kind {
            Kind::Secret => (&wanted.secrets, &live.secrets),
            Kind::Config => (&wanted.configs, &live.configs),
        };
        for (name, object) in declared {
            if let Object::Ours { spec } = object
                && (all || used.contains(name))
            {
                objects.decide(kind, name, spec, existing);
            }
        }
    }
    objects
}

impl Objects {
    fn decide(&mut self, kind: Kind, name: &str, spec: &Value, existing: &BTreeMap<String, LiveObject>) {
        let digest = content_digest(spec);
        let rotated = rotated_name(name, &digest);
        let live = existing.get(name);
        match live.map(|live| compare(live, spec, &digest)) {
            // The first of the family may have been removed, or nobody can read it: what is known to hold the content is
            // not made a second time.
            None | Some(Content::Unreadable) if existing.contains_key(&rotated) => self.rename(kind, name, rotated),
            None if let Some((first, live)) = first_of_family(existing, name, spec, &digest) => {
                self.label(kind, first, spec, Some(live));
                self.rename(kind, name, first.to_owned());
            }
            None => self.creates.push(creation(kind, name, spec, &digest, "it does not exist yet".to_owned())),
            Some(Content::Same) => self.label(kind, name, spec, live),
            Some(Content::Unreadable) => {
                self.unreadable.insert(name.to_owned());
            }
            Some(Content::Other) => {
                if let Some(live) = existing.get(&rotated) {
                    self.label(kind, &rotated, spec, Some(live));
                } else {
                    let reason = format!("the content of {} `{name}` has changed", kind.word());
                    self.creates.push(creation(kind, &rotated, spec, &digest, reason));
                }
                self.rename(kind, name, rotated);
            }
        }
    }

    /// Gives an object of this stack the wanted labels, if it has others. Those of Release Manager stay.
    fn label(&mut self, kind: Kind, name: &str, spec: &Value, live: Option<&LiveObject>) {
        let Some(live) = live else { return };
        let wanted: BTreeMap<String, String> = serde_json::from_value(spec["Labels"].clone()).unwrap_or_default();
        if live.labels.get(NAMESPACE_LABEL) != wanted.get(NAMESPACE_LABEL) {
            return;
        }
        let (own, theirs): (BTreeMap<_, _>, BTreeMap<_, _>) =
            live.labels.clone().into_iter().partition(|(label, _)| label.starts_with("release-manager."));
        if theirs == wanted {
            return;
        }
        let mut spec = spec.clone();
        set(&mut spec, &["Name"], json!(name));
        set(&mut spec, &["Labels"], json!(wanted.into_iter().chain(own).collect::<BTreeMap<_, _>>()));
        let (id, version) = (live.id.clone(), live.version);
        let write = match kind {
            Kind::Secret => Write::LabelSecret { id, version, spec },
            Kind::Config => Write::LabelConfig { id, version, spec },
        };
        self.creates.push(Action {
            kind: ActionKind::LabelObject { object: kind.word().to_owned(), name: name.to_owned() },
            reason: "its labels differ".to_owned(),
            write: Some(write),
            level: 0,
        });
    }

    /// The name under which the wanted content stands.
    pub(super) fn current<'a>(&'a self, kind: Kind, name: &'a str) -> &'a str {
        let renamed = match kind {
            Kind::Secret => &self.secrets,
            Kind::Config => &self.configs,
        };
        renamed.get(name).map_or(name, String::as_str)
    }

    fn rename(&mut self, kind: Kind, name: &str, rotated: String) {
        match kind {
            Kind::Secret => self.secrets.insert(name.to_owned(), rotated),
            Kind::Config => self.configs.insert(name.to_owned(), rotated),
        };
    }
}

/// The object that holds the wanted content under the name that it had before any rotation: services that use it stay as
/// they are.
fn first_of_family<'a>(
    existing: &'a BTreeMap<String, LiveObject>,
    name: &str,
    spec: &Value,
    digest: &str,
) -> Option<(&'a str, &'a LiveObject)> {
    let is_it = |(first, live): &(&String, &LiveObject)| {
        rotated_name(first, digest) == name && matches!(compare(live, spec, digest), Content::Same)
    };
    existing.iter().find(is_it).map(|(first, live)| (first.as_str(), live))
}

/// How the content of an existing object compares.
enum Content {
    Same,
    Other,
    /// A secret that carries no word about its content.
    Unreadable,
}

fn compare(live: &LiveObject, spec: &Value, digest: &str) -> Content {
    let label = live.labels.get(CONTENT_LABEL).map(|label| digest.starts_with(label.as_str()) && !label.is_empty());
    let data = live.data.as_deref().map(|data| decoded(data) == decoded(spec["Data"].as_str().unwrap_or_default()));
    match (data, label) {
        (Some(false), _) | (_, Some(false)) => Content::Other,
        (Some(true), _) | (None, Some(true)) => Content::Same,
        (None, None) => Content::Unreadable,
    }
}

fn decoded(data: &str) -> Vec<u8> {
    STANDARD.decode(data).unwrap_or_else(|_| data.as_bytes().to_vec())
}

/// The digest of the data, and of the driver and template engine that are part of what a service gets to see.
pub(super) fn content_digest(spec: &Value) -> String {
    let mut content = decoded(spec["Data"].as_str().unwrap_or_default());
    for member in ["Driver", "Templating"] {
        if spec[member].is_object() {
            content.extend_from_slice(super::canon::text(&spec[member]).as_bytes());
        }
    }
    hex_digest(content)
}

pub(super) fn rotated_name(name: &str, digest: &str) -> String {
    let suffix = &digest[..ROTATED_DIGITS];
    let room = LONGEST_NAME - suffix.len() - 1;
    let base: String = name.chars().take(room).collect();
    format!("{base}-{suffix}")
}

/// Whether `other` is what `name` became when its content changed. `content` is what its label says.
pub(super) fn is_rotation(other: &str, name: &str, content: &str) -> bool {
    content.len() >= ROTATED_DIGITS && content.is_ascii() && other == rotated_name(name, content)
}

fn creation(kind: Kind, name: &str, spec: &Value, digest: &str, reason: String) -> Action {
    let mut spec = spec.clone();
    set(&mut spec, &["Name"], json!(name));
    set(&mut spec, &["Labels", CONTENT_LABEL], json!(digest[..16]));
    create(kind.word(), name.to_owned(), reason, kind.write(spec))
}

fn create(object: &str, name: String, reason: String, write: Write) -> Action {
    Action { kind: ActionKind::CreateObject { object: object.to_owned(), name }, reason, write: Some(write), level: 0 }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{applied, deployed, foreign, stack};
    use super::super::{Part, compose, plan};
    use super::*;
    use crate::names::ServiceName;

    fn with_label(value: &str) -> Stack {
        let mut wanted = stack("web=app:1").config("home_conf", "x").reads_config("web", "home_conf");
        let Some(Object::Ours { spec }) = wanted.configs.get_mut("home_conf") else { panic!() };
        spec["Labels"]["tier"] = json!(value);
        wanted
    }

    #[test]
    fn changed_labels_are_written_and_restart_nothing() {
        let live = deployed(&with_label("back"));
        let todo = plan(&with_label("front"), &live, None);
        let written: Vec<&Action> = todo.actions.iter().filter(|action| action.write.is_some()).collect();
        assert!(matches!(&written[..], [Action { kind: ActionKind::LabelObject { .. }, .. }]), "{written:?}");
        let live = applied(&live, &todo, false);
        assert_eq!(live.configs["home_conf"].labels["tier"], "front");
        assert!(live.configs["home_conf"].labels.contains_key(CONTENT_LABEL));
        assert!(!plan(&with_label("front"), &live, None).has_writes());
    }

    #[test]
    fn a_service_whose_content_has_not_changed_stays_as_it_is_when_another_gets_a_new_one() {
        let both = |content: &str| {
            let stack = stack("web=app:1 db=pg:16").config("home_conf", content);
            stack.reads_config("web", "home_conf").reads_config("db", "home_conf")
        };
        let (old, new) = (both("old"), both("new"));
        let live = deployed(&old);
        let part = |stack, service: &str| Part { stack, services: [service.parse().unwrap()].into() };
        let whole = compose(&old.name, &[part(&new, "web"), part(&old, "db")]);
        let todo = plan(&whole, &live, None);
        let written: Vec<&str> = todo
            .actions
            .iter()
            .filter(|action| action.write.is_some())
            .filter_map(|action| action.kind.service().map(ServiceName::as_str))
            .collect();
        assert_eq!(written, ["web"], "{todo:#?}");
        let live = applied(&live, &todo, false);
        assert!(!plan(&whole, &live, None).has_writes(), "and again");
        assert_eq!(live.configs.len(), 2);
    }

    #[test]
    fn what_somebody_else_has_made_keeps_its_labels() {
        let mut live = deployed(&with_label("back"));
        let theirs = LiveObject { data: live.configs["home_conf"].data.clone(), ..foreign("c1") };
        live.configs.insert("home_conf".to_owned(), theirs);
        assert!(!plan(&with_label("front"), &live, None).has_writes());
    }
}
