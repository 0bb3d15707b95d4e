//! Whether the file is still what was written. Once it is not, nothing is written any more: to go on would be to promise
//! what may be lost.

use release_manager::ports::LedgerError;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;
use tokio::sync::watch;

use super::Store;
use super::error::{failed, tells_of_damage};
use super::open::options;
use super::seal::{VerifyError, verify};

impl Store {
    /// Looks at every page and recomputes every seal, beside the work that goes on. Says what is damaged, if anything is.
    /// It reads the whole file: to be run soon after the start, and from time to time.
    pub async fn examine(&self) -> Result<Option<String>, LedgerError> {
        // A connection of its own: one that has worked before has pages in memory, and would not look at the disk.
        let options = options(&self.path).pragma("query_only", "on");
        let fresh = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let examined = examine(&fresh).await;
        fresh.close().await;
        examined
    }

    /// Writes nothing any more, for this reason. The first reason stays.
    pub fn distrust(&self, why: &str) {
        self.distrust.send_if_modified(|known| {
            let is_news = known.is_none();
            if is_news {
                *known = Some(why.to_owned());
            }
            is_news
        });
    }

    /// Why nothing is written any more; `None` while the file can be trusted.
    pub fn distrusted(&self) -> Option<String> {
        self.distrust.borrow().clone()
    }

    /// The same, now and from now on.
    pub fn trust(&self) -> watch::Receiver<Option<String>> {
        self.distrust.subscribe()
    }
}

/// Every page, then every seal.
async fn examine(pool: &SqlitePool) -> Result<Option<String>, LedgerError> {
    let pages: Result<String, _> = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(pool).await;
    let seals = match pages {
        Ok(found) if found == "ok" => verify(pool).await,
        Ok(found) => return Ok(Some(found)),
        Err(error) => Err(VerifyError::Ledger(failed(error))),
    };
    match seals {
        Ok(()) => Ok(None),
        Err(VerifyError::Broken(broken)) => Ok(Some(broken.to_string())),
        // A disk that cannot be read for a moment has damaged nothing.
        Err(VerifyError::Ledger(error)) if tells_of_damage(&error) => Ok(Some(error.to_string())),
        Err(VerifyError::Ledger(error)) => Err(error),
    }
}
