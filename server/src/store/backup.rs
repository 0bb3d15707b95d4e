//! Copies that can be trusted: taken by SQLite in one transaction, verified, and only then given their name. A copy of
//! the live file by other means lacks what stands in its `-wal`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, SqlitePool};

use super::Store;
use super::error::failed;
use super::open::{beside, create_private, options, sync_directory};
use super::seal::{VerifyError, verify};
use crate::backups::compact;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file of that name.
    #[error("`{}` exists already: choose another name, a backup never replaces a file", .0.display())]
    Exists(PathBuf),
    /// The copy was made and is not good.
    #[error("the copy at `{}` is not good ({detail}): the database itself may be damaged", path.display())]
    Bad {
        /// The copy.
        path: PathBuf,
        /// What SQLite found first.
        detail: String,
    },
    /// The copy's history does not verify.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The file could not be made.
    #[error("`{}` cannot be written: check that its directory exists and that this user may write there", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Store {
    /// Writes a verified copy to `path`, which must not exist. Writing goes on meanwhile.
    pub async fn backup_to(&self, path: &Path) -> Result<(), BackupError> {
        backup(&self.path, path).await
    }
}

/// Writes a verified copy of a database to `path`, which must not exist, whether or not a server has it open.
pub async fn backup(database: &Path, path: &Path) -> Result<(), BackupError> {
    if path.exists() {
        return Err(BackupError::Exists(path.to_owned()));
    }
    let partial = copy(database, path).await?;
    let verified = verify_copy(&partial).await;
    settle(&partial, path, verified)
}

/// Writes a copy whose pages are checked, but not its history: that may be of another schema. A copy that is there from
/// before steps aside, unless it is the very same.
pub(super) async fn copy_to(database: &Path, path: &Path, now: Timestamp) -> Result<(), BackupError> {
    let partial = copy(database, path).await?;
    let unusable = |source| BackupError::File { path: path.to_owned(), source };
    let mut checked = check_pages(&partial).await;
    if checked.is_ok() && path.exists() {
        if same_content(&partial, path).map_err(unusable)? {
            return fs::remove_file(&partial).map_err(unusable);
        }
        checked = fs::rename(path, beside(path, &compact(now))).map_err(unusable);
    }
    settle(&partial, path, checked)
}

/// Whether two files are the same byte by byte. They are as large as the database: neither is held in memory.
fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (fs::File::open(one)?, fs::File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let digest = |file: &mut fs::File| {
        let mut hash = Sha256::new();
        io::copy(file, &mut hash).map(|_| hash.finalize())
    };
    Ok(digest(&mut one)? == digest(&mut other)?)
}

/// Copies to `<path>.partial`.
async fn copy(database: &Path, path: &Path) -> Result<PathBuf, BackupError> {
    let partial = beside(path, "partial");
    let unusable = |source| BackupError::File { path: partial.clone(), source };
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => (),
    }
    create_private(&partial).map_err(unusable)?;
    let mut connection = options(database).connect().await.map_err(failed)?;
    let target = partial.to_string_lossy();
    let copied = sqlx::query("vacuum into ?").bind(target.as_ref()).execute(&mut connection).await;
    match copied {
        Ok(_) => Ok(partial),
        Err(error) => {
            // What is left of it is of no use to anybody.
            let _ = fs::remove_file(&partial);
            Err(failed(error).into())
        }
    }
}

pub(super) async fn open_copy(path: &Path) -> Result<SqlitePool, BackupError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
    Ok(SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?)
}

pub(super) async fn check_pages(path: &Path) -> Result<(), BackupError> {
    let copy = open_copy(path).await?;
    let found: Result<String, _> = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(&copy).await;
    copy.close().await;
    match found.map_err(failed)? {
        found if found == "ok" => Ok(()),
        detail => Err(BackupError::Bad { path: path.to_owned(), detail }),
    }
}

async fn verify_copy(path: &Path) -> Result<(), BackupError> {
    check_pages(path).await?;
    let copy = open_copy(path).await?;
    let verified = verify(&copy).await;
    copy.close().await;
    Ok(verified?)
}

/// Gives a good copy its name, durably; removes a bad one.
fn settle(partial: &Path, path: &Path, checked: Result<(), BackupError>) -> Result<(), BackupError> {
    if let Err(error) = checked {
        let _ = fs::remove_file(partial);
        return Err(error);
    }
    let unusable = |source| BackupError::File { path: path.to_owned(), source };
    fs::File::open(partial).and_then(|file| file.sync_all()).map_err(unusable)?;
    fs::rename(partial, path).map_err(unusable)?;
    sync_directory(path).map_err(unusable)
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    async fn run(database: &Path, statements: &'static str) {
        let mut shell = options(database).create_if_missing(true).connect().await.unwrap();
        sqlx::raw_sql(statements).execute(&mut shell).await.unwrap();
        shell.close().await.unwrap();
    }

    fn copies(directory: &Path) -> Vec<String> {
        let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut copies: Vec<_> = files.filter(|name| name.starts_with("db.schema-1")).collect();
        copies.sort();
        copies
    }

    #[tokio::test]
    async fn a_copy_from_before_steps_aside_unless_it_is_the_same() {
        let scratch = tempfile::tempdir().unwrap();
        let (database, path) = (scratch.path().join("db"), scratch.path().join("db.schema-1"));
        let now = "2025-10-31T13:00:05Z".parse().unwrap();
        run(&database, "create table t (a); insert into t values (1)").await;
        for _ in 0..2 {
            copy_to(&database, &path, now).await.unwrap();
        }
        assert_eq!(copies(scratch.path()), ["db.schema-1"], "a start that fails again and again fills no disk");
        run(&database, "insert into t values (2)").await;
        copy_to(&database, &path, now).await.unwrap();
        assert_eq!(copies(scratch.path()), ["db.schema-1", "db.schema-1.20251031T130005Z"]);
        let copy = open_copy(&path).await.unwrap();
        let rows: i64 = sqlx::query_scalar("select count(*) from t").fetch_one(&copy).await.unwrap();
        assert_eq!(rows, 2, "the newest has the plain name");
        copy.close().await;
    }
}
