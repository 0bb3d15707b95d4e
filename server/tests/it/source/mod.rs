//! The source: GitHub over REST, git repositories, and the demo's sample.

mod git;
mod git_http;
mod git_remote;
mod github;
mod homelab;
mod tls;

use release_manager::names::{CommitSha, RepoPath};

fn path(raw: &str) -> RepoPath {
    raw.parse().unwrap()
}

fn sha(raw: &str) -> CommitSha {
    raw.parse().unwrap()
}
