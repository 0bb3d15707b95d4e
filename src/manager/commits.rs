//! The commits between two revisions that matter here. Asking for them costs the source something, and the poller has only
//! so much of it: nobody may ask for any others, and what was asked is kept, since it can never change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inner, Manager, ManagerError};
use crate::names::CommitSha;
use crate::views::Commits;

/// More commits than anybody reads before a promotion.
const MOST_COMMITS: u32 = 100;

/// What was asked before.
pub(super) type Asked = BTreeMap<(CommitSha, CommitSha), Commits>;

impl Manager {
    /// The commits that are in `to` and not in `from`, newest first. Both must be the newest revision, or stand in an
    /// environment.
    pub async fn commits(&self, from: &CommitSha, to: &CommitSha) -> Result<Commits, ManagerError> {
        let inner = &self.inner;
        let standing = inner.standing().await?;
        if let Some(strange) = [from, to].into_iter().find(|sha| !standing.contains(sha)) {
            return Err(ManagerError::UnknownRevision(strange.clone()));
        }
        // Whoever wants the same waits for the same answer.
        let mut asked = inner.commits.lock().await;
        let pair = (from.clone(), to.clone());
        if let Some(known) = asked.get(&pair) {
            return Ok(known.clone());
        }
        let mut revisions = inner.ports.source.commits(from, to, MOST_COMMITS + 1).await?;
        let most = usize::try_from(MOST_COMMITS).unwrap_or(usize::MAX);
        let more = revisions.len() > most;
        revisions.truncate(most);
        let commits = Commits { revisions, more };
        asked.retain(|(from, to), _| standing.contains(from) && standing.contains(to));
        asked.insert(pair, commits.clone());
        Ok(commits)
    }
}

impl Inner {
    /// The newest revision, and those that the environments have, be it for some services only.
    async fn standing(&self) -> Result<BTreeSet<CommitSha>, ManagerError> {
        let head = self.board.subscribe().borrow().source.head.as_ref().map(|head| head.sha.clone());
        let mut standing: BTreeSet<CommitSha> = head.into_iter().collect();
        for environment in self.settings.pipeline.environments() {
            let Some(release) = self.proven_release(&environment.name).await? else { continue };
            let all = release.elsewhere.into_values().flatten().chain(release.revision);
            standing.extend(all.map(|revision| revision.sha));
        }
        Ok(standing)
    }
}
