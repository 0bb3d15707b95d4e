//! Following the Swarm: is the Engine there, what changes, how are the services.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tracing::{info, warn};

use super::{Inner, ManagerError};
use crate::health::{self, EnvironmentHealth, HealthStatus};
use crate::pipeline::Environment;
use crate::plan;
use crate::ports::SwarmError;
use crate::release::Release;

/// How long to wait before an Engine that did not answer is asked again.
const ENGINE_RETRY: Duration = Duration::from_secs(2);
/// Changes that come within this time are looked at together.
const GATHER: Duration = Duration::from_millis(100);

/// Keeps a stream of changes open and beats the pulse with each; says on the board when the Engine cannot be used.
pub(super) async fn follow_engine(inner: Arc<Inner>) {
    loop {
        let trouble = tokio::select! {
            () = inner.stop.cancelled() => return,
            trouble = follow_once(&inner) => trouble,
        };
        if let Err(error) = trouble
            && inner.board.engine_problem(Some(error.to_string()), inner.ports.clock.now())
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
async fn follow_once(inner: &Inner) -> Result<(), ManagerError> {
    let engine = inner.ports.swarm.check().await?;
    let mut changes = inner.ports.swarm.changes().await?;
    if inner.board.engine_problem(None, inner.ports.clock.now()) {
        info!(%engine, "The Engine can be used again");
    }
    inner.adopt_all().await?;
    inner.look_now.notify_one();
    beat(inner);
    while changes.next().await.is_some() {
        beat(inner);
    }
    Ok(())
}

fn beat(inner: &Inner) {
    inner.pulse.send_modify(|beats| *beats += 1);
}

/// Looks at one environment's services whenever something changes, and at every interval besides.
pub(super) async fn follow_health(inner: Arc<Inner>, environment: Environment) {
    let mut pulse = inner.pulse.subscribe();
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
            () = tokio::time::sleep(inner.settings.health_interval) => (),
        }
    }
}

impl Inner {
    /// Notes what already runs in environments that have no history.
    async fn adopt_all(&self) -> Result<(), ManagerError> {
        for environment in self.settings.pipeline.environments() {
            self.adopt(environment).await?;
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
        let live = self.ports.swarm.live(&environment.stack).await?;
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
        let seen = match self.ports.swarm.observe(&environment.stack).await {
            Ok(observation) => EnvironmentHealth {
                checked_at: Some(now),
                services: health::judge_stack(&environment.stack, &observation, now),
            },
            Err(error) => unknown(before.clone(), &error),
        };
        // The time of a look is news only every interval: otherwise every look would wake every browser.
        let changed = before.as_ref().is_none_or(|before| before.services != seen.services);
        let stale = before.and_then(|before| before.checked_at).is_none_or(|at| {
            seen.checked_at.is_some_and(|now| now.seconds_since(at) >= self.settings.health_interval.as_secs_f64())
        });
        if !changed && !stale {
            return;
        }
        if changed && let Err(error) = self.ports.ledger.record_health(&environment.name, &seen).await {
            warn!(%error, environment = %environment.name, "Could not store health");
        }
        self.board.environment(&environment.name, |known| known.health = seen);
    }
}

/// What was known, marked as not known any more. "Could not look" is neither healthy nor unhealthy nor missing.
fn unknown(before: Option<EnvironmentHealth>, error: &SwarmError) -> EnvironmentHealth {
    let mut health =
        before.unwrap_or_else(|| EnvironmentHealth { checked_at: None, services: std::collections::BTreeMap::new() });
    for service in health.services.values_mut() {
        service.status = HealthStatus::Unknown;
        service.error = Some(error.to_string());
    }
    health
}
