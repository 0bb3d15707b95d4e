//! Watching until every written service has its verdict.

use std::time::Duration;

use tracing::debug;

use super::{Interrupted, Rollout, service_of};
use crate::deployment::{Evidence, Verdict};
use crate::judge::Judgement;
use crate::live::ServicePhase;
use crate::names::ServiceName;

/// Changes that come within this time are looked at together.
const GATHER: Duration = Duration::from_millis(50);
/// The Swarm is looked at this often although it tells of no change: it has no events for tasks on other nodes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What others wait for has stood for so long before they are written: what ends at once ends before that.
const FIRM_SECONDS: u64 = 5;
/// How many log lines of a failed task are kept.
const LOG_LINES: u32 = 50;

impl Rollout<'_> {
    /// Looks again and again until `enough`.
    pub(super) async fn watch_until(&mut self, enough: fn(&Self) -> bool) -> Result<(), Interrupted> {
        let mut pulse = self.inner.pulse.subscribe();
        while !self.watches.is_empty() {
            if self.switch.goes_back() {
                return self.let_go().await;
            }
            self.look().await?;
            if enough(self) {
                break;
            }
            let every = LOOK_EVERY.min(self.inner.settings.health_interval);
            tokio::select! {
                () = self.inner.stop.cancelled() => return Err(Interrupted::Stopping),
                () = self.switch.to_go_back() => (),
                // Without a beat the sender is gone, and with it the process.
                _ = pulse.changed() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(every) => (),
            }
            pulse.mark_unchanged();
        }
        Ok(())
    }

    /// Whether every written service stands, proved or for a moment already: the next level may begin.
    pub(super) fn stands(&self) -> bool {
        let live = self.inner.board.subscribe();
        let live = live.borrow();
        let progress = live.environments.get(self.permit.environment()).and_then(|known| known.deployment.as_ref());
        self.watches.keys().all(|service| {
            progress.and_then(|progress| progress.services.get(service)).is_some_and(|service| match service.phase {
                ServicePhase::Verifying { stable_seconds, of_seconds } => {
                    stable_seconds >= of_seconds.min(FIRM_SECONDS)
                }
                ServicePhase::Done { .. } => true,
                _ => false,
            })
        })
    }

    /// Whether every written service has its verdict.
    pub(super) fn is_over(&self) -> bool {
        self.watches.is_empty()
    }

    /// Stops watching: what was written is put back at once, so that no verdict on it is of use.
    async fn let_go(&mut self) -> Result<(), Interrupted> {
        for service in self.watches.keys().cloned().collect::<Vec<_>>() {
            self.end(service, Verdict::Cancelled { written: true }, Evidence::default()).await?;
        }
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Interrupted> {
        let seen = self.inner.ports.swarm_of(&self.stack).observe(&self.stack).await;
        let seen = seen.as_ref().map_err(ToString::to_string);
        let at = self.began.elapsed();
        let mut ended = Vec::new();
        let mut going = Vec::new();
        for (service, watch) in &mut self.watches {
            match watch.see(at, seen.as_ref().copied().map_err(String::as_str)) {
                Judgement::Going { phase, running, desired, message } => {
                    going.push((service.clone(), phase, running, desired, message));
                }
                Judgement::Over { verdict, evidence } => ended.push((service.clone(), verdict, evidence)),
            }
        }
        // In one change: each copies all that is live.
        self.inner.board.deployment(self.permit.environment(), |deployment| {
            for (service, phase, running, desired, message) in going {
                if let Some(progress) = deployment.services.get_mut(&service) {
                    progress.phase = phase;
                    progress.running = running;
                    progress.desired = desired;
                    progress.message = message;
                }
            }
        });
        for (service, verdict, evidence) in ended {
            self.end(service, verdict, evidence).await?;
        }
        Ok(())
    }

    async fn end(&mut self, service: ServiceName, verdict: Verdict, mut evidence: Evidence) -> Result<(), Interrupted> {
        if let Some(task) = &evidence.failing_task {
            match self.inner.ports.swarm_of(&self.stack).logs(&task.task, LOG_LINES).await {
                Ok(lines) => evidence.log_lines = lines,
                Err(error) => debug!(%error, task = task.task, "The failed task's log cannot be read"),
            }
        }
        let numbers = self.numbers(|kind| service_of(kind) == Some(&service));
        if let Some(number) = numbers.first() {
            let outcome = self.outcome(*number, verdict, evidence);
            self.conclude(service, outcome).await?;
        }
        Ok(())
    }
}
