//! Starting, resuming and ending: of deployments and of the manager itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{Instrument as _, error, info, info_span, warn};

use super::error::sentences;
use super::sync::Pause;
use super::{Inner, Manager, ManagerError, Permit};
use crate::deployment::{Cause, Outcome, Status, Step};
use crate::live::{Progress, ServicePhase, ServiceProgress, StepState};
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName, Version};
use crate::pipeline::Mode;
use crate::plan::{ActionKind, Plan};
use crate::ports::{JournalEntry, LedgerError, NewDeployment, OpenDeployment};
use crate::rollout::{self, Ended, Switch};

/// So often a deployment is taken up again after a mistake of our own.
const MOST_MISTAKES: u32 = 5;

/// How long to wait before a deployment that could not be recorded is taken up again.
pub(super) const RECORD_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

impl Manager {
    /// Takes up the deployments that an earlier process left, then follows source and Swarm until [`Manager::stop`].
    pub async fn start(&self) -> Result<(), ManagerError> {
        let inner = &self.inner;
        for open in inner.ports.ledger.unfinished().await? {
            info!(deployment.id = open.id.0, environment = %open.new.environment, "Taking up a deployment");
            inner.take_up(open).await?;
        }
        inner.take_up_returns().await?;
        super::watch::follow_engines(inner);
        for environment in inner.settings.pipeline.environments() {
            let what = |what| format!("{what} of {}", environment.name);
            let (of_lead, of_health, of_drift) = (environment.clone(), environment.clone(), environment.clone());
            inner.keep_running(what("the lease"), move |inner| super::lead::follow_lead(inner, of_lead.clone()));
            inner.keep_running(what("the health"), move |inner| super::watch::follow_health(inner, of_health.clone()));
            inner.keep_running(what("the drift"), move |inner| super::drift::follow_drift(inner, of_drift.clone()));
        }
        inner.keep_running("following the source".to_owned(), follow_source);
        Ok(())
    }

    /// Stops: nothing new is begun, running deployments are left to the next process in their journal.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Stops a deployment at the next safe point: what is not written stays unwritten, what is written is watched on. With
    /// `go_back` it is not watched any further, but put back as it was before, by a deployment of its own.
    pub async fn cancel(&self, actor: Actor, id: DeploymentId, go_back: bool) -> Result<(), ManagerError> {
        let Some(switch) = self.inner.cancels().get(&id).cloned() else {
            let known = self.inner.ports.ledger.deployment(id).await?;
            return Err(known.map_or(ManagerError::UnknownDeployment(id), |_| ManagerError::Over(id)));
        };
        let progress = self.inner.board.progress(id);
        if go_back && progress.is_some_and(|progress| matches!(progress.cause, Cause::Return { .. })) {
            return Err(ManagerError::NoWayBack(id));
        }
        let entry = JournalEntry::CancelRequested { by: actor.clone(), go_back };
        self.inner.ports.ledger.journal(id, &entry, self.inner.ports.clock.now()).await?;
        switch.turn_off(actor, go_back);
        Ok(())
    }
}

impl Inner {
    /// Accepts a deployment and sets it going. It is durable before this returns.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        permit: Permit,
        mut new: NewDeployment,
    ) -> Result<DeploymentId, ManagerError> {
        let environment = self.environment(&new.environment)?;
        self.must_lead(environment).await?;
        self.own_last(environment, &mut new.plan).await?;
        let id = self.ports.ledger.begin(&new).await?;
        info!(deployment.id = id.0, environment = %new.environment, actor = %new.actor, "Deploying");
        let journal = self.note_unseen(id, &new).await;
        self.launch(permit, OpenDeployment { id, new, journal });
        Ok(id)
    }

    /// Notes the warnings of a plan that nobody has seen before it was carried out.
    async fn note_unseen(&self, id: DeploymentId, new: &NewDeployment) -> Vec<JournalEntry> {
        let mut journal = Vec::new();
        if !matches!(new.cause, Cause::Sync | Cause::Retry { .. }) {
            return journal;
        }
        for warning in &new.plan.warnings {
            let mut message = sentences(std::slice::from_ref(warning));
            self.discretion.mask(&mut message);
            warn!(deployment.id = id.0, environment = %new.environment, "{message}");
            let entry = JournalEntry::Noted { message };
            match self.ports.ledger.journal(id, &entry, self.ports.clock.now()).await {
                Ok(()) => journal.push(entry),
                Err(error) => warn!(%error, deployment.id = id.0, "A warning cannot be noted with the deployment"),
            }
        }
        journal
    }

    async fn take_up(self: &Arc<Self>, open: OpenDeployment) -> Result<(), ManagerError> {
        match self.permit(&open.new.environment) {
            Ok(permit) => self.launch(permit, open),
            Err(reason) => {
                let outcome = Outcome::refused(format!("it could not be taken up after a restart: {reason}"));
                self.ports.ledger.finish(open.id, &outcome, self.ports.clock.now()).await?;
            }
        }
        Ok(())
    }

    fn launch(self: &Arc<Self>, permit: Permit, open: OpenDeployment) {
        self.discretion.learn(&open.new.stack);
        let switch = self.show(&open);
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let all = Box::pin(inner.carry_out_all(&permit, Some((open, switch))));
            inner.caught("a deployment", all).await;
            inner.let_go(permit);
        });
    }

    /// Goes back from a deployment that is over and owes that.
    pub(super) fn launch_return(self: &Arc<Self>, permit: Permit, from: DeploymentId) {
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let next = inner.return_from(&permit, from).await;
            inner.carry_out_all(&permit, next).await;
            inner.let_go(permit);
        });
    }

    fn let_go(&self, permit: Permit) {
        drop(permit);
        self.board.changed();
        self.look_now.notify_one();
        super::watch::beat(self);
    }

    /// Shows a deployment on the board, and makes the switch that stops it.
    pub(super) fn show(&self, open: &OpenDeployment) -> Switch {
        let switch = Switch::of(&open.journal);
        self.cancels().insert(open.id, switch.clone());
        self.board.environment(&open.new.environment, |known| known.deployment = Some(first_progress(open)));
        self.board.changed();
        switch
    }

    /// Carries out a deployment, and the return that it may owe in the end.
    async fn carry_out_all(&self, permit: &Permit, mut next: Option<(OpenDeployment, Switch)>) {
        while let Some((open, switch)) = next.take() {
            let (id, cause) = (open.id, open.new.cause.clone());
            let Some(ended) = self.carry_out(permit, open, switch).await else { return };
            self.say_whether_tried(permit, id, &cause, ended.outcome.status);
            if ended.goes_back {
                next = self.return_from(permit, id).await;
            }
        }
    }

    /// Carries out one deployment; `None` where it is left to the next process.
    async fn carry_out(&self, permit: &Permit, open: OpenDeployment, switch: Switch) -> Option<Ended> {
        let (id, name) = (open.id, permit.environment());
        let was_taken_up = !open.journal.is_empty();
        let span = info_span!("deployment", deployment.id = id.0, environment = %name, actor = %open.new.actor);
        let ended = self.run_to_the_end(permit, open, switch).instrument(span).await;
        self.cancels().remove(&id);
        if was_taken_up {
            self.watch_on(name).await;
        }
        if let Some(Ended { outcome, .. }) = &ended {
            info!(deployment.id = id.0, environment = %name, status = outcome.status.as_str(), "Deployment ended");
            self.board.deployment(name, |progress| progress.close(outcome));
            self.board.changed();
        } else {
            info!(deployment.id = id.0, "Left to the next process");
        }
        ended
    }

    /// Says on the board whether the newest revision stands here, as far as its own deployment tells.
    fn say_whether_tried(&self, permit: &Permit, id: DeploymentId, cause: &Cause, status: Status) {
        let name = permit.environment();
        let follows = self.environment(name).is_ok_and(|known| known.mode == Mode::Auto);
        if follows && matches!(cause, Cause::Sync | Cause::Retry { .. }) {
            let failed = status != Status::Success;
            let problem = failed.then(|| ManagerError::TriedBefore(id).to_string());
            self.board.problem(name, problem, self.ports.clock.now());
            self.board.environment(name, |known| {
                known.examined.get_or_insert_default().tried = failed.then_some(id);
            });
        }
    }

    pub(super) fn problem_of(&self, name: &EnvironmentName) -> Option<String> {
        let live = self.board.subscribe();
        let live = live.borrow();
        live.environments.get(name)?.problem.as_ref().map(|problem| problem.message.clone())
    }

    /// Runs a deployment, again and again from its journal while the ledger cannot record it: nothing is written that is
    /// not recorded first.
    async fn run_to_the_end(&self, permit: &Permit, mut open: OpenDeployment, switch: Switch) -> Option<Ended> {
        let (id, name) = (open.id, permit.environment());
        let before = self.problem_of(name);
        let mut broken = 0;
        loop {
            let run = rollout::run(self, permit, open.clone(), switch.clone());
            let message = match self.caught(&format!("deployment {id}"), run).await {
                Some(Ok(ended)) => {
                    self.board.problem(name, before, self.ports.clock.now());
                    return ended;
                }
                Some(Err(failure)) => {
                    error!(deployment.id = id.0, error = %failure, "The deployment cannot be recorded any further");
                    format!("deployment {id} cannot be recorded ({failure}): it goes on when that is mended")
                }
                None if broken >= MOST_MISTAKES => return self.given_up(id).await,
                None => {
                    broken += 1;
                    format!("deployment {id} was broken off by a mistake of Release Manager's: it is taken up again")
                }
            };
            self.board.problem(name, Some(message), self.ports.clock.now());
            let Some(known) = self.unfinished_again().await?.into_iter().find(|known| known.id == id) else {
                // It was closed, and only the answer was lost.
                self.board.problem(name, before, self.ports.clock.now());
                return self.closed(id).await;
            };
            open = known;
        }
    }

    /// Ends a deployment that a mistake of ours breaks off each time: nobody could deploy anything else here.
    /// `None` where the process is to stop before that can be recorded.
    async fn given_up(&self, id: DeploymentId) -> Option<Ended> {
        let outcome = Outcome::refused(format!(
            "a mistake of Release Manager's has broken it off {MOST_MISTAKES} times: see the log, and look at the services \
             themselves"
        ));
        loop {
            match self.ports.ledger.finish(id, &outcome, self.ports.clock.now()).await {
                Ok(()) => return Some(Ended { outcome, goes_back: false }),
                Err(LedgerError::Over(_)) => return self.closed(id).await,
                Err(failure) => error!(deployment.id = id.0, error = %failure, "The deployment cannot be closed"),
            }
            if !self.wait_to_record().await {
                return None;
            }
        }
    }

    /// What is not over, as soon as the ledger can say that again: an older journal would lack what was written since.
    /// `None` where the process is to stop.
    async fn unfinished_again(&self) -> Option<Vec<OpenDeployment>> {
        loop {
            if !self.wait_to_record().await {
                return None;
            }
            match self.ports.ledger.unfinished().await {
                Ok(unfinished) => return Some(unfinished),
                Err(failure) => error!(error = %failure, "The ledger cannot be read"),
            }
        }
    }

    /// How a deployment that is over ended, as the ledger has it; that it may owe a return is looked up there too.
    async fn closed(&self, id: DeploymentId) -> Option<Ended> {
        loop {
            match self.ports.ledger.deployment(id).await {
                Ok(known) => {
                    let (_, outcome) = known.and_then(|known| known.ended)?;
                    return Some(Ended { outcome, goes_back: true });
                }
                Err(failure) => error!(deployment.id = id.0, error = %failure, "The ledger cannot be read"),
            }
            if !self.wait_to_record().await {
                return None;
            }
        }
    }

    /// Waits before the ledger is asked again; `false` where the process is to stop instead.
    async fn wait_to_record(&self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(RECORD_AGAIN) => true,
        }
    }
}

async fn follow_source(inner: Arc<Inner>) {
    loop {
        let (wait, may_be_woken) = match inner.poll().await {
            Pause::UpTo(wait) => (wait, true),
            Pause::Fully(wait) => (wait, false),
        };
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = inner.look_now.notified(), if may_be_woken => (),
            () = tokio::time::sleep(wait) => (),
        }
    }
}

/// A deployment as pages show it before anything has happened.
fn first_progress(open: &OpenDeployment) -> Progress {
    let steps = Step::ALL.into_iter().map(|step| {
        let prepared = matches!(step, Step::Render | Step::Plan);
        (step, if prepared { StepState::Completed } else { StepState::Pending })
    });
    Progress {
        id: open.id,
        environment: open.new.environment.clone(),
        cause: open.new.cause.clone(),
        actor: open.new.actor.clone(),
        started_at: open.new.started_at,
        status: Status::InProgress,
        steps: steps.collect(),
        services: first_services(&open.new.plan),
        error: None,
    }
}

fn first_services(plan: &Plan) -> BTreeMap<ServiceName, ServiceProgress> {
    let touched = plan.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::CreateService { service, to } => Some((service, None, Some(to))),
        ActionKind::UpdateService { service, from, to, .. } => Some((service, Some(from), Some(to))),
        ActionKind::WatchService { service, from, to } => Some((service, from.as_ref(), Some(to))),
        ActionKind::RemoveService { service, from } => Some((service, Some(from), None)),
        ActionKind::CreateObject { .. }
        | ActionKind::LabelObject { .. }
        | ActionKind::RemoveObject { .. }
        | ActionKind::LeaveService { .. } => None,
    });
    let waiting = |from: Option<&Version>, to: Option<&Version>| ServiceProgress {
        from: from.cloned(),
        to: to.cloned(),
        phase: ServicePhase::Waiting,
        running: 0,
        desired: 0,
        message: None,
    };
    touched.map(|(service, from, to)| (service.clone(), waiting(from, to))).collect()
}
