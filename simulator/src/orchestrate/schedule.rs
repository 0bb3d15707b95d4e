//! The scheduler: finds a node for every pending task, or says why there is none.

use std::{cmp::Reverse, time::Duration};

use crate::{
    orchestrate::{World, constraint},
    spec::{Amounts, Platform, Port},
    state::{
        node::Node,
        task::{Slot, State, Step, Task, Template},
    },
};

/// From the decision to the node's acceptance.
const ACCEPT: Duration = Duration::from_millis(40);

/// Why a node is out of the question, in the order in which swarmkit asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    NotReady,
    Resources,
    Constraints,
    Platform,
    HostPort,
    MaxReplicas,
}

impl Obstacle {
    fn on(self, count: usize) -> String {
        let nodes = if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") };
        match self {
            Self::NotReady => format!("{nodes} not available for new tasks"),
            Self::Resources => format!("insufficient resources on {nodes}"),
            Self::Constraints => format!("scheduling constraints not satisfied on {nodes}"),
            Self::Platform => format!("unsupported platform on {nodes}"),
            Self::HostPort => format!("host-mode port already in use on {nodes}"),
            Self::MaxReplicas => format!("max replicas per node limit exceed on {nodes}"),
        }
    }
}

/// Whether the only platform there is, Linux on amd64, is among those wanted.
pub(crate) fn fits_platform(platforms: &[Platform]) -> bool {
    platforms.is_empty()
        || platforms.iter().any(|platform| {
            matches!(platform.os.as_str(), "" | "linux")
                && matches!(platform.architecture.as_str(), "" | "amd64" | "x86_64")
        })
}

impl World {
    /// Looks at every task that waits for a node.
    pub(crate) fn schedule_pending(&mut self) {
        let mut pending: Vec<(u64, String)> = self
            .tasks()
            .filter(|task| task.status.state == State::Pending && task.desired <= State::Complete)
            .map(|task| (task.serial, task.id.clone()))
            .collect();
        pending.sort_unstable();
        for (_, id) in pending {
            let Some(task) = self.task(&id) else { continue };
            match self.find_node(task) {
                Ok(node) => self.assign(&id, node),
                Err(why) if task.status.error.as_ref() != Some(&why) => {
                    self.change_task(&id, |task, at| {
                        at.clone_into(&mut task.status.at);
                        task.status.error = Some(why);
                    });
                }
                Err(_) => {}
            }
        }
    }

    fn assign(&mut self, id: &str, node: String) {
        let next = (self.ahead(ACCEPT), Step::Advance);
        self.change_task(id, |task, at| {
            task.enter(State::Assigned, at);
            task.node = Some(node);
            task.next = Some(next);
        });
    }

    fn find_node(&self, task: &Task) -> Result<String, String> {
        let bound = match &task.slot {
            Slot::Node(node) => Some(node),
            Slot::Number(_) => None,
        };
        let mut obstacles = Vec::new();
        let mut fitting = Vec::new();
        for node in self.nodes.iter().filter(|node| bound.is_none_or(|bound| node.id == *bound)) {
            match self.obstacle(task, node) {
                Some(obstacle) => obstacles.push(obstacle),
                None => fitting.push((self.load(task, node), node)),
            }
        }
        let best = fitting.into_iter().min_by_key(|(load, _)| *load);
        best.map(|(_, node)| node.id.clone()).ok_or_else(|| explain(&obstacles))
    }

    /// How many tasks of the service the node has, and how many in all. Those that are to stop count no more.
    fn load(&self, task: &Task, node: &Node) -> (usize, usize) {
        let here = || self.on_node(node).filter(|other| other.desired <= State::Complete);
        (here().filter(|other| other.service == task.service).count(), here().count())
    }

    fn on_node(&self, node: &Node) -> impl Iterator<Item = &Task> {
        self.tasks().filter(|task| task.holds_node() && task.node.as_deref() == Some(node.id.as_str()))
    }

    fn obstacle(&self, task: &Task, node: &Node) -> Option<Obstacle> {
        let placement = &task.template.parsed.placement;
        if !node.takes_tasks() {
            return Some(Obstacle::NotReady);
        }
        if !self.has_room(&task.template, node) {
            return Some(Obstacle::Resources);
        }
        if !constraint::all_met(&placement.constraints, node) {
            return Some(Obstacle::Constraints);
        }
        if !fits_platform(&placement.platforms) {
            return Some(Obstacle::Platform);
        }
        let wanted = host_ports(&task.template);
        if self.on_node(node).any(|other| host_ports(&other.template).iter().any(|port| wanted.contains(port))) {
            return Some(Obstacle::HostPort);
        }
        let most = usize::try_from(placement.max_replicas).unwrap_or(usize::MAX);
        (most > 0 && self.load(task, node).0 >= most).then_some(Obstacle::MaxReplicas)
    }

    fn has_room(&self, template: &Template, node: &Node) -> bool {
        let wanted = template.parsed.resources.reservations;
        if wanted.nano_cpus == 0 && wanted.memory_bytes == 0 {
            return true;
        }
        let taken = self.on_node(node).map(|other| other.template.parsed.resources.reservations).fold(
            Amounts::default(),
            |sum, one| Amounts {
                nano_cpus: sum.nano_cpus + one.nano_cpus,
                memory_bytes: sum.memory_bytes + one.memory_bytes,
            },
        );
        taken.nano_cpus + wanted.nano_cpus <= node.nano_cpus
            && taken.memory_bytes + wanted.memory_bytes <= node.memory_bytes
    }
}

/// The host-mode ports of a task, with their protocols.
fn host_ports(template: &Template) -> Vec<(u64, String)> {
    let ports: Vec<Port> =
        serde_json::from_value(template.endpoint.get("Ports").cloned().unwrap_or_default()).unwrap_or_default();
    ports
        .into_iter()
        .filter(|port| port.publish_mode == "host" && port.published_port != 0)
        .map(|port| (port.published_port, port.protocol))
        .collect()
}

fn explain(obstacles: &[Obstacle]) -> String {
    let mut kinds: Vec<Obstacle> = obstacles.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let mut counts: Vec<(usize, Obstacle)> =
        kinds.into_iter().map(|kind| (obstacles.iter().filter(|other| **other == kind).count(), kind)).collect();
    counts.sort_by_key(|(count, _)| Reverse(*count));
    let reasons: Vec<String> = counts.into_iter().map(|(count, kind)| kind.on(count)).collect();
    if reasons.is_empty() {
        "no suitable node".to_owned()
    } else {
        format!("no suitable node ({})", reasons.join("; "))
    }
}
