//! How a server ends: what tells it to, and how long that takes.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Failure;

/// How long a stop waits for what is under way. The next process takes up what was not finished. Docker kills after ten
/// seconds, and traces and log lines want to leave after this.
const DRAIN: Duration = Duration::from_secs(6);

/// What tells a process to stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on a signal ends nothing by itself.
    pub(super) fn new() -> Result<Self, Failure> {
        let terminate = signal(SignalKind::terminate()).map_err(Failure::new)?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt()).map_err(Failure::new)? })
    }

    /// Stops at the first signal, and ends at the second.
    pub(super) async fn twice(&mut self, stop: &CancellationToken) {
        self.next().await;
        info!("Stopping");
        stop.cancel();
        self.next().await;
        warn!("Told a second time: stopping at once. The next process takes up what was under way");
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

/// What is waited for: the manager, orders under way, the notifier, the housekeeping of the login, the connections.
type Drained = ((), (), Result<(), JoinError>, Result<(), JoinError>, Result<io::Result<()>, JoinError>);

/// Waits a moment for everything together to come to its end.
pub(super) async fn drain(ending: impl Future<Output = Drained>) -> Result<(), Failure> {
    let Ok(((), (), notified, kept, served)) = tokio::time::timeout(DRAIN, ending).await else {
        warn!("Work did not stop in time: the next process takes it up");
        return Ok(());
    };
    if let Err(panicked) = kept {
        warn!(%panicked, "What was refused of late could not be written into the audit log");
    }
    notified.map_err(Failure::new)?;
    served.map_err(Failure::new)?.map_err(Failure::new)
}
