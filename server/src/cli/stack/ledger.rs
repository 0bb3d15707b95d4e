//! The memory of one deployment: it lives as long as the command does.
//!
//! A stack file at the command line has no history and needs no database; what a rollout journals is kept here, and tells
//! what was written when the command ends early.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use release_manager::deployment::{Deployment, HistoryFilter, HistoryPage, Outcome, Status};
use release_manager::health::{EnvironmentHealth, SoakRecord};
use release_manager::hold::Hold;
use release_manager::insights::Fact;
use release_manager::judge::Target;
use release_manager::names::{Actor, DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::plan::Action;
use release_manager::ports::{
    Current, DeployedRelease, JournalEntry, Latest, Ledger, LedgerError, NewDeployment, OpenDeployment, Proved,
    ReleaseFilter, Standing, Tried, Unproved,
};
use release_manager::release::Release;
use release_manager::revision::Revision;
use release_manager::stack::Stack;
use release_manager::time::Timestamp;
use release_manager::watched::After;
use tokio::sync::watch;

/// Remembers one deployment at a time.
#[derive(Debug)]
pub(super) struct OneDeployment {
    held: Mutex<Option<Held>>,
    /// Grows with each entry.
    beats: watch::Sender<u64>,
}

#[derive(Debug)]
struct Held {
    id: DeploymentId,
    new: NewDeployment,
    journal: Vec<JournalEntry>,
    ended: Option<(Timestamp, Outcome)>,
}

/// How far the writes of a deployment are, in the words of its plan's actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// The Engine has taken them.
    pub(super) done: Vec<usize>,
    /// They were sent, and not answered yet.
    pub(super) in_doubt: Vec<usize>,
    /// They were not sent.
    pub(super) left: Vec<usize>,
}

impl Default for OneDeployment {
    fn default() -> Self {
        Self { held: Mutex::default(), beats: watch::Sender::new(0) }
    }
}

impl OneDeployment {
    /// Wakes at each entry.
    pub(super) fn beats(&self) -> watch::Receiver<u64> {
        self.beats.subscribe()
    }

    /// The entries from the given one on.
    pub(super) fn entries_from(&self, first: usize) -> Vec<JournalEntry> {
        self.held().as_ref().and_then(|held| held.journal.get(first..)).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// How it ended, once it has.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.held().as_ref().and_then(|held| held.ended.as_ref()).map(|(_, outcome)| outcome.clone())
    }

    /// How far the writes are.
    pub(super) fn written(&self) -> Written {
        self.held().as_ref().map(|held| written(&held.new.plan.actions, &held.journal)).unwrap_or_default()
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, id: DeploymentId, change: impl FnOnce(&mut Held) -> T) -> Result<T, LedgerError> {
        let mut held = self.held();
        let held = held.as_mut().filter(|held| held.id == id && held.ended.is_none());
        let changed = held.map(change).ok_or_else(|| {
            let detail = format!("deployment {id} is not in progress");
            LedgerError::Failed { source: detail.clone().into(), detail }
        })?;
        self.beats.send_modify(|beats| *beats += 1);
        Ok(changed)
    }
}

fn notes(journal: &[JournalEntry]) -> Vec<String> {
    let note = |entry: &JournalEntry| match entry {
        JournalEntry::Noted { message } => Some(message.clone()),
        _ => None,
    };
    journal.iter().filter_map(note).collect()
}

fn written(actions: &[Action], journal: &[JournalEntry]) -> Written {
    let mut sent = BTreeSet::new();
    let mut done = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for entry in journal {
        match entry {
            JournalEntry::Intent { action, .. } => drop(sent.insert(*action)),
            JournalEntry::Done { action, .. } => drop(done.insert(*action)),
            // A write that was refused has a verdict and was not done.
            JournalEntry::Judged { service, .. } => drop(refused.insert(service)),
            JournalEntry::CancelRequested { .. } | JournalEntry::GoingBack { .. } | JournalEntry::Noted { .. } => (),
        }
    }
    let mut written = Written::default();
    for (number, action) in actions.iter().enumerate().filter(|(_, action)| action.write.is_some()) {
        let is_judged = action.kind.service().is_some_and(|service| refused.contains(service));
        if done.contains(&number) {
            written.done.push(number);
        } else if sent.contains(&number) && !is_judged {
            written.in_doubt.push(number);
        } else {
            written.left.push(number);
        }
    }
    written
}

#[async_trait]
impl Ledger for OneDeployment {
    async fn begin(&self, new: &NewDeployment) -> Result<DeploymentId, LedgerError> {
        let mut held = self.held();
        if let Some(running) = held.as_ref().filter(|held| held.ended.is_none()) {
            return Err(LedgerError::Busy(running.id));
        }
        // Services carry this number: the time tells it from every other command's and every server's.
        let id = DeploymentId(new.started_at.as_millis());
        *held = Some(Held { id, new: new.clone(), journal: Vec::new(), ended: None });
        Ok(id)
    }

    async fn journal(&self, id: DeploymentId, entry: &JournalEntry, _at: Timestamp) -> Result<(), LedgerError> {
        self.change(id, |held| held.journal.push(entry.clone()))
    }

    async fn finish(&self, id: DeploymentId, outcome: &Outcome, at: Timestamp) -> Result<(), LedgerError> {
        self.change(id, |held| held.ended = Some((at, outcome.clone())))
    }

    async fn recorded(&self, id: DeploymentId) -> Result<Option<OpenDeployment>, LedgerError> {
        let held = self.held();
        let held = held.as_ref().filter(|held| held.id == id);
        Ok(held.map(|held| OpenDeployment { id, new: held.new.clone(), journal: held.journal.clone() }))
    }

    async fn unfinished(&self) -> Result<Vec<OpenDeployment>, LedgerError> {
        let held = self.held();
        let open = held.iter().filter(|held| held.ended.is_none());
        Ok(open
            .map(|held| OpenDeployment { id: held.id, new: held.new.clone(), journal: held.journal.clone() })
            .collect())
    }

    async fn adopt(&self, _: &EnvironmentName, _: &Release, _: Timestamp) -> Result<(), LedgerError> {
        // There is no history that it could belong to.
        Ok(())
    }

    async fn current(&self, _: &EnvironmentName) -> Result<Option<Current>, LedgerError> {
        Ok(None)
    }

    async fn latest(&self, environment: &EnvironmentName) -> Result<Option<Latest>, LedgerError> {
        let held = self.held();
        let held = held.as_ref().filter(|held| held.new.environment == *environment);
        Ok(held.map(|held| Latest {
            id: held.id,
            content_hash: held.new.content_hash.clone(),
            status: held.ended.as_ref().map_or(Status::InProgress, |(_, outcome)| outcome.status),
        }))
    }

    async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, LedgerError> {
        let held = self.held();
        Ok(held.as_ref().filter(|held| held.id == id).map(|held| Deployment {
            id,
            environment: held.new.environment.clone(),
            cause: held.new.cause.clone(),
            actor: held.new.actor.clone(),
            commit_sha: None,
            started_at: held.new.started_at,
            ended: held.ended.clone(),
            notes: notes(&held.journal),
        }))
    }

    async fn standing(&self, _: &EnvironmentName, _: Option<DeploymentId>) -> Result<Option<Standing>, LedgerError> {
        Ok(None)
    }

    async fn tried(&self, _: &EnvironmentName) -> Result<Option<Tried>, LedgerError> {
        Ok(None)
    }

    async fn note_revision(&self, _: DeploymentId, _: &Revision) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn unproved(&self, _: &EnvironmentName) -> Result<BTreeMap<ServiceName, Unproved>, LedgerError> {
        Ok(BTreeMap::new())
    }

    async fn hold(&self, environment: &EnvironmentName, _: &Hold) -> Result<(), LedgerError> {
        let detail = format!("a hold of `{environment}` would end with the command");
        Err(LedgerError::Failed { source: detail.clone().into(), detail })
    }

    async fn resume(&self, _: &EnvironmentName, _: &Actor, _: Timestamp) -> Result<bool, LedgerError> {
        Ok(false)
    }

    async fn holds(&self) -> Result<BTreeMap<EnvironmentName, Hold>, LedgerError> {
        Ok(BTreeMap::new())
    }

    async fn release_of(&self, id: DeploymentId) -> Result<Option<(Release, Stack)>, LedgerError> {
        let held = self.held();
        let held = held.as_ref().filter(|held| held.id == id);
        Ok(held.map(|held| (held.new.release.clone(), held.new.stack.clone())))
    }

    async fn releases(&self, _: &ReleaseFilter) -> Result<Vec<DeployedRelease>, LedgerError> {
        Ok(Vec::new())
    }

    async fn history_row(&self, _: i64) -> Result<Option<(DeploymentId, ServiceName, Version)>, LedgerError> {
        Ok(None)
    }

    async fn facts(&self, _: Timestamp) -> Result<Vec<Fact>, LedgerError> {
        Ok(Vec::new())
    }

    async fn history(&self, _: &HistoryFilter) -> Result<HistoryPage, LedgerError> {
        Ok(HistoryPage { rows: Vec::new(), total: 0, counted: true, more: false })
    }

    async fn record_health(&self, _: &EnvironmentName, _: &EnvironmentHealth) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn proved(&self, _: &EnvironmentName) -> Result<Vec<Proved>, LedgerError> {
        Ok(Vec::new())
    }

    async fn target(&self, _: DeploymentId, _: &str) -> Result<Option<Target>, LedgerError> {
        Ok(None)
    }

    async fn note_after(&self, _: DeploymentId, _: &ServiceName, _: &After) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn soak(&self, _: &EnvironmentName) -> Result<BTreeMap<ServiceName, SoakRecord>, LedgerError> {
        Ok(BTreeMap::new())
    }

    async fn record_soak(&self, _: &EnvironmentName, _: &BTreeMap<ServiceName, SoakRecord>) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn instance(&self) -> Result<Option<String>, LedgerError> {
        // The next command could not go on with it.
        Ok(None)
    }

    async fn remember_head(&self, _: &Revision) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn head(&self) -> Result<Option<Revision>, LedgerError> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use release_manager::deployment::{Evidence, FailureReason, ServiceOutcome, Verdict};
    use release_manager::engine::Write;
    use release_manager::plan::ActionKind;
    use serde_json::json;

    use super::*;

    fn create(service: &str) -> Action {
        Action {
            kind: ActionKind::CreateService { service: service.parse().unwrap(), to: "1".parse().unwrap() },
            reason: String::new(),
            write: Some(Write::CreateService { spec: json!({}) }),
            level: 1,
        }
    }

    #[test]
    fn a_write_is_done_in_doubt_or_left() {
        let refused = JournalEntry::Judged {
            service: "refused".parse().unwrap(),
            outcome: ServiceOutcome {
                version: "1".parse().unwrap(),
                from: None,
                verdict: Verdict::Failed { reason: FailureReason::Refused, message: String::new() },
                evidence: Evidence::default(),
            },
        };
        let intent = |action| JournalEntry::Intent { action, target: None };
        let journal = [intent(0), intent(1), intent(2), JournalEntry::Done { action: 0, id: "x".to_owned() }, refused];
        let written = written(&[create("done"), create("doubtful"), create("refused"), create("left")], &journal);
        assert_eq!(written, Written { done: vec![0], in_doubt: vec![1], left: vec![2, 3] });
    }
}
