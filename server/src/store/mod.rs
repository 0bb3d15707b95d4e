//! The ledger in SQLite: one file, one writer, a few readers. One function per question; rows stay in here, what leaves
//! is the core's vocabulary.
//!
//! The rules are the schema's (`migrations/`): one unfinished deployment per environment, nothing deleted, nothing closed
//! ever changed. What runs is a view over success and adoption.

mod access;
mod adopt;
mod answers;
mod backup;
mod begin;
mod codec;
mod current;
mod deployment;
mod error;
mod facts;
mod find;
mod finish;
mod head;
mod health;
mod history;
mod hold;
mod journal;
mod ledger;
mod lock;
mod notices;
mod open;
mod releases;
mod restore;
mod seal;
mod standing;
mod tally;
mod trust;
mod watched;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use release_manager::health::EnvironmentHealth;
use release_manager::names::EnvironmentName;
use sqlx::SqlitePool;

pub use access::{AuditEntry, KnownToken, KnownUser, NewSession, OpenSession, SecretHash, StoredToken};
pub use answers::{Answer, Hash, Remembered};
pub use backup::{BackupError, backup};
pub use notices::{Delivery, Ended, Waiting};
pub use open::OpenError;
pub use restore::{Inspection, RestoreError, Restored, inspect, restore};
pub use seal::{Broken, VerifyError};
pub use tally::Tally;

use lock::Lock;

/// The ledger in an SQLite file. One process holds it and deploys; what manages users and tokens may stand beside that.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// One connection: SQLite has one writer, and waiting in a queue is better than being told `busy`.
    writer: SqlitePool,
    readers: SqlitePool,
    /// Why the file cannot be trusted any more: a flush failed, or damage was found. Then nothing is written.
    distrust: tokio::sync::watch::Sender<Option<String>>,
    /// What is known to stand in `service_health`, so that nothing is written while nothing changes.
    health: Mutex<BTreeMap<EnvironmentName, EnvironmentHealth>>,
    /// Last, so that it is let go after the connections. `None` beside the process that holds the database.
    _lock: Option<Lock>,
}

impl Store {
    /// Where it lies.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Waits for what is being written, and closes the file. What is asked afterwards fails.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
