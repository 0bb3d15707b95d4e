//! One process per database: an advisory lock on `<db>.lock`, held for life. It dies with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::open::{OpenError, beside};

/// The lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or tells who holds it.
    pub(super) fn acquire(database: &Path) -> Result<Self, OpenError> {
        let path = beside(database, "lock");
        let unusable = |source| OpenError::File { path: path.clone(), source };
        // Not truncated: until it is ours, its text is somebody else's.
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(in_use(database.to_owned(), &mut file)),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        sign(&mut file).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

fn in_use(database: PathBuf, file: &mut File) -> OpenError {
    let mut holder = String::new();
    // The holder may be about to write its name.
    let read = file.take(200).read_to_string(&mut holder);
    let holder = match (read, holder.trim()) {
        (Ok(_), named) if !named.is_empty() => named.to_owned(),
        _ => "a process that has not given its name".to_owned(),
    };
    OpenError::InUse { path: database, holder }
}

fn sign(file: &mut File) -> io::Result<()> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this host" } else { host.trim() };
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} on {host}", std::process::id())
}
