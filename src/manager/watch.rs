//! Following the Swarm: is the Engine there, what changes, how are the services.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tracing::{info, warn};

use super::{Inner, ManagerError};
use crate::engine::Observation;
use crate::health::{self, EnvironmentHealth, HealthStatus, ServiceHealth, Tracker};
use crate::names::ServiceName;
use crate::pipeline::Environment;
use crate::plan;
use crate::ports::{Swarm, SwarmError};
use crate::release::Release;
use crate::time::Timestamp;

/// How long to wait before an Engine that did not answer is asked again.
const ENGINE_RETRY: Duration = Duration::from_secs(2);
/// A success is watched on by looks that are no further apart than this.
const PROBATION_INTERVAL: Duration = Duration::from_secs(15);
/// Changes that come within this time are looked at together.
const GATHER: Duration = Duration::from_millis(100);

/// Follows every Engine for as long as the process lives.
pub(super) fn follow_engines(inner: &Arc<Inner>) {
    for (number, swarm) in inner.ports.swarms().into_iter().enumerate() {
        let what = if number == 0 { "following the Engine".to_owned() } else { format!("following Engine {number}") };
        inner.keep_running(what, move |inner| follow_engine(inner, number, Arc::clone(&swarm)));
    }
}

/// Keeps a stream of changes open and beats the pulse with each; says on the board when the Engine cannot be used.
async fn follow_engine(inner: Arc<Inner>, number: usize, swarm: Arc<dyn Swarm>) {
    loop {
        let trouble = tokio::select! {
            () = inner.stop.cancelled() => return,
            trouble = follow_once(&inner, number, &swarm) => trouble,
        };
        if let Err(error) = trouble
            && inner.engine_is(number, Some(error.to_string()))
        {
            warn!(%error, "The Engine cannot be used");
        }
        beat(&inner);
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = tokio::time::sleep(ENGINE_RETRY) => (),
        }
    }
}

/// Ends when the stream does, well or badly.
async fn follow_once(inner: &Inner, number: usize, swarm: &Arc<dyn Swarm>) -> Result<(), ManagerError> {
    let engine = swarm.check().await?;
    let mut changes = swarm.changes().await?;
    if inner.engine_is(number, None) {
        info!(%engine, "The Engine can be used again");
    }
    inner.adopt_all(swarm).await?;
    inner.look_now.notify_one();
    beat(inner);
    while changes.next().await.is_some() {
        beat(inner);
    }
    Ok(())
}

pub(super) fn beat(inner: &Inner) {
    inner.pulse.send_modify(|beats| *beats += 1);
}

/// Looks at one environment's services whenever something changes, and at every interval besides.
pub(super) async fn follow_health(inner: Arc<Inner>, environment: Environment) {
    let mut pulse = inner.pulse.subscribe();
    inner.resume_following(&environment).await;
    loop {
        inner.look_at_health(&environment).await;
        tokio::select! {
            () = inner.stop.cancelled() => return,
            beat = pulse.changed() => {
                if beat.is_err() {
                    return;
                }
                tokio::time::sleep(GATHER).await;
                pulse.mark_unchanged();
            }
            () = tokio::time::sleep(inner.look_every(&environment)) => (),
        }
    }
}

impl Inner {
    /// Takes up what an earlier process knew of the environment's tasks.
    async fn resume_following(&self, environment: &Environment) {
        let name = &environment.name;
        match self.ports.ledger.soak(name).await {
            Ok(records) => drop(self.watcher.trackers().insert(name.clone(), Tracker::resume(records))),
            Err(error) => warn!(%error, environment = %name, "How versions have stood so far cannot be read"),
        }
        if let Err(error) = self.resume_watching(environment).await {
            warn!(%error, environment = %name, "What was watched before the start cannot be read");
        }
    }

    /// How long to wait for the next look. A success is not watched on by looks that are further apart than this.
    fn look_every(&self, environment: &Environment) -> Duration {
        let usual = self.settings.health_interval;
        if self.is_on_probation(&environment.name) { usual.min(PROBATION_INTERVAL) } else { usual }
    }

    /// Counts restarts, and keeps what is known of each task.
    async fn follow_tasks(
        &self,
        environment: &Environment,
        seen: &Observation,
        now: Timestamp,
        services: &mut BTreeMap<ServiceName, ServiceHealth>,
    ) {
        let name = &environment.name;
        self.watcher.details().insert(name.clone(), health::details(&environment.stack, seen));
        let changed = {
            let mut trackers = self.watcher.trackers();
            let tracker = trackers.entry(name.clone()).or_default();
            let changed = tracker.see(&environment.stack, seen, now);
            tracker.complete(services);
            changed.then(|| tracker.records().clone())
        };
        if let Some(records) = changed
            && let Err(error) = self.ports.ledger.record_soak(name, &records).await
        {
            warn!(%error, environment = %name, "How versions have stood so far cannot be stored");
        }
    }

    /// Notes what is wrong with one Engine, or that nothing is. Returns whether that is news.
    fn engine_is(&self, number: usize, trouble: Option<String>) -> bool {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => drop(engines.insert(number, trouble)),
            None => drop(engines.remove(&number)),
        }
        let all: Vec<&str> = engines.values().map(String::as_str).collect();
        let message = (!all.is_empty()).then(|| all.join("; "));
        self.board.engine_problem(message, self.ports.clock.now())
    }

    /// Notes what already runs in the environments of a Swarm that have no history.
    async fn adopt_all(&self, swarm: &Arc<dyn Swarm>) -> Result<(), ManagerError> {
        for environment in self.settings.pipeline.environments() {
            if Arc::ptr_eq(self.ports.swarm_of(&environment.stack), swarm) {
                self.adopt(environment).await?;
            }
        }
        Ok(())
    }

    /// Notes what already runs in an environment, unless it has a history.
    pub(super) async fn adopt(&self, environment: &Environment) -> Result<(), ManagerError> {
        if self.ports.ledger.current(&environment.name).await?.is_some()
            || self.ports.ledger.latest(&environment.name).await?.is_some()
        {
            return Ok(());
        }
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let services = plan::adopt(&live, &environment.stack);
        if !services.is_empty() {
            info!(environment = %environment.name, services = services.len(), "Adopting a stack that already runs");
            let release = Release::new(None, services);
            self.ports.ledger.adopt(&environment.name, &release, self.ports.clock.now()).await?;
            self.board.changed();
        }
        Ok(())
    }

    async fn look_at_health(&self, environment: &Environment) {
        let now = self.ports.clock.now();
        let before =
            self.board.subscribe().borrow().environments.get(&environment.name).map(|known| known.health.clone());
        let seen = match self.ports.swarm_of(&environment.stack).observe(&environment.stack).await {
            Ok(observation) => {
                let mut services = health::judge_stack(&environment.stack, &observation, now);
                self.follow_tasks(environment, &observation, now, &mut services).await;
                self.look_after_success(environment, Ok(&observation), now).await;
                EnvironmentHealth { checked_at: Some(now), services }
            }
            Err(error) => {
                self.look_after_success(environment, Err(&error.to_string()), now).await;
                unknown(before.clone(), &error)
            }
        };
        // The time of a look is news only every interval: otherwise every look would wake every browser.
        let changed = before.as_ref().is_none_or(|before| before.services != seen.services);
        let stale = before.and_then(|before| before.checked_at).is_none_or(|at| {
            seen.checked_at.is_some_and(|now| now.seconds_since(at) >= self.settings.health_interval.as_secs_f64())
        });
        if !changed && !stale {
            return;
        }
        if let Err(error) = self.ports.ledger.record_health(&environment.name, &seen).await {
            warn!(%error, environment = %environment.name, "Could not store health");
        }
        self.board.environment(&environment.name, |known| known.health = seen);
    }
}

/// What was known, marked as not known any more. "Could not look" is neither healthy nor unhealthy nor missing.
fn unknown(before: Option<EnvironmentHealth>, error: &SwarmError) -> EnvironmentHealth {
    let mut health = before.unwrap_or_else(|| EnvironmentHealth { checked_at: None, services: BTreeMap::new() });
    for service in health.services.values_mut() {
        service.status = HealthStatus::Unknown;
        service.error = Some(error.to_string());
    }
    health
}
