//! A repository small enough to read: commits are whole trees in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::names::{CommitSha, RepoPath};
use crate::ports::{Lineage, Source, SourceError};
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
    /// In the order in which they were made.
    commits: Vec<Commit>,
    /// The newest of the branch.
    head: Option<usize>,
    unreachable: bool,
    limit: Option<Duration>,
    collapses: bool,
    heads: usize,
    comparisons: usize,
}

#[derive(Debug)]
struct Commit {
    revision: Revision,
    tree: Tree,
    parent: Option<usize>,
    /// Nobody can have it any more.
    lost: bool,
}

impl State {
    fn place(&self, sha: &CommitSha) -> Option<usize> {
        self.commits.iter().position(|commit| commit.revision.sha == *sha && !commit.lost)
    }

    /// A commit and what led to it, newest first.
    fn ancestry(&self, from: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(from), |place| self.commits[*place].parent)
    }
}

impl FakeSource {
    /// Commits the files over what was there. `None` as content removes a file.
    pub fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) -> CommitSha {
        let mut state = self.state();
        let parent = state.head;
        let mut tree = parent.map(|parent| state.commits[parent].tree.clone()).unwrap_or_default();
        for (path, content) in files {
            let path: RepoPath = path.parse().expect("tests name possible paths");
            match content {
                Some(content) => tree.insert(path, content.as_bytes().to_vec()),
                None => tree.remove(&path),
            };
        }
        let sha: CommitSha = format!("{:040x}", state.commits.len() + 1).parse().expect("40 hex digits");
        let author = "Fay".to_owned();
        let minutes = i64::try_from(state.commits.len()).unwrap_or(i64::MAX);
        let committed_at = Timestamp::from_millis(minutes.saturating_mul(60_000));
        let revision = Revision { sha: sha.clone(), author, committed_at, message: message.to_owned() };
        state.head = Some(state.commits.len());
        state.commits.push(Commit { revision, tree, parent, lost: false });
        sha
    }

    /// Sets the branch to a commit that was made before, as a forced push does.
    pub fn reset(&self, to: &CommitSha) {
        let mut state = self.state();
        let place = state.place(to).expect("tests name a commit that they have made");
        state.head = Some(place);
    }

    /// Forgets a commit, as a host does in the end with what no branch leads to.
    pub fn lose(&self, sha: &CommitSha) {
        let mut state = self.state();
        let place = state.place(sha).expect("tests name a commit that they have made");
        state.commits[place].lost = true;
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
        let newest = state.head.map(|head| state.commits[head].revision.clone());
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
            let what = || format!("revision {}", sha.short());
            state.place(sha).ok_or_else(|| SourceError::Missing { what: what(), host: self.name() })
        };
        let (from, to) = (place(from)?, place(to)?);
        let known: Vec<usize> = state.ancestry(from).collect();
        let between = state.ancestry(to).filter(|place| !known.contains(place));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(between.take(limit).map(|place| state.commits[place].revision.clone()).collect())
    }

    async fn lineage(&self, old: &CommitSha, new: &CommitSha) -> Result<Lineage, SourceError> {
        let state = self.state();
        if state.unreachable {
            return Err(self.trouble());
        }
        let (Some(old), Some(new)) = (state.place(old), state.place(new)) else { return Ok(Lineage::Lost) };
        let is_before = |older: usize, newer: usize| state.ancestry(newer).any(|place| place == older);
        Ok(match (is_before(old, new), is_before(new, old)) {
            (true, _) => Lineage::Ahead,
            (_, true) => Lineage::Behind,
            _ => Lineage::Diverged,
        })
    }

    async fn read(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        let state = self.state();
        if state.unreachable {
            return Err(self.trouble());
        }
        let content = state.place(at).and_then(|place| state.commits[place].tree.get(path)).cloned();
        content.ok_or_else(|| SourceError::NoFile { path: path.clone(), at: at.clone() })
    }
}
