//! Has a service truly converged? Pure: no clock and no daemon; the same observations always get the same answer.
//!
//! `running == desired` proves nothing: the tasks may be of the earlier spec, on a dead node, or about to end. A service
//! has converged when Swarm's own list of current tasks fills every slot, and the very same tasks have done so for the
//! whole stability window. The rows of the rule stand in [`Watch`], in the order in which they are asked.

mod hint;
mod job;
mod look;
mod probation;
mod removal;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
mod timing;
mod watch;
mod words;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::hint::hint;
pub(crate) use self::look::{Look, Slot, cut, is_before_end, is_failure, label};
pub use self::timing::Timing;
pub use self::watch::Watch;
use crate::deployment::{Evidence, Verdict};
use crate::engine::UpdateStatus;
use crate::live::ServicePhase;
use crate::names::DeploymentId;

/// What is watched: the spec that was written, and how the service was before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The service's full name.
    pub full_name: String,
    /// The deployment that writes it.
    pub deployment: DeploymentId,
    /// The spec that is written, with the deployment's label; `None` where the service is removed.
    pub spec: Option<Value>,
    /// The live spec before; `None` where there was no service.
    pub prior: Option<Value>,
    /// The Engine's id of the service before.
    pub service_id: Option<String>,
    /// Its `Version.Index` before.
    pub version_before: Option<u64>,
    /// The ids of its tasks before.
    pub tasks_before: BTreeSet<String>,
    /// The iteration of a job before.
    pub job_iteration_before: Option<u64>,
    /// When the update began that the service showed before: what Swarm says of that one is no word about this write.
    #[serde(default)]
    pub update_before: Option<String>,
}

impl Target {
    /// Whether Swarm is on its way back, or has gone back, from an update that began after this write.
    pub(crate) fn was_taken_back(&self, update: Option<&UpdateStatus>) -> bool {
        let Some(update) = update.filter(|update| update.state.starts_with("rollback")) else { return false };
        self.update_before.is_none() || update.started_at != self.update_before
    }
}

/// What the observations so far say of a service.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// Not decided yet.
    Going {
        /// Where it is.
        phase: ServicePhase,
        /// Tasks of the new spec that run; of a job, those that have ended well too.
        running: u64,
        /// Tasks that should run.
        desired: u64,
        /// The newest message of a task, or what is waited for.
        message: Option<String>,
    },
    /// Decided.
    Over {
        /// What became of it.
        verdict: Verdict,
        /// Why that is so.
        evidence: Evidence,
    },
}
