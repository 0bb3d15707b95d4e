//! The adapters of the port `Source`: GitHub over REST, and any git repository.
//!
//! Both answer from one revision at a time, keep every answer under a size that a stack file never has, and put no
//! credential into a message.

mod counted;
mod git;
mod github;
mod names;
pub(crate) mod tls;
mod web;

use release_manager::names::{CommitSha, RepoPath};
use release_manager::ports::SourceError;

pub use counted::Counted;
pub use git::{Credentials, Git, GitSettings, InvalidRemote, Remote};
pub use github::{GitHub, GitHubSettings, InvalidGitHub, Timeouts};
pub use names::{BranchName, RepoSlug};
pub use web::web_commit_url;

/// The largest file that is read, in bytes.
const LARGEST_FILE: usize = 1024 * 1024;

/// Git LFS keeps contents elsewhere. What it leaves in their place must not be deployed as if it were they.
fn refuse_pointer(path: &RepoPath, at: &CommitSha, content: Vec<u8>) -> Result<Vec<u8>, SourceError> {
    if content.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Err(SourceError::NotAFile { path: path.clone(), at: at.clone(), found: "a Git LFS pointer" });
    }
    Ok(content)
}
