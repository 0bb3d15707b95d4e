//! What can be known to go wrong before anything is written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Written;
use super::constraints::{Constraint, takes_tasks};
use super::refusals::{self, LONGEST_LABEL};
use super::rotate::{Kind, networks_of, references_of};
use super::spec::{Mode, list, number};
use crate::diff::Finding;
use crate::engine::{LiveObject, LiveStack, NAMESPACE_LABEL, Node};
use crate::stack::{Object, Stack};

const LEAST_MEMORY: i64 = 4 * 1024 * 1024;
const LEAST_NANO_CPUS: i64 = 1_000_000;
/// Networks that every node has by itself.
pub(super) const PREDEFINED: [&str; 4] = ["host", "bridge", "none", "default"];

/// What was found about one service.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) blockers: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
}

/// Checks one service that is about to be written.
pub(super) fn check(service: &Written<'_>, wanted: &Stack, live: &LiveStack) -> Findings {
    let mut check = Check { service, findings: Findings::default() };
    check.name(live);
    for reason in refusals::of_service(service.name, service.spec) {
        check.block(reason);
    }
    check.mode();
    check.limits();
    check.networks(wanted, live);
    check.references(Kind::Secret, &wanted.secrets, &live.secrets);
    check.references(Kind::Config, &wanted.configs, &live.configs);
    check.endpoint();
    check.placement(&live.nodes);
    check.monitor();
    check.findings
}

struct Check<'a> {
    service: &'a Written<'a>,
    findings: Findings,
}

impl Check<'_> {
    fn block(&mut self, message: String) {
        self.findings.blockers.push(Finding { service: Some(self.service.name.clone()), message });
    }

    fn name(&mut self, live: &LiveStack) {
        let full_name = self.service.full_name.clone();
        if self.service.live.is_some() {
            return;
        }
        if live.others.contains_key(&full_name) {
            self.block(format!(
                "a service `{full_name}` exists that does not belong to this stack: remove or rename it, or rename the \
                 service in the stack file"
            ));
        }
        if full_name.len() > LONGEST_LABEL {
            self.block(format!(
                "`{full_name}` has {} characters, and Swarm takes at most {LONGEST_LABEL}: shorten the name of \
                 the service or of the stack",
                full_name.len()
            ));
        }
        if !refusals::is_label(&full_name) {
            self.block(format!(
                "Swarm refuses the service name `{full_name}`: use a-z, A-Z, 0-9, `-` and `_`, with a letter or digit at \
                 the end"
            ));
        }
    }

    fn mode(&mut self) {
        let mode = Mode::of(self.service.spec);
        if let Some(live) = self.service.live {
            let before = Mode::of(&live.spec);
            if before.word() != mode.word() {
                self.block(format!(
                    "service `{}` is {} and would become {}, which Swarm cannot change: remove the service (docker \
                     service rm {}) and deploy again, so that it is created anew",
                    self.service.name,
                    before.word(),
                    mode.word(),
                    self.service.full_name
                ));
            }
        }
        if mode.is_job() && self.service.spec["UpdateConfig"].is_object() {
            self.block(format!(
                "service `{}` is a job, and the Engine refuses jobs with `update_config`: take it out",
                self.service.name
            ));
        }
    }

    fn limits(&mut self) {
        for (part, words) in [("Limits", "limit"), ("Reservations", "reservation")] {
            let memory = number(self.service.spec, &format!("/TaskTemplate/Resources/{part}/MemoryBytes"));
            if memory != 0 && memory < LEAST_MEMORY {
                self.block(format!(
                    "the memory {words} of service `{}` is {memory} bytes, and the Engine takes no less than 4 MiB",
                    self.service.name
                ));
            }
            let cpus = number(self.service.spec, &format!("/TaskTemplate/Resources/{part}/NanoCPUs"));
            if cpus != 0 && cpus < LEAST_NANO_CPUS {
                self.block(format!(
                    "the CPU {words} of service `{}` is below 0.001, the least that the Engine takes",
                    self.service.name
                ));
            }
        }
    }

    fn networks(&mut self, wanted: &Stack, live: &LiveStack) {
        let service = self.service.name;
        for name in networks_of(self.service.spec) {
            if PREDEFINED.contains(&name.as_str()) {
                continue;
            }
            let is_ours = matches!(wanted.networks.get(&name), Some(Object::Ours { .. }));
            match live.networks.get(&name) {
                None if is_ours => (),
                None => self.block(format!(
                    "service `{service}` needs the external network `{name}`, which does not exist: create it (docker \
                     network create --driver overlay {name}) or correct its name"
                )),
                Some(found) if found.scope != "swarm" => self.block(format!(
                    "service `{service}` needs the network `{name}`, but the one of that name has the scope `{}` instead \
                     of `swarm`: create an overlay network under another name and use that",
                    found.scope
                )),
                Some(found) if is_ours && found.labels.get(NAMESPACE_LABEL).is_none_or(|of| of != wanted.name.as_str()) => {
                    self.block(format!(
                        "service `{service}` needs the network `{name}`, and one of that name exists that does not \
                         belong to this stack: declare it as external, or remove it"
                    ));
                }
                Some(_) => (),
            }
        }
    }

    fn references(&mut self, kind: Kind, declared: &BTreeMap<String, Object>, existing: &BTreeMap<String, LiveObject>) {
        // As the stack file names them: what is rotated is not looked for under its new name.
        for name in references_of(self.service.declared, kind) {
            let (service, word) = (self.service.name, kind.word());
            let is_ours = matches!(declared.get(&name), Some(Object::Ours { .. }));
            if !is_ours && !existing.contains_key(&name) {
                self.block(format!(
                    "service `{service}` needs the external {word} `{name}`, which does not exist: create it (docker \
                     {word} create {name} FILE) or correct its name"
                ));
            }
        }
    }

    fn endpoint(&mut self) {
        let spec = self.service.spec;
        let name = self.service.name.clone();
        let ports = list(spec, "/EndpointSpec/Ports");
        let is_ingress = |port: &Value| port["PublishMode"] != "host";
        if spec["EndpointSpec"]["Mode"] == "dnsrr" && ports.iter().any(is_ingress) {
            self.block(format!(
                "service `{name}` has the endpoint mode dnsrr, which cannot publish ports through the ingress network: \
                 publish them with `mode: host`"
            ));
        }
        let mut seen: Vec<(&Value, &str)> = Vec::new();
        for port in ports.iter().filter(|port| port["PublishedPort"].as_u64().is_some_and(|number| number > 0)) {
            let this = (&port["PublishedPort"], port["Protocol"].as_str().unwrap_or("tcp"));
            if seen.contains(&this) {
                self.block(format!("service `{name}` publishes port {}/{} twice: take one out", this.0, this.1));
            }
            seen.push(this);
        }
    }

    fn placement(&mut self, nodes: &[Node]) {
        let spec = self.service.spec;
        let name = self.service.name.clone();
        let mut constraints = Vec::new();
        let texts: Vec<&str> =
            list(spec, "/TaskTemplate/Placement/Constraints").iter().filter_map(Value::as_str).collect();
        let mut broken = false;
        for text in &texts {
            match Constraint::parse(text) {
                Ok(constraint) => constraints.push(constraint),
                Err(wrong) => {
                    broken = true;
                    self.block(format!("the constraint `{text}` of service `{name}` cannot be read: {wrong}"));
                }
            }
        }
        if broken || nodes.is_empty() || matches!(Mode::of(spec), Mode::Replicated(0)) {
            return;
        }
        let matching: Vec<&Node> =
            nodes.iter().filter(|node| constraints.iter().all(|constraint| constraint.matches(node))).collect();
        let able: Vec<&Node> = matching.iter().copied().filter(|node| takes_tasks(node)).collect();
        if able.is_empty() {
            self.block(no_node(&name, &texts, &matching));
            return;
        }
        let large_enough = able.iter().filter(|node| holds(node, spec)).count() as u64;
        if large_enough == 0 {
            self.block(format!(
                "no node can hold the reservation of service `{name}` ({}): the largest that may run it has {}. Reserve \
                 less, or add a node",
                resources(number(spec, CPUS), number(spec, MEMORY)),
                largest(&able)
            ));
            return;
        }
        self.room(large_enough);
    }

    /// Whoever says how long Swarm is to monitor a task mostly believes that it waits so long before it replaces the next.
    fn monitor(&mut self) {
        let spec = self.service.spec;
        let (monitor, delay) = (number(spec, "/UpdateConfig/Monitor"), number(spec, "/UpdateConfig/Delay"));
        let several = matches!(Mode::of(spec), Mode::Replicated(replicas) if replicas > 1);
        let start_first = spec["UpdateConfig"]["Order"] == "start-first";
        let is_checked = spec.pointer("/TaskTemplate/ContainerSpec/Healthcheck").is_some();
        if several && !start_first && !is_checked && self.service.live.is_some() && delay < monitor {
            let name = self.service.name.clone();
            let message = format!(
                "Swarm monitors the tasks of service `{name}` for longer than it waits between them, so that a version \
                 that exits may take all replicas down before it is noticed: set `update_config.delay` to no less than \
                 `monitor`, use `order: start-first`, or give it a `healthcheck`"
            );
            self.findings.warnings.push(Finding { service: Some(name), message });
        }
    }

    /// Whether all replicas find a node, where a node takes only so many.
    fn room(&mut self, nodes: u64) {
        let spec = self.service.spec;
        let name = self.service.name.clone();
        let has_host_port = list(spec, "/EndpointSpec/Ports").iter().any(|port| {
            port["PublishMode"] == "host" && port["PublishedPort"].as_u64().is_some_and(|number| number > 0)
        });
        let start_first = spec["UpdateConfig"]["Order"] == "start-first";
        if let Mode::Replicated(replicas) = Mode::of(spec) {
            let most = spec.pointer("/TaskTemplate/Placement/MaxReplicas").and_then(Value::as_u64).unwrap_or(0);
            if has_host_port && replicas > nodes {
                self.block(format!(
                    "service `{name}` wants {replicas} replicas that each take a port of their node, and only {nodes} may \
                     run them: use fewer replicas, more nodes or `mode: ingress`"
                ));
            }
            if most > 0 && replicas > most.saturating_mul(nodes) {
                self.block(format!(
                    "service `{name}` wants {replicas} replicas, at most {most} on each node, and only {nodes} may run \
                     them: use fewer replicas, more nodes or a higher `max_replicas_per_node`"
                ));
            }
        }
        if has_host_port && start_first {
            let message = format!(
                "service `{name}` starts new tasks first, but the old ones still have the port of their node: use `order: \
                 stop-first`, or `mode: ingress` for the port"
            );
            self.findings.warnings.push(Finding { service: Some(name), message });
        }
    }
}

const CPUS: &str = "/TaskTemplate/Resources/Reservations/NanoCPUs";
const MEMORY: &str = "/TaskTemplate/Resources/Reservations/MemoryBytes";

fn holds(node: &Node, spec: &Value) -> bool {
    number(spec, CPUS) <= node.nano_cpus && number(spec, MEMORY) <= node.memory_bytes
}

fn no_node(name: &crate::names::ServiceName, constraints: &[&str], matching: &[&Node]) -> String {
    let away: Vec<String> = matching
        .iter()
        .map(|node| {
            let why = if node.is_ready() { &node.availability } else { &node.state };
            format!("{} is {why}", node.hostname)
        })
        .collect();
    match (constraints.is_empty(), away.is_empty()) {
        (true, _) => format!(
            "no node takes tasks, so service `{name}` cannot run ({}): bring a node back, or make it active",
            away.join(", ")
        ),
        (false, true) => format!(
            "no node satisfies the constraints of service `{name}` ({}): correct them, or label a node (docker node \
             update --label-add)",
            constraints.join(", ")
        ),
        (false, false) => format!(
            "no node that takes tasks satisfies the constraints of service `{name}` ({}): {}. Bring the node back, make \
             it active, or change the constraints",
            constraints.join(", "),
            away.join(", ")
        ),
    }
}

fn largest(nodes: &[&Node]) -> String {
    let most = |of: fn(&Node) -> i64| nodes.iter().map(|node| of(node)).max().unwrap_or(0);
    resources(most(|node| node.nano_cpus), most(|node| node.memory_bytes))
}

fn resources(nano_cpus: i64, memory: i64) -> String {
    let millis = nano_cpus / 1_000_000;
    let cpus = format!("{}.{:03}", millis / 1000, millis % 1000);
    format!("{} CPUs, {} MiB", cpus.trim_end_matches('0').trim_end_matches('.'), memory / (1024 * 1024))
}
