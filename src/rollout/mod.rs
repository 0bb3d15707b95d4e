//! One deployment, from its plan to a verdict for every service.
//!
//! Each write is journalled before it is sent, so that a later process can take the deployment up at any point: it runs
//! through the same code, where the journal says what needs no doing again.

mod clean;
mod objects;
mod report;
mod submit;
mod switch;
mod undo;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::{stream, try_join};
use serde_json::Value;
use tokio::time::Instant;

use crate::deployment::{Evidence, FailureReason, Outcome, ServiceOutcome, Status, Step, Verdict};
use crate::engine::{Observation, Write};
use crate::judge::{self, Target, Watch};
use crate::live::{ServicePhase, StepState};
use crate::manager::{Inner, ManagerError, Permit, Settings};
use crate::names::{DeploymentId, Digest, ServiceName, StackName, Version};
use crate::plan::{self, Action, ActionKind};
use crate::ports::{JournalEntry, LedgerError, OpenDeployment, SwarmError};
use crate::release::ServiceVersion;
use submit::Submitted;
pub(crate) use switch::Switch;
pub(crate) use undo::{WayBack, way_back};

/// How many services are written at the same time.
const CONCURRENT_WRITES: usize = 16;

/// A process that takes a deployment up long after it was accepted still gives the Engine this long for a first answer,
/// and besides as long as a proof takes.
const FRESH_LOOK: Duration = Duration::from_mins(1);

/// A rollout that begins later than this after its deployment was accepted is one that was taken up.
const JUST_BEGUN: Duration = Duration::from_secs(2);

/// A rollout under way.
struct Rollout<'a> {
    inner: &'a Inner,
    permit: &'a Permit,
    id: DeploymentId,
    stack: StackName,
    actions: Vec<Action>,
    /// What the journal of an earlier process says.
    journal: Past,
    /// When the deployment was accepted, as this process's clock that never jumps would have it.
    began: Instant,
    /// When it is to be over, counted from there: one deadline for all its levels, and for all processes that take it up.
    end: Duration,
    /// Whether it is one that may be followed by a return.
    returns: bool,
    watches: BTreeMap<ServiceName, Watch>,
    over: BTreeMap<ServiceName, ServiceOutcome>,
    switch: Switch,
    /// The networks of the stack, which may have to be made anew.
    declared_networks: BTreeMap<String, Write>,
    /// The names of networks by their ids, once they have been asked for: after the networks of the plan are made.
    networks: Option<BTreeMap<String, String>>,
}

/// What has been done of a deployment before this process took it up.
#[derive(Default)]
struct Past {
    /// Writes that were about to be sent, with what was to be watched.
    intents: BTreeMap<usize, Option<Target>>,
    /// Writes that the Engine had accepted.
    done: BTreeSet<usize>,
    /// What was noted.
    notes: BTreeSet<String>,
}

/// How everything was before a level was written.
struct Before {
    observation: Observation,
    /// The names of networks by their ids: live specs have only the ids.
    networks: BTreeMap<String, String>,
}

/// How a rollout has ended.
pub(crate) struct Ended {
    /// What the record says.
    pub(crate) outcome: Outcome,
    /// Whether what it has changed is to be put back.
    pub(crate) goes_back: bool,
}

/// Why a rollout stops in the middle.
enum Interrupted {
    /// The process is to end: the journal holds what is needed to go on.
    Stopping,
    /// The ledger cannot record what would be done next, so it is not done.
    Ledger(LedgerError),
    /// Something before the first service went wrong.
    Refused(String),
}

impl From<LedgerError> for Interrupted {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// Brings a deployment to its end. `None` where the process is to stop first.
pub(crate) async fn run(
    inner: &Inner,
    permit: &Permit,
    open: OpenDeployment,
    switch: Switch,
) -> Result<Option<Ended>, ManagerError> {
    let id = open.id;
    let mut rollout = Rollout::new(inner, permit, open, switch)?;
    let outcome = match rollout.finish().await {
        Ok(()) => Outcome::of_services(rollout.over.clone()),
        Err(Interrupted::Refused(message)) => match rollout.give_up(&message).await {
            Ok(()) => Outcome { status: Status::Failed, error_message: Some(message), services: rollout.over.clone() },
            Err(Interrupted::Ledger(error)) => return Err(error.into()),
            Err(Interrupted::Stopping | Interrupted::Refused(_)) => return Ok(None),
        },
        Err(Interrupted::Stopping) => return Ok(None),
        Err(Interrupted::Ledger(error)) => return Err(error.into()),
    };
    let goes_back = rollout.report(&outcome).await?;
    inner.ports.ledger.finish(id, &outcome, inner.ports.clock.now()).await?;
    Ok(Some(Ended { outcome, goes_back }))
}

impl<'a> Rollout<'a> {
    fn new(inner: &'a Inner, permit: &'a Permit, open: OpenDeployment, switch: Switch) -> Result<Self, ManagerError> {
        let stack = inner.environment(permit.environment())?.stack.clone();
        let passed = Duration::from_secs_f64(inner.ports.clock.now().seconds_since(open.new.started_at));
        let now = Instant::now();
        let began = now.checked_sub(passed).unwrap_or(now);
        let end = end(&inner.settings, began.elapsed());
        let returns = undo::may_return(&open.new.cause);
        let mut journal = Past::default();
        let mut over = BTreeMap::new();
        for entry in open.journal {
            match entry {
                JournalEntry::Intent { action, target } => {
                    journal.intents.insert(action, target);
                }
                JournalEntry::Done { action, .. } => {
                    journal.done.insert(action);
                }
                JournalEntry::Judged { service, outcome } => {
                    over.insert(service, outcome);
                }
                JournalEntry::Noted { message } => {
                    journal.notes.insert(message);
                }
                JournalEntry::CancelRequested { .. } | JournalEntry::GoingBack { .. } => (),
            }
        }
        let (id, actions, watches) = (open.id, open.new.plan.actions, BTreeMap::new());
        Ok(Self {
            inner,
            permit,
            id,
            stack,
            actions,
            journal,
            began,
            end,
            returns,
            watches,
            over,
            switch,
            declared_networks: objects::networks_of(&open.new.stack),
            networks: None,
        })
    }

    async fn finish(&mut self) -> Result<(), Interrupted> {
        self.step(Step::Apply, StepState::InProgress);
        self.objects().await?;
        self.reattach().await?;
        let own = self.inner.own_service(&self.stack).await.unwrap_or_default();
        for level in self.levels() {
            let waits = |number: &usize| match &self.actions[*number].kind {
                ActionKind::RemoveService { .. } => true,
                kind => own.is_some() && service_of(kind) == own.as_ref(),
            };
            if level.iter().any(waits) {
                // What is taken out last goes only when everything else has proved itself, and so does the update that
                // ends this very process.
                self.watch_until(Self::is_over).await?;
            }
            if self.is_halted() {
                break;
            }
            if !self.has_time_for(&level) {
                self.run_out_of_time().await?;
                break;
            }
            self.services(&level).await?;
            self.watch_until(Self::stands).await?;
        }
        self.step(Step::Verify, StepState::InProgress);
        self.watch_until(Self::is_over).await?;
        self.leave_the_rest().await?;
        // Where a service has not succeeded, verifying is the step that failed.
        if !self.is_halted() {
            self.clean_up().await?;
            self.step(Step::Record, StepState::InProgress);
        }
        Ok(())
    }

    /// Watches again what an earlier process has written, whatever has become of the rest since.
    async fn reattach(&mut self) -> Result<(), Interrupted> {
        let begun = self.journal.intents.keys().copied();
        let begun: Vec<usize> = begun.filter(|number| service_of(&self.actions[*number].kind).is_some()).collect();
        self.services(&begun).await
    }

    /// Makes the missing networks, secrets and configs, one after the other: services need them all. Labels those whose
    /// labels differ.
    async fn objects(&self) -> Result<(), Interrupted> {
        for number in
            self.numbers(|kind| matches!(kind, ActionKind::CreateObject { .. } | ActionKind::LabelObject { .. }))
        {
            self.create_object(number).await?;
        }
        Ok(())
    }

    /// Writes services concurrently and begins to watch them.
    async fn services(&mut self, numbers: &[usize]) -> Result<(), Interrupted> {
        let is_begun = |number: &usize| self.journal.intents.contains_key(number);
        if numbers.is_empty() || self.is_halted() && !numbers.iter().any(is_begun) {
            return Ok(());
        }
        let Some(before) = self.look_before().await? else { return Ok(()) };
        let this: &Self = self;
        let submitted: Vec<_> = stream::iter(numbers.iter().copied())
            .map(|number| this.submit_service(number, &before))
            .buffer_unordered(CONCURRENT_WRITES)
            .collect()
            .await;
        for one in submitted {
            match one? {
                (service, Submitted::Accepted(watch)) => {
                    self.watches.insert(service, *watch);
                }
                (service, Submitted::Ended(outcome)) => self.conclude(service, *outcome).await?,
                (_, Submitted::Already | Submitted::NotBegun) => (),
            }
        }
        Ok(())
    }

    /// Whether a level can still be proved in time. What needs no proof is done in any case.
    fn has_time_for(&self, level: &[usize]) -> bool {
        let needs_proof = |number: &usize| !matches!(self.actions[*number].kind, ActionKind::RemoveService { .. });
        self.began.elapsed() + self.inner.settings.stability < self.end || !level.iter().any(needs_proof)
    }

    /// What was not written before time ran out is not written any more.
    async fn run_out_of_time(&mut self) -> Result<(), Interrupted> {
        for number in self.numbers(|kind| service_of(kind).is_some()) {
            let Some(service) = service_of(&self.actions[number].kind).cloned() else { continue };
            let begun = self.watches.contains_key(&service) || self.journal.intents.contains_key(&number);
            if !begun && !self.over.contains_key(&service) {
                let message = format!(
                    "it was not written: the {} s that a deployment may take had gone to the services before it. Give it \
                     more time (DEPLOYMENT_TIMEOUT_SECONDS), or see why those took so long",
                    self.inner.settings.deployment_timeout.as_secs()
                );
                let verdict = Verdict::Failed { reason: FailureReason::Deadline, message };
                let outcome = self.outcome(number, verdict, Evidence::default());
                self.conclude(service, outcome).await?;
            }
        }
        Ok(())
    }

    /// What stood before anything was written. Without it nothing can be judged later, so it is waited for; `None` where
    /// that is stopped before anything was written.
    async fn look_before(&mut self) -> Result<Option<Before>, Interrupted> {
        let asked = Instant::now();
        loop {
            let error = match self.try_look_before().await {
                Ok(before) => return Ok(Some(before)),
                Err(error) => error,
            };
            if self.is_halted() && self.journal.intents.is_empty() && self.watches.is_empty() {
                return Ok(None);
            }
            if self.is_late() && asked.elapsed() >= FRESH_LOOK {
                return Err(Interrupted::Refused(error.to_string()));
            }
            self.pause().await?;
        }
    }

    async fn try_look_before(&mut self) -> Result<Before, SwarmError> {
        let swarm = self.inner.ports.swarm_of(&self.stack);
        let networks = async {
            match &self.networks {
                Some(known) => Ok(known.clone()),
                None => swarm.network_names(&self.stack).await,
            }
        };
        let (networks, observation) = try_join!(networks, swarm.observe(&self.stack))?;
        self.networks = Some(networks.clone());
        Ok(Before { observation, networks })
    }

    /// Services that were never written end as cancelled.
    async fn leave_the_rest(&mut self) -> Result<(), Interrupted> {
        for number in self.numbers(|kind| service_of(kind).is_some()) {
            let Some(service) = service_of(&self.actions[number].kind).cloned() else { continue };
            if !self.over.contains_key(&service) {
                let verdict = Verdict::Cancelled { written: false };
                let outcome = self.outcome(number, verdict, Evidence::default());
                self.conclude(service, outcome).await?;
            }
        }
        Ok(())
    }

    /// Nothing can be known any more of what was written, and nothing more is written.
    async fn give_up(&mut self, message: &str) -> Result<(), Interrupted> {
        for number in self.numbers(|kind| service_of(kind).is_some()) {
            let Some(service) = service_of(&self.actions[number].kind).cloned() else { continue };
            let begun = self.watches.contains_key(&service) || self.journal.intents.contains_key(&number);
            if begun && !self.over.contains_key(&service) {
                let verdict = Verdict::Failed { reason: FailureReason::Unknown, message: message.to_owned() };
                let outcome = self.outcome(number, verdict, Evidence::default());
                self.conclude(service, outcome).await?;
            }
        }
        self.leave_the_rest().await
    }

    /// Whether nothing more is to be written: a person cancelled, or a service has not succeeded.
    fn is_halted(&self) -> bool {
        self.switch.is_off() || self.over.values().any(|outcome| outcome.verdict.status() != Status::Success)
    }

    /// Records a service's verdict and shows it.
    async fn conclude(&mut self, service: ServiceName, outcome: ServiceOutcome) -> Result<(), Interrupted> {
        let entry = JournalEntry::Judged { service: service.clone(), outcome: outcome.clone() };
        self.journal(&entry).await?;
        if let Some(watch) = self.watches.remove(&service)
            && matches!(outcome.verdict, Verdict::Succeeded { .. })
        {
            self.inner.keep_watching(self.permit.environment(), self.id, service.clone(), watch, self.began);
        }
        self.show(&service, |progress| {
            progress.phase = ServicePhase::Done { verdict: outcome.verdict.clone() };
            progress.message = outcome.verdict.error_message();
        });
        self.over.insert(service, outcome);
        Ok(())
    }

    fn outcome(&self, number: usize, verdict: Verdict, mut evidence: Evidence) -> ServiceOutcome {
        let action = &self.actions[number];
        let (from, version) = versions_of(&action.kind);
        (evidence.digest_before, evidence.digest_after) = digests_of(action);
        evidence.hint = judge::hint(&verdict, &evidence);
        ServiceOutcome { version, from, verdict, evidence }
    }

    async fn journal(&self, entry: &JournalEntry) -> Result<(), LedgerError> {
        self.inner.ports.ledger.journal(self.id, entry, self.inner.ports.clock.now()).await
    }

    /// The numbers of the actions of a kind.
    fn numbers(&self, wanted: impl Fn(&ActionKind) -> bool) -> Vec<usize> {
        let actions = self.actions.iter().enumerate();
        actions.filter(|(_, action)| wanted(&action.kind)).map(|(number, _)| number).collect()
    }

    /// The services to create, update or remove, level by level.
    fn levels(&self) -> Vec<Vec<usize>> {
        let mut levels: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for number in self.numbers(|kind| service_of(kind).is_some()) {
            levels.entry(self.actions[number].level).or_default().push(number);
        }
        levels.into_values().collect()
    }

    fn step(&self, step: Step, state: StepState) {
        self.inner.board.deployment(self.permit.environment(), |progress| progress.step(step, state));
    }

    fn show(&self, service: &ServiceName, change: impl FnOnce(&mut crate::live::ServiceProgress)) {
        self.inner.board.deployment(self.permit.environment(), |progress| {
            if let Some(service) = progress.services.get_mut(service) {
                change(service);
            }
        });
    }

    /// A second, or the end of the process.
    async fn pause(&self) -> Result<(), Interrupted> {
        tokio::select! {
            () = self.inner.stop.cancelled() => Err(Interrupted::Stopping),
            () = tokio::time::sleep(Duration::from_secs(1)) => Ok(()),
        }
    }
}

/// When a deployment is to be over, `passed` after it was accepted. A process that takes it up late still gets the time
/// to look and to prove what stands.
fn end(settings: &Settings, passed: Duration) -> Duration {
    let fresh = passed + FRESH_LOOK + settings.stability;
    if passed < JUST_BEGUN { settings.deployment_timeout } else { fresh.max(settings.deployment_timeout) }
}

/// The service that an action writes or watches.
fn service_of(kind: &ActionKind) -> Option<&ServiceName> {
    kind.service().filter(|_| !matches!(kind, ActionKind::LeaveService { .. }))
}

/// The digests of the images before and after, where they are pinned.
fn digests_of(action: &Action) -> (Option<Digest>, Option<Digest>) {
    let digest = |spec: &Value| ServiceVersion::of_image(plan::image_of(spec)?)?.digest();
    let before = match &action.kind {
        ActionKind::UpdateService { prior, .. } => digest(prior),
        _ => None,
    };
    let after = match &action.write {
        Some(Write::CreateService { spec } | Write::UpdateService { spec, .. }) => digest(spec),
        _ => None,
    };
    (before, after)
}

/// The versions before and after; for a removed service both are the one it had.
fn versions_of(kind: &ActionKind) -> (Option<Version>, Version) {
    match kind {
        ActionKind::UpdateService { from, to, .. } => (Some(from.clone()), to.clone()),
        ActionKind::WatchService { from, to, .. } => (from.clone(), to.clone()),
        ActionKind::RemoveService { from, .. } => (Some(from.clone()), from.clone()),
        ActionKind::CreateService { to: version, .. } | ActionKind::LeaveService { version, .. } => {
            (None, version.clone())
        }
        ActionKind::CreateObject { .. } | ActionKind::LabelObject { .. } | ActionKind::RemoveObject { .. } => {
            unreachable!("only services have outcomes")
        }
    }
}
