//! Numbers for whoever watches Release Manager itself.

use std::fs;
use std::time::Duration;

use release_manager::ports::LedgerError;

use super::Store;
use super::error::{failed, refused};
use super::open::wal;

/// How many deployments of an environment have a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The environment.
    pub environment: String,
    /// The status' word.
    pub status: String,
    /// How many.
    pub count: u64,
    /// How long those that have ended took, added up.
    pub took: Duration,
}

impl Store {
    /// Every deployment, counted. It reads one index and no rows.
    pub async fn tally(&self) -> Result<Vec<Tally>, LedgerError> {
        let rows = sqlx::query!(
            r#"select environment, status, count(*) as "count!: i64", sum(ended_at - started_at) as "took: i64"
            from attempts
            group by environment, status"#
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let tally = rows.into_iter().map(|row| Tally {
            environment: row.environment,
            status: row.status,
            count: u64::try_from(row.count).unwrap_or_default(),
            took: Duration::from_millis(row.took.and_then(|took| u64::try_from(took).ok()).unwrap_or_default()),
        });
        Ok(tally.collect())
    }

    /// The size of the database with its `-wal`, in bytes.
    pub fn bytes(&self) -> u64 {
        let size = |path| fs::metadata(path).map(|file| file.len()).unwrap_or_default();
        size(self.path.clone()) + size(wal(&self.path))
    }

    /// Whether it can be read, and is still trusted with writes.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        if let Some(why) = self.distrusted() {
            return Err(refused(why));
        }
        sqlx::query("select 1 from attempts limit 1").fetch_optional(&self.readers).await.map_err(failed)?;
        Ok(())
    }
}
