//! Opening the file: only ours, only whole, only of a schema that we know; never an empty one in place of a lost one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use release_manager::ports::{Clock as _, LedgerError};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlitePool};

use super::error::{failed, is_damage};
use super::lock::Lock;
use super::{Store, backup};
use crate::SystemClock;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// Up to this size, in bytes, every page is looked at before the database is opened. A larger one would keep people
/// waiting: [`Store::examine`] looks at it afterwards.
const CHECKED_AT_ONCE: u64 = 16 * 1024 * 1024;

/// How many connections read at the same time.
const READERS: u32 = 4;

/// Why the database was not opened. Every message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its directory is not there.
    #[error("the directory of the database `{}` does not exist: create it, or mount the volume there", .0.display())]
    NoDirectory(PathBuf),
    /// Another process has it.
    #[error("the database `{}` is in use by {holder}: stop that one first, two would deploy against each other", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
        /// `process 7 on host`.
        holder: String,
    },
    /// It was there before.
    #[error(
        "the database `{}` is gone or empty, but `{}` says that there was one: restore a backup to that path, or remove the \
         second file to begin with an empty history",
        path.display(), marker.display()
    )]
    Gone {
        /// The database.
        path: PathBuf,
        /// What remembers it.
        marker: PathBuf,
    },
    /// A later Release Manager wrote it.
    #[error(
        "the database `{}` has schema {found}, this Release Manager knows up to {known}: start the newer version again, or \
         restore a backup from before the update", path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// There is nothing to stand beside.
    #[error("there is no database `{}`: check DATABASE_PATH", .0.display())]
    NotThere(PathBuf),
    /// The process that holds it is another version.
    #[error(
        "the database `{}` has schema {found}, this Release Manager knows {known}: use the version that is running",
        path.display()
    )]
    OtherVersion {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The one that we know.
        known: i64,
    },
    /// It is not whole.
    #[error(
        "the database `{}` is damaged ({detail}): keep a copy of it, and restore the newest good backup to that path",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite found first.
        detail: String,
    },
    /// Its schema could not be brought up to date.
    #[error("the schema of the database `{}` could not be brought up to date", path.display())]
    Migration {
        /// The database.
        path: PathBuf,
        /// Which migration, and why.
        #[source]
        source: MigrateError,
    },
    /// A file beside it cannot be used.
    #[error("`{}` cannot be used: check that this user may write in that directory", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// A copy could not be made before the schema was changed.
    #[error("no copy could be made before the update of the schema: {0}")]
    Backup(#[from] backup::BackupError),
    /// The database failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Store {
    /// Opens the database, creates it if there never was one, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        if !directory(path).is_dir() {
            return Err(OpenError::NoDirectory(path.to_owned()));
        }
        let lock = Lock::acquire(path)?;
        prepare_file(path)?;
        Self::connect(path, Some(lock)).await
    }

    /// Opens a database that another process holds, to manage users and tokens beside it. Never to deploy.
    pub async fn open_beside(path: &Path) -> Result<Self, OpenError> {
        if !path.is_file() {
            return Err(OpenError::NotThere(path.to_owned()));
        }
        Self::connect(path, None).await
    }

    async fn connect(path: &Path, lock: Option<Lock>) -> Result<Self, OpenError> {
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            // A full disk ends a transaction by itself, and the connection goes on to believe in it: nothing could ever
            // be written on it again. A ping waits until the rollback has been tried.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options(path))
            .await
            .map_err(|error| damaged_or_failed(path, error))?;
        if lock.is_some() {
            if fs::metadata(path).is_ok_and(|file| file.len() <= CHECKED_AT_ONCE) {
                check_quickly(path, &writer).await?;
            }
            migrate(path, &writer).await?;
            leave_marker(path)?;
        } else {
            same_schema(path, &writer).await?;
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(10))
            .idle_timeout(Duration::from_mins(1))
            .connect_lazy_with(options(path).pragma("query_only", "on"));
        Ok(Self {
            path: path.to_owned(),
            writer,
            readers,
            distrust: tokio::sync::watch::Sender::new(None),
            health: std::sync::Mutex::default(),
            _lock: lock,
        })
    }
}

/// Whoever stands beside must know the schema as it is: only the holder changes it.
async fn same_schema(path: &Path, writer: &SqlitePool) -> Result<(), OpenError> {
    let known = newest_schema();
    let found = schema_version(writer).await.map_err(failed)?;
    if found == known { Ok(()) } else { Err(OpenError::OtherVersion { path: path.to_owned(), found, known }) }
}

fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// How every connection is made. FULL costs one fsync per commit and is what a promise to a person rests on.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging()
}

/// `<db>.<extension>`, in the same directory.
pub(super) fn beside(database: &Path, extension: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// SQLite's log beside the database: `<db>-wal`.
pub(super) fn wal(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The directory of a file.
pub(super) fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// An empty file that only this user can read: releases hold what the services' environment holds. SQLite gives the
/// files that it puts beside it the same mode.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Makes what was done in a directory outlive a power cut.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

/// Creates the file where there never was one. SQLite itself would take a lost file for an empty history.
fn prepare_file(path: &Path) -> Result<(), OpenError> {
    let unusable = |source| OpenError::File { path: path.to_owned(), source };
    let length = match fs::metadata(path) {
        Ok(metadata) => Some(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(unusable(source)),
    };
    if length.unwrap_or_default() == 0 {
        let marker = beside(path, "marker");
        if marker.exists() {
            return Err(OpenError::Gone { path: path.to_owned(), marker });
        }
    }
    if length.is_none() {
        create_private(path).map_err(unusable)?;
        sync_directory(path).map_err(unusable)?;
    } else if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%error, "Could not take other users' right to read `{}`", path.display());
    }
    Ok(())
}

/// Leaves word that there is a database now.
pub(super) fn leave_marker(path: &Path) -> Result<(), OpenError> {
    let marker = beside(path, "marker");
    if marker.exists() {
        return Ok(());
    }
    let unusable = |source| OpenError::File { path: marker.clone(), source };
    create_private(&marker).and_then(|file| file.sync_all()).map_err(unusable)?;
    sync_directory(&marker).map_err(unusable)
}

/// SQLite's own look at every page.
async fn check_quickly(path: &Path, pool: &SqlitePool) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("pragma quick_check(1)")
        .fetch_one(pool)
        .await
        .map_err(|error| damaged_or_failed(path, error))?;
    if found == "ok" { Ok(()) } else { Err(OpenError::Damaged { path: path.to_owned(), detail: found }) }
}

async fn migrate(path: &Path, writer: &SqlitePool) -> Result<(), OpenError> {
    let known = newest_schema();
    let found = schema_version(writer).await.map_err(failed)?;
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    if found > 0 && found < known {
        backup::copy_to(path, &beside(path, &format!("schema-{found}")), SystemClock.now()).await?;
    }
    MIGRATIONS.run(writer).await.map_err(|source| OpenError::Migration { path: path.to_owned(), source })
}

/// The newest migration that was applied; 0 for an empty file.
pub(super) async fn schema_version(writer: &SqlitePool) -> sqlx::Result<i64> {
    let exists: bool =
        sqlx::query_scalar("select exists (select 1 from sqlite_schema where name = '_sqlx_migrations')")
            .fetch_one(writer)
            .await?;
    if !exists {
        return Ok(0);
    }
    sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations").fetch_one(writer).await
}

fn damaged_or_failed(path: &Path, error: sqlx::Error) -> OpenError {
    if is_damage(&error) {
        OpenError::Damaged { path: path.to_owned(), detail: error.to_string() }
    } else {
        OpenError::Ledger(failed(error))
    }
}
