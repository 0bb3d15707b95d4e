//! Tasks: one attempt to run one container.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use crate::{clock::Moment, spec::TaskTemplate};

/// The states of a task, in swarmkit's order. Desired states are among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    New,
    Pending,
    Assigned,
    Accepted,
    Preparing,
    Ready,
    Starting,
    Running,
    Complete,
    Shutdown,
    Failed,
    Rejected,
    Remove,
}

impl State {
    /// The Engine's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
        }
    }

    /// The sentence in `Status.Message`.
    fn message(self) -> &'static str {
        match self {
            Self::New => "created",
            Self::Pending => "pending task scheduling",
            Self::Assigned => "scheduler assigned task to node",
            Self::Accepted => "accepted",
            Self::Preparing | Self::Rejected => "preparing",
            Self::Ready => "prepared",
            Self::Starting => "starting",
            Self::Running | Self::Failed => "started",
            Self::Complete => "finished",
            Self::Shutdown => "shutdown",
            Self::Remove => "removed",
        }
    }
}

/// Where a task belongs within its service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    Number(u64),
    Node(String),
}

/// The part of a service spec that a task was made from.
#[derive(Debug)]
pub(crate) struct Template {
    /// As tasks show it: without `Runtime`.
    pub(crate) json: Value,
    pub(crate) parsed: TaskTemplate,
    /// The endpoint spec, which counts for "is this task up to date" and holds the host ports.
    pub(crate) endpoint: Value,
}

/// A container, once there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) pid: u64,
    pub(crate) exit_code: i64,
}

/// `Status` of a task.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) state: State,
    pub(crate) at: String,
    pub(crate) message: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) container: Option<Container>,
}

/// What happens to a task next, by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It goes on to the next state of its life.
    Advance,
    /// Its container ends with this code.
    Exit(i64),
    /// Its health check has failed too often.
    Unhealthy,
    /// It has stopped, as it was told to.
    Stopped,
}

/// What a task waits for before its desired state becomes `running`.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) not_before: Moment,
    /// The task that has to end first, and until when that is waited for.
    pub(crate) after: Option<(String, Moment)>,
    /// The desired state then.
    pub(crate) to: State,
}

/// A line in a container's log.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) at: String,
    pub(crate) error: bool,
    pub(crate) text: String,
}

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: String,
    /// Counts up over all tasks: their order of creation.
    pub(crate) serial: u64,
    pub(crate) service: String,
    pub(crate) service_name: String,
    /// The service's spec when the task was made.
    pub(crate) service_spec: Arc<Value>,
    pub(crate) slot: Slot,
    pub(crate) node: Option<String>,
    pub(crate) template: Arc<Template>,
    pub(crate) spec_version: u64,
    pub(crate) version: u64,
    pub(crate) created: String,
    pub(crate) updated: String,
    pub(crate) status: Status,
    pub(crate) desired: State,
    pub(crate) iteration: Option<u64>,
    pub(crate) next: Option<(Moment, Step)>,
    pub(crate) gate: Option<Gate>,
    pub(crate) logs: Vec<Logged>,
}

/// How long swarmkit waits for an old task to stop before it starts the new one all the same.
pub(crate) const OLD_TASK_TIMEOUT: Duration = Duration::from_mins(1);

impl Task {
    /// Whether it has ended.
    pub(crate) fn is_dead(&self) -> bool {
        self.status.state > State::Running
    }

    /// Whether the orchestrator wants it to run, now or soon.
    pub(crate) fn is_wanted(&self) -> bool {
        self.desired <= State::Running
    }

    /// Whether it takes up room on its node.
    pub(crate) fn holds_node(&self) -> bool {
        (State::Assigned..=State::Running).contains(&self.status.state)
    }

    /// The state that it is moved to; the status keeps its container.
    pub(crate) fn enter(&mut self, state: State, at: &str) {
        self.status.state = state;
        self.status.message = state.message();
        at.clone_into(&mut self.status.at);
        self.status.error = None;
    }

    /// The name of its container.
    pub(crate) fn name(&self) -> String {
        match &self.slot {
            Slot::Number(number) => format!("{}.{number}", self.service_name),
            Slot::Node(node) => format!("{}.{node}", self.service_name),
        }
    }

    /// As `GET /tasks` shows it.
    pub(crate) fn json(&self) -> Value {
        let mut status = json!({
            "Timestamp": self.status.at,
            "State": self.status.state.word(),
            "Message": self.status.message,
            "PortStatus": {},
        });
        if let Some(error) = &self.status.error {
            status["Err"] = json!(error);
        }
        if let Some(container) = &self.status.container {
            status["ContainerStatus"] =
                json!({ "ContainerID": container.id, "PID": container.pid, "ExitCode": container.exit_code });
        }
        let mut task = Map::new();
        task.insert("ID".to_owned(), json!(self.id));
        task.insert("Version".to_owned(), json!({ "Index": self.version }));
        task.insert("CreatedAt".to_owned(), json!(self.created));
        task.insert("UpdatedAt".to_owned(), json!(self.updated));
        task.insert("Labels".to_owned(), json!({}));
        task.insert("Spec".to_owned(), self.template.json.clone());
        task.insert("ServiceID".to_owned(), json!(self.service));
        task.insert("Status".to_owned(), status);
        task.insert("DesiredState".to_owned(), json!(self.desired.word()));
        if let Slot::Number(number @ 1..) = self.slot {
            task.insert("Slot".to_owned(), json!(number));
        }
        if let Some(node) = &self.node {
            task.insert("NodeID".to_owned(), json!(node));
        }
        if let Some(iteration) = self.iteration {
            task.insert("JobIteration".to_owned(), index(iteration));
        }
        Value::Object(task)
    }
}

/// A version object, as Go writes it: nothing in it for zero.
pub(crate) fn index(index: u64) -> Value {
    if index == 0 { json!({}) } else { json!({ "Index": index }) }
}
