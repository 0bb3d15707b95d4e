//! How services are now.

#[cfg(feature = "engine")]
mod assess;
#[cfg(feature = "engine")]
mod details;
#[cfg(feature = "engine")]
mod track;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(feature = "engine")]
pub use self::assess::judge_stack;
#[cfg(feature = "engine")]
pub(crate) use self::details::details;
#[cfg(feature = "engine")]
pub use self::track::SoakRecord;
#[cfg(feature = "engine")]
pub(crate) use self::track::Tracker;
use crate::deployment::TaskEvidence;
use crate::names::ServiceName;
use crate::time::Timestamp;

/// How a service is. The words are those of the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Every task that should run does, on a node that answers.
    Healthy,
    /// At least one does not, and is not on its way.
    Unhealthy,
    /// An update is under way, or tasks are starting.
    Progressing,
    /// The Engine could not be asked, or a task's node does not answer.
    Unknown,
}

impl HealthStatus {
    /// The word in the REST API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Progressing => "progressing",
            Self::Unknown => "unknown",
        }
    }
}

/// How one service is, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceHealth {
    /// The word for it.
    pub status: HealthStatus,
    /// Tasks that run on nodes that answer.
    pub running: u64,
    /// Tasks that should run.
    pub desired: u64,
    /// The newest error of a task that has no running successor, or why the status is not known.
    pub error: Option<String>,
    /// Since when the oldest running task runs.
    pub running_since: Option<Timestamp>,
    /// The image in the live spec.
    pub image: String,
    /// Tasks that ended by themselves within the last hour and were started anew.
    #[serde(default)]
    pub restarts: u64,
    /// Tasks that are said to run on nodes that do not answer: nobody knows whether they do.
    #[serde(default)]
    pub unreachable: u64,
}

/// Everything that is known of one service's tasks, for whoever looks closely.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDetails {
    /// Its tasks: those that are meant to run first, then the newest of the others. At most 50.
    pub tasks: Vec<TaskView>,
    /// The newest errors, newest first; at most 5.
    pub last_errors: Vec<TaskEnd>,
}

/// A task, as people look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskView {
    /// The Engine's id.
    pub id: String,
    /// Its slot; `None` for global services and jobs.
    pub slot: Option<u64>,
    /// The node's host name, or its id where the name is not known; `None` while it has none.
    pub node: Option<String>,
    /// Whether that node answers, so that the state can be believed.
    pub node_answers: bool,
    /// The Engine's word for its state.
    pub state: String,
    /// The Engine's word for what it should be.
    pub desired_state: String,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Whether it is made from the current spec.
    pub current: bool,
    /// The Engine's error, cut to 2,000 characters.
    pub error: Option<String>,
    /// The exit code of its container, once that has ended.
    pub exit_code: Option<i64>,
}

/// A task that ended with an error, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEnd {
    /// When; `None` where the Engine does not say.
    pub at: Option<Timestamp>,
    /// What is known of it.
    pub task: TaskEvidence,
}

/// How an environment's services are, and as of when that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentHealth {
    /// When the Swarm was last asked with success.
    pub checked_at: Option<Timestamp>,
    /// Every live service of the stack.
    pub services: BTreeMap<ServiceName, ServiceHealth>,
}
