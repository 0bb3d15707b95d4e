//! Published ports: who has them, who wants them, and in which order they can change hands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Written;
use super::constraints::takes_tasks;
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

/// Who publishes a port, and whether as a port of the node.
type Index<'a, Owner> = BTreeMap<&'a str, Vec<(Owner, bool)>>;

fn index<'a, Owner: Clone>(owners: impl Iterator<Item = (Owner, &'a Ports)>) -> Index<'a, Owner> {
    let mut index = Index::new();
    for (owner, ports) in owners {
        for (port, host) in ports {
            index.entry(port.as_str()).or_default().push((owner.clone(), *host));
        }
    }
    index
}

/// A port that is wanted.
#[derive(Clone, Copy)]
struct Wish<'a> {
    port: &'a str,
    /// Of the node alone.
    host: bool,
    /// Whether a single node takes tasks, so that all ports of nodes are ports of the same.
    single: bool,
}

/// Those that cannot publish the port beside a service that wants it: only ports of different nodes go together.
fn rivals<Owner: Clone>(index: &Index<'_, Owner>, wish: Wish<'_>) -> impl Iterator<Item = Owner> {
    let apart = wish.host && !wish.single;
    index
        .get(wish.port)
        .into_iter()
        .flatten()
        .filter(move |(_, other)| !(apart && *other))
        .map(|(owner, _)| owner.clone())
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
            wants: published(service.spec),
            has: service.live.map(|live| published(&live.spec)).unwrap_or_default(),
        })
        .filter(|claim| !claim.wants.is_empty() || !claim.has.is_empty())
        .collect();
    let others: Vec<(&String, Ports)> = live
        .others
        .iter()
        .map(|(name, ports)| (name, false, ports))
        .chain(live.others_on_nodes.iter().map(|(name, ports)| (name, true, ports)))
        .map(|(name, host, ports)| (name, ports.iter().map(|port| (port.clone(), host)).collect()))
        .collect();
    let single = live.nodes.iter().filter(|node| takes_tasks(node)).count() == 1;
    let (staying, leaving) = (owners(staying), owners(leaving));
    let others = index(others.iter().map(|(name, ports)| (*name, ports)));
    let staying = index(staying.iter().map(|(name, ports)| (*name, ports)));
    let leaving = index(leaving.iter().map(|(name, ports)| (*name, ports)));
    let wanting = index(claims.iter().map(|claim| (claim, &claim.wants)));
    let having = index(claims.iter().map(|claim| (claim, &claim.has)));
    for claim in &claims {
        for (port, host) in &claim.wants {
            let wish = Wish { port, host: *host, single };
            for full_name in rivals(&others, wish) {
                handover.block(claim.service, port, &format!("service `{full_name}` of another stack"));
            }
            for other in rivals(&staying, wish) {
                handover.block(claim.service, port, &format!("service `{other}`"));
            }
            // Of two that want it, the later one is refused.
            for other in rivals(&wanting, wish).filter(|other| other.service < claim.service) {
                handover.block(claim.service, port, &format!("service `{}`", other.service));
            }
            handover.removed_first.extend(rivals(&leaving, wish).cloned());
            let letting_go = |other: &&Claim<'_>| other.service != claim.service && !other.wants.contains_key(port);
            for other in rivals(&having, wish).filter(letting_go) {
                handover.pass_on(claim.service, port, other.service);
            }
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
    fn pass_on(&mut self, service: &ServiceName, port: &str, other: &ServiceName) {
        if self.waits_for.get(other).is_some_and(|others| others.contains(service)) {
            let message = format!(
                "services `{other}` and `{service}` would swap published ports ({port} among them), which the Engine \
                 cannot do at once: take the port away from one of them first, and deploy the rest after that"
            );
            self.blockers.push(Finding { service: Some(service.clone()), message });
        }
        self.waits_for.entry(service.clone()).or_default().insert(other.clone());
    }

    fn block(&mut self, service: &ServiceName, port: &str, owner: &str) {
        let message = format!(
            "service `{service}` cannot publish port {port}: {owner} has it. Publish another port, or free this one"
        );
        self.blockers.push(Finding { service: Some(service.clone()), message });
    }
}
