//! Telling people who do not look. What is told follows from the ledger and from what moves; it waits in the database
//! until each target has it, so that a restart neither loses it nor tells it twice.

mod audience;
mod message;
mod send;
mod target;
#[cfg(test)]
mod testkit;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use release_manager::live::Live;
use release_manager::manager::Manager;
use release_manager::notice::{Notice, of_deployment};
use release_manager::ports::{Clock as _, Ledger as _, LedgerError};
use release_manager::time::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::SystemClock;
use crate::source::tls::TlsError;
use crate::store::{Delivery, Store, Waiting};
use send::{Failure, Sender};

pub use audience::Addressees;
pub use target::{Channel, Email, Security, Target};

/// The first pause before a notice is sent again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// After so many tries, about a day, it is given up.
const TRIES: u32 = 30;
/// How long what is being sent may still take once the process is to stop.
const LAST_MOMENT: Duration = Duration::from_secs(2);
/// How long to wait after the database has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Whether a mail target can be used as it is configured.
pub fn check_email(email: &Email) -> Result<(), String> {
    send::check(email)
}

/// Tells people, until it is told to stop.
pub struct Notifier {
    store: Arc<Store>,
    targets: Vec<Target>,
    /// Where the pages are served, without a slash at the end.
    public_url: Option<String>,
    sender: Sender,
}

impl Notifier {
    /// Prepares the connections.
    pub fn new(store: Arc<Store>, targets: Vec<Target>, public_url: Option<String>) -> Result<Self, TlsError> {
        Ok(Self { store, targets, public_url, sender: Sender::new()? })
    }

    /// Follows what moves, and tells what is news: each target from its own queue, so that one that is down keeps nobody
    /// else waiting. What is being sent when `stop` comes is given a moment to arrive.
    pub async fn run(self, manager: Manager, stop: CancellationToken) {
        let names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        if let Err(error) = self.store.give_up_others(&names).await {
            warn!(%error, "What waits for targets that are configured no longer could not be given up");
        }
        let bells: Vec<Notify> = self.targets.iter().map(|_| Notify::new()).collect();
        let queues = self.targets.iter().zip(&bells).map(|(target, bell)| self.serve(target, bell, &stop));
        tokio::join!(self.gather(&manager, &bells, &stop), join_all(queues));
    }

    /// Queues what is news, and rings for it.
    async fn gather(&self, manager: &Manager, bells: &[Notify], stop: &CancellationToken) {
        let mut live = manager.live();
        loop {
            let now = Arc::clone(&live.borrow_and_update());
            let pause = match self.queue(&now).await {
                Ok(pause) => {
                    bells.iter().for_each(Notify::notify_one);
                    pause
                }
                Err(error) => {
                    warn!(%error, "Notifications wait for the database");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                changed = live.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => (),
            }
        }
    }

    /// Sends what waits for one target, in order.
    async fn serve(&self, target: &Target, bell: &Notify, stop: &CancellationToken) {
        loop {
            let pause = match self.send_due(target, stop).await {
                Ok(pause) => pause,
                Err(error) => {
                    warn!(%error, target = target.name, "Notifications wait for the database");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = bell.notified() => (),
                () = tokio::time::sleep(pause) => (),
            }
        }
    }

    /// Queues what is news, and says how long nothing will become news by itself.
    async fn queue(&self, live: &Live) -> Result<Duration, LedgerError> {
        let now = SystemClock.now();
        let mut troubles = self.store.troubles().await?;
        let known = troubles.clone();
        let mut notices: Vec<News> =
            troubles.look(live, now).into_iter().map(|notice| News { notice, folded: false }).collect();
        let ended = self.store.untold().await?;
        notices.extend(ended.iter().filter_map(|ended| {
            let notice = of_deployment(&ended.deployment, &ended.row)?;
            Some(News { notice, folded: ended.row.folds(&ended.deployment) })
        }));
        let seal = ended.last().map(|ended| ended.seal);
        for News { notice, .. } in &mut notices {
            if let (None, Some(id)) = (&notice.commit, notice.deployment) {
                notice.commit = self.store.deployment(id).await?.and_then(|deployment| deployment.commit_sha);
            }
        }
        if seal.is_some() || troubles != known {
            self.store.tell(&self.addressed(&notices), seal, &troubles, now).await?;
        }
        Ok(troubles.due(live).map_or(LONGEST_PAUSE, |due| until(due, SystemClock.now())))
    }

    /// Sends what is due for a target, and says how long nothing will be.
    async fn send_due(&self, target: &Target, stop: &CancellationToken) -> Result<Duration, LedgerError> {
        for waiting in self.store.due_notices(&target.name, SystemClock.now()).await? {
            if stop.is_cancelled() {
                break;
            }
            if let Some(delivery) = self.deliver(target, &waiting, stop).await {
                self.store.delivered(waiting.id, &delivery).await?;
            }
        }
        let due = self.store.next_notice(&target.name).await?;
        Ok(due.map_or(LONGEST_PAUSE, |due| until(due, SystemClock.now())))
    }

    /// What goes to whom. A commit has its status, however often others have failed before it.
    fn addressed(&self, notices: &[News]) -> Vec<(String, Notice)> {
        let addressed = |News { notice, folded }: &News| {
            let is_told = |target: &&Target| !folded || matches!(target.channel, Channel::CommitStatus { .. });
            let wanting = self.targets.iter().filter(is_told).filter(|target| target.wants(notice));
            wanting.map(|to| (to.name.clone(), notice.clone())).collect::<Vec<_>>()
        };
        notices.iter().flat_map(addressed).collect()
    }

    /// Sends a notice. `None` where the process stops before it is known what became of it: it is sent again then.
    async fn deliver(&self, target: &Target, waiting: &Waiting, stop: &CancellationToken) -> Option<Delivery> {
        let now = SystemClock.now();
        let link = self.link(&waiting.notice);
        let stopped = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_MOMENT).await;
        };
        let sent = tokio::select! {
            sent = self.sender.send(target, &waiting.notice, link.as_deref(), waiting.id, now.as_millis() / 1000) => sent,
            () = stopped => return None,
        };
        if sent.is_ok() {
            info!(target = waiting.target, title = waiting.notice.title, "Told");
        }
        Some(verdict(sent, waiting, now))
    }

    fn link(&self, notice: &Notice) -> Option<String> {
        let base = self.public_url.as_deref()?;
        Some(notice.deployment.map_or_else(|| base.to_owned(), |id| format!("{base}/deployments/{id}")))
    }
}

/// Something that is to be told.
struct News {
    notice: Notice,
    /// It says what people have been told before: see [`release_manager::notice::Row::folds`].
    folded: bool,
}

/// What follows from an attempt to send.
fn verdict(sent: Result<(), Failure>, waiting: &Waiting, now: Timestamp) -> Delivery {
    let target = &waiting.target;
    let (problem, wait) = match sent {
        Ok(()) => return Delivery::Sent,
        Err(Failure::Refused(problem)) => {
            warn!(target, problem, "A notice was refused and is not sent again");
            return Delivery::GivenUp(problem);
        }
        Err(Failure::Temporary(problem, wait)) => (problem, wait),
    };
    if waiting.tries + 1 >= TRIES {
        warn!(target, problem, "A notice was given up");
        return Delivery::GivenUp(problem);
    }
    if waiting.tries == 0 {
        warn!(target, problem, "A notice could not be sent; it is tried again");
    }
    Delivery::Later(later(now, pause(waiting.tries).max(wait.unwrap_or_default())), problem)
}

/// The pause after so many tries.
fn pause(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST_PAUSE)
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
}

fn until(due: Timestamp, now: Timestamp) -> Duration {
    let millis = u64::try_from(due.as_millis() - now.as_millis()).unwrap_or_default();
    // Never in a circle without a breath.
    Duration::from_millis(millis).clamp(Duration::from_millis(50), LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<_> = [0, 1, 2, 8, 9, 40].into_iter().map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(pauses, [10, 20, 40, 2560, 3600, 3600]);
    }

    #[test]
    fn what_is_overdue_is_taken_up_soon_and_never_in_a_circle() {
        let at = Timestamp::from_millis;
        assert_eq!(until(at(0), at(10_000)), Duration::from_millis(50));
        assert_eq!(until(at(12_000), at(10_000)), Duration::from_secs(2));
    }
}
