//! A repository small enough to read: commits are whole trees in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::names::{CommitSha, RepoPath};
use crate::ports::{Source, SourceError};
use crate::revision::Revision;
use crate::time::Timestamp;

type Tree = BTreeMap<RepoPath, Vec<u8>>;

/// A source whose commits a test makes.
#[derive(Debug, Default)]
pub struct FakeSource {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    commits: Vec<(Revision, Tree)>,
    unreachable: bool,
    limit: Option<Duration>,
    collapses: bool,
    heads: usize,
    comparisons: usize,
}

impl FakeSource {
    /// Commits the files over what was there. `None` as content removes a file.
    pub fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> CommitSha {
        let mut state = self.state();
        let mut tree = state.commits.last().map(|(_, tree)| tree.clone()).unwrap_or_default();
        for (path, content) in files {
            let path: RepoPath = path.parse().expect("tests name possible paths");
            match content {
                Some(content) => tree.insert(path, content.as_bytes().to_vec()),
                None => tree.remove(&path),
            };
        }
        let sha: CommitSha = format!("{:040x}", state.commits.len() + 1).parse().expect("40 hex digits");
        let author = "Fay".to_owned();
        let committed_at = Timestamp::from_millis(0);
        let revision = Revision { sha: sha.clone(), author, committed_at, message: message.to_owned() };
        state.commits.push((revision, tree));
        sha
    }

    /// From now on nobody answers, or somebody does again.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    /// The next question for the newest revision is refused, and no other is wanted for so long.
    pub fn limit(&self, retry_after: Duration) {
        self.state().limit = Some(retry_after);
    }

    /// The code that next asks for the newest revision breaks.
    pub fn collapse(&self) {
        self.state().collapses = true;
    }

    /// How often the newest revision was asked for.
    pub fn heads(&self) -> usize {
        self.state().heads
    }

    /// How often the commits between two revisions were asked for.
    pub fn comparisons(&self) -> usize {
        self.state().comparisons
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> SourceError {
        SourceError::Unreachable { host: self.name(), detail: "connection refused".to_owned(), source: None }
    }
}

#[async_trait]
impl Source for FakeSource {
    fn name(&self) -> String {
        "fay/homelab".to_owned()
    }

    fn branch(&self) -> String {
        "main".to_owned()
    }

    fn commit_url(&self) -> Option<String> {
        None
    }

    async fn head(&self) -> Result<Revision, SourceError> {
        let mut state = self.state();
        state.heads += 1;
        assert!(!std::mem::take(&mut state.collapses), "the code breaks, as the test wants it");
        if let Some(retry_after) = state.limit.take() {
            return Err(SourceError::RateLimited { host: self.name(), retry_after });
        }
        let newest = state.commits.last().map(|(revision, _)| revision.clone());
        if state.unreachable {
            return Err(self.trouble());
        }
        newest.ok_or_else(|| SourceError::Missing { what: "branch main".to_owned(), host: self.name() })
    }

    async fn commits(&self, from: &CommitSha, to: &CommitSha, limit: u32) -> Result<Vec<Revision>, SourceError> {
        let mut state = self.state();
        state.comparisons += 1;
        if state.unreachable {
            return Err(self.trouble());
        }
        let place = |sha: &CommitSha| {
            let found = state.commits.iter().position(|(revision, _)| revision.sha == *sha);
            found.ok_or_else(|| SourceError::Missing { what: format!("revision {}", sha.short()), host: self.name() })
        };
        let (from, to) = (place(from)?, place(to)?);
        let between = state.commits.iter().take(to + 1).skip(from + 1).rev();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(between.take(limit).map(|(revision, _)| revision.clone()).collect())
    }

    async fn read(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        let state = self.state();
        if state.unreachable {
            return Err(self.trouble());
        }
        let tree = state.commits.iter().find(|(revision, _)| revision.sha == *at).map(|(_, tree)| tree);
        let content = tree.and_then(|tree| tree.get(path)).cloned();
        content.ok_or_else(|| SourceError::NoFile { path: path.clone(), at: at.clone() })
    }
}
