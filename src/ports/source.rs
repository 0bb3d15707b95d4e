//! The repository that is followed.

use std::time::Duration;

use async_trait::async_trait;

use super::BoxedError;
use crate::names::{CommitSha, RepoPath};
use crate::revision::Revision;

/// The git repository and branch that say what should run.
#[async_trait]
pub trait Source: Send + Sync {
    /// `owner/name` or the remote, without credentials.
    fn name(&self) -> String;

    /// The branch that is followed.
    fn branch(&self) -> String;

    /// The page of a commit at the host, to be followed by the sha.
    fn commit_url(&self) -> Option<String>;

    /// The newest revision of the branch. Costs the host as little as it can (a conditional request where there is one).
    async fn head(&self) -> Result<Revision, SourceError>;

    /// The commits that are in `to` and not in `from`, newest first, at most `limit`. Empty where there are none; an
    /// error where one of the two is not known.
    async fn commits(&self, from: &CommitSha, to: &CommitSha, limit: u32) -> Result<Vec<Revision>, SourceError>;

    /// How a revision stands to one that was followed before it: whether the branch has only grown since.
    async fn lineage(&self, old: &CommitSha, new: &CommitSha) -> Result<Lineage, SourceError>;

    /// The content of a file at a revision, at most 1 MiB.
    async fn read(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError>;
}

/// How a newer head of a branch stands to an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lineage {
    /// The older one led to it, or is it.
    Ahead,
    /// It led to the older one: the branch was set back.
    Behind,
    /// Both grew from something older.
    Diverged,
    /// The source does not know the older one any more.
    Lost,
}

/// Why the source could not answer. Every message names what was asked and what to do.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The repository or the branch is not there, or not for us.
    #[error("{what} was not found at {host}: check the name, and that the token may read it")]
    Missing {
        /// `repository owner/name` or `branch main of owner/name`.
        what: String,
        /// The host, without credentials.
        host: String,
    },
    /// The file does not exist at that revision.
    #[error("`{path}` does not exist at {}", at.short())]
    NoFile {
        /// The file.
        path: RepoPath,
        /// The revision.
        at: CommitSha,
    },
    /// The file is too large to be what it should be.
    #[error("`{path}` at {} is larger than 1 MiB", at.short())]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// The revision.
        at: CommitSha,
    },
    /// Something else stands where the file should be.
    #[error("`{path}` at {} is {found} and not a file: put the file itself there", at.short())]
    NotAFile {
        /// The path.
        path: RepoPath,
        /// The revision.
        at: CommitSha,
        /// What stands there, with its article: `a directory`, `a symbolic link`, `a submodule`.
        found: &'static str,
    },
    /// Credentials are missing, wrong or not sufficient.
    #[error("{host} refused the credentials ({detail}): check the token and what it may read")]
    Unauthorised {
        /// The host.
        host: String,
        /// The host's own words.
        detail: String,
    },
    /// No more requests for now.
    #[error("{host} allows no more requests for another {} s", retry_after.as_secs())]
    RateLimited {
        /// The host.
        host: String,
        /// How long to wait before the next request.
        retry_after: Duration,
    },
    /// No answer, or one that nobody can use.
    #[error("could not reach {host}: {detail}")]
    Unreachable {
        /// The host.
        host: String,
        /// The kind of trouble, without credentials.
        detail: String,
        /// For the log.
        #[source]
        source: Option<BoxedError>,
    },
}
