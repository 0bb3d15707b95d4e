//! Drift: what somebody else has changed in a stack is shown, and brought back once where the environment says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::told::{News, Told};
use super::{Inner, ManagerError};
use crate::deployment::{Cause, Status};
use crate::engine::LiveStack;
use crate::names::{Actor, DeploymentId, ServiceName};
use crate::pipeline::{Environment, OnDrift};
use crate::plan::{self, Expected};
use crate::ports::{Current, NewDeployment};
use crate::stack::Stack;
use crate::watched::{Drift, Lead, ServiceDrift};

/// How often a stack is compared although nobody tells of a change.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How long after a change: an update by hand comes as several events.
const SETTLE: Duration = Duration::from_secs(2);

/// What one deployment has brought where it should still be.
pub(super) struct Part {
    deployment: DeploymentId,
    stack: Arc<Stack>,
    services: BTreeSet<ServiceName>,
}

impl Part {
    pub(super) fn expected(&self) -> Expected<'_> {
        Expected { stack: &self.stack, services: &self.services }
    }
}

/// The stacks of the deployments that have brought what runs: they never change.
pub(super) type Stacks = BTreeMap<DeploymentId, Arc<Stack>>;

/// Compares one environment's live stack with what was deployed, again and again.
pub(super) async fn follow_drift(inner: Arc<Inner>, environment: Environment) {
    let mut pulse = inner.pulse.subscribe();
    let (mut stacks, mut told) = (Stacks::new(), Told::default());
    loop {
        match told.hear(&inner.look_at_drift(&environment, &mut stacks).await) {
            News::Trouble(error) => warn!(environment = %environment.name, error, "Drift cannot be looked for"),
            News::Over => info!(environment = %environment.name, "Drift is looked for again"),
            News::None => (),
        }
        tokio::select! {
            () = inner.stop.cancelled() => return,
            beat = pulse.changed() => {
                if beat.is_err() {
                    return;
                }
                tokio::select! {
                    () = inner.stop.cancelled() => return,
                    () = tokio::time::sleep(SETTLE) => (),
                }
                pulse.mark_unchanged();
            }
            () = tokio::time::sleep(LOOK_EVERY) => (),
        }
    }
}

impl Inner {
    async fn look_at_drift(
        self: &Arc<Self>,
        environment: &Environment,
        stacks: &mut Stacks,
    ) -> Result<(), ManagerError> {
        let name = &environment.name;
        let leads = {
            let live = self.board.subscribe();
            let live = live.borrow();
            live.environments.get(name).is_some_and(|known| known.watched.lead == Lead::Ours)
        };
        // While a deployment writes, nothing is behind our back; where somebody else leads, nothing is ours to judge.
        if !leads || self.board.running(name).is_some() {
            return Ok(());
        }
        let Some(current) = self.ports.ledger.current(name).await? else { return Ok(()) };
        let parts = self.parts(environment, stacks).await?;
        if parts.is_empty() {
            return Ok(());
        }
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let mut found = BTreeMap::new();
        for part in &parts {
            found.extend(plan::drift(part.expected(), &live));
        }
        self.forgive(environment, &live, &parts, &mut found).await?;
        self.add_foreign(environment, &live, &current, &mut found).await?;
        if self.board.running(name).is_some() {
            return Ok(());
        }
        let not_healed = match environment.on_drift {
            OnDrift::Report => None,
            OnDrift::Heal => self.heal(environment, &current, &parts, &live, &found).await,
        };
        let drift = Drift { checked_at: Some(self.ports.clock.now()), services: found, not_healed };
        self.show_drift(environment, drift);
        Ok(())
    }

    /// What each deployment has brought where it should still be: one stack and its services for each.
    pub(super) async fn parts(
        &self,
        environment: &Environment,
        stacks: &mut Stacks,
    ) -> Result<Vec<Part>, ManagerError> {
        let mut services: BTreeMap<DeploymentId, BTreeSet<ServiceName>> = BTreeMap::new();
        for proved in self.ports.ledger.proved(&environment.name).await? {
            services.entry(proved.deployment).or_default().insert(proved.service);
        }
        stacks.retain(|deployment, _| services.contains_key(deployment));
        let mut parts = Vec::new();
        for (deployment, services) in services {
            if let Some(stack) = self.stack_of(deployment, stacks).await? {
                parts.push(Part { deployment, stack, services });
            }
        }
        Ok(parts)
    }

    async fn stack_of(
        &self,
        deployment: DeploymentId,
        stacks: &mut Stacks,
    ) -> Result<Option<Arc<Stack>>, ManagerError> {
        if let Some(stack) = stacks.get(&deployment) {
            return Ok(Some(Arc::clone(stack)));
        }
        let stack = self.ports.ledger.release_of(deployment).await?.map(|(_, stack)| Arc::new(stack));
        stacks.extend(stack.clone().map(|stack| (deployment, stack)));
        Ok(stack)
    }

    /// Takes out what a later deployment has left behind that did not succeed: history tells of that.
    async fn forgive(
        &self,
        environment: &Environment,
        live: &LiveStack,
        parts: &[Part],
        found: &mut BTreeMap<ServiceName, ServiceDrift>,
    ) -> Result<(), ManagerError> {
        let writers = plan::writers(&environment.stack, live);
        for (service, writer) in writers {
            let part = parts.iter().find(|part| part.services.contains(&service));
            if !found.contains_key(&service) || part.is_none_or(|part| writer <= part.deployment) {
                continue;
            }
            if !self.is_left_behind(environment, writer).await? {
                continue;
            }
            let Some((_, stack)) = self.ports.ledger.release_of(writer).await? else { continue };
            let services = BTreeSet::from([service.clone()]);
            if !plan::drift(Expected { stack: &stack, services: &services }, live).contains_key(&service) {
                found.remove(&service);
            }
        }
        Ok(())
    }

    async fn is_left_behind(&self, environment: &Environment, writer: DeploymentId) -> Result<bool, ManagerError> {
        let known = self.ports.ledger.deployment(writer).await?;
        Ok(known.is_some_and(|known| known.environment == environment.name && known.status() != Status::Success))
    }

    async fn add_foreign(
        &self,
        environment: &Environment,
        live: &LiveStack,
        current: &Current,
        found: &mut BTreeMap<ServiceName, ServiceDrift>,
    ) -> Result<(), ManagerError> {
        let known = current.release.services.keys().cloned().collect();
        let writers = plan::writers(&environment.stack, live);
        for service in plan::foreign(&environment.stack, live, &known) {
            let left_behind = match writers.get(&service) {
                Some(writer) => self.is_left_behind(environment, *writer).await?,
                None => false,
            };
            if !left_behind {
                found.insert(service, ServiceDrift::Foreign);
            }
        }
        Ok(())
    }

    /// A service that carries the number of a deployment which the ledger does not have was deployed by what this database
    /// has forgotten, as after the restore of a backup: to bring that back would undo it.
    async fn must_know_writers(
        &self,
        environment: &Environment,
        live: &LiveStack,
        services: &BTreeSet<ServiceName>,
    ) -> Result<(), ManagerError> {
        for (service, writer) in plan::writers(&environment.stack, live) {
            if !services.contains(&service) {
                continue;
            }
            let known = self.ports.ledger.deployment(writer).await?;
            if known.is_none_or(|known| known.environment != environment.name) {
                return Err(ManagerError::UnknownWriter { service, writer });
            }
        }
        Ok(())
    }

    fn show_drift(&self, environment: &Environment, drift: Drift) {
        let name = &environment.name;
        let before = self.board.subscribe().borrow().environments.get(name).map(|known| known.watched.drift.clone());
        let news = before.as_ref().is_none_or(|before| before.services != drift.services);
        if news && !drift.services.is_empty() {
            let services: Vec<String> = drift.services.keys().map(ToString::to_string).collect();
            warn!(environment = %name, "Somebody else has changed {}", services.join(", "));
        }
        // That nothing was found once more is no news for browsers more often than once a minute.
        let stale = before.as_ref().and_then(|before| before.checked_at).zip(drift.checked_at);
        let fresh = stale.is_some_and(|(before, now)| now.seconds_since(before) < LOOK_EVERY.as_secs_f64());
        if news || !fresh || before.is_some_and(|before| before.not_healed != drift.not_healed) {
            self.board.environment(name, |known| known.watched.drift = drift);
        }
    }

    /// Starts a deployment that brings back what one deployment had brought here, once for each distinct drift. Returns
    /// why it does not; `None` where it does, or there is nothing to heal.
    async fn heal(
        self: &Arc<Self>,
        environment: &Environment,
        current: &Current,
        parts: &[Part],
        live: &LiveStack,
        found: &BTreeMap<ServiceName, ServiceDrift>,
    ) -> Option<String> {
        let is_healed = |service: &&ServiceName| {
            matches!(found.get(*service), Some(ServiceDrift::Changed { .. } | ServiceDrift::Missing))
        };
        let (part, drifted) = parts.iter().find_map(|part| {
            let drifted: BTreeSet<ServiceName> = part.services.iter().filter(is_healed).cloned().collect();
            (!drifted.is_empty()).then_some((part, drifted))
        })?;
        let drift = plan::name_of_drift(part.expected(), live, drifted.iter());
        match self.try_to_heal(environment, current, part, &drifted, &drift).await {
            Ok(id) => {
                info!(deployment.id = id.0, environment = %environment.name, drift, "Healing");
                None
            }
            Err(ManagerError::Busy(_) | ManagerError::Preparing(_) | ManagerError::UpToDate) => None,
            Err(error) => Some(error.to_string()),
        }
    }

    async fn try_to_heal(
        self: &Arc<Self>,
        environment: &Environment,
        current: &Current,
        part: &Part,
        drifted: &BTreeSet<ServiceName>,
        drift: &str,
    ) -> Result<DeploymentId, ManagerError> {
        let name = &environment.name;
        let permit = self.permit(name)?;
        let latest = self.ports.ledger.latest(name).await?.ok_or(ManagerError::UpToDate)?;
        if latest.status != Status::Success {
            return Err(ManagerError::StillLive(latest.id));
        }
        let last = self.ports.ledger.deployment(latest.id).await?;
        let just_healed = last.is_some_and(|last| last.cause == Cause::Heal { drift: drift.to_owned() });
        if just_healed || self.watcher.healed().get(name).is_some_and(|healed| healed.contains(drift)) {
            return Err(ManagerError::HealedBefore);
        }
        // What is live now, under the permit: what was seen before may be gone.
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        self.must_know_writers(environment, &live, drifted).await?;
        let plan = plan::plan(&part.stack, &live, Some(drifted));
        if !plan.blockers.is_empty() {
            return Err(ManagerError::Blocked(plan.blockers));
        }
        if !plan.has_writes() {
            return Err(ManagerError::UpToDate);
        }
        let mut stack = current.stack.clone().unwrap_or_else(|| part.stack.as_ref().clone());
        for service in drifted {
            if let Some(wanted) = part.stack.services.get(service) {
                stack.services.insert(service.clone(), wanted.clone());
            }
        }
        let new = NewDeployment {
            environment: name.clone(),
            cause: Cause::Heal { drift: drift.to_owned() },
            actor: Actor::System,
            release: current.release.clone(),
            stack,
            plan,
            content_hash: latest.content_hash,
            started_at: self.ports.clock.now(),
        };
        let id = self.begin(permit, new).await?;
        self.watcher.healed().entry(name.clone()).or_default().insert(drift.to_owned());
        Ok(id)
    }
}
