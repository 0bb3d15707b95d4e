//! What was done, and what follows from it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::BoxedError;
use crate::deployment::{Cause, Deployment, HistoryFilter, HistoryPage, Outcome, ServiceOutcome, Status};
use crate::health::{EnvironmentHealth, SoakRecord};
use crate::hold::Hold;
use crate::insights::Fact;
use crate::judge::Target;
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName, Version};
use crate::plan::Plan;
use crate::release::{Release, ServiceVersion};
use crate::revision::Revision;
use crate::stack::Stack;
use crate::time::Timestamp;
use crate::watched::After;

/// A deployment that was accepted, as the ledger takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeployment {
    /// The environment.
    pub environment: EnvironmentName,
    /// Why.
    pub cause: Cause,
    /// Who.
    pub actor: Actor,
    /// The release that the environment is to have in the end.
    pub release: Release,
    /// The rendered stack that belongs to it.
    pub stack: Stack,
    /// What is to be done.
    pub plan: Plan,
    /// Names the release's content, so that a machine tries it once only.
    pub content_hash: String,
    /// When it was accepted.
    pub started_at: Timestamp,
}

/// A deployment that was accepted, and what has been done of it.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenDeployment {
    /// Its number.
    pub id: DeploymentId,
    /// What was accepted.
    pub new: NewDeployment,
    /// What has been done of it, oldest first.
    pub journal: Vec<JournalEntry>,
}

/// One line of a deployment's journal, stored before (intent) and after (done) each write.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// The write is about to be sent.
    Intent {
        /// The number of the action in the plan.
        action: usize,
        /// For a service, what will be watched and how it was before: a later process judges by it.
        target: Option<Target>,
    },
    /// The Engine has accepted it.
    Done {
        /// The number of the action in the plan.
        action: usize,
        /// The id that the Engine gave or knows.
        id: String,
    },
    /// A person wants it stopped.
    CancelRequested {
        /// Who.
        by: Actor,
        /// Whether what was written is to be put back at once.
        #[serde(default)]
        go_back: bool,
    },
    /// Once it is over, what it has changed is to be put back as it was before.
    GoingBack {
        /// Who wants that.
        by: Actor,
    },
    /// Something that a person should know of it besides the verdicts.
    Noted {
        /// The sentence.
        message: String,
    },
    /// A service has its verdict.
    Judged {
        /// The service.
        service: ServiceName,
        /// The verdict and its evidence.
        outcome: ServiceOutcome,
    },
}

/// What an environment runs, as far as success has proved it.
#[derive(Debug, Clone, PartialEq)]
pub struct Current {
    /// Every service with the version that it was last brought to with success, or adopted with.
    pub release: Release,
    /// When the last of them was.
    pub deployed_at: Timestamp,
    /// By whom.
    pub deployed_by: Actor,
    /// The rendered stack of the newest successful deployment; `None` while the environment is only adopted.
    pub stack: Option<Stack>,
}

/// The success that brought a running service where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The service.
    pub service: ServiceName,
    /// When its verdict was given.
    pub at: Timestamp,
    /// What came after it.
    pub after: Option<After>,
}

/// The newest deployment of an environment, as far as a machine must know it before it starts another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// Its number.
    pub id: DeploymentId,
    /// [`NewDeployment::content_hash`].
    pub content_hash: String,
    /// Where it stands.
    pub status: Status,
}

/// A release as a deployment has stored it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeployedRelease {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its environment.
    pub environment: EnvironmentName,
    /// What the environment was to have in the end.
    pub release: Release,
    /// Where the deployment stands.
    pub status: Status,
    /// Who started it.
    pub actor: Actor,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
}

/// Which releases are asked for; newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFilter {
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only deployments of a lower number.
    pub before: Option<DeploymentId>,
    /// At most so many.
    pub limit: u32,
}

/// What success has proved of an environment, service by service, and which deployment tells of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// Every service.
    pub services: BTreeMap<ServiceName, Stood>,
    /// The newest deployment that succeeded as a whole, also where it wrote nothing.
    pub success: Option<DeploymentId>,
    /// The newest revision that wants no other release here than the one of that deployment; `None`: no other than its
    /// own is known.
    pub noted: Option<Revision>,
}

/// How far success has proved one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// Its version.
    pub version: ServiceVersion,
    /// The deployment whose release tells how it was rendered: the one that it succeeded in last, or a newer one that
    /// succeeded as a whole and left it so. One that came after a deployment had written it without success tells
    /// nothing. `None` where it was only adopted.
    pub told_by: Option<DeploymentId>,
}

/// The newest deployment here that came from the source, as far as a machine must know it before it starts another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its number.
    pub id: DeploymentId,
    /// [`NewDeployment::content_hash`].
    pub content_hash: String,
    /// Where it stands.
    pub status: Status,
    /// Whether another release has been brought here since: by a promotion, a rollback or a return.
    pub moved: bool,
}

/// A service whose newest deployment has not proved it, although its spec was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    /// That deployment.
    pub deployment: DeploymentId,
    /// The version before it, if there was one.
    pub from: Option<Version>,
}

/// The memory: SQLite.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Accepts a deployment, unless another one runs here or a hold keeps it out: durable before this returns.
    async fn begin(&self, new: &NewDeployment) -> Result<DeploymentId, LedgerError>;

    /// Adds to a deployment's journal: durable before this returns.
    async fn journal(&self, id: DeploymentId, entry: &JournalEntry, at: Timestamp) -> Result<(), LedgerError>;

    /// Closes a deployment, once.
    async fn finish(&self, id: DeploymentId, outcome: &Outcome, at: Timestamp) -> Result<(), LedgerError>;

    /// A deployment as it was accepted, with its journal, whether it is over or not.
    async fn recorded(&self, id: DeploymentId) -> Result<Option<OpenDeployment>, LedgerError>;

    /// The deployments that are not over.
    async fn unfinished(&self) -> Result<Vec<OpenDeployment>, LedgerError>;

    /// Notes a stack that was running before: only for an environment that has no history.
    async fn adopt(&self, environment: &EnvironmentName, release: &Release, at: Timestamp) -> Result<(), LedgerError>;

    /// What the environment runs; `None` while nothing is known.
    async fn current(&self, environment: &EnvironmentName) -> Result<Option<Current>, LedgerError>;

    /// The deployment that was started last here, if any ever was.
    async fn latest(&self, environment: &EnvironmentName) -> Result<Option<Latest>, LedgerError>;

    /// What success has proved of an environment, or had proved before that deployment; `None` while nothing is known.
    async fn standing(
        &self,
        environment: &EnvironmentName,
        before: Option<DeploymentId>,
    ) -> Result<Option<Standing>, LedgerError>;

    /// The newest deployment here that a sync or a retry started, if there ever was one.
    async fn tried(&self, environment: &EnvironmentName) -> Result<Option<Tried>, LedgerError>;

    /// Notes that a revision wants no other release than the one that a deployment has brought, in place of the revision
    /// that was noted before. What is rendered for another environment may differ all the same.
    async fn note_revision(&self, id: DeploymentId, revision: &Revision) -> Result<(), LedgerError>;

    /// The services that were written last by a deployment that did not see them succeed.
    async fn unproved(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, Unproved>, LedgerError>;

    /// Holds an environment, in place of the hold that it may be under.
    async fn hold(&self, environment: &EnvironmentName, hold: &Hold) -> Result<(), LedgerError>;

    /// Ends the hold of an environment. Returns whether there was one.
    async fn resume(&self, environment: &EnvironmentName, by: &Actor, at: Timestamp) -> Result<bool, LedgerError>;

    /// The environments that are held.
    async fn holds(&self) -> Result<BTreeMap<EnvironmentName, Hold>, LedgerError>;

    /// One deployment.
    async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, LedgerError>;

    /// The release and rendered stack of a deployment.
    async fn release_of(&self, id: DeploymentId) -> Result<Option<(Release, Stack)>, LedgerError>;

    /// The releases that were deployed, newest first.
    async fn releases(&self, filter: &ReleaseFilter) -> Result<Vec<DeployedRelease>, LedgerError>;

    /// The deployment that a row of history belongs to, with the row's service and version.
    async fn history_row(&self, id: i64) -> Result<Option<(DeploymentId, ServiceName, Version)>, LedgerError>;

    /// Rows of history, newest first.
    async fn history(&self, filter: &HistoryFilter) -> Result<HistoryPage, LedgerError>;

    /// What insights are drawn from: every deployment that was accepted since then, in the order of that time.
    async fn facts(&self, since: Timestamp) -> Result<Vec<Fact>, LedgerError>;

    /// Stores how services are now; replaces what was known of the environment.
    async fn record_health(&self, environment: &EnvironmentName, health: &EnvironmentHealth)
    -> Result<(), LedgerError>;

    /// The success that brought each running service where it is. Services that are only adopted have none.
    async fn proved(&self, environment: &EnvironmentName) -> Result<Vec<Proved>, LedgerError>;

    /// What a deployment watched of a service, by the service's full name.
    async fn target(&self, id: DeploymentId, full_name: &str) -> Result<Option<Target>, LedgerError>;

    /// Notes what came after a success, beside the history. What was noted first stands.
    async fn note_after(&self, id: DeploymentId, service: &ServiceName, after: &After) -> Result<(), LedgerError>;

    /// How every version of the environment has stood so far.
    async fn soak(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, SoakRecord>, LedgerError>;

    /// Stores how every version of the environment has stood; replaces what was known of it.
    async fn record_soak(
        &self,
        environment: &EnvironmentName,
        records: &BTreeMap<ServiceName, SoakRecord>,
    ) -> Result<(), LedgerError>;

    /// The name of this database, given when it was made and never changed. `None` where this is no database that a later
    /// process could go on with: then no lease is taken.
    async fn instance(&self) -> Result<Option<String>, LedgerError>;

    /// The newest revision that was seen, so that a restart does not forget it.
    async fn remember_head(&self, head: &Revision) -> Result<(), LedgerError>;

    /// The newest revision that was seen before the last stop.
    async fn head(&self) -> Result<Option<Revision>, LedgerError>;
}

/// Why the ledger could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another deployment of the environment is not over.
    #[error("deployment {0} is still in progress")]
    Busy(DeploymentId),
    /// The environment is held, and what was to be begun brings something new.
    #[error("environment `{0}` is held by {by}", by = .1.by)]
    Held(EnvironmentName, Box<Hold>),
    /// The deployment is over: it has an end, and nothing is added to it.
    #[error("deployment {0} is over, nothing is added to it")]
    Over(DeploymentId),
    /// The database failed: full, locked, damaged.
    #[error("the database failed: {detail}")]
    Failed {
        /// The kind of trouble and what to do.
        detail: String,
        /// For the log.
        #[source]
        source: BoxedError,
    },
}
