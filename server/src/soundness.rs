//! Whether the database is still what was written: looked at as a whole soon after the start and every week. Damage is
//! said where people look, and from then on nothing is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use release_manager::manager::Manager;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::backups;
use crate::store::Store;

/// When the database is looked at as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// How long after the start: what keeps people waiting then comes first.
    pub first: Duration,
    /// How long after each look.
    pub then: Duration,
    /// How long after one that could not be ended.
    pub again: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { first: Duration::from_secs(30), then: Duration::from_hours(7 * 24), again: Duration::from_hours(1) }
    }
}

/// Looks at the database until it is told to stop, or until it cannot be trusted any more, and says so on every page.
/// `backups` is where copies of it go.
pub async fn watch(
    store: Arc<Store>,
    manager: Manager,
    backups: Option<PathBuf>,
    schedule: Schedule,
    stop: CancellationToken,
) {
    let mut trust = store.trust();
    let mut wait = schedule.first;
    while store.distrusted().is_none() {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = trust.changed() => (),
            () = tokio::time::sleep(wait) => wait = look(&store, backups.as_deref(), schedule).await,
        }
    }
    manager.say_of_database(store.distrusted());
}

/// Looks once, and says when to look again.
async fn look(store: &Store, backups: Option<&Path>, schedule: Schedule) -> Duration {
    match store.examine().await {
        Ok(None) => {
            debug!("The database is sound");
            schedule.then
        }
        Ok(Some(damage)) => {
            let why = sentence(&damage, backups.and_then(backups::newest).as_deref());
            error!(path = %store.path().display(), "{why}");
            store.distrust(&why);
            schedule.then
        }
        Err(failure) => {
            warn!(error = %failure, "The database could not be looked at as a whole; it is tried again");
            schedule.again
        }
    }
}

/// What is wrong and what to do.
fn sentence(damage: &str, newest: Option<&Path>) -> String {
    let remedy = match newest {
        Some(copy) => format!("`release-manager restore {}`, the newest backup", copy.display()),
        None => "`release-manager restore` with the newest good backup".to_owned(),
    };
    format!("the database is damaged ({damage}), so nothing is written any more: stop Release Manager, then {remedy}")
}
