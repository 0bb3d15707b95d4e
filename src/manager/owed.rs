//! What a deployment owes a verdict although there is nothing to write: what runs as it is wanted, but not because a deployment
//! has seen it succeed, is watched; what is gone as it is wanted is recorded.

use std::collections::{BTreeMap, BTreeSet};

use super::drift::Stacks;
use super::{Inner, ManagerError};
use crate::engine::{LiveService, LiveStack};
use crate::health::{self, HealthStatus};
use crate::names::{EnvironmentName, ServiceName, StackName, Version};
use crate::pipeline::Environment;
use crate::plan::{self, Action, ActionKind, Mode, Plan, image_of};
use crate::ports::{LedgerError, Standing, Unproved};
use crate::stack::Stack;

/// Which of the services that a plan leaves as they are, and that no deployment has seen succeed so, are watched to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    /// All: a person who orders this release is owed the truth about it. A job runs once more, as only that tells.
    All,
    /// Those that look well by now, as an image that took long to come: they can be proved, and promoted then. One that is
    /// broken does not fail a deployment that does not touch it, and a machine starts no job again.
    Recovered,
}

impl Inner {
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

    /// Adds to a plan what it owes a verdict without a write.
    pub(super) async fn add_owed(
        &self,
        environment: &Environment,
        live: &LiveStack,
        plan: &mut Plan,
        owed: Owed,
    ) -> Result<(), ManagerError> {
        let mut unproved = self.unproved(&environment.name, &environment.stack, &live.services).await?;
        let mut strayed = self.strayed(environment, live, plan).await?;
        strayed.retain(|service, _| !unproved.contains_key(service));
        if owed == Owed::Recovered && !(unproved.is_empty() && strayed.is_empty()) {
            let seen = self.ports.swarm_of(&environment.stack).observe(&environment.stack).await?;
            let seen = health::judge_stack(&environment.stack, &seen, self.ports.clock.now());
            let is_well =
                |service: &ServiceName| seen.get(service).is_some_and(|seen| seen.status == HealthStatus::Healthy);
            unproved.retain(|service, _| is_well(service));
            strayed.retain(|service, _| is_well(service));
        }
        for action in &mut plan.actions {
            let from = action.kind.service().and_then(|service| strayed.remove(service));
            if let Some(from) = from {
                watch(action, from, "somebody else has made it so: it is watched".to_owned());
            }
        }
        watch_again(environment, live, plan, &unproved, owed);
        Ok(())
    }

    /// The services that a plan leaves as they are, as they are wanted, and that are so only because somebody else has made
    /// them so; each with the version that was known before.
    async fn strayed(
        &self,
        environment: &Environment,
        live: &LiveStack,
        plan: &Plan,
    ) -> Result<BTreeMap<ServiceName, Option<Version>>, ManagerError> {
        let Some(standing) = self.ports.ledger.standing(&environment.name, None).await? else {
            return Ok(BTreeMap::new());
        };
        let parts = self.parts(environment, &mut Stacks::new()).await?;
        let changed: BTreeSet<ServiceName> =
            parts.iter().flat_map(|part| plan::drift(part.expected(), live).into_keys()).collect();
        let is_deployed = |service: &ServiceName| parts.iter().any(|part| part.expected().services.contains(service));
        let is_strayed = |service: &ServiceName| match standing.services.get(service) {
            None => true,
            Some(_) if is_deployed(service) => changed.contains(service),
            // It was only adopted, with the image that ran.
            Some(stood) => {
                let found = live.services.get(&environment.stack.scope(service));
                found.and_then(|found| image_of(&found.spec)) != Some(stood.version.image.as_str())
            }
        };
        // What is written by a deployment that is under way has its verdict from that one.
        let running = self.board.running(&environment.name);
        let is_under_way = |service: &ServiceName| {
            let found = live.services.get(&environment.stack.scope(service));
            running.is_some() && found.and_then(|found| plan::written_by(&found.spec)) == running
        };
        let left = plan.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::LeaveService { service, .. } => Some(service),
            _ => None,
        });
        let strayed =
            left.filter(|service| is_strayed(service) && !is_under_way(service) && !is_job(environment, live, service));
        let version = |service| standing.services.get(service).map(|stood| stood.version.version.clone());
        Ok(strayed.map(|service| (service.clone(), version(service))).collect())
    }

    /// Adds the removal of services that were deployed here and are neither wanted nor live: it only has to be recorded.
    /// `scope` as for [`plan::plan`].
    pub(super) async fn add_gone(
        &self,
        environment: &Environment,
        wanted: &Stack,
        live: &LiveStack,
        plan: &mut Plan,
        scope: Option<&BTreeSet<ServiceName>>,
    ) -> Result<(), ManagerError> {
        let Some(Standing { services, .. }) = self.ports.ledger.standing(&environment.name, None).await? else {
            return Ok(());
        };
        let level = plan.actions.iter().map(|action| action.level).max().unwrap_or(0) + 1;
        for (service, stood) in services {
            let is_live = live.services.contains_key(&environment.stack.scope(&service));
            let in_scope = scope.is_none_or(|scope| scope.contains(&service));
            if in_scope && !is_live && !wanted.services.contains_key(&service) {
                let kind = ActionKind::RemoveService { service, from: stood.version.version };
                let reason = "no longer in the stack file, and removed by somebody already".to_owned();
                plan.actions.push(Action { kind, reason, write: None, level });
            }
        }
        Ok(())
    }
}

fn is_job(environment: &Environment, live: &LiveStack, service: &ServiceName) -> bool {
    live.services.get(&environment.stack.scope(service)).is_none_or(|found| Mode::of(&found.spec).is_job())
}

fn watch(action: &mut Action, from: Option<Version>, reason: String) {
    if let ActionKind::LeaveService { service, version } = &action.kind {
        action.kind = ActionKind::WatchService { service: service.clone(), from, to: version.clone() };
        action.reason = reason;
    }
}

/// Has what no deployment has seen succeed watched again; a job runs once more, if a person wants that.
fn watch_again(
    environment: &Environment,
    live: &LiveStack,
    plan: &mut Plan,
    unproved: &BTreeMap<ServiceName, Unproved>,
    owed: Owed,
) {
    for action in &mut plan.actions {
        let ActionKind::LeaveService { service, .. } = &action.kind else { continue };
        let Some(known) = unproved.get(service) else { continue };
        if is_job(environment, live, service) {
            let again = (owed == Owed::All).then(|| plan::restart(live, &environment.stack, service)).flatten();
            if let Some(again) = again {
                let reason = format!("deployment {} did not see it end well", known.deployment);
                *action = Action { level: action.level, reason, ..again };
            }
            continue;
        }
        let reason = format!("deployment {} did not see it succeed: it is watched again", known.deployment);
        watch(action, known.from.clone(), reason);
    }
}
