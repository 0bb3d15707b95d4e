//! Published ports: who has them, who wants them, and in which order they can change hands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Written;
use super::spec::list;
use crate::diff::Finding;
use crate::engine::LiveStack;
use crate::names::ServiceName;

/// A published port, as `8080/tcp`, and whether it is the node's own (`host`) or the whole Swarm's (`ingress`).
type Ports = BTreeMap<String, bool>;

/// The published ports of a spec; `true` for those of the node itself.
pub(super) fn published(spec: &Value) -> Ports {
    list(spec, "/EndpointSpec/Ports")
        .iter()
        .filter_map(|port| {
            let number = port["PublishedPort"].as_u64().filter(|number| *number > 0)?;
            let protocol = port["Protocol"].as_str().filter(|protocol| !protocol.is_empty()).unwrap_or("tcp");
            Some((format!("{number}/{protocol}"), port["PublishMode"] == "host"))
        })
        .collect()
}

/// The ports that two services cannot both publish: only `host` beside `host` is possible.
fn clashes<'a>(one: &'a Ports, other: &'a Ports) -> impl Iterator<Item = &'a String> {
    one.iter().filter(|(port, host)| other.get(*port).is_some_and(|other| !(**host && *other))).map(|(port, _)| port)
}

/// What changes hands.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// Services that must have let go of a port first, by the service that waits for it.
    pub(super) waits_for: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    /// Services that are removed before anything else, as their port is wanted.
    pub(super) removed_first: BTreeSet<ServiceName>,
    /// Ports that nobody can be given.
    pub(super) blockers: Vec<Finding>,
}

/// Compares the ports of the services that are written with everybody's. `staying` are the specs of the stack's other
/// services, `leaving` those of the services that are removed.
pub(super) fn handover(
    written: &[Written<'_>],
    staying: &BTreeMap<ServiceName, &Value>,
    leaving: &BTreeMap<ServiceName, &Value>,
    live: &LiveStack,
) -> Handover {
    let mut handover = Handover::default();
    let wanted: Vec<Ports> = written.iter().map(|service| published(&service.spec)).collect();
    for (index, service) in written.iter().enumerate() {
        let mine = &wanted[index];
        for (full_name, taken) in &live.others {
            let taken: Ports = taken.iter().map(|port| (port.clone(), false)).collect();
            for port in clashes(mine, &taken) {
                handover.block(service.name, port, &format!("service `{full_name}` of another stack"));
            }
        }
        for (other, spec) in staying {
            for port in clashes(mine, &published(spec)) {
                handover.block(service.name, port, &format!("service `{other}`"));
            }
        }
        for (other, ports) in written.iter().zip(&wanted).skip(index + 1) {
            for port in clashes(mine, ports) {
                handover.block(other.name, port, &format!("service `{}`", service.name));
            }
        }
        for (other, spec) in leaving {
            if clashes(mine, &published(spec)).next().is_some() {
                handover.removed_first.insert(other.clone());
            }
        }
        for (other, ports) in written.iter().zip(&wanted) {
            handover.pass_on(service, mine, other, ports);
        }
    }
    handover
}

impl Handover {
    /// Notes that `service` waits for a port that `other` has now and lets go.
    fn pass_on(&mut self, service: &Written<'_>, mine: &Ports, other: &Written<'_>, theirs: &Ports) {
        let Some(before) = other.live.filter(|_| other.name != service.name) else { return };
        let before = published(&before.spec);
        let Some(port) = clashes(mine, &before).find(|port| !theirs.contains_key(*port)) else { return };
        if self.waits_for.get(other.name).is_some_and(|others| others.contains(service.name)) {
            let message = format!(
                "services `{}` and `{}` would swap published ports ({port} among them), which the Engine cannot do at \
                 once: take the port away from one of them first, and deploy the rest after that",
                other.name, service.name
            );
            self.blockers.push(Finding { service: Some(service.name.clone()), message });
        }
        self.waits_for.entry(service.name.clone()).or_default().insert(other.name.clone());
    }

    fn block(&mut self, service: &ServiceName, port: &str, owner: &str) {
        let message = format!(
            "service `{service}` cannot publish port {port}: {owner} has it. Publish another port, or free this one"
        );
        self.blockers.push(Finding { service: Some(service.clone()), message });
    }
}
