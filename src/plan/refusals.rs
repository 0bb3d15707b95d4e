//! What the Engine refuses for what it says, whatever the Swarm looks like: the rules of swarmkit's control API
//! (`manager/controlapi`), so that they are known before anything is written.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::rotate::LONGEST_NAME;
use super::spec::list;
use super::{Action, ActionKind};
use crate::diff::Finding;
use crate::engine::Write;
use crate::names::ServiceName;

/// Swarm's own limit for the full names of services and networks: that of a DNS label.
pub(super) const LONGEST_LABEL: usize = 63;
/// No health check takes less.
const MILLISECOND: i64 = 1_000_000;
/// Drivers of networks that exist on one node only.
const LOCAL_DRIVERS: [&str; 6] = ["bridge", "host", "ipvlan", "macvlan", "none", "null"];

/// Whether a name follows the grammar of services and networks.
pub(super) fn is_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Whether a name follows the grammar of secrets and configs.
fn is_object_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(name.chars().next())
        && edge(name.chars().last())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Why the Engine would refuse a service, whatever the Swarm looks like.
pub(super) fn of_service(name: &ServiceName, spec: &Value) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut targets = BTreeSet::new();
    for mount in list(spec, "/TaskTemplate/ContainerSpec/Mounts") {
        let target = mount["Target"].as_str().unwrap_or_default();
        if !targets.insert(target) {
            reasons.push(format!("service `{name}` mounts two volumes at `{target}`: take one out"));
        }
    }
    for part in ["Interval", "Timeout", "StartPeriod", "StartInterval"] {
        let at = format!("/TaskTemplate/ContainerSpec/Healthcheck/{part}");
        if spec.pointer(&at).and_then(Value::as_i64).is_some_and(|time| time != 0 && time < MILLISECOND) {
            reasons.push(format!("the health check of service `{name}` has a time below 1 ms: make it longer"));
        }
    }
    for (at, words) in [
        ("/UpdateConfig/Delay", "the delay between updates"),
        ("/UpdateConfig/Monitor", "the time for which updates are monitored"),
        ("/TaskTemplate/RestartPolicy/Delay", "the delay before a restart"),
        ("/TaskTemplate/RestartPolicy/Window", "the window of the restart policy"),
    ] {
        if spec.pointer(at).and_then(Value::as_i64).is_some_and(|time| time < 0) {
            reasons.push(format!("{words} of service `{name}` is negative: correct it"));
        }
    }
    let ratio = spec.pointer("/UpdateConfig/MaxFailureRatio").and_then(Value::as_f64);
    if ratio.is_some_and(|ratio| !(0.0..=1.0).contains(&ratio)) {
        reasons.push(format!("`max_failure_ratio` of service `{name}` must be from 0 to 1"));
    }
    let counts = ["/Mode/Replicated/Replicas", "/Mode/ReplicatedJob/TotalCompletions"];
    if counts
        .into_iter()
        .any(|at| spec.pointer(at).and_then(Value::as_u64).is_some_and(|count| count > i64::MAX as u64))
    {
        reasons.push(format!("service `{name}` wants more replicas than Swarm can count: use fewer"));
    }
    reasons
}

/// What speaks against the objects that a plan makes.
pub(super) fn of_objects(creates: &[Action]) -> Vec<Finding> {
    creates.iter().flat_map(of_object).map(|message| Finding { service: None, message }).collect()
}

fn of_object(action: &Action) -> Vec<String> {
    let ActionKind::CreateObject { object, name } = &action.kind else { return Vec::new() };
    if let Some(Write::CreateNetwork { spec }) = &action.write {
        return of_network(name, spec);
    }
    if name.len() > LONGEST_NAME || !is_object_name(name) {
        return vec![format!(
            "Swarm refuses the {object} name `{name}`: use at most {LONGEST_NAME} of a-z, A-Z, 0-9, `-`, `_` and `.`, with \
             a letter or digit at both ends"
        )];
    }
    Vec::new()
}

fn of_network(name: &str, spec: &Value) -> Vec<String> {
    let mut reasons = Vec::new();
    if name.len() > LONGEST_LABEL || !is_label(name) {
        reasons.push(format!(
            "Swarm refuses the network name `{name}`: use at most {LONGEST_LABEL} of a-z, A-Z, 0-9, `-` and `_`, with a \
             letter or digit at both ends"
        ));
    }
    let driver = spec["Driver"].as_str().unwrap_or_default();
    if LOCAL_DRIVERS.contains(&driver) {
        reasons.push(format!(
            "the network `{name}` has the driver `{driver}`, which exists on one node only, and services cannot use it: use \
             overlay"
        ));
    }
    for pool in list(spec, "/IPAM/Config") {
        let subnet = pool["Subnet"].as_str().unwrap_or_default();
        if !is_subnet(subnet) {
            reasons.push(format!("`{subnet}` is no subnet for the network `{name}`: write for example `10.99.0.0/24`"));
        }
    }
    reasons
}

/// Whether a text is an address with the length of its prefix.
fn is_subnet(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= most)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::plan;
    use super::super::testkit::{stack, swarm};
    use super::*;
    use crate::stack::Stack;

    #[track_caller]
    fn check(wanted: &Stack, expected: &str) {
        let blockers = plan(wanted, &swarm(), None).blockers;
        assert!(blockers.iter().any(|found| found.message.contains(expected)), "{expected}: {blockers:?}");
    }

    #[track_caller]
    fn check_taken(wanted: &Stack) {
        assert_eq!(plan(wanted, &swarm(), None).blockers, []);
    }

    fn web(path: &[&str], value: Value) -> Stack {
        stack("web=app:1").with("web", path, value)
    }

    #[test]
    fn what_a_service_may_not_say_is_known_before() {
        let mounts = |targets: &[&str]| {
            let mounts: Vec<Value> = targets.iter().map(|target| json!({"Type": "tmpfs", "Target": target})).collect();
            web(&["TaskTemplate", "ContainerSpec", "Mounts"], json!(mounts))
        };
        check_taken(&mounts(&["/a", "/b"]));
        check(&mounts(&["/a", "/a"]), "mounts two volumes at `/a`");
        let interval = |time: i64| web(&["TaskTemplate", "ContainerSpec", "Healthcheck"], json!({"Interval": time}));
        check_taken(&interval(1_000_000));
        check_taken(&interval(0));
        check(&interval(999_999), "below 1 ms");
        let update = |key: &str, value: Value| web(&["UpdateConfig"], json!({ key: value }));
        check_taken(&update("MaxFailureRatio", json!(1)));
        check(&update("MaxFailureRatio", json!(1.1)), "must be from 0 to 1");
        check(&update("Delay", json!(-1)), "the delay between updates");
        check(&update("Monitor", json!(-1)), "monitored");
        let restart = |key: &str| web(&["TaskTemplate", "RestartPolicy"], json!({ key: -1 }));
        check(&restart("Delay"), "before a restart");
        check(&restart("Window"), "the window");
        check(&web(&["Mode"], json!({"Replicated": {"Replicas": u64::MAX}})), "more replicas than Swarm can count");
    }

    #[test]
    fn names_of_objects_follow_the_grammar_of_swarm() {
        let long = "a".repeat(64);
        let too_long = "a".repeat(65);
        check_taken(&stack("web=app:1").config(&long, "x").secret("a.b-c_d", "x"));
        check(&stack("web=app:1").config(&too_long, "x"), "Swarm refuses the config name");
        check(&stack("web=app:1").secret("home_a b", "x"), "Swarm refuses the secret name `home_a b`");
        check(&stack("web=app:1").secret("home_key_", "x"), "Swarm refuses the secret name");
        check_taken(&stack("web=app:1").network("home_net").on("web", "home_net"));
        for name in ["home_a.b", "home_net_", &too_long] {
            check(&stack("web=app:1").network(name).on("web", name), "Swarm refuses the network name");
        }
    }

    #[test]
    fn networks_of_one_node_and_impossible_subnets_are_refused() {
        let with = |member: &str, value: Value| {
            let mut wanted = stack("web=app:1").network("home_net").on("web", "home_net");
            let Some(crate::stack::Object::Ours { spec }) = wanted.networks.get_mut("home_net") else { panic!() };
            spec[member] = value;
            wanted
        };
        check_taken(&with("Driver", json!("overlay")));
        check_taken(&with("Driver", json!("weave")));
        check(&with("Driver", json!("bridge")), "exists on one node only");
        let subnet = |text: &str| with("IPAM", json!({"Config": [{"Subnet": text}]}));
        check_taken(&subnet("10.99.0.0/24"));
        check_taken(&subnet("fd00::/64"));
        for text in ["", "10.99.0.0", "10.99.0.0/33", "ten/8"] {
            check(&subnet(text), "is no subnet");
        }
    }
}
