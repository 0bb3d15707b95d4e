//! `release-manager backup` and `release-manager restore`: copies of the database, made and put back.

use std::path::PathBuf;

use release_manager::ports::Clock;

use super::Failure;
use super::serve::ProcessEnvironment;
use crate::SystemClock;
use crate::backups::file_name;
use crate::config::Settings;
use crate::store::{self, OpenError, RestoreError};

/// What `backup` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The copy, which must not exist; a directory gets one that is named after the time. [default: `BACKUP_DIR`]
    path: Option<PathBuf>,
}

/// What `restore` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The copy.
    backup: PathBuf,

    /// Only check the copy, and say what it holds.
    #[arg(long)]
    check: bool,
}

fn database() -> PathBuf {
    let path = ProcessEnvironment.get("DATABASE_PATH").unwrap_or_else(|| "./data/release-manager.db".to_owned());
    path.into()
}

impl Backup {
    /// Makes a verified copy, whether or not the server runs.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let wanted = self.path.or_else(|| ProcessEnvironment.get("BACKUP_DIR").map(PathBuf::from));
        let path = wanted.ok_or_else(|| Failure::setting("BACKUP_DIR: it is not set: name the copy, or set it"))?;
        let path = if path.is_dir() { path.join(file_name(SystemClock.now())) } else { path };
        store::backup(&database(), &path).await.map_err(Failure::new)?;
        super::print_line(&path.display())
    }
}

impl Restore {
    /// Checks the copy, and puts it in the place of the database, which nobody may have open.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let failed = |error: RestoreError| match error {
            RestoreError::Database(OpenError::InUse { .. }) => Failure::temporary(error),
            other => Failure::new(other),
        };
        if self.check {
            let held = store::inspect(&self.backup).await.map_err(failed)?;
            return super::print_line(&format_args!("good: {}", describe(&held)));
        }
        let restored = store::restore(&self.backup, &database(), SystemClock.now()).await.map_err(failed)?;
        super::print_line(&format_args!("restored {}", describe(&restored.inspection)))?;
        if let Some(kept) = restored.set_aside {
            super::print_line(&format_args!("what was there before is kept as {}", kept.display()))?;
        }
        Ok(())
    }
}

fn describe(held: &store::Inspection) -> String {
    match held.newest {
        Some(newest) => format!(
            "{} deployments, the newest of {newest}: what was done later is not in it; what runs is read from the Swarm",
            held.deployments
        ),
        None => "no deployment yet".to_owned(),
    }
}
