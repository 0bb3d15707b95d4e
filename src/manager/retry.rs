//! Trying again what did not succeed: only a person orders that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compare::Candidate;
use super::sync::Wish;
use super::{Inner, Manager, ManagerError, Permit};
use crate::deployment::{Cause, Status};
use crate::engine::{LiveService, LiveStack};
use crate::health::{self, HealthStatus};
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName, StackName};
use crate::pipeline::{Environment, Mode};
use crate::plan::{self, ActionKind, Mode as ServiceMode, Part, Plan, compose};
use crate::ports::{Latest, LedgerError, Unproved};

/// Which of the services that a plan leaves as they are, and that have never succeeded so, are watched to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    /// All: a person who orders this release is owed the truth about it. A job runs once more, as only that tells.
    All,
    /// Those that look well by now, as an image that took long to come: they can be proved, and promoted then. One that is
    /// still broken does not fail a deployment that does not touch it, and a machine starts no job again.
    Recovered,
}

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
        let live = self.ports.swarm.live(&environment.stack).await?;
        let mut plan = plan::plan(&stack, &live, Some(&scope));
        self.watch_unproved(environment, &live, &mut plan, Owed::All).await?;
        let candidate =
            Candidate { release: old.release, stack: old.stack, plan, content_hash: old.content_hash }.worth_doing()?;
        let new =
            candidate.deployment(&environment.name, Cause::Retry { of: failed.id }, actor, self.ports.clock.now());
        self.begin(permit, new).await
    }

    /// The services that run what no deployment has seen succeed. One that was put back since, by Swarm itself or by hand,
    /// runs what was proved before; what was written by other means is nobody's promise.
    pub(crate) async fn unproved(
        &self,
        name: &EnvironmentName,
        stack: &StackName,
        live: &BTreeMap<String, LiveService>,
    ) -> Result<BTreeMap<ServiceName, Unproved>, LedgerError> {
        let mut unproved = self.ports.ledger.unproved(name).await?;
        if unproved.is_empty() {
            return Ok(unproved);
        }
        let standing = self.ports.ledger.standing(name, None).await?.unwrap_or_default();
        unproved.retain(|service, _| {
            let writer = live.get(&stack.scope(service)).and_then(|live| plan::written_by(&live.spec));
            let proved = standing.services.get(service).and_then(|stood| stood.told_by);
            writer > proved
        });
        Ok(unproved)
    }

    /// Has services watched to a verdict that a plan would leave as they are although what is live has never succeeded.
    pub(super) async fn watch_unproved(
        &self,
        environment: &Environment,
        live: &LiveStack,
        plan: &mut Plan,
        owed: Owed,
    ) -> Result<(), ManagerError> {
        let mut unproved = self.unproved(&environment.name, &environment.stack, &live.services).await?;
        if owed == Owed::Recovered && !unproved.is_empty() {
            let seen = self.ports.swarm.observe(&environment.stack).await?;
            let seen = health::judge_stack(&environment.stack, &seen, self.ports.clock.now());
            unproved.retain(|service, _| seen.get(service).is_some_and(|seen| seen.status == HealthStatus::Healthy));
        }
        for action in &mut plan.actions {
            let ActionKind::LeaveService { service, version } = &action.kind else { continue };
            let Some(known) = unproved.get(service) else { continue };
            let Some(found) = live.services.get(&environment.stack.scope(service)) else { continue };
            if ServiceMode::of(&found.spec).is_job() {
                let again = (owed == Owed::All).then(|| plan::restart(live, &environment.stack, service)).flatten();
                if let Some(again) = again {
                    let reason = format!("deployment {} did not see it end well", known.deployment);
                    *action = plan::Action { level: action.level, reason, ..again };
                }
                continue;
            }
            action.reason = format!("deployment {} did not see it succeed: it is watched again", known.deployment);
            action.kind =
                ActionKind::WatchService { service: service.clone(), from: known.from.clone(), to: version.clone() };
        }
        Ok(())
    }
}
