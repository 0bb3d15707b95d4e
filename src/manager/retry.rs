//! Trying again what did not succeed: only a person orders that.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::compare::Candidate;
use super::owed::Owed;
use super::sync::Wish;
use super::{Inner, Manager, ManagerError, Permit};
use crate::deployment::{Cause, Status};
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::{Environment, Mode};
use crate::plan::{self, Part, compose};
use crate::ports::Latest;

impl Manager {
    /// Tries again what did not succeed: in an environment that follows the source its newest revision, in another the
    /// release of its last deployment. What is live already is watched again and not written.
    pub async fn retry(&self, actor: Actor, target: &EnvironmentName) -> Result<DeploymentId, ManagerError> {
        let inner = &self.inner;
        let environment = inner.environment(target)?;
        let permit = inner.permit(target)?;
        inner.not_held(target)?;
        if environment.mode == Mode::Auto {
            let head = inner.ports.source.head().await?;
            inner.note_head(&head).await;
            return inner.deploy(permit, environment, &head, Wish::Retry(actor)).await?.ok_or(ManagerError::UpToDate);
        }
        let latest = inner.ports.ledger.latest(target).await?;
        let failed = latest.filter(|latest| latest.status != Status::Success).ok_or(ManagerError::UpToDate)?;
        inner.repeat(permit, environment, failed, actor).await
    }

    /// Looks at the source at once, and brings an environment that follows it to its newest revision as a machine would.
    pub async fn sync(&self, actor: Actor, target: &EnvironmentName) -> Result<DeploymentId, ManagerError> {
        let inner = &self.inner;
        let environment = inner.environment(target)?;
        if environment.mode != Mode::Auto {
            return Err(ManagerError::NotAutomatic(target.clone()));
        }
        let permit = inner.permit(target)?;
        let head = inner.ports.source.head().await?;
        inner.note_head(&head).await;
        if inner.holds_back(target, &head.sha).await {
            inner.not_held(target)?;
        }
        inner.deploy(permit, environment, &head, Wish::Now(actor)).await?.ok_or(ManagerError::UpToDate)
    }
}

impl Inner {
    /// Deploys the stored release of a deployment that has not succeeded once more, for the services that it was for.
    async fn repeat(
        self: &Arc<Self>,
        permit: Permit,
        environment: &Environment,
        failed: Latest,
        actor: Actor,
    ) -> Result<DeploymentId, ManagerError> {
        let record = self.ports.ledger.recorded(failed.id).await?;
        let old = record.ok_or(ManagerError::UnknownDeployment(failed.id))?.new;
        let scope: BTreeSet<ServiceName> =
            old.plan.actions.iter().filter_map(|action| action.kind.service()).cloned().collect();
        let stack = compose(&environment.stack, &[Part { stack: &old.stack, services: scope.clone() }]);
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let mut plan = plan::plan(&stack, &live, Some(&scope));
        self.add_owed(environment, &live, &mut plan, Owed::All).await?;
        let candidate =
            Candidate { release: old.release, stack: old.stack, plan, content_hash: old.content_hash }.worth_doing()?;
        let new =
            candidate.deployment(&environment.name, Cause::Retry { of: failed.id }, actor, self.ports.clock.now());
        self.begin(permit, new).await
    }
}
