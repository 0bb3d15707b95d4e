//! What SQLite says, in words for people, with what to do.

use release_manager::ports::{BoxedError, LedgerError};

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READ_ONLY: u32 = 8;
const IO: u32 = 10;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;
const CONSTRAINT: u32 = 19;
const NOT_A_DATABASE: u32 = 26;
/// `SQLITE_IOERR_SHMSIZE`: the file that connections share cannot grow.
const NO_ROOM_TO_SHARE: u32 = 4874;

/// A query that failed.
pub(super) fn failed(error: sqlx::Error) -> LedgerError {
    LedgerError::Failed { detail: explain(&error), source: Box::new(error) }
}

/// A row that does not say what it should.
pub(super) fn unreadable(what: &str, source: impl Into<BoxedError>) -> LedgerError {
    let detail = format!("{what} cannot be read: restore the newest good backup");
    LedgerError::Failed { detail, source: source.into() }
}

/// An order that contradicts what is stored.
pub(super) fn refused(detail: String) -> LedgerError {
    LedgerError::Failed { source: detail.clone().into(), detail }
}

/// Whether the file can no longer be trusted with writes.
pub(super) fn is_fatal(error: &LedgerError) -> bool {
    let LedgerError::Failed { source, .. } = error else { return false };
    let error = source.downcast_ref::<sqlx::Error>();
    // A disk too full to hold what connections share is full, not broken.
    if error.and_then(extended_code) == Some(NO_ROOM_TO_SHARE) {
        return false;
    }
    matches!(error.and_then(primary_code), Some(IO | CORRUPT | NOT_A_DATABASE))
}

/// Whether it is because the file is not what it should be.
pub(super) fn tells_of_damage(error: &LedgerError) -> bool {
    let LedgerError::Failed { source, .. } = error else { return false };
    source.downcast_ref::<sqlx::Error>().is_some_and(is_damage)
}

/// Whether SQLite found that the file is not what it should be.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(CORRUPT | NOT_A_DATABASE))
}

/// SQLite's result code without its extension.
fn primary_code(error: &sqlx::Error) -> Option<u32> {
    Some(extended_code(error)? & 0xff)
}

fn extended_code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether there is no room left.
fn is_full(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(FULL) || extended_code(error) == Some(NO_ROOM_TO_SHARE)
}

fn explain(error: &sqlx::Error) -> String {
    match (primary_code(error), error) {
        (Some(FULL | IO), _) if is_full(error) => {
            "the disk is full: free space; nothing is deployed until the ledger can be written".to_owned()
        }
        (Some(BUSY | LOCKED), _) => {
            "another program keeps the file locked: close every other program that has it open".to_owned()
        }
        (Some(READ_ONLY), _) => {
            "the file or its directory cannot be written: mount it writable, and give this user the right to write both"
                .to_owned()
        }
        (Some(IO), _) => "the disk reported an error: check it, then start again".to_owned(),
        (Some(CORRUPT | NOT_A_DATABASE), _) => {
            "the file is damaged: stop, keep a copy of it, and restore the newest good backup".to_owned()
        }
        (Some(CANNOT_OPEN), _) => {
            "the file cannot be opened: check that its directory exists and that this user may write there".to_owned()
        }
        (Some(CONSTRAINT), sqlx::Error::Database(source)) => {
            format!("a rule of the ledger forbids it ({})", source.message())
        }
        (_, sqlx::Error::PoolTimedOut) => "every connection is busy: try again in a moment".to_owned(),
        (_, sqlx::Error::PoolClosed) => "it is closed, because Release Manager is stopping".to_owned(),
        _ => "an unexpected answer from SQLite; the log has it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions, SqliteConnection};

    use super::*;

    async fn connection(directory: &tempfile::TempDir) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(directory.path().join("db")).create_if_missing(true);
        options.busy_timeout(std::time::Duration::ZERO).connect().await.unwrap()
    }

    #[track_caller]
    fn check(result: sqlx::Result<sqlx::sqlite::SqliteQueryResult>, words: &str, fatal: bool) {
        let error = failed(result.unwrap_err());
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(is_fatal(&error), fatal);
    }

    #[tokio::test]
    async fn trouble_is_told_in_words_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let mut one = connection(&directory).await;
        let mut other = connection(&directory).await;
        sqlx::raw_sql("create table t (a text check (a <> ''))").execute(&mut one).await.unwrap();
        check(
            sqlx::raw_sql("insert into t values ('')").execute(&mut one).await,
            "a rule of the ledger forbids it",
            false,
        );

        sqlx::raw_sql("begin immediate").execute(&mut one).await.unwrap();
        check(sqlx::raw_sql("insert into t values ('1')").execute(&mut other).await, "keeps the file locked", false);
        sqlx::raw_sql("commit").execute(&mut one).await.unwrap();

        let fill = "pragma max_page_count = 4; insert into t values (hex(zeroblob(100000)))";
        check(sqlx::raw_sql(fill).execute(&mut one).await, "the disk is full: free space", false);

        let forbid = "pragma query_only = on; insert into t values ('1')";
        check(sqlx::raw_sql(forbid).execute(&mut other).await, "cannot be written: mount it writable", false);

        std::fs::write(directory.path().join("db"), "garbage".repeat(1000)).unwrap();
        let mut damaged = connection(&directory).await;
        check(sqlx::raw_sql("select * from t").execute(&mut damaged).await, "restore the newest good backup", true);
    }
}
