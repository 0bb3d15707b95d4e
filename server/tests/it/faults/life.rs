//! A process that can be stopped anywhere, without notice: whatever it does to the world goes through these ports. From
//! the moment of its death nothing of it reaches the world any more, as after `kill -9`.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use release_manager::deployment::{Deployment, HistoryFilter, HistoryPage, Outcome};
use release_manager::engine::{LiveStack, Observation, Write};
use release_manager::health::{EnvironmentHealth, SoakRecord};
use release_manager::insights::Fact;
use release_manager::judge::Target;
use release_manager::lease::{Lease, SeenLease};
use release_manager::logs::LogLine;
use release_manager::names::{Actor, DeploymentId, EnvironmentName, ServiceName, StackName, Version};
use release_manager::ports::{
    Clock, Current, DeployedRelease, Identity, ImagePresence, JournalEntry, Latest, Ledger, LedgerError, NewDeployment,
    OpenDeployment, Pin, Proved, ReleaseFilter, Standing, Swarm, SwarmError, Tried, Unproved,
};
use release_manager::release::Release;
use release_manager::revision::Revision;
use release_manager::stack::Stack;
use release_manager::time::Timestamp;
use release_manager::watched::After;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;

/// A place in the work of a process where it can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// A write to the Engine is about to be sent.
    BeforeWrite,
    /// Its answer has come, and nothing has been made of it.
    AfterWrite,
    /// Something is about to be stored: a deployment, a line of its journal, its end.
    BeforeEntry,
    /// It is durable, and nobody knows yet.
    AfterEntry,
}

impl Moment {
    pub(super) const ALL: [Self; 4] = [Self::BeforeWrite, Self::AfterWrite, Self::BeforeEntry, Self::AfterEntry];

    pub(super) fn named(name: &str) -> Self {
        match name {
            "before-write" => Self::BeforeWrite,
            "after-write" => Self::AfterWrite,
            "before-entry" => Self::BeforeEntry,
            "after-entry" => Self::AfterEntry,
            other => panic!("`{other}` is no moment"),
        }
    }
}

/// A process that is to be held at the n-th moment of a kind.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    /// It stands there.
    pub(super) reached: CancellationToken,
    /// It may go on.
    pub(super) go: CancellationToken,
}

/// All holds, over the lives of all processes.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<Vec<(Moment, u32, Hold)>>);

impl Holds {
    /// Holds whoever comes to the `nth` (from 1) moment of a kind from now on.
    pub(super) fn add(&self, moment: Moment, nth: u32) -> Hold {
        let hold = Hold { reached: CancellationToken::new(), go: CancellationToken::new() };
        self.0.lock().unwrap().push((moment, nth, hold.clone()));
        hold
    }

    pub(super) fn clear(&self) {
        for (_, _, hold) in self.0.lock().unwrap().drain(..) {
            hold.go.cancel();
        }
    }

    fn come(&self, moment: Moment) -> Option<Hold> {
        let mut holds = self.0.lock().unwrap();
        for (_, left, _) in holds.iter_mut().filter(|(known, ..)| *known == moment) {
            *left = left.saturating_sub(1);
        }
        let here = holds.iter().position(|(known, left, _)| *known == moment && *left == 0)?;
        Some(holds.remove(here).2)
    }
}

/// One life of the process.
#[derive(Debug, Clone)]
pub(super) struct Life {
    dead: CancellationToken,
    holds: Arc<Holds>,
    /// Whether the disk is full.
    full: Arc<AtomicBool>,
}

impl Life {
    pub(super) fn new(holds: &Arc<Holds>, full: &Arc<AtomicBool>) -> Self {
        Self { dead: CancellationToken::new(), holds: Arc::clone(holds), full: Arc::clone(full) }
    }

    pub(super) fn end(&self) {
        self.dead.cancel();
    }

    async fn pass(&self, moment: Moment) {
        if self.dead.is_cancelled() {
            return;
        }
        if let Some(hold) = self.holds.come(moment) {
            hold.reached.cancel();
            tokio::select! {
                () = hold.go.cancelled() => (),
                () = self.dead.cancelled() => (),
            }
        }
    }

    /// The result, unless the process dies before there is one.
    async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.dead.cancelled() => None,
            done = work => Some(done),
        }
    }
}

async fn or_never<T>(done: Option<T>) -> T {
    match done {
        Some(done) => done,
        None => pending().await,
    }
}

/// Keeps a paused clock from moving while a real thread works.
pub(super) struct Busy(#[expect(dead_code, reason = "its end is what counts")] std::sync::mpsc::Sender<()>);

impl Busy {
    pub(super) fn begin() -> Self {
        let (held, end) = std::sync::mpsc::channel();
        // The clock of tokio stands still as long as a blocking task runs.
        tokio::task::spawn_blocking(move || {
            let _ = end.recv();
        });
        Self(held)
    }
}

/// The Swarm, as long as the process lives.
pub(super) struct MortalSwarm {
    pub(super) inner: Arc<dyn Swarm>,
    pub(super) life: Life,
    pub(super) recorder: Option<Arc<Recorder>>,
}

#[async_trait]
impl Swarm for MortalSwarm {
    async fn check(&self) -> Result<String, SwarmError> {
        or_never(self.life.live(self.inner.check()).await).await
    }

    async fn live(&self, stack: &StackName) -> Result<LiveStack, SwarmError> {
        let live = or_never(self.life.live(self.inner.live(stack)).await).await;
        if let (Some(recorder), Ok(live)) = (&self.recorder, &live) {
            recorder.live(live);
        }
        live
    }

    async fn observe(&self, stack: &StackName) -> Result<Observation, SwarmError> {
        let seen = or_never(self.life.live(self.inner.observe(stack)).await).await;
        if let Some(recorder) = &self.recorder {
            recorder.seen(stack, &seen);
        }
        seen
    }

    async fn apply(&self, write: &Write) -> Result<String, SwarmError> {
        self.life.pass(Moment::BeforeWrite).await;
        let done = self.life.live(self.inner.apply(write)).await;
        if done.is_some() {
            self.life.pass(Moment::AfterWrite).await;
        }
        or_never(self.life.live(async { done }).await.flatten()).await
    }

    async fn pin(&self, image: &str) -> Result<Pin, SwarmError> {
        or_never(self.life.live(self.inner.pin(image)).await).await
    }

    async fn find_image(&self, image: &str) -> Result<ImagePresence, SwarmError> {
        or_never(self.life.live(self.inner.find_image(image)).await).await
    }

    async fn logs(&self, task: &str, lines: u32) -> Result<Vec<String>, SwarmError> {
        or_never(self.life.live(self.inner.logs(task, lines)).await).await
    }

    async fn changes(&self) -> Result<BoxStream<'static, ()>, SwarmError> {
        let changes = or_never(self.life.live(self.inner.changes()).await).await?;
        Ok(changes.take_until(self.life.dead.clone().cancelled_owned()).boxed())
    }

    async fn service_logs(
        &self,
        service: &str,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogLine, SwarmError>>, SwarmError> {
        or_never(self.life.live(self.inner.service_logs(service, tail, follow)).await).await
    }

    async fn identity(&self) -> Result<Identity, SwarmError> {
        or_never(self.life.live(self.inner.identity()).await).await
    }

    async fn lease(&self, stack: &StackName) -> Result<Option<SeenLease>, SwarmError> {
        or_never(self.life.live(self.inner.lease(stack)).await).await
    }

    async fn put_lease(&self, stack: &StackName, lease: &Lease, before: Option<&SeenLease>) -> Result<(), SwarmError> {
        or_never(self.life.live(self.inner.put_lease(stack, lease, before)).await).await
    }
}

/// The ledger, as long as the process lives.
pub(super) struct MortalLedger {
    /// Taken out at the death, so that the file can be opened by the next process.
    inner: Mutex<Option<Arc<dyn Ledger>>>,
    life: Life,
    recorder: Option<Arc<Recorder>>,
}

impl MortalLedger {
    pub(super) fn new(inner: Arc<dyn Ledger>, life: Life, recorder: Option<Arc<Recorder>>) -> Self {
        Self { inner: Mutex::new(Some(inner)), life, recorder }
    }

    /// Closes the file as the kernel does for a dead process: whatever was under way ends in the middle.
    pub(super) fn close(&self) {
        drop(self.inner.lock().unwrap().take());
    }

    fn is_full(&self) -> Result<(), LedgerError> {
        if !self.life.full.load(Ordering::Relaxed) {
            return Ok(());
        }
        let detail = "the disk is full: free space; nothing is deployed until the ledger can be written".to_owned();
        Err(LedgerError::Failed { source: detail.clone().into(), detail })
    }
}

/// Asks the ledger, if there still is one.
macro_rules! ask {
    ($self:ident.$question:ident($($argument:expr),*)) => {{
        let ledger = $self.inner.lock().unwrap().clone();
        let answer = match ledger {
            Some(ledger) => {
                let _busy = Busy::begin();
                $self.life.live(ledger.$question($($argument),*)).await
            }
            None => None,
        };
        or_never(answer).await
    }};
}

/// Writes, unless the disk is full.
macro_rules! note {
    ($self:ident.$question:ident($($argument:expr),*)) => {{
        $self.is_full()?;
        ask!($self.$question($($argument),*))
    }};
}

/// Writes what a deployment rests on: a place to be held at.
macro_rules! enter {
    ($self:ident.$question:ident($($argument:expr),*)) => {{
        $self.life.pass(Moment::BeforeEntry).await;
        let done = note!($self.$question($($argument),*));
        $self.life.pass(Moment::AfterEntry).await;
        or_never($self.life.live(async { done }).await).await
    }};
}

#[async_trait]
impl Ledger for MortalLedger {
    async fn begin(&self, new: &NewDeployment) -> Result<DeploymentId, LedgerError> {
        enter!(self.begin(new))
    }

    async fn journal(&self, id: DeploymentId, entry: &JournalEntry, at: Timestamp) -> Result<(), LedgerError> {
        if let Some(recorder) = &self.recorder {
            recorder.entry(id, entry);
        }
        enter!(self.journal(id, entry, at))
    }

    async fn finish(&self, id: DeploymentId, outcome: &Outcome, at: Timestamp) -> Result<(), LedgerError> {
        enter!(self.finish(id, outcome, at))
    }

    async fn recorded(&self, id: DeploymentId) -> Result<Option<OpenDeployment>, LedgerError> {
        ask!(self.recorded(id))
    }

    async fn unfinished(&self) -> Result<Vec<OpenDeployment>, LedgerError> {
        ask!(self.unfinished())
    }

    async fn adopt(&self, environment: &EnvironmentName, release: &Release, at: Timestamp) -> Result<(), LedgerError> {
        note!(self.adopt(environment, release, at))
    }

    async fn current(&self, environment: &EnvironmentName) -> Result<Option<Current>, LedgerError> {
        ask!(self.current(environment))
    }

    async fn latest(&self, environment: &EnvironmentName) -> Result<Option<Latest>, LedgerError> {
        ask!(self.latest(environment))
    }

    async fn standing(
        &self,
        environment: &EnvironmentName,
        before: Option<DeploymentId>,
    ) -> Result<Option<Standing>, LedgerError> {
        ask!(self.standing(environment, before))
    }

    async fn tried(&self, environment: &EnvironmentName) -> Result<Option<Tried>, LedgerError> {
        ask!(self.tried(environment))
    }

    async fn note_revision(&self, id: DeploymentId, revision: &Revision) -> Result<(), LedgerError> {
        note!(self.note_revision(id, revision))
    }

    async fn unproved(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, Unproved>, LedgerError> {
        ask!(self.unproved(environment))
    }

    async fn hold(&self, environment: &EnvironmentName, hold: &release_manager::hold::Hold) -> Result<(), LedgerError> {
        note!(self.hold(environment, hold))
    }

    async fn resume(&self, environment: &EnvironmentName, by: &Actor, at: Timestamp) -> Result<bool, LedgerError> {
        note!(self.resume(environment, by, at))
    }

    async fn holds(&self) -> Result<BTreeMap<EnvironmentName, release_manager::hold::Hold>, LedgerError> {
        ask!(self.holds())
    }

    async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, LedgerError> {
        ask!(self.deployment(id))
    }

    async fn release_of(&self, id: DeploymentId) -> Result<Option<(Release, Stack)>, LedgerError> {
        ask!(self.release_of(id))
    }

    async fn releases(&self, filter: &ReleaseFilter) -> Result<Vec<DeployedRelease>, LedgerError> {
        ask!(self.releases(filter))
    }

    async fn history_row(&self, id: i64) -> Result<Option<(DeploymentId, ServiceName, Version)>, LedgerError> {
        ask!(self.history_row(id))
    }

    async fn history(&self, filter: &HistoryFilter) -> Result<HistoryPage, LedgerError> {
        ask!(self.history(filter))
    }

    async fn facts(&self, since: Timestamp) -> Result<Vec<Fact>, LedgerError> {
        ask!(self.facts(since))
    }

    async fn record_health(
        &self,
        environment: &EnvironmentName,
        health: &EnvironmentHealth,
    ) -> Result<(), LedgerError> {
        note!(self.record_health(environment, health))
    }

    async fn proved(&self, environment: &EnvironmentName) -> Result<Vec<Proved>, LedgerError> {
        ask!(self.proved(environment))
    }

    async fn target(&self, id: DeploymentId, full_name: &str) -> Result<Option<Target>, LedgerError> {
        ask!(self.target(id, full_name))
    }

    async fn note_after(&self, id: DeploymentId, service: &ServiceName, after: &After) -> Result<(), LedgerError> {
        note!(self.note_after(id, service, after))
    }

    async fn soak(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, SoakRecord>, LedgerError> {
        ask!(self.soak(environment))
    }

    async fn record_soak(
        &self,
        environment: &EnvironmentName,
        records: &BTreeMap<ServiceName, SoakRecord>,
    ) -> Result<(), LedgerError> {
        note!(self.record_soak(environment, records))
    }

    /// One process lives at a time here. Who leads of several has tests of its own, and what scenarios count are the
    /// writes of deployments.
    async fn instance(&self) -> Result<Option<String>, LedgerError> {
        Ok(None)
    }

    async fn remember_head(&self, head: &Revision) -> Result<(), LedgerError> {
        note!(self.remember_head(head))
    }

    async fn head(&self) -> Result<Option<Revision>, LedgerError> {
        ask!(self.head())
    }
}

/// A wall clock that follows tokio's, and that somebody can set.
#[derive(Debug)]
pub(super) struct Wall {
    started: Instant,
    epoch_ms: i64,
    shift_ms: AtomicI64,
}

impl Wall {
    pub(super) fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), epoch_ms: millis(now), shift_ms: AtomicI64::new(0) }
    }

    pub(super) fn shift(&self, by_ms: i64) {
        self.shift_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let shift = self.shift_ms.load(Ordering::Relaxed);
        Timestamp::from_millis(self.epoch_ms + millis(self.started.elapsed()) + shift)
    }
}
