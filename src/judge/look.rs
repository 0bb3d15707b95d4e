//! One look at one service: its tasks, and what each of them counts for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::deployment::TaskEvidence;
use crate::engine::{LiveService, Node, Observation, Task};
use crate::plan::{Mode, constraints_of_spec, takes_tasks};

/// Errors are cut to so many characters.
const LONGEST_ERROR: usize = 2_000;

/// A place that one task fills.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// Of a replicated service or job.
    Number(u64),
    /// Of a global service or job: the node's id.
    Node(String),
}

/// One look at one service.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    pub(crate) service: &'a LiveService,
    pub(crate) mode: Mode,
    pub(crate) tasks: Vec<&'a Task>,
    nodes: BTreeMap<&'a str, &'a Node>,
    up_to_date: &'a BTreeSet<String>,
}

impl<'a> Look<'a> {
    pub(crate) fn new(service: &'a LiveService, seen: &'a Observation) -> Self {
        Self {
            service,
            mode: Mode::of(&service.spec),
            tasks: seen.tasks.iter().filter(|task| task.service_id == service.id).collect(),
            nodes: seen.nodes.iter().map(|node| (node.id.as_str(), node)).collect(),
            up_to_date: &seen.up_to_date,
        }
    }

    /// `UpdateStatus.State`; empty where no update ever began.
    pub(crate) fn update_state(&self) -> &'a str {
        self.service.update.as_ref().map_or("", |update| update.state.as_str())
    }

    pub(crate) fn update_message(&self) -> &'a str {
        self.service.update.as_ref().map_or("", |update| update.message.as_str())
    }

    pub(crate) fn slot(&self, task: &Task) -> Slot {
        match self.mode {
            Mode::Global | Mode::GlobalJob => {
                Slot::Node(task.node_id.clone().unwrap_or_else(|| format!("no node yet: {}", task.id)))
            }
            Mode::Replicated(_) | Mode::ReplicatedJob(_) => Slot::Number(task.slot.unwrap_or(0)),
        }
    }

    /// Whether the Engine counts it as made from the current spec.
    pub(crate) fn is_current(&self, task: &Task) -> bool {
        self.up_to_date.contains(&task.id)
    }

    /// Whether its node answers, so that its state can be believed.
    pub(crate) fn is_on_ready_node(&self, task: &Task) -> bool {
        task.node_id.as_deref().and_then(|id| self.nodes.get(id)).is_some_and(|node| node.is_ready())
    }

    /// Whether it runs and is meant to.
    pub(crate) fn runs(&self, task: &Task) -> bool {
        task.desired_state == "running" && task.state == "running" && self.is_on_ready_node(task)
    }

    /// Whether it runs as the current spec says.
    pub(crate) fn is_live(&self, task: &Task) -> bool {
        self.is_current(task) && self.runs(task)
    }

    /// Whether it is of an earlier spec and not gone.
    pub(crate) fn is_old(&self, task: &Task) -> bool {
        !self.is_current(task)
            && (is_before_end(&task.desired_state) || is_held(&task.state) && self.is_on_ready_node(task))
    }

    /// Whether it is of the current spec, to be stopped, and not gone.
    pub(crate) fn is_stray(&self, task: &Task) -> bool {
        self.is_current(task)
            && matches!(task.desired_state.as_str(), "shutdown" | "remove")
            && matches!(task.state.as_str(), "starting" | "running")
            && self.is_on_ready_node(task)
    }

    /// Whether it is to run, or of a job to run to its end.
    pub(crate) fn is_meant(&self, task: &Task) -> bool {
        is_before_end(&task.desired_state) || self.mode.is_job() && task.desired_state == "complete"
    }

    /// Whether something is being done about it right now.
    pub(crate) fn is_worked_on(&self, task: &Task) -> bool {
        self.is_current(task)
            && self.is_meant(task)
            && matches!(task.state.as_str(), "assigned" | "accepted" | "preparing" | "starting")
            && self.is_on_ready_node(task)
    }

    /// Whether it waits for a node, and the scheduler has said why.
    pub(crate) fn is_unschedulable(&self, task: &Task) -> bool {
        self.is_current(task)
            && self.is_meant(task)
            && task.state == "pending"
            && task.error.as_ref().is_some_and(|error| !error.is_empty())
    }

    /// Whether a task that ends well is done for good: then its end fills its slot.
    pub(crate) fn may_complete(&self) -> bool {
        let condition = self.service.spec["TaskTemplate"]["RestartPolicy"]["Condition"].as_str();
        self.mode.is_job() || matches!(condition, Some("none" | "on-failure"))
    }

    /// How many slots are to be filled. What the Engine says of a global service is checked against its tasks.
    pub(crate) fn want(&self) -> u64 {
        match self.mode {
            Mode::Replicated(replicas) => replicas,
            Mode::ReplicatedJob(total) => total,
            Mode::GlobalJob => u64::try_from(self.eligible_nodes().len()).unwrap_or(u64::MAX),
            Mode::Global if self.service.desired_tasks > 0 => self.service.desired_tasks,
            Mode::Global => {
                let meant = self.tasks.iter().filter(|task| is_before_end(&task.desired_state));
                let nodes: BTreeSet<Slot> = meant.map(|task| self.slot(task)).collect();
                u64::try_from(nodes.len()).unwrap_or(u64::MAX)
            }
        }
    }

    /// The ids of the nodes that a task of this service may be given to.
    pub(crate) fn eligible_nodes(&self) -> BTreeSet<&'a str> {
        let constraints = constraints_of_spec(&self.service.spec);
        let may = |node: &Node| takes_tasks(node) && constraints.iter().all(|constraint| constraint.matches(node));
        self.nodes.values().filter(|node| may(node)).map(|node| node.id.as_str()).collect()
    }

    /// The host names of the nodes that do not answer.
    pub(crate) fn nodes_that_do_not_answer(&self) -> Vec<String> {
        self.nodes.values().filter(|node| !node.is_ready()).map(|node| node.hostname.clone()).collect()
    }

    /// What is known of a task that tells why.
    pub(crate) fn evidence(&self, task: &Task) -> TaskEvidence {
        let host = |id: &String| self.nodes.get(id.as_str()).map_or_else(|| id.clone(), |node| node.hostname.clone());
        TaskEvidence {
            task: task.id.clone(),
            node: task.node_id.as_ref().map(host),
            state: task.state.clone(),
            error: task.error.as_deref().filter(|error| !error.is_empty()).map(cut),
            exit_code: task.exit_code,
        }
    }
}

/// The error of a task, no longer than people can read.
pub(crate) fn cut(error: &str) -> String {
    error.chars().take(LONGEST_ERROR).collect()
}

/// Whether a task of that state has ended badly, or never began.
pub(crate) fn is_failure(state: &str) -> bool {
    matches!(state, "failed" | "rejected" | "orphaned")
}

/// Whether a state lies on the way to running.
pub(crate) fn is_before_end(state: &str) -> bool {
    matches!(state, "new" | "allocated" | "pending") || is_held(state)
}

/// Whether a task of that state is held by its node.
fn is_held(state: &str) -> bool {
    matches!(state, "assigned" | "accepted" | "preparing" | "ready" | "starting" | "running")
}

/// The value of a service label.
pub(crate) fn label<'a>(spec: &'a Value, name: &str) -> Option<&'a str> {
    spec["Labels"][name].as_str()
}
