//! Revisions: commits of the source.

use serde::{Deserialize, Serialize};

use crate::names::CommitSha;
use crate::time::Timestamp;

/// One commit of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// Its full name.
    pub sha: CommitSha,
    /// Who wrote it, as the host names the person.
    pub author: String,
    /// When it was committed, by the committer's clock: for people only, never compared to ours.
    pub committed_at: Timestamp,
    /// The whole commit message.
    pub message: String,
}

impl Revision {
    /// The first line of the message.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}
