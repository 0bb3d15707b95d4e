mod equality;
mod preflight;
mod properties;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::testkit::{applied, base64, deployed, foreign, id_of, name, node, spec, stack, swarm};
use super::*;
use crate::engine::{CONTENT_LABEL, DEPLOYMENT_LABEL, IMAGE_LABEL, LiveStack};
use crate::names::DeploymentId;
use crate::stack::{Object, Stack};

/// A plan in short: one line for each action.
fn lines(plan: &Plan) -> Vec<String> {
    plan.actions
        .iter()
        .map(|action| {
            let Action { kind, reason, level, .. } = action;
            match kind {
                ActionKind::CreateObject { object, name } => format!("{object} {name}: {reason}"),
                ActionKind::LabelObject { object, name } => format!("label {object} {name}"),
                ActionKind::RemoveObject { object, name } => format!("remove {object} {name}"),
                ActionKind::CreateService { service, to } => format!("{level} create {service} {to}: {reason}"),
                ActionKind::UpdateService { service, .. } => format!("{level} update {service}: {reason}"),
                ActionKind::LeaveService { service, version } => format!("{level} leave {service} {version}"),
                ActionKind::RemoveService { service, from } => format!("{level} remove {service} {from}"),
                ActionKind::WatchService { service, to, .. } => format!("{level} watch {service} {to}"),
            }
        })
        .collect()
}

#[track_caller]
fn check(wanted: &Stack, live: &LiveStack, scope: Option<&str>, expected: &[&str]) {
    let scope = scope.map(|names| names.split_whitespace().map(name).collect::<BTreeSet<_>>());
    let plan = plan(wanted, live, scope.as_ref());
    assert_eq!(lines(&plan), expected);
    assert_eq!(plan.blockers, []);
}

/// The reasons why a plan is refused, or what it warns of.
#[track_caller]
fn check_findings(wanted: &Stack, live: &LiveStack, blockers: &[&str], warnings: &[&str]) {
    let plan = plan(wanted, live, None);
    for (found, expected) in [(&plan.blockers, blockers), (&plan.warnings, warnings)] {
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.message.contains(expected), "`{}` does not say `{expected}`", found.message);
        }
    }
}

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER_DIGEST: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

// Order and scope

#[test]
fn objects_come_first_then_services_by_level_then_removals() {
    let live = deployed(&stack("old=app:1"));
    let wanted = stack("web=app:2 db=pg:16")
        .after("web", "db")
        .network("home_default")
        .on("web", "home_default")
        .secret("home_key", "x")
        .config("home_conf", "y");
    check(
        &wanted,
        &live,
        None,
        &[
            "network home_default: it does not exist yet",
            "secret home_key: it does not exist yet",
            "config home_conf: it does not exist yet",
            "1 create db 16: new service",
            "2 create web 2: new service",
            "3 remove old 1",
        ],
    );
}

#[test]
fn nothing_outside_the_scope_is_touched() {
    let live = deployed(&stack("web=app:1 db=pg:15 gone=x:1"));
    let wanted = stack("web=app:2 db=pg:16 new=y:1").config("home_conf", "y").reads_config("db", "home_conf");
    check(&wanted, &live, Some("web"), &["1 update web: image 1 -> 2"]);
    check(&wanted, &live, Some("gone"), &["1 remove gone 1"]);
}

#[test]
fn services_that_wait_for_each_other_still_get_a_place() {
    let before = |names: &[(&str, &str)]| {
        names.iter().map(|(one, other)| (name(one), other.split_whitespace().map(name).collect())).collect()
    };
    let levels = order(&before(&[("a", "b"), ("b", "a"), ("c", ""), ("d", "c nobody"), ("e", "e")]));
    let levels: Vec<(&str, u32)> = levels.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    assert_eq!(levels, [("a", 3), ("b", 3), ("c", 1), ("d", 2), ("e", 3)]);
}

#[test]
fn what_deploys_itself_goes_last() {
    let mut plan = plan(&stack("a=x:1 manager=rm:1 z=x:1"), &swarm(), None);
    plan.put_last(&name("manager"));
    assert_eq!(
        lines(&plan),
        ["1 create a 1: new service", "1 create z 1: new service", "2 create manager 1: new service"]
    );
}

// Secrets and configs

fn with_key(data: &str) -> Stack {
    stack("web=app:1 db=pg:1").secret("home_key", data).reads_secret("web", "home_key").reads_secret("db", "home_key")
}

const OLD_KEY: &str = "old content";
const NEW_KEY: &str = "new content";

#[test]
fn changed_content_becomes_a_new_object_and_services_in_scope_follow() {
    let live = deployed(&with_key(OLD_KEY));
    let digest = super::canon::hex_digest(NEW_KEY);
    let rotated = format!("home_key-{}", &digest[..12]);
    assert_eq!(live.secrets["home_key"].labels[CONTENT_LABEL].len(), 16);
    check(&with_key(OLD_KEY), &live, None, &["1 leave db 1", "1 leave web 1"]);

    let created = format!("secret {rotated}: the content of secret `home_key` has changed");
    check(&with_key(NEW_KEY), &live, Some("web"), &[&created, "1 update web: 1 field differs"]);
    let scope = BTreeSet::from([name("web")]);
    let partly = applied(&live, &plan(&with_key(NEW_KEY), &live, Some(&scope)), false);
    check(&with_key(NEW_KEY), &partly, None, &["1 update db: 1 field differs", "1 leave web 1"]);

    let both = applied(&partly, &plan(&with_key(NEW_KEY), &partly, None), false);
    check(&with_key(NEW_KEY), &both, None, &["1 leave db 1", "1 leave web 1"]);
    check(&with_key(OLD_KEY), &both, None, &["1 update db: 1 field differs", "1 update web: 1 field differs"]);
}

#[test]
fn a_config_is_compared_by_what_is_in_it() {
    let wanted = |data| stack("web=app:1").config("home_conf", data).reads_config("web", "home_conf");
    let mut live = deployed(&wanted("a"));
    live.configs.get_mut("home_conf").unwrap().labels.clear();
    check(&wanted("a"), &live, None, &["1 leave web 1"]);
    let rotated = &super::canon::hex_digest("b")[..12];
    let created = format!("config home_conf-{rotated}: the content of config `home_conf` has changed");
    check(&wanted("b"), &live, None, &[&created, "1 update web: 1 field differs"]);
}

#[test]
fn a_secret_that_nobody_can_read_is_taken_to_be_right() {
    let mut live = swarm();
    live.secrets.insert("home_key".to_owned(), foreign("s1"));
    check_findings(&with_key(NEW_KEY), &live, &[], &["`home_key`): they are taken to be up to date"]);
    let live = applied(&live, &plan(&with_key(NEW_KEY), &live, None), false);
    check_findings(&with_key(OLD_KEY), &live, &[], &[]);
}

#[test]
fn a_rotated_name_stays_within_the_engines_limit() {
    let long = "k".repeat(64);
    let wanted = |data| stack("web=app:1").secret(&"k".repeat(64), data).reads_secret("web", &"k".repeat(64));
    let live = deployed(&wanted("a"));
    let plan = plan(&wanted("b"), &live, None);
    let ActionKind::CreateObject { name, .. } = &plan.actions[0].kind else { panic!("nothing is made") };
    assert_eq!(name.len(), 64);
    assert_ne!(*name, long);
}

// The hash

#[test]
fn a_plan_has_another_name_only_if_it_does_something_else() {
    let live = deployed(&with_key(OLD_KEY));
    let wanted = with_key(NEW_KEY);
    let hash = plan(&wanted, &live, None).hash();
    let mut bumped = live.clone();
    for service in bumped.services.values_mut() {
        service.version += 100;
        service.spec["TaskTemplate"]["ForceUpdate"] = json!(2);
    }
    assert_eq!(plan(&wanted, &bumped, None).hash(), hash);
    assert_ne!(plan(&with_key("third"), &live, None).hash(), hash);
    let mut by_hand = live.clone();
    by_hand.services.get_mut("home_web").unwrap().spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["A=1"]);
    assert_ne!(plan(&wanted, &by_hand, None).hash(), hash);
    assert_ne!(plan(&wanted, &LiveStack { nodes: Vec::new(), ..live }, Some(&BTreeSet::new())).hash(), hash);
}
