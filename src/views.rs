//! What pages and programs are shown: the answers to their questions, as data.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::deployment::{Deployment, HistoryRow};
use crate::diff::{ChangeType, FieldChange, Finding, ServiceChange};
use crate::health::ServiceDetails;
use crate::live::Progress;
use crate::names::{Actor, CommitSha, DeploymentId, EnvironmentName, ServiceName, StackName};
use crate::pipeline::{Environment, Mode};
use crate::release::Release;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::watched::Soak;

/// Every environment with what it runs. How it is at the moment stands in [`crate::live::Live`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// In the order in which releases flow.
    pub environments: Vec<EnvironmentView>,
    /// How often the source is asked for its newest revision, in seconds.
    pub poll_seconds: u64,
    /// What to say on every page of a demonstration; `None` in earnest.
    pub demo: Option<DemoNote>,
}

/// What a demonstration tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoNote {
    /// Where the sample repository lies.
    pub repository: String,
    /// Which engine is used, in words.
    pub engine: String,
}

/// One environment and what it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentView {
    /// Its name.
    pub name: EnvironmentName,
    /// Who starts its deployments.
    pub mode: Mode,
    /// Its stack in the Swarm.
    pub stack: StackName,
    /// Where its releases come from.
    pub promotes_from: Option<EnvironmentName>,
    /// What it runs; `None` while nothing is known.
    pub release: Option<Release>,
    /// Since when.
    pub deployed_at: Option<Timestamp>,
    /// By whom.
    pub deployed_by: Option<Actor>,
    /// The services whose version here differs from the environment that comes next.
    pub newer: BTreeSet<ServiceName>,
}

/// What a promotion to an environment would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Where the release would come from.
    pub from: EnvironmentName,
    /// Where it would go.
    pub to: EnvironmentName,
    /// Every service of either side.
    pub changes: Vec<ServiceChange>,
    /// The revision that `to` runs.
    pub from_sha: Option<CommitSha>,
    /// The revision that it would get.
    pub to_sha: Option<CommitSha>,
    /// The oldest revision at which `to` has proved one of the services that would change: what was committed since then is
    /// new to it. `None` where nothing would change, or where none of them was deployed.
    #[serde(default)]
    pub commits_from: Option<CommitSha>,
    /// The newest revision at which `from` has proved one of them.
    #[serde(default)]
    pub commits_to: Option<CommitSha>,
    /// What would be done to each service that is touched.
    pub actions: BTreeMap<ServiceName, PlannedAction>,
    /// What forbids it.
    pub blockers: Vec<Finding>,
    /// What a person should know.
    pub warnings: Vec<Finding>,
    /// Names exactly this plan: a promotion that carries it is refused once anything has changed. `None` where no
    /// plan could be made; then `blockers` say why.
    pub plan_hash: Option<String>,
    /// How every version has stood in `from` so far.
    #[serde(default)]
    pub soak: BTreeMap<ServiceName, Soak>,
}

impl Comparison {
    /// The services that would change: their version, or only how they run.
    pub fn changed(&self) -> BTreeSet<ServiceName> {
        let differs = |change: &&ServiceChange| {
            change.change_type != ChangeType::NoChange || self.actions.contains_key(&change.service)
        };
        let mut changed = BTreeSet::new();
        for change in self.changes.iter().filter(differs) {
            changed.insert(change.service.clone());
        }
        changed
    }
}

/// What a rollback would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// The deployment whose release would be restored.
    pub to: DeploymentId,
    /// When that one was accepted.
    pub started_at: Timestamp,
    /// Whether the environment follows the source, so that it would be held until a newer revision comes.
    pub holds: bool,
    /// What would change; both of its sides are the environment itself.
    pub comparison: Comparison,
}

/// What would be done to a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedAction {
    /// `create`, `update`, `remove`, or `watch` for what was written before without success and is live all the same.
    pub verb: String,
    /// Why, in words.
    pub reason: String,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
}

/// What was committed between the revision that an environment runs and the one that it would get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commits {
    /// Newest first.
    pub revisions: Vec<Revision>,
    /// Whether there are more than these.
    pub more: bool,
}

/// One service of one environment as the Swarm runs it now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningService {
    /// The environment.
    pub environment: EnvironmentName,
    /// Its full name in the Swarm.
    pub full_name: String,
    /// Every field of its spec that is set, without what may be secret.
    pub spec: Vec<FieldChange>,
    /// Its tasks that the Engine still keeps, the newest first.
    pub tasks: Vec<TaskView>,
}

/// A task, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// The Engine's id.
    pub id: String,
    /// Its slot; `None` for a global service or a job.
    pub slot: Option<u64>,
    /// The node's host name, or its id where the name is not known.
    pub node: Option<String>,
    /// The Engine's word for its state.
    pub state: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Whether it is one of those that should run.
    pub wanted: bool,
    /// The Engine's error.
    pub error: Option<String>,
    /// The exit code of its container.
    pub exit_code: Option<i64>,
}

/// Every service of every environment, looked at closely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloseLooks(pub BTreeMap<EnvironmentName, BTreeMap<ServiceName, CloseLook>>);

/// One service, looked at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseLook {
    /// Its tasks.
    pub details: ServiceDetails,
    /// What its newest task that failed has written last; `None` where it runs as it should, for who may not read that,
    /// and where nothing has ended yet.
    pub last_words: Option<LastWords>,
}

/// What a task has written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// The Engine's id of the task.
    pub task: String,
    /// Its last lines, oldest first, or why they cannot be read.
    pub lines: Result<Vec<String>, String>,
}

/// What Release Manager is and follows, for the settings page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Every environment with what it is made from.
    pub environments: Vec<Environment>,
    /// How often the source is asked, in seconds.
    pub poll_seconds: u64,
    /// How long a deployment may take, in seconds.
    pub timeout_seconds: u64,
    /// How long a service must stand to have succeeded, in seconds.
    pub stability_seconds: u64,
}

/// One deployment with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploymentView {
    /// As history keeps it.
    pub deployment: Deployment,
    /// Its rows in history.
    pub rows: Vec<HistoryRow>,
    /// How far it is; `None` once it is over and this process has not run it.
    pub progress: Option<Progress>,
}
