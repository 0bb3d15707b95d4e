//! Copies of the database by themselves: one at every interval, the newest few kept. A copy counts once it is verified,
//! and none is removed before a newer one is good.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use release_manager::ports::Clock;
use release_manager::time::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::SystemClock;
use crate::metrics::Metrics;
use crate::store::{BackupError, Store};

/// How soon a copy that could not be made is tried again.
const AGAIN: Duration = Duration::from_mins(10);
/// What the name of every copy begins and ends with.
const NAME: (&str, &str) = ("release-manager-", ".db");

/// When copies are made, where, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSettings {
    /// Where they go. It must be there, and better on another disk.
    pub directory: PathBuf,
    /// How old the newest may become.
    pub interval: Duration,
    /// How many are kept.
    pub keep: NonZeroUsize,
}

/// Makes copies until it is told to stop.
pub async fn make(store: Arc<Store>, settings: BackupSettings, metrics: Arc<Metrics>, stop: CancellationToken) {
    if let Some((at, _)) = copies(&settings.directory).unwrap_or_default().last() {
        metrics.backed_up(*at);
    }
    loop {
        let wait = match until_next(&settings, SystemClock.now()) {
            Some(wait) => wait,
            None => match make_one(&store, &settings).await {
                Ok(at) => {
                    metrics.backed_up(at);
                    settings.interval
                }
                Err(problem) => {
                    error!(%problem, directory = %settings.directory.display(), "No backup could be made");
                    AGAIN.min(settings.interval)
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => (),
        }
    }
}

/// The newest copy in a directory, if there is one. Each was verified when it was made.
pub fn newest(directory: &Path) -> Option<PathBuf> {
    copies(directory).ok()?.pop().map(|(_, path)| path)
}

/// How long the newest copy is still new enough; `None` if one is due.
fn until_next(settings: &BackupSettings, now: Timestamp) -> Option<Duration> {
    let (newest, _) = copies(&settings.directory).ok()?.pop()?;
    let age = Duration::from_secs_f64(now.seconds_since(newest));
    settings.interval.checked_sub(age).filter(|left| !left.is_zero())
}

async fn make_one(store: &Store, settings: &BackupSettings) -> Result<Timestamp, BackupError> {
    let at = SystemClock.now();
    let path = settings.directory.join(file_name(at));
    store.backup_to(&path).await?;
    info!(path = %path.display(), "Made a backup");
    if let Err(problem) = prune(settings) {
        warn!(%problem, directory = %settings.directory.display(), "Old backups could not be removed");
    }
    Ok(at)
}

/// Removes the oldest copies beyond those that are kept.
fn prune(settings: &BackupSettings) -> io::Result<()> {
    let copies = copies(&settings.directory)?;
    let surplus = copies.len().saturating_sub(settings.keep.get());
    copies.into_iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

/// The name of a copy that was made then: `release-manager-20251031T130000Z.db`.
pub fn file_name(at: Timestamp) -> String {
    format!("{}{}{}", NAME.0, compact(at), NAME.1)
}

/// A moment as it stands in the names of files: `20251031T130000Z`.
pub(crate) fn compact(at: Timestamp) -> String {
    let whole = Timestamp::from_millis(at.as_millis() - at.as_millis().rem_euclid(1000));
    whole.to_string().chars().filter(|character| !matches!(character, '-' | ':')).collect()
}

/// When a copy of that name was made; `None` for every other file, which is left alone.
fn made_at(name: &str) -> Option<Timestamp> {
    let compact = name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?;
    let part = |from: usize, to: usize| compact.get(from..to);
    let (date, time) = compact.split_once('T')?;
    if date.len() != 8 || time.len() != 7 {
        return None;
    }
    let text =
        format!("{}-{}-{}T{}:{}:{}", part(0, 4)?, part(4, 6)?, part(6, 8)?, part(9, 11)?, part(11, 13)?, part(13, 16)?);
    text.parse().ok()
}

/// The copies in a directory, oldest first.
fn copies(directory: &Path) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    let mut copies = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(at) = entry.file_name().to_str().and_then(made_at) {
            copies.push((at, entry.path()));
        }
    }
    copies.sort();
    Ok(copies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(directory: &Path, keep: usize) -> BackupSettings {
        let keep = NonZeroUsize::new(keep).unwrap();
        BackupSettings { directory: directory.to_owned(), interval: Duration::from_hours(1), keep }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_name_of_a_copy_says_when_it_was_made() {
        let name = file_name(at("2025-10-31T13:00:05.25Z"));
        assert_eq!(name, "release-manager-20251031T130005Z.db");
        assert_eq!(made_at(&name), Some(at("2025-10-31T13:00:05Z")));
        for other in ["release-manager.db", "release-manager-20251031T130005Z.db.partial", "release-manager-x.db", ""] {
            assert_eq!(made_at(other), None, "{other}");
        }
    }

    #[test]
    fn only_the_oldest_copies_go_and_no_other_file() {
        let scratch = tempfile::tempdir().unwrap();
        let names = ["release-manager-20251029T000000Z.db", "release-manager-20251030T000000Z.db", "notes.db"];
        for name in names.iter().chain(["release-manager-20251031T000000Z.db"].iter()) {
            fs::write(scratch.path().join(name), "").unwrap();
        }
        prune(&settings(scratch.path(), 2)).unwrap();
        let mut left: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|known| known.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["notes.db", "release-manager-20251030T000000Z.db", "release-manager-20251031T000000Z.db"]);
    }

    #[test]
    fn a_copy_is_due_once_the_newest_is_as_old_as_the_interval() {
        let scratch = tempfile::tempdir().unwrap();
        let settings = settings(scratch.path(), 2);
        assert_eq!(until_next(&settings, at("2025-10-31T00:30:00Z")), None);
        fs::write(scratch.path().join("release-manager-20251031T000000Z.db"), "").unwrap();
        assert_eq!(until_next(&settings, at("2025-10-31T00:20:00Z")), Some(Duration::from_mins(40)));
        assert_eq!(until_next(&settings, at("2025-10-31T01:00:00Z")), None);
    }
}
