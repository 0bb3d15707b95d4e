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

/// A service that is written, with the ports that it wants and those that it has.
struct Claim<'a> {
    service: &'a ServiceName,
    wants: Ports,
    has: Ports,
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
    let claims: Vec<Claim<'_>> = written
        .iter()
        .map(|service| Claim {
            service: service.name,
            wants: published(&service.spec),
            has: service.live.map(|live| published(&live.spec)).unwrap_or_default(),
        })
        .filter(|claim| !claim.wants.is_empty() || !claim.has.is_empty())
        .collect();
    let staying = owners(staying);
    let leaving = owners(leaving);
    for (index, claim) in claims.iter().enumerate() {
        for (full_name, taken) in &live.others {
            let taken: Ports = taken.iter().map(|port| (port.clone(), false)).collect();
            for port in clashes(&claim.wants, &taken) {
                handover.block(claim.service, port, &format!("service `{full_name}` of another stack"));
            }
        }
        for (other, taken) in &staying {
            for port in clashes(&claim.wants, taken) {
                handover.block(claim.service, port, &format!("service `{other}`"));
            }
        }
        for other in &claims[index + 1..] {
            for port in clashes(&claim.wants, &other.wants) {
                handover.block(other.service, port, &format!("service `{}`", claim.service));
            }
        }
        for (other, held) in &leaving {
            if clashes(&claim.wants, held).next().is_some() {
                handover.removed_first.insert((*other).clone());
            }
        }
        for other in claims.iter().filter(|other| other.service != claim.service) {
            handover.pass_on(claim, other);
        }
    }
    handover
}

/// Those that publish something.
fn owners<'a>(specs: &'a BTreeMap<ServiceName, &Value>) -> Vec<(&'a ServiceName, Ports)> {
    specs.iter().map(|(name, spec)| (name, published(spec))).filter(|(_, ports)| !ports.is_empty()).collect()
}

impl Handover {
    /// Notes that a service waits for a port that another has now and lets go.
    fn pass_on(&mut self, claim: &Claim<'_>, other: &Claim<'_>) {
        let Some(port) = clashes(&claim.wants, &other.has).find(|port| !other.wants.contains_key(*port)) else {
            return;
        };
        if self.waits_for.get(other.service).is_some_and(|others| others.contains(claim.service)) {
            let message = format!(
                "services `{}` and `{}` would swap published ports ({port} among them), which the Engine cannot do at \
                 once: take the port away from one of them first, and deploy the rest after that",
                other.service, claim.service
            );
            self.blockers.push(Finding { service: Some(claim.service.clone()), message });
        }
        self.waits_for.entry(claim.service.clone()).or_default().insert(other.service.clone());
    }

    fn block(&mut self, service: &ServiceName, port: &str, owner: &str) {
        let message = format!(
            "service `{service}` cannot publish port {port}: {owner} has it. Publish another port, or free this one"
        );
        self.blockers.push(Finding { service: Some(service.clone()), message });
    }
}
