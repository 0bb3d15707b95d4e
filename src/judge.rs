//! Has a service truly converged? Pure: no clock and no daemon; the same observations always get the same answer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
}
