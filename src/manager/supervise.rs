//! What runs in the background is started again where it fails by a mistake of ours, and the mistake is told.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;
use tracing::error;

use super::Inner;
use crate::time::Timestamp;

/// Before a task that has failed is started again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// For so long a failure is shown by whatever asks whether everything is well.
const SHOWN_SECONDS: f64 = 600.0;

/// A failure of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What failed.
    pub(crate) what: String,
    /// When.
    pub(crate) at: Timestamp,
}

impl Inner {
    /// Runs a task for as long as the process lives.
    pub(super) fn keep_running<Task>(
        self: &Arc<Self>,
        what: String,
        task: impl Fn(Arc<Self>) -> Task + Send + Sync + 'static,
    ) where
        Task: Future<Output = ()> + Send + 'static,
    {
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut pause = FIRST_PAUSE;
            let mut began = Instant::now();
            while inner.caught(&what, task(Arc::clone(&inner))).await.is_none() {
                if began.elapsed() > LONGEST_PAUSE * 2 {
                    pause = FIRST_PAUSE;
                }
                tokio::select! {
                    () = inner.stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => (),
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                began = Instant::now();
            }
        });
    }

    /// Brings a piece of work to its end; `None` where a mistake of ours has ended it.
    pub(super) async fn caught<T>(&self, what: &str, work: impl Future<Output = T>) -> Option<T> {
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(done) => Some(done),
            Err(panic) => {
                let message = words(panic.as_ref());
                error!(what, message, "Something is wrong inside Release Manager: it is started again");
                let fault = Fault { what: format!("{what} failed ({message})"), at: self.ports.clock.now() };
                self.watcher.fault().replace(fault);
                None
            }
        }
    }

    /// What failed lately by a mistake of ours.
    pub(super) fn latest_fault(&self) -> Option<Fault> {
        let now = self.ports.clock.now();
        self.watcher.fault().clone().filter(|fault| now.seconds_since(fault.at) < SHOWN_SECONDS)
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it does not say why".to_owned())
}
