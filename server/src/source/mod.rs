//! The adapters of the port `Source`: GitHub over REST, and any git repository.
//!
//! Both answer from one revision at a time, keep every answer under a size that a stack file never has, and put no
//! credential into a message.

mod git;
mod github;
mod names;
mod tls;
mod web;

pub use git::{Credentials, Git, GitSettings, InvalidRemote, Remote};
pub use github::{GitHub, GitHubSettings, InvalidGitHub, Timeouts};
pub use names::{BranchName, RepoSlug};
pub use web::web_commit_url;

/// The largest file that is read, in bytes.
const LARGEST_FILE: usize = 1024 * 1024;
