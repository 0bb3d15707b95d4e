//! Questions: they change nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Manager, ManagerError};
use crate::deployment::{HistoryFilter, HistoryPage};
use crate::health::{ServiceDetails, Tracker};
use crate::names::{DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::{Environment, Pipeline};
use crate::ports::{Current, DeployedRelease, ReleaseFilter};
use crate::views::{DeploymentView, EnvironmentView, Overview};
use crate::watched::Soak;

impl Manager {
    /// The environments, in the order in which releases flow.
    pub fn pipeline(&self) -> &Pipeline {
        &self.inner.settings.pipeline
    }

    /// Every environment and what it runs.
    pub async fn overview(&self) -> Result<Overview, ManagerError> {
        let known = self.inner.settings.pipeline.environments();
        let mut currents = Vec::with_capacity(known.len());
        for environment in known {
            let current = match self.inner.ports.ledger.current(&environment.name).await? {
                // It may run its revision in part only.
                Some(current) => {
                    let release = self.inner.proven_release(&environment.name).await?.unwrap_or(current.release);
                    Some(Current { release, ..current })
                }
                None => None,
            };
            currents.push((environment, current));
        }
        let environments = currents
            .iter()
            .map(|(environment, current)| view(environment, current.as_ref(), &newer(environment, &currents)))
            .collect();
        let settings = &self.inner.settings;
        Ok(Overview { environments, poll_seconds: settings.poll_interval.as_secs(), demo: settings.demo.clone() })
    }

    /// One deployment.
    pub async fn deployment(&self, id: DeploymentId) -> Result<DeploymentView, ManagerError> {
        let ledger = &self.inner.ports.ledger;
        let deployment = ledger.deployment(id).await?.ok_or(ManagerError::UnknownDeployment(id))?;
        let filter = HistoryFilter { deployment: Some(id), limit: 500, ..HistoryFilter::default() };
        let rows = ledger.history(&filter).await?.rows;
        Ok(DeploymentView { deployment, rows, progress: self.inner.board.progress(id) })
    }

    /// What was deployed, newest first.
    pub async fn releases(&self, filter: &ReleaseFilter) -> Result<Vec<DeployedRelease>, ManagerError> {
        Ok(self.inner.ports.ledger.releases(filter).await?)
    }

    /// The release of one deployment.
    pub async fn release(&self, id: DeploymentId) -> Result<DeployedRelease, ManagerError> {
        let before = DeploymentId(id.0.saturating_add(1));
        let filter = ReleaseFilter { environment: None, before: Some(before), limit: 1 };
        let newest = self.inner.ports.ledger.releases(&filter).await?.pop();
        newest.filter(|known| known.deployment == id).ok_or(ManagerError::UnknownDeployment(id))
    }

    /// Every service of the environment with its tasks, as they were seen last. Empty while nobody has looked.
    pub fn details(&self, environment: &EnvironmentName) -> BTreeMap<ServiceName, ServiceDetails> {
        self.inner.watcher.details().get(environment).cloned().unwrap_or_default()
    }

    /// How every version of the environment has stood so far.
    pub fn soak(&self, environment: &EnvironmentName) -> BTreeMap<ServiceName, Soak> {
        self.inner.watcher.trackers().get(environment).map(Tracker::soak).unwrap_or_default()
    }

    /// Rows of history, newest first.
    pub async fn history(&self, filter: &HistoryFilter) -> Result<HistoryPage, ManagerError> {
        let filter = HistoryFilter { limit: filter.limit.clamp(1, 500), ..filter.clone() };
        Ok(self.inner.ports.ledger.history(&filter).await?)
    }
}

/// The services whose version differs from what the environment that comes next runs.
fn newer(environment: &Environment, all: &[(&Environment, Option<Current>)]) -> BTreeSet<ServiceName> {
    let own = all.iter().find(|(known, _)| known.name == environment.name).and_then(|(_, current)| current.as_ref());
    let next = all.iter().filter(|(known, _)| known.promotes_from.as_ref() == Some(&environment.name));
    let Some(own) = own else { return BTreeSet::new() };
    let version = |current: Option<&Current>, service: &ServiceName| {
        current.and_then(|current| current.release.services.get(service)).map(|known| known.version.clone())
    };
    next.flat_map(|(_, next)| {
        own.release
            .services
            .iter()
            .filter(move |(service, known)| version(next.as_ref(), service).as_ref() != Some(&known.version))
            .map(|(service, _)| service.clone())
    })
    .collect()
}

fn view(environment: &Environment, current: Option<&Current>, newer: &BTreeSet<ServiceName>) -> EnvironmentView {
    EnvironmentView {
        name: environment.name.clone(),
        mode: environment.mode,
        stack: environment.stack.clone(),
        promotes_from: environment.promotes_from.clone(),
        release: current.map(|current| current.release.clone()),
        deployed_at: current.map(|current| current.deployed_at),
        deployed_by: current.map(|current| current.deployed_by.clone()),
        newer: newer.clone(),
    }
}
