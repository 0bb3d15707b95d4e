//! What nothing needs any more once a plan is carried out.
//!
//! Only what this stack's label proves to be ours is ever removed, and of secrets and configs only what we have made
//! ourselves: its content is in our history. What an older deployment left behind stays for a while, so that the Swarm's
//! own rollback finds it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rotate::{Kind, Objects, is_rotation, networks_of, references_of};
use super::{Action, ActionKind, Plan};
use crate::engine::{CONTENT_LABEL, LiveObject, LiveStack, NAMESPACE_LABEL, Write};
use crate::names::StackName;
use crate::stack::{Object, Stack};

/// So many earlier contents of a secret or config are kept.
const KEPT: usize = 3;

/// The removals, in order. `specs` are those of all services that the stack has once the plan is carried out. With
/// `prune` also what no longer stands in the stack file.
pub(super) fn removals(
    wanted: &Stack,
    live: &LiveStack,
    objects: &Objects,
    specs: &[&Value],
    prune: bool,
) -> Vec<Action> {
    let mut actions = Vec::new();
    for kind in [Kind::Secret, Kind::Config] {
        let (declared, existing) = match kind {
            Kind::Secret => (&wanted.secrets, &live.secrets),
            Kind::Config => (&wanted.configs, &live.configs),
        };
        let used: BTreeSet<String> = specs.iter().flat_map(|spec| references_of(spec, kind)).collect();
        let unused = Unused { kind, existing: ours(&wanted.name, existing), used };
        let mut of_the_file = BTreeSet::new();
        for name in declared.iter().filter(|(_, object)| matches!(object, Object::Ours { .. })).map(|(name, _)| name) {
            let family = unused.family(name);
            of_the_file.extend(family.iter().copied());
            actions.extend(unused.old(&family, objects.current(kind, name)));
        }
        if prune {
            actions.extend(unused.foreign_to(&of_the_file, declared));
        }
    }
    if prune {
        actions.extend(networks(wanted, live, specs));
    }
    actions
}

/// Adds to a plan that was made service by service what no longer stands in these files, which are all that the stack is
/// rendered from, and what no service uses once it is carried out.
pub(crate) fn prune(plan: &mut Plan, files: &[&Stack], live: &LiveStack) {
    let Some(first) = files.first() else { return };
    let mut declared = Stack { services: BTreeMap::new(), ..(*first).clone() };
    for file in files {
        declared.networks.extend(file.networks.clone());
        declared.secrets.extend(file.secrets.clone());
        declared.configs.extend(file.configs.clone());
    }
    let written = plan.actions.iter().filter_map(|action| action.write.as_ref()?.service_spec());
    let replaced: BTreeSet<&str> = plan.actions.iter().filter_map(|action| replaces(action.write.as_ref()?)).collect();
    let staying = live.services.values().filter(|service| !replaced.contains(service.id.as_str()));
    let specs: Vec<&Value> = written.chain(staying.map(|service| &service.spec)).collect();
    let found = removals(&declared, live, &Objects::default(), &specs, true);
    let no_longer = |action: &Action| action.reason == NO_LONGER;
    let found: Vec<Action> = found.into_iter().filter(no_longer).collect();
    plan.actions.extend(found);
}

/// The service that a write leaves changed or gone.
fn replaces(write: &Write) -> Option<&str> {
    match write {
        Write::UpdateService { id, .. } | Write::RemoveService { id } => Some(id),
        _ => None,
    }
}

/// Takes the stack's label off what must stay: what the stack file does not name, and what these services use.
pub(super) fn disown(wanted: &Stack, live: &mut LiveStack, specs: &[&Value]) {
    for (name, network) in &mut live.networks {
        if !wanted.networks.contains_key(name) {
            network.labels.remove(NAMESPACE_LABEL);
        }
    }
    for kind in [Kind::Secret, Kind::Config] {
        let (declared, existing) = match kind {
            Kind::Secret => (&wanted.secrets, &mut live.secrets),
            Kind::Config => (&wanted.configs, &mut live.configs),
        };
        let used: BTreeSet<String> = specs.iter().flat_map(|spec| references_of(spec, kind)).collect();
        for (name, object) in existing {
            let content = object.labels.get(CONTENT_LABEL).map_or("", String::as_str);
            let is_named = declared.keys().any(|declared| declared == name || is_rotation(name, declared, content));
            if used.contains(name) || !is_named {
                object.labels.remove(NAMESPACE_LABEL);
            }
        }
    }
}

/// The objects that we have made for this stack, by name.
fn ours<'a>(stack: &StackName, objects: &'a BTreeMap<String, LiveObject>) -> BTreeMap<&'a str, &'a LiveObject> {
    let is_ours = |object: &LiveObject| {
        object.labels.get(NAMESPACE_LABEL).is_some_and(|of| of == stack.as_str())
            && object.labels.contains_key(CONTENT_LABEL)
    };
    objects.iter().filter(|(_, object)| is_ours(object)).map(|(name, object)| (name.as_str(), object)).collect()
}

struct Unused<'a> {
    kind: Kind,
    existing: BTreeMap<&'a str, &'a LiveObject>,
    used: BTreeSet<String>,
}

impl<'a> Unused<'a> {
    /// The object of that name, and those that its changed contents became.
    fn family(&self, name: &str) -> BTreeSet<&'a str> {
        let belongs = |(other, object): (&&'a str, &&'a LiveObject)| {
            let content = object.labels.get(CONTENT_LABEL).map_or("", String::as_str);
            (**other == *name || is_rotation(other, name, content)).then_some(*other)
        };
        self.existing.iter().filter_map(belongs).collect()
    }

    /// All but the newest of those that nothing uses.
    fn old(&self, family: &BTreeSet<&str>, current: &str) -> Vec<Action> {
        let unused = family.iter().filter(|name| **name != current && !self.used.contains(**name));
        let mut unused: Vec<(&str, &LiveObject)> =
            unused.filter_map(|name| Some((*name, *self.existing.get(name)?))).collect();
        unused.sort_by(|(name, one), (other_name, other)| {
            other.created_at.cmp(&one.created_at).then_with(|| name.cmp(other_name))
        });
        let old = unused.into_iter().skip(KEPT);
        let reason = format!("nothing uses it any more, and the last {KEPT} before it are kept");
        old.map(|(name, object)| remove(self.kind.word(), name, &reason, self.write(object))).collect()
    }

    /// Those that stand in the stack file no longer and that nothing uses.
    fn foreign_to(&self, of_the_file: &BTreeSet<&str>, declared: &BTreeMap<String, Object>) -> Vec<Action> {
        let gone =
            |name: &str| !of_the_file.contains(name) && !declared.contains_key(name) && !self.used.contains(name);
        let gone = self.existing.iter().filter(|(name, _)| gone(name));
        gone.map(|(name, object)| remove(self.kind.word(), name, NO_LONGER, self.write(object))).collect()
    }

    fn write(&self, object: &LiveObject) -> Write {
        let id = object.id.clone();
        match self.kind {
            Kind::Secret => Write::RemoveSecret { id },
            Kind::Config => Write::RemoveConfig { id },
        }
    }
}

const NO_LONGER: &str = "no longer in the stack file, and nothing uses it";

/// The stack's networks that the file does not name and no service uses.
fn networks(wanted: &Stack, live: &LiveStack, specs: &[&Value]) -> Vec<Action> {
    let used: BTreeSet<String> = specs.iter().flat_map(|spec| networks_of(spec)).collect();
    let is_left = |name: &str, network: &LiveObject| {
        network.labels.get(NAMESPACE_LABEL).is_some_and(|of| of == wanted.name.as_str())
            && !wanted.networks.contains_key(name)
            // Live specs know networks by id.
            && !used.contains(name)
            && !used.contains(&network.id)
    };
    let left = live.networks.iter().filter(|(name, network)| is_left(name, network));
    left.map(|(name, network)| remove("network", name, NO_LONGER, Write::RemoveNetwork { id: network.id.clone() }))
        .collect()
}

fn remove(object: &str, name: &str, reason: &str, write: Write) -> Action {
    Action {
        kind: ActionKind::RemoveObject { object: object.to_owned(), name: name.to_owned() },
        reason: reason.to_owned(),
        write: Some(write),
        level: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{applied, deployed, foreign, name, stack};
    use super::super::{plan, without_pruning};
    use super::*;

    /// The removals of a plan: `config home_conf: reason`.
    fn removals(plan: &Plan) -> Vec<String> {
        let removed = plan.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::RemoveObject { object, name } => Some(format!("{object} {name}: {}", action.reason)),
            _ => None,
        });
        removed.collect()
    }

    fn with_config(data: &str) -> Stack {
        stack("web=app:1").config("home_conf", data).reads_config("web", "home_conf")
    }

    fn labelled(mut object: LiveObject, labels: &[(&str, &str)]) -> LiveObject {
        object.labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        object
    }

    #[test]
    fn the_last_contents_are_kept_and_older_ones_removed_within_the_same_plan() {
        let mut live = deployed(&with_config("0"));
        for round in 1..=3 {
            let next = with_config(&round.to_string());
            let todo = plan(&next, &live, None);
            assert_eq!(removals(&todo), Vec::<String>::new(), "round {round}");
            live = applied(&live, &todo, false);
            assert!(!plan(&next, &live, None).has_writes(), "round {round}");
        }
        let next = with_config("4");
        let todo = plan(&next, &live, None);
        let removed = "config home_conf: nothing uses it any more, and the last 3 before it are kept";
        assert_eq!(removals(&todo), [removed]);
        assert_eq!(todo.actions.last().unwrap().level, 0, "removals of objects stand last and belong to no level");
        live = applied(&live, &todo, false);
        assert!(!plan(&next, &live, None).has_writes());
        // The object of the plain name is gone. Content that is there is not made again.
        assert!(!live.configs.contains_key("home_conf"));
        let back = plan(&with_config("2"), &live, None);
        assert!(!back.actions.iter().any(|action| matches!(action.kind, ActionKind::CreateObject { .. })));
        live = applied(&live, &back, false);
        assert!(!plan(&with_config("2"), &live, None).has_writes());
    }

    #[test]
    fn an_earlier_content_that_a_service_still_uses_stays() {
        let two = |data: &str| {
            stack("web=app:1 db=pg:1")
                .config("home_conf", data)
                .reads_config("web", "home_conf")
                .reads_config("db", "home_conf")
        };
        let mut live = deployed(&two("0"));
        let web = BTreeSet::from([name("web")]);
        for round in 1..=6 {
            live = applied(&live, &plan(&two(&round.to_string()), &live, Some(&web)), false);
        }
        assert!(live.configs.contains_key("home_conf"), "`db` uses it");
        assert_eq!(live.configs.len(), 5, "in use by `db`, in use by `web`, and three between them");
    }

    #[test]
    fn what_the_file_no_longer_names_is_pruned_if_it_is_ours() {
        let before = with_config("0")
            .secret("home_key", "k")
            .reads_secret("web", "home_key")
            .network("home_net")
            .on("web", "home_net");
        let mut live = deployed(&before);
        let stack_label = (NAMESPACE_LABEL, "home");
        live.networks.insert("somebodys".to_owned(), foreign("n9"));
        live.networks.insert("neighbours".to_owned(), labelled(foreign("n8"), &[(NAMESPACE_LABEL, "other")]));
        live.configs.insert("home_by_hand".to_owned(), labelled(foreign("c9"), &[stack_label]));
        live.secrets.insert(
            "other_key".to_owned(),
            labelled(foreign("s9"), &[(NAMESPACE_LABEL, "other"), (CONTENT_LABEL, "0123456789abcdef")]),
        );
        let after = stack("web=app:1");
        let todo = plan(&after, &live, None);
        let reason = "no longer in the stack file, and nothing uses it";
        assert_eq!(
            removals(&todo),
            [
                format!("secret home_key: {reason}"),
                format!("config home_conf: {reason}"),
                format!("network home_net: {reason}")
            ]
        );
        assert!(!plan(&after, &applied(&live, &todo, false), None).has_writes());
        let web = BTreeSet::from([name("web")]);
        assert_eq!(removals(&plan(&after, &live, Some(&web))), Vec::<String>::new(), "a selection prunes nothing");
    }

    #[test]
    fn without_pruning_nothing_goes_because_the_file_does_not_name_it() {
        let with_db = stack("web=app:1 db=pg:1")
            .config("home_conf", "0")
            .reads_config("web", "home_conf")
            .reads_config("db", "home_conf");
        let live = deployed(&with_db.network("home_net").on("db", "home_net"));
        let mut live = without_pruning(&with_config("0"), live);
        for round in 1..=5 {
            let next = with_config(&round.to_string());
            let todo = plan(&next, &live, None);
            let gone = removals(&todo).into_iter().any(|line| line.contains("home_net") || line.contains("home_conf:"));
            assert!(!gone, "round {round}: {:?}", removals(&todo));
            live = applied(&live, &todo, false);
        }
        assert_eq!(live.configs.len(), 5, "the one of `db`, the current one, and three before it");
    }

    #[test]
    fn what_has_become_external_is_not_removed() {
        let live = deployed(&with_config("0").network("home_net").on("web", "home_net"));
        let mut after = stack("web=app:1");
        after.configs.insert("home_conf".to_owned(), Object::External);
        after.networks.insert("home_net".to_owned(), Object::External);
        assert_eq!(removals(&plan(&after, &live, None)), Vec::<String>::new());
    }
}
