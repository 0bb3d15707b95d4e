//! A ledger in memory.

mod standing;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::deployment::{
    CauseKind, Deployment, HistoryFilter, HistoryPage, HistoryRow, Outcome, ServiceOutcome, Status, Verdict,
};
use crate::health::{EnvironmentHealth, SoakRecord};
use crate::hold::Hold;
use crate::insights::Fact;
use crate::judge::Target;
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName, Version};
use crate::plan::ActionKind;
use crate::ports::{
    Current, DeployedRelease, JournalEntry, Latest, Ledger, LedgerError, NewDeployment, OpenDeployment, Proved,
    ReleaseFilter, Standing, Tried, Unproved,
};
use crate::release::{Release, ServiceVersion};
use crate::revision::Revision;
use crate::stack::Stack;
use crate::time::Timestamp;
use crate::watched::After;

/// Remembers everything until it is dropped; to restart a manager over it is to restart the process. Can be told to
/// fail, as a full disk does.
#[derive(Debug, Default)]
pub struct FakeLedger(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    attempts: Vec<Attempt>,
    rows: Vec<HistoryRow>,
    adopted: BTreeMap<EnvironmentName, (Timestamp, Release)>,
    health: BTreeMap<EnvironmentName, EnvironmentHealth>,
    head: Option<Revision>,
    holds: Vec<standing::Held>,
    soak: BTreeMap<EnvironmentName, BTreeMap<ServiceName, SoakRecord>>,
    noted: BTreeMap<DeploymentId, Revision>,
    trouble: Option<String>,
    tricks: Tricks,
    /// Whether no later process could go on with it.
    is_nameless: bool,
}

/// What it is told to fail at.
#[derive(Debug, Default)]
struct Tricks {
    closing: Closing,
    /// Nobody can read what is not over.
    hides_unfinished: bool,
    /// Writes fail from the next deployment on that is begun.
    fails_after_begin: bool,
}

/// What becomes of the order to close a deployment.
#[derive(Debug, Default, PartialEq)]
enum Closing {
    #[default]
    Done,
    /// It is done once without an answer.
    Unanswered,
    /// None is closed.
    Refused,
}

#[derive(Debug)]
struct Attempt {
    new: NewDeployment,
    journal: Vec<JournalEntry>,
    ended: Option<(Timestamp, Status, Option<String>)>,
}

impl Attempt {
    fn status(&self) -> Status {
        self.ended.as_ref().map_or(Status::InProgress, |(_, status, _)| *status)
    }
}

impl FakeLedger {
    /// Refuses every write from now on, with these words.
    pub fn fail(&self, detail: &str) {
        self.memory().trouble = Some(detail.to_owned());
    }

    /// Has no name from now on, as the ledger of one command: no lease is taken in it.
    pub fn forget_name(&self) {
        self.memory().is_nameless = true;
    }

    /// Writes again.
    pub fn heal(&self) {
        self.memory().trouble = None;
    }

    /// The next closing of a deployment is done, but its answer is an error.
    pub fn lose_finish(&self) {
        self.memory().tricks.closing = Closing::Unanswered;
    }

    /// From now on no deployment can be closed, or can again.
    pub fn refuse_finish(&self, refused: bool) {
        self.memory().tricks.closing = if refused { Closing::Refused } else { Closing::Done };
    }

    /// From now on what is not over cannot be read, or can again.
    pub fn hide_unfinished(&self, hidden: bool) {
        self.memory().tricks.hides_unfinished = hidden;
    }

    /// Refuses every write that comes after the next deployment has been accepted.
    pub fn fail_after_begin(&self) {
        self.memory().tricks.fails_after_begin = true;
    }

    /// How an environment was when that was last recorded.
    pub fn health(&self, environment: &EnvironmentName) -> Option<EnvironmentHealth> {
        self.memory().health.get(environment).cloned()
    }

    /// The journal of a deployment, whether it is over or not.
    pub fn journal_of(&self, id: DeploymentId) -> Vec<JournalEntry> {
        self.memory().attempt(id).map(|attempt| attempt.journal.clone()).unwrap_or_default()
    }

    /// Whether the end of a deployment is recorded.
    pub fn is_over(&self, id: DeploymentId) -> bool {
        self.memory().attempt(id).is_some_and(|attempt| attempt.ended.is_some())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<MutexGuard<'_, Memory>, LedgerError> {
        let memory = self.memory();
        match &memory.trouble {
            None => Ok(memory),
            Some(detail) => Err(refused(detail.clone())),
        }
    }
}

fn refused(detail: String) -> LedgerError {
    LedgerError::Failed { source: detail.clone().into(), detail }
}

fn index_of(id: i64) -> Option<usize> {
    usize::try_from(id).ok()?.checked_sub(1)
}

fn next_id<T>(list: &[T]) -> i64 {
    i64::try_from(list.len()).unwrap_or(i64::MAX) + 1
}

impl Memory {
    fn attempt(&self, id: DeploymentId) -> Option<&Attempt> {
        self.attempts.get(index_of(id.0)?)
    }

    fn cause(&self, id: DeploymentId) -> Option<CauseKind> {
        self.attempt(id).map(|attempt| attempt.new.cause.kind())
    }

    fn open(&mut self, id: DeploymentId) -> Result<&mut Attempt, LedgerError> {
        match index_of(id.0).and_then(|index| self.attempts.get_mut(index)) {
            None => Err(refused(format!("there is no deployment {id}"))),
            Some(attempt) if attempt.ended.is_some() => Err(LedgerError::Over(id)),
            Some(attempt) => Ok(attempt),
        }
    }

    fn of_environment(
        &self,
        environment: &EnvironmentName,
    ) -> impl DoubleEndedIterator<Item = (DeploymentId, &Attempt)> {
        let numbered = (1..).map(DeploymentId).zip(&self.attempts).collect::<Vec<_>>();
        let environment = environment.clone();
        numbered.into_iter().filter(move |(_, attempt)| attempt.new.environment == environment)
    }

    fn add_row(&mut self, id: DeploymentId, service: ServiceName, version: Version, from: Option<Version>) {
        let Some(new) = self.attempt(id).map(|attempt| attempt.new.clone()) else { return };
        self.rows.push(HistoryRow {
            id: next_id(&self.rows),
            deployment: id,
            environment: new.environment,
            service,
            version,
            from,
            commit_sha: new.release.revision.map(|revision| revision.sha),
            status: Status::InProgress,
            actor: new.actor,
            verdict: None,
            evidence: None,
            started_at: new.started_at,
            completed_at: None,
            after: None,
        });
    }

    fn judge(&mut self, id: DeploymentId, service: &ServiceName, outcome: &ServiceOutcome, at: Timestamp) {
        let is_it = |row: &HistoryRow| row.deployment == id && row.service == *service;
        if !self.rows.iter().any(is_it) {
            self.add_row(id, service.clone(), outcome.version.clone(), outcome.from.clone());
        }
        let open = self.rows.iter_mut().find(|row| is_it(row) && row.status == Status::InProgress);
        if let Some(row) = open {
            row.status = outcome.verdict.status();
            row.verdict = Some(outcome.verdict.clone());
            row.evidence = Some(outcome.evidence.clone());
            row.completed_at = Some(at.max(row.started_at));
        }
    }

    /// The newest successful row of each service that one did not take out.
    fn running(&self, environment: &EnvironmentName) -> BTreeMap<&ServiceName, &HistoryRow> {
        let mut running = BTreeMap::new();
        for row in &self.rows {
            let is_over = self.attempt(row.deployment).is_some_and(|attempt| attempt.ended.is_some());
            if row.environment == *environment && row.status == Status::Success && is_over {
                running.insert(&row.service, row);
            }
        }
        running
    }

    fn image(&self, row: &HistoryRow) -> String {
        let release = self.attempt(row.deployment).map(|attempt| &attempt.new.release);
        let version = release.and_then(|release| release.services.get(&row.service));
        version.map_or_else(|| row.version.to_string(), |version| version.image.clone())
    }

    fn current(&self, environment: &EnvironmentName) -> Option<Current> {
        let mut services = BTreeMap::new();
        let mut newest: Option<(Timestamp, Actor)> = None;
        if let Some((at, release)) = self.adopted.get(environment) {
            let deployed = self.running(environment);
            services = release.services.clone();
            services.retain(|service, _| !deployed.contains_key(service));
            newest = (!services.is_empty()).then_some((*at, Actor::System));
        }
        for (service, row) in self.running(environment) {
            if row.verdict == Some(Verdict::Pruned) {
                continue;
            }
            let at = row.completed_at.unwrap_or(row.started_at);
            if newest.as_ref().is_none_or(|(latest, _)| at >= *latest) {
                newest = Some((at, row.actor.clone()));
            }
            services.insert(service.clone(), ServiceVersion { version: row.version.clone(), image: self.image(row) });
        }
        let success = self.of_environment(environment).rfind(|(_, attempt)| attempt.status() == Status::Success);
        let noted = success.as_ref().and_then(|(id, _)| self.noted.get(id).cloned());
        let success = success.map(|(_, attempt)| attempt);
        let ended =
            success.and_then(|attempt| attempt.ended.as_ref().map(|(at, _, _)| (*at, attempt.new.actor.clone())));
        let (deployed_at, deployed_by) = newest.or(ended)?;
        let revision = noted.or(success.and_then(|attempt| attempt.new.release.revision.clone()));
        let stack = success.map(|attempt| attempt.new.stack.clone());
        Some(Current { release: Release::new(revision, services), deployed_at, deployed_by, stack })
    }

    fn deployment(&self, id: DeploymentId) -> Option<Deployment> {
        let attempt = self.attempt(id)?;
        let ended = attempt.ended.as_ref().map(|(at, status, error_message)| {
            let outcome =
                Outcome { status: *status, error_message: error_message.clone(), services: self.outcomes(id) };
            (*at, outcome)
        });
        Some(Deployment {
            id,
            environment: attempt.new.environment.clone(),
            cause: attempt.new.cause.clone(),
            actor: attempt.new.actor.clone(),
            commit_sha: attempt.new.release.revision.as_ref().map(|revision| revision.sha.clone()),
            started_at: attempt.new.started_at,
            ended,
            notes: self.notes(id),
        })
    }

    fn outcomes(&self, id: DeploymentId) -> BTreeMap<ServiceName, ServiceOutcome> {
        let of_this = self.rows.iter().filter(|row| row.deployment == id);
        of_this
            .filter_map(|row| {
                let outcome = ServiceOutcome {
                    version: row.version.clone(),
                    from: row.from.clone(),
                    verdict: row.verdict.clone()?,
                    evidence: row.evidence.clone()?,
                };
                Some((row.service.clone(), outcome))
            })
            .collect()
    }
}

/// Services that the plan writes: name, version to get, version before. In reverse, because history is read backwards.
fn planned(new: &NewDeployment) -> Result<Vec<(ServiceName, Version, Option<Version>)>, LedgerError> {
    let mut planned = Vec::new();
    for action in &new.plan.actions {
        let (service, version, from) = match action.kind.clone() {
            ActionKind::CreateService { service, to } => (service, to, None),
            ActionKind::UpdateService { service, from, to, .. } => (service, to, Some(from)),
            ActionKind::WatchService { service, from, to } => (service, to, from),
            ActionKind::RemoveService { service, from } => {
                planned.push((service, from.clone(), Some(from)));
                continue;
            }
            ActionKind::CreateObject { .. }
            | ActionKind::LabelObject { .. }
            | ActionKind::RemoveObject { .. }
            | ActionKind::LeaveService { .. } => {
                continue;
            }
        };
        if !new.release.services.contains_key(&service) {
            return Err(refused(format!("the plan writes service `{service}`, which the release does not have")));
        }
        planned.push((service, version, from));
    }
    planned.sort_by(|(one, ..), (other, ..)| other.cmp(one));
    Ok(planned)
}

#[async_trait]
impl Ledger for FakeLedger {
    async fn begin(&self, new: &NewDeployment) -> Result<DeploymentId, LedgerError> {
        let planned = planned(new)?;
        let mut memory = self.writable()?;
        let running = memory.of_environment(&new.environment).find(|(_, attempt)| attempt.ended.is_none());
        if let Some((id, _)) = running {
            return Err(LedgerError::Busy(id));
        }
        let hold = memory.open_holds().remove(&new.environment);
        if let Some(hold) = hold.filter(|_| new.cause.is_held_back()) {
            return Err(LedgerError::Held(new.environment.clone(), Box::new(hold)));
        }
        let id = DeploymentId(next_id(&memory.attempts));
        memory.attempts.push(Attempt { new: new.clone(), journal: Vec::new(), ended: None });
        for (service, version, from) in planned {
            memory.add_row(id, service, version, from);
        }
        if std::mem::take(&mut memory.tricks.fails_after_begin) {
            memory.trouble = Some("the disk is full".to_owned());
        }
        Ok(id)
    }

    async fn journal(&self, id: DeploymentId, entry: &JournalEntry, at: Timestamp) -> Result<(), LedgerError> {
        let mut memory = self.writable()?;
        memory.open(id)?.journal.push(entry.clone());
        if let JournalEntry::Judged { service, outcome } = entry {
            memory.judge(id, service, outcome, at);
        }
        Ok(())
    }

    async fn finish(&self, id: DeploymentId, outcome: &Outcome, at: Timestamp) -> Result<(), LedgerError> {
        let mut memory = self.writable()?;
        let started_at = memory.open(id)?.new.started_at;
        if memory.tricks.closing == Closing::Refused {
            return Err(refused("the disk is full".to_owned()));
        }
        let at = at.max(started_at);
        for (service, judged) in &outcome.services {
            memory.judge(id, service, judged, at);
        }
        let unproved = if outcome.status == Status::Success { Status::Failed } else { outcome.status };
        for row in memory.rows.iter_mut().filter(|row| row.deployment == id && row.status == Status::InProgress) {
            (row.status, row.completed_at) = (unproved, Some(at));
        }
        memory.open(id)?.ended = Some((at, outcome.status, outcome.error_message.clone()));
        if std::mem::take(&mut memory.tricks.closing) == Closing::Unanswered {
            return Err(refused("the disk did not answer".to_owned()));
        }
        Ok(())
    }

    async fn recorded(&self, id: DeploymentId) -> Result<Option<OpenDeployment>, LedgerError> {
        let memory = self.memory();
        let found = memory.attempt(id);
        Ok(found.map(|attempt| OpenDeployment { id, new: attempt.new.clone(), journal: attempt.journal.clone() }))
    }

    async fn unfinished(&self) -> Result<Vec<OpenDeployment>, LedgerError> {
        let memory = self.memory();
        if memory.tricks.hides_unfinished {
            return Err(refused("the disk did not answer".to_owned()));
        }
        let open = (1..).map(DeploymentId).zip(&memory.attempts).filter(|(_, attempt)| attempt.ended.is_none());
        Ok(open
            .map(|(id, attempt)| OpenDeployment { id, new: attempt.new.clone(), journal: attempt.journal.clone() })
            .collect())
    }

    async fn adopt(&self, environment: &EnvironmentName, release: &Release, at: Timestamp) -> Result<(), LedgerError> {
        let mut memory = self.writable()?;
        let has_history = memory.of_environment(environment).next().is_some();
        if !has_history && !release.services.is_empty() {
            memory.adopted.entry(environment.clone()).or_insert_with(|| (at, release.clone()));
        }
        Ok(())
    }

    async fn current(&self, environment: &EnvironmentName) -> Result<Option<Current>, LedgerError> {
        Ok(self.memory().current(environment))
    }

    async fn latest(&self, environment: &EnvironmentName) -> Result<Option<Latest>, LedgerError> {
        let memory = self.memory();
        let newest = memory.of_environment(environment).next_back();
        Ok(newest.map(|(id, attempt)| Latest {
            id,
            content_hash: attempt.new.content_hash.clone(),
            status: attempt.status(),
        }))
    }

    async fn standing(
        &self,
        environment: &EnvironmentName,
        before: Option<DeploymentId>,
    ) -> Result<Option<Standing>, LedgerError> {
        Ok(self.memory().standing(environment, before))
    }

    async fn tried(&self, environment: &EnvironmentName) -> Result<Option<Tried>, LedgerError> {
        Ok(self.memory().tried(environment))
    }

    async fn note_revision(&self, id: DeploymentId, revision: &Revision) -> Result<(), LedgerError> {
        let mut memory = self.writable()?;
        memory.attempt(id).ok_or_else(|| refused(format!("there is no deployment {id}")))?;
        memory.noted.insert(id, revision.clone());
        Ok(())
    }

    async fn unproved(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, Unproved>, LedgerError> {
        Ok(self.memory().unproved(environment))
    }

    async fn hold(&self, environment: &EnvironmentName, hold: &Hold) -> Result<(), LedgerError> {
        self.writable()?.hold(environment, hold);
        Ok(())
    }

    async fn resume(&self, environment: &EnvironmentName, by: &Actor, at: Timestamp) -> Result<bool, LedgerError> {
        Ok(self.writable()?.resume(environment, by, at))
    }

    async fn holds(&self) -> Result<BTreeMap<EnvironmentName, Hold>, LedgerError> {
        Ok(self.memory().open_holds())
    }

    async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, LedgerError> {
        Ok(self.memory().deployment(id))
    }

    async fn release_of(&self, id: DeploymentId) -> Result<Option<(Release, Stack)>, LedgerError> {
        let memory = self.memory();
        Ok(memory.attempt(id).map(|attempt| (attempt.new.release.clone(), attempt.new.stack.clone())))
    }

    async fn releases(&self, filter: &ReleaseFilter) -> Result<Vec<DeployedRelease>, LedgerError> {
        let memory = self.memory();
        let known = (1..).map(DeploymentId).zip(&memory.attempts);
        let mut wanted: Vec<DeployedRelease> = known
            .filter(|(id, _)| filter.before.is_none_or(|before| *id < before))
            .filter(|(_, attempt)| filter.environment.as_ref().is_none_or(|wanted| attempt.new.environment == *wanted))
            .map(|(id, attempt)| DeployedRelease {
                deployment: id,
                environment: attempt.new.environment.clone(),
                release: attempt.new.release.clone(),
                status: attempt.status(),
                actor: attempt.new.actor.clone(),
                started_at: attempt.new.started_at,
                ended_at: attempt.ended.as_ref().map(|(at, ..)| *at),
            })
            .collect();
        wanted.reverse();
        wanted.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
        Ok(wanted)
    }

    async fn history_row(&self, id: i64) -> Result<Option<(DeploymentId, ServiceName, Version)>, LedgerError> {
        let memory = self.memory();
        let row = index_of(id).and_then(|index| memory.rows.get(index));
        Ok(row.map(|row| (row.deployment, row.service.clone(), row.version.clone())))
    }

    async fn history(&self, filter: &HistoryFilter) -> Result<HistoryPage, LedgerError> {
        let memory = self.memory();
        let wanted: Vec<&HistoryRow> = memory
            .rows
            .iter()
            .rev()
            .filter(|row| filter.environment.as_ref().is_none_or(|environment| row.environment == *environment))
            .filter(|row| filter.service.as_ref().is_none_or(|service| row.service == *service))
            .filter(|row| filter.deployment.is_none_or(|deployment| row.deployment == deployment))
            .filter(|row| filter.status.is_none_or(|status| row.status == status))
            .filter(|row| filter.cause.is_none_or(|cause| memory.cause(row.deployment) == Some(cause)))
            .filter(|row| filter.actor.as_ref().is_none_or(|actor| row.actor == *actor))
            .filter(|row| filter.since.is_none_or(|since| row.started_at >= since))
            .filter(|row| filter.until.is_none_or(|until| row.started_at < until))
            .collect();
        let total = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
        let behind: Vec<&HistoryRow> =
            wanted.into_iter().filter(|row| filter.before.is_none_or(|before| row.id < before)).collect();
        let skip = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(filter.limit.clamp(1, 500)).unwrap_or(usize::MAX);
        let more = behind.len() > skip.saturating_add(take);
        let rows = behind.into_iter().skip(skip).take(take).cloned().collect();
        Ok(HistoryPage { rows, total, counted: true, more })
    }

    async fn facts(&self, since: Timestamp) -> Result<Vec<Fact>, LedgerError> {
        let memory = self.memory();
        let fact = |attempt: &Attempt| Fact {
            environment: attempt.new.environment.clone(),
            status: attempt.status(),
            cause: attempt.new.cause.kind(),
            started_at: attempt.new.started_at,
            ended_at: attempt.ended.as_ref().map(|(at, ..)| *at),
            committed_at: attempt.new.release.revision.as_ref().map(|revision| revision.committed_at),
        };
        Ok(memory.attempts.iter().filter(|attempt| attempt.new.started_at >= since).map(fact).collect())
    }

    async fn record_health(
        &self,
        environment: &EnvironmentName,
        health: &EnvironmentHealth,
    ) -> Result<(), LedgerError> {
        self.writable()?.health.insert(environment.clone(), health.clone());
        Ok(())
    }

    async fn proved(&self, environment: &EnvironmentName) -> Result<Vec<Proved>, LedgerError> {
        let memory = self.memory();
        let running = memory.running(environment);
        let rows = running.into_values().filter(|row| row.verdict != Some(Verdict::Pruned));
        Ok(rows
            .map(|row| Proved {
                deployment: row.deployment,
                service: row.service.clone(),
                at: row.completed_at.unwrap_or(row.started_at),
                after: row.after.clone(),
            })
            .collect())
    }

    async fn target(&self, id: DeploymentId, full_name: &str) -> Result<Option<Target>, LedgerError> {
        let memory = self.memory();
        let journal = memory.attempt(id).map(|attempt| attempt.journal.clone()).unwrap_or_default();
        let targets = journal.into_iter().filter_map(|entry| match entry {
            JournalEntry::Intent { target, .. } => target,
            _ => None,
        });
        Ok(targets.rev().find(|target| target.full_name == full_name))
    }

    async fn note_after(&self, id: DeploymentId, service: &ServiceName, after: &After) -> Result<(), LedgerError> {
        let mut memory = self.writable()?;
        let row = memory.rows.iter_mut().find(|row| row.deployment == id && row.service == *service);
        let row = row.ok_or_else(|| refused(format!("deployment {id} has no service `{service}`")))?;
        row.after.get_or_insert_with(|| after.clone());
        Ok(())
    }

    async fn soak(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, SoakRecord>, LedgerError> {
        Ok(self.memory().soak.get(environment).cloned().unwrap_or_default())
    }

    async fn record_soak(
        &self,
        environment: &EnvironmentName,
        records: &BTreeMap<ServiceName, SoakRecord>,
    ) -> Result<(), LedgerError> {
        self.writable()?.soak.insert(environment.clone(), records.clone());
        Ok(())
    }

    async fn instance(&self) -> Result<Option<String>, LedgerError> {
        Ok((!self.memory().is_nameless).then(|| format!("the ledger at {self:p}")))
    }

    async fn remember_head(&self, head: &Revision) -> Result<(), LedgerError> {
        self.writable()?.head = Some(head.clone());
        Ok(())
    }

    async fn head(&self) -> Result<Option<Revision>, LedgerError> {
        Ok(self.memory().head.clone())
    }
}
