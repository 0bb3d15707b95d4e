//! Log lines of a service, to whoever looks: bounded in length, in rate and in the number of viewers.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{Manager, ManagerError};
use crate::logs::{LogEvent, LogLine};
use crate::names::{EnvironmentName, ServiceName};
use crate::ports::SwarmError;

/// How many logs can be looked at at the same time.
pub(super) const VIEWERS: usize = 24;
/// How many earlier lines of each task can be asked for.
pub const MOST_LINES: u32 = 1_000;
/// So many lines come at once.
const BURST: f64 = 5_000.0;
/// So many lines come in a second after that: nobody reads faster.
const LINES_PER_SECOND: f64 = 200.0;

/// A line, or why there is none: `Err(None)` is the end.
type Lines = BoxStream<'static, Result<LogLine, Option<SwarmError>>>;

impl Manager {
    /// The last lines of a service (`tail` of each task, at most [`MOST_LINES`]), and with `follow` every later one until
    /// the service, the viewer or the process ends. The last event says why nothing more comes.
    pub async fn service_logs(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, LogEvent>, ManagerError> {
        let inner = &self.inner;
        let stack = &inner.environment(environment)?.stack;
        let live = inner.board.subscribe();
        // Only what carries the stack's label is shown: a name alone proves nothing.
        let known = live
            .borrow()
            .environments
            .get(environment)
            .is_some_and(|known| known.health.services.contains_key(service));
        if !known {
            return Err(ManagerError::NotRunning { service: service.clone(), environment: environment.clone() });
        }
        let viewers = std::sync::Arc::clone(&inner.watcher.viewers);
        let viewer = viewers.try_acquire_owned().map_err(|_| ManagerError::TooManyViewers(VIEWERS))?;
        let lines =
            inner.ports.swarm_of(stack).service_logs(&stack.scope(service), tail.min(MOST_LINES), follow).await?;
        let stopping = stream::once(inner.stop.clone().cancelled_owned()).map(|()| Err(None));
        let lines = lines.map(|line| line.map_err(Some)).chain(stream::once(async { Err(None) }));
        // Whichever ends first ends the whole; the token tells which it was.
        let both = stream::select(lines, stopping).boxed();
        Ok(Paced::new(both, inner.stop.clone(), viewer).events())
    }
}

/// A stream that leaves out what comes too fast.
struct Paced {
    lines: Lines,
    stop: tokio_util::sync::CancellationToken,
    budget: f64,
    filled: Instant,
    skipped: u64,
    /// What is to be told before anything else is read.
    held: Option<LogEvent>,
    over: bool,
    _viewer: OwnedSemaphorePermit,
}

impl Paced {
    fn new(lines: Lines, stop: tokio_util::sync::CancellationToken, viewer: OwnedSemaphorePermit) -> Self {
        let filled = Instant::now();
        Self { lines, stop, budget: BURST, filled, skipped: 0, held: None, over: false, _viewer: viewer }
    }

    fn events(self) -> BoxStream<'static, LogEvent> {
        stream::unfold(self, |mut paced| async move { paced.next().await.map(|event| (event, paced)) }).boxed()
    }

    async fn next(&mut self) -> Option<LogEvent> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        while !self.over {
            let event = match self.lines.next().await {
                Some(Ok(line)) if self.may_pass() => LogEvent::Line(line),
                Some(Ok(_)) => {
                    self.skipped += 1;
                    continue;
                }
                Some(Err(Some(error))) => self.ended(error.to_string()),
                Some(Err(None)) | None => self.ended(self.why_over().to_owned()),
            };
            if self.skipped == 0 {
                return Some(event);
            }
            self.held = Some(event);
            return Some(LogEvent::Skipped { lines: std::mem::take(&mut self.skipped) });
        }
        None
    }

    fn ended(&mut self, reason: String) -> LogEvent {
        self.over = true;
        LogEvent::Ended { reason }
    }

    fn why_over(&self) -> &'static str {
        if self.stop.is_cancelled() { "Release Manager is stopping" } else { "there is nothing more" }
    }

    /// Whether there is room for another line.
    fn may_pass(&mut self) -> bool {
        let now = Instant::now();
        let passed: Duration = now.saturating_duration_since(self.filled);
        self.filled = now;
        self.budget = (self.budget + passed.as_secs_f64() * LINES_PER_SECOND).min(BURST);
        if self.budget < 1.0 {
            return false;
        }
        self.budget -= 1.0;
        true
    }
}
