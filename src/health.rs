//! How services are now.

#[cfg(feature = "engine")]
mod assess;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(feature = "engine")]
pub use self::assess::judge_stack;
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
    /// The Engine could not be asked.
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
}

/// How an environment's services are, and as of when that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentHealth {
    /// When the Swarm was last asked with success.
    pub checked_at: Option<Timestamp>,
    /// Every live service of the stack.
    pub services: BTreeMap<ServiceName, ServiceHealth>,
}
