//! Starting, resuming and ending: of deployments and of the manager itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{Inner, Manager, ManagerError, Permit};
use crate::deployment::{Outcome, Status, Step};
use crate::live::{Progress, ServicePhase, ServiceProgress, StepState};
use crate::names::{Actor, DeploymentId, ServiceName, Version};
use crate::pipeline::Mode;
use crate::plan::{ActionKind, Plan};
use crate::ports::{JournalEntry, NewDeployment, OpenDeployment};
use crate::rollout;

/// How long to wait before a deployment that could not be recorded is taken up again.
const RECORD_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

impl Manager {
    /// Takes up the deployments that an earlier process left, then follows source and Swarm until [`Manager::stop`].
    pub async fn start(&self) -> Result<(), ManagerError> {
        let inner = &self.inner;
        for open in inner.ports.ledger.unfinished().await? {
            info!(deployment.id = open.id.0, environment = %open.new.environment, "Taking up a deployment");
            inner.take_up(open).await?;
        }
        inner.tasks.spawn(super::watch::follow_engine(Arc::clone(inner)));
        for environment in inner.settings.pipeline.environments() {
            inner.tasks.spawn(super::watch::follow_health(Arc::clone(inner), environment.clone()));
        }
        inner.tasks.spawn(follow_source(Arc::clone(inner)));
        Ok(())
    }

    /// Stops: nothing new is begun, running deployments are left to the next process in their journal.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Stops a deployment at the next safe point: what is not written stays unwritten, what is written is watched on.
    pub async fn cancel(&self, actor: Actor, id: DeploymentId) -> Result<(), ManagerError> {
        let Some(switch) = self.inner.cancels().get(&id).cloned() else {
            let known = self.inner.ports.ledger.deployment(id).await?;
            return Err(known.map_or(ManagerError::UnknownDeployment(id), |_| ManagerError::Over(id)));
        };
        let entry = JournalEntry::CancelRequested { by: actor };
        self.inner.ports.ledger.journal(id, &entry, self.inner.ports.clock.now()).await?;
        switch.cancel();
        Ok(())
    }
}

impl Inner {
    /// Accepts a deployment and sets it going. It is durable before this returns.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        permit: Permit,
        new: NewDeployment,
    ) -> Result<DeploymentId, ManagerError> {
        let id = self.ports.ledger.begin(&new).await?;
        info!(deployment.id = id.0, environment = %new.environment, actor = %new.actor, "Deploying");
        self.launch(permit, OpenDeployment { id, new, journal: Vec::new() });
        Ok(id)
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
        let (id, name) = (open.id, permit.environment().clone());
        let switch = self.stop_switch(id, &open);
        self.board.environment(&name, |environment| environment.deployment = Some(first_progress(&open)));
        self.board.changed();
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            let ended = inner.run_to_the_end(&permit, open, switch).await;
            inner.cancels().remove(&id);
            if let Some(outcome) = ended {
                info!(deployment.id = id.0, environment = %name, status = outcome.status.as_str(), "Deployment ended");
                inner.board.deployment(&name, |progress| progress.close(&outcome));
                let follows = inner.environment(&name).is_ok_and(|known| known.mode == Mode::Auto);
                let tried = follows && outcome.status != Status::Success;
                let problem = tried.then(|| ManagerError::TriedBefore(id).to_string());
                inner.board.problem(&name, problem, inner.ports.clock.now());
            } else {
                info!(deployment.id = id.0, "Left to the next process");
            }
            drop(permit);
            inner.board.changed();
            inner.look_now.notify_one();
        });
    }

    /// Runs a deployment, again and again from its journal while the ledger cannot record it: nothing is written that is
    /// not recorded first.
    async fn run_to_the_end(
        &self,
        permit: &Permit,
        mut open: OpenDeployment,
        switch: CancellationToken,
    ) -> Option<Outcome> {
        let id = open.id;
        loop {
            let failure = match rollout::run(self, permit, open.clone(), switch.clone()).await {
                Ok(ended) => return ended,
                Err(failure) => failure,
            };
            error!(deployment.id = id.0, error = %failure, "The deployment cannot be recorded any further");
            let message = format!("deployment {id} cannot be recorded ({failure}): it goes on when that is mended");
            self.board.problem(permit.environment(), Some(message), self.ports.clock.now());
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(RECORD_AGAIN) => (),
            }
            if let Ok(unfinished) = self.ports.ledger.unfinished().await {
                open = unfinished.into_iter().find(|known| known.id == id)?;
            }
        }
    }

    fn stop_switch(&self, id: DeploymentId, open: &OpenDeployment) -> CancellationToken {
        let switch = CancellationToken::new();
        if open.journal.iter().any(|entry| matches!(entry, JournalEntry::CancelRequested { .. })) {
            switch.cancel();
        }
        self.cancels().insert(id, switch.clone());
        switch
    }
}

async fn follow_source(inner: Arc<Inner>) {
    loop {
        let wait = inner.poll().await;
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = inner.look_now.notified() => (),
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
