//! The questions and orders that pages, programs and the poller have.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::deployment::{HistoryFilter, HistoryPage};
use crate::diff::Finding;
use crate::live::Live;
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName};
use crate::ports::{LedgerError, SourceError, SwarmError};
use crate::stack::StackError;
use crate::views::{Comparison, DeploymentView, Overview};

/// Why a question or an order was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// No such environment in the pipeline.
    #[error("there is no environment `{0}`")]
    UnknownEnvironment(EnvironmentName),
    /// No such deployment in history.
    #[error("there is no deployment {0}")]
    UnknownDeployment(DeploymentId),
    /// A service that neither side knows.
    #[error("there is no service `{0}` to promote")]
    UnknownService(ServiceName),
    /// The environment takes releases from no other.
    #[error("environment `{0}` does not promote from another environment")]
    NoOrigin(EnvironmentName),
    /// The environment before has nothing that was deployed with success.
    #[error("environment `{0}` has not been deployed with success yet, so there is nothing to promote")]
    NothingToPromote(EnvironmentName),
    /// Another deployment of the environment is not over.
    #[error("deployment {0} is still in progress")]
    Busy(DeploymentId),
    /// Something has changed since the plan was seen.
    #[error("the plan has changed since you saw it: look at it again")]
    Stale(Box<Comparison>),
    /// Nothing would change.
    #[error("nothing to deploy: the environment already runs this")]
    UpToDate,
    /// The plan has blockers.
    #[error("the deployment cannot work: {}", .0.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; "))]
    Blocked(Vec<Finding>),
    /// The env file or stack file cannot be used.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<StackError>),
    /// The source could not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The Swarm could not answer.
    #[error(transparent)]
    Swarm(#[from] SwarmError),
    /// The database could not answer.
    #[error(transparent)]
    Ledger(LedgerError),
    /// Release Manager is about to stop.
    #[error("Release Manager is stopping: try again in a moment")]
    Stopping,
}

/// Everything that can be asked and ordered.
pub struct Manager {
    live: watch::Sender<Arc<Live>>,
}

impl Manager {
    /// What moves, now and from now on.
    pub fn live(&self) -> watch::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    /// Every environment and what it runs.
    pub async fn overview(&self) -> Result<Overview, ManagerError> {
        Err(ManagerError::Stopping)
    }

    /// What a promotion of these services (`None`: all) to `target` would do.
    pub async fn compare(
        &self,
        target: &EnvironmentName,
        services: Option<&BTreeSet<ServiceName>>,
    ) -> Result<Comparison, ManagerError> {
        let _ = (target, services);
        Err(ManagerError::Stopping)
    }

    /// Promotes these services (`None`: all) to `target`. With `seen`, only if the plan is still the one of that hash.
    pub async fn promote(
        &self,
        actor: Actor,
        target: &EnvironmentName,
        services: Option<BTreeSet<ServiceName>>,
        seen: Option<&str>,
    ) -> Result<DeploymentId, ManagerError> {
        let _ = (actor, target, services, seen);
        Err(ManagerError::Stopping)
    }

    /// Deploys the newest revision again although a machine would not try it twice.
    pub async fn retry(&self, actor: Actor, target: &EnvironmentName) -> Result<DeploymentId, ManagerError> {
        let _ = (actor, target);
        Err(ManagerError::Stopping)
    }

    /// Stops a deployment at the next safe point.
    pub async fn cancel(&self, actor: Actor, id: DeploymentId) -> Result<(), ManagerError> {
        let _ = (actor, id);
        Err(ManagerError::Stopping)
    }

    /// One deployment.
    pub async fn deployment(&self, id: DeploymentId) -> Result<DeploymentView, ManagerError> {
        Err(ManagerError::UnknownDeployment(id))
    }

    /// Rows of history, newest first.
    pub async fn history(&self, filter: &HistoryFilter) -> Result<HistoryPage, ManagerError> {
        let _ = filter;
        Err(ManagerError::Stopping)
    }
}
