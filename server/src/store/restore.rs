//! Putting a copy in the place of the database. The copy is checked before anything is touched, nobody may have the
//! database open, and what was there is moved aside, never deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sqlx::SqlitePool;

use super::backup::{BackupError, check_pages, open_copy};
use super::error::failed;
use super::lock::Lock;
use super::open::{
    MIGRATIONS, OpenError, beside, create_private, directory, leave_marker, schema_version, sync_directory, wal,
};
use super::seal::verify;

/// What a database file holds, as far as can be told without changing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its schema.
    pub schema: i64,
    /// The newest schema that this Release Manager knows.
    pub known_schema: i64,
    /// How many deployments it knows.
    pub deployments: u64,
    /// When the newest of them was accepted.
    pub newest: Option<Timestamp>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the copy holds.
    pub inspection: Inspection,
    /// Where the database that was there has gone.
    pub set_aside: Option<PathBuf>,
}

/// Why nothing was restored. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is no such file, or it is empty.
    #[error("`{}` is not there or is empty: name a backup", .0.display())]
    NoBackup(PathBuf),
    /// It is no database of ours.
    #[error("`{}` is no database of Release Manager", .0.display())]
    NotOurs(PathBuf),
    /// A later Release Manager wrote it.
    #[error(
        "`{}` has schema {found}, this Release Manager knows up to {known}: use the version that made it, or a newer one",
        path.display()
    )]
    Newer {
        /// The backup.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// The backup is not good.
    #[error("the backup cannot be used: {0}")]
    Backup(#[from] BackupError),
    /// The place of the database cannot be used, or somebody has it open.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// A file could not be moved.
    #[error("`{}` cannot be written or moved: check that this user may write there", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

/// Looks into a database file: every page and, where the schema is ours, the seals of history. Changes nothing.
pub async fn inspect(path: &Path) -> Result<Inspection, RestoreError> {
    if fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        return Err(RestoreError::NoBackup(path.to_owned()));
    }
    check_pages(path).await?;
    let copy = open_copy(path).await?;
    let looked = look(path, &copy).await;
    copy.close().await;
    looked
}

async fn look(path: &Path, copy: &SqlitePool) -> Result<Inspection, RestoreError> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let found = schema_version(copy).await.map_err(database)?;
    if found == 0 {
        return Err(RestoreError::NotOurs(path.to_owned()));
    }
    if found > known {
        return Err(RestoreError::Newer { path: path.to_owned(), found, known });
    }
    if found == known {
        verify(copy).await.map_err(BackupError::Verify)?;
    }
    let (count, newest): (i64, Option<i64>) =
        sqlx::query_as("select count(*), max(started_at) from attempts").fetch_one(copy).await.map_err(database)?;
    Ok(Inspection {
        schema: found,
        known_schema: known,
        deployments: u64::try_from(count).unwrap_or_default(),
        newest: newest.map(Timestamp::from_millis),
    })
}

fn database(error: sqlx::Error) -> RestoreError {
    let error: LedgerError = failed(error);
    RestoreError::Backup(error.into())
}

/// Puts a copy of `backup` in the place of `database`.
pub async fn restore(backup: &Path, database: &Path, now: Timestamp) -> Result<Restored, RestoreError> {
    let inspection = inspect(backup).await?;
    if !directory(database).is_dir() {
        return Err(OpenError::NoDirectory(database.to_owned()).into());
    }
    let _lock = Lock::acquire(database)?;
    let partial = beside(database, "restoring");
    copy_durably(backup, &partial).map_err(|source| RestoreError::File { path: partial.clone(), source })?;
    let set_aside = set_aside(database, now)?;
    fs::rename(&partial, database)
        .and_then(|()| sync_directory(database))
        .map_err(|source| RestoreError::File { path: database.to_owned(), source })?;
    leave_marker(database)?;
    Ok(Restored { inspection, set_aside })
}

fn copy_durably(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let mut target = create_private(to)?;
    io::copy(&mut fs::File::open(from)?, &mut target)?;
    target.sync_all()
}

/// Moves the database and its `-wal` to a name of their own; together they stay whole.
fn set_aside(database: &Path, now: Timestamp) -> Result<Option<PathBuf>, RestoreError> {
    let kept = beside(database, &format!("replaced-{}", now.as_millis()));
    let rename = |from: &Path, to: &Path| match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(RestoreError::File { path: from.to_owned(), source }),
        Ok(()) => Ok(true),
    };
    // The log first: a database without its log would look whole and lack what was written last.
    rename(&wal(database), &wal(&kept))?;
    let was_there = rename(database, &kept)?;
    // It belongs to the moved file and is made anew.
    let mut shared = database.as_os_str().to_owned();
    shared.push("-shm");
    let _ = fs::remove_file(PathBuf::from(shared));
    Ok(was_there.then_some(kept))
}
