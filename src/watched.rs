//! What is watched of an environment besides the health of its services: what came after a success, who may change the
//! stack, what somebody else has changed in it, and how a version has stood so far.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::deployment::TaskEvidence;
use crate::diff::FieldChange;
use crate::names::{DeploymentId, ServiceName};
use crate::time::Timestamp;

/// Everything that is watched of one environment, as far as it moves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Who may change the environment's stack.
    pub lead: Lead,
    /// How the live services differ from the release that was deployed last.
    pub drift: Drift,
    /// The services whose success is being watched on, or was and did not last.
    pub probation: BTreeMap<ServiceName, Probation>,
}

/// Who may change a stack. One database at a time does; every other process only reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lead", rename_all = "snake_case")]
pub enum Lead {
    /// The Swarm has not been asked yet.
    #[default]
    Unknown,
    /// This process.
    Ours,
    /// Another Release Manager: this one only reads.
    Other {
        /// Where that one runs, in words.
        place: String,
        /// Since when this process knows.
        since: Timestamp,
    },
}

/// A success that is watched on for a while. What comes of it stands beside the deployment; history is not rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probation {
    /// The deployment that brought the service here.
    pub deployment: DeploymentId,
    /// Until when it is watched.
    pub until: Timestamp,
    /// What came after the success; `None` while it lasts.
    pub after: Option<After>,
}

/// A service that had succeeded, and then lost a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// When that was seen.
    pub at: Timestamp,
    /// The task that ended.
    pub task: TaskEvidence,
    /// Its last log lines, oldest first; at most 50.
    pub log_lines: Vec<String>,
}

impl After {
    /// The sentence for people: what ended and why.
    pub fn message(&self) -> String {
        let code = self.task.exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
        let node = self.task.node.as_ref().map(|node| format!("on node {node}"));
        let why: Vec<String> = [code, self.task.error.clone(), node].into_iter().flatten().collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
        format!("a task ended after the deployment had succeeded{why}")
    }
}

/// How the live services of an environment differ from the release that was deployed last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// As of when that is known; `None` while nobody has looked, or nothing was ever deployed here.
    pub checked_at: Option<Timestamp>,
    /// The services that differ.
    pub services: BTreeMap<ServiceName, ServiceDrift>,
    /// Why it is not brought back although the environment heals; `None` where it does not, or all is well.
    pub not_healed: Option<String>,
}

/// How one live service differs from its release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ServiceDrift {
    /// Somebody has changed its spec.
    Changed {
        /// The fields that differ: `from` is live, `to` is the release. Values that may be secret are never shown.
        fields: Vec<FieldChange>,
    },
    /// Somebody has removed it.
    Missing,
    /// It carries the stack's label, and no release has it.
    Foreign,
}

/// How a version has stood since it came to an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soak {
    /// The image that runs.
    pub image: String,
    /// Since when it was seen.
    pub since: Timestamp,
    /// Tasks that ended by themselves and were started anew. Those that ended while nobody looked, and that the Swarm
    /// has forgotten since, are not among them.
    pub restarts: u64,
    /// Those of them that failed by their own fault, not that of a node.
    pub failed_tasks: u64,
    /// The newest of them.
    pub last_failure: Option<TaskEvidence>,
}
