//! A source whose questions are counted.

use std::sync::Arc;

use async_trait::async_trait;
use release_manager::names::{CommitSha, RepoPath};
use release_manager::ports::{Lineage, Source, SourceError};
use release_manager::revision::Revision;
use tracing::{Instrument as _, info_span};

use crate::metrics::{Metrics, RateLimitLeft};

/// Passes every question on, and counts it.
pub struct Counted {
    inner: Arc<dyn Source>,
    metrics: Arc<Metrics>,
    left: RateLimitLeft,
}

impl Counted {
    /// Counts the questions to `inner`. `left` is what the host says of its patience.
    pub fn new(inner: Arc<dyn Source>, metrics: Arc<Metrics>, left: RateLimitLeft) -> Self {
        Self { inner, metrics, left }
    }
}

#[async_trait]
impl Source for Counted {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn branch(&self) -> String {
        self.inner.branch()
    }

    fn commit_url(&self) -> Option<String> {
        self.inner.commit_url()
    }

    async fn head(&self) -> Result<Revision, SourceError> {
        let answer = self.inner.head().instrument(info_span!("source.head")).await;
        self.metrics.count_poll(&answer);
        self.metrics.rate_limit_left(self.left.get());
        answer
    }

    async fn commits(&self, from: &CommitSha, to: &CommitSha, limit: u32) -> Result<Vec<Revision>, SourceError> {
        let answer = self.inner.commits(from, to, limit).instrument(info_span!("source.commits", %from, %to)).await;
        self.metrics.rate_limit_left(self.left.get());
        answer
    }

    async fn lineage(&self, old: &CommitSha, new: &CommitSha) -> Result<Lineage, SourceError> {
        let answer = self.inner.lineage(old, new).instrument(info_span!("source.lineage", %old, %new)).await;
        self.metrics.rate_limit_left(self.left.get());
        answer
    }

    async fn read(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        self.inner.read(path, at).instrument(info_span!("source.read", %path, %at)).await
    }
}
