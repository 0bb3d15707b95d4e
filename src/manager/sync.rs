//! Following the source: a new revision that changes what an automatic environment needs is deployed, once.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracing::{debug, info, warn};

use super::compare::blocked;
use super::desire::{self, Desired};
use super::owed::Owed;
use super::pins::Pins;
use super::{Inner, ManagerError, Permit, pins};
use crate::deployment::{Cause, Status};
use crate::engine::{LiveStack, Pinned};
use crate::live;
use crate::names::{Actor, CommitSha, DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::{Environment, Mode};
use crate::plan::{self, Action, ActionKind, Plan};
use crate::ports::{NewDeployment, SourceError};
use crate::release::Release;
use crate::revision::Revision;
use crate::stack::Stack;

/// What the poller concluded for an environment.
pub(crate) struct Examined {
    sha: CommitSha,
    /// Nothing more will come of this revision by itself.
    settled: bool,
}

/// Who wants a revision deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// The poller: never the same content twice, never a mass removal.
    Machine,
    /// A person who would not wait for the poller: by the same rules.
    Now(Actor),
    /// A person who has seen what is wrong and wants it tried all the same.
    Retry(Actor),
}

/// How long to wait before the source is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// So long, or until somebody knows of something new.
    UpTo(Duration),
    /// So long in any case: the host wants it.
    Fully(Duration),
}

impl Inner {
    /// Asks for the newest revision and brings every automatic environment to it.
    pub(super) async fn poll(self: &Arc<Self>) -> Pause {
        let now = self.ports.clock.now();
        match self.ports.source.head().await {
            Ok(head) => {
                self.note_head(&head).await;
                let automatic = self.settings.pipeline.environments().iter().filter(|known| known.mode == Mode::Auto);
                for environment in automatic {
                    self.bring(environment, &head).await;
                }
                Pause::UpTo(self.settings.poll_interval)
            }
            Err(error) => {
                let message = error.to_string();
                let known = self.board.subscribe().borrow().source.problem.as_ref().map(|known| known.message.clone());
                if known.as_ref() != Some(&message) {
                    warn!(error = %message, cause = ?std::error::Error::source(&error), "The source did not answer");
                }
                self.board.source_problem(Some(message), now);
                self.board.source(|source| source.tried_at = Some(self.ports.clock.now()));
                match error {
                    SourceError::RateLimited { retry_after, .. } => {
                        Pause::Fully(retry_after.max(self.settings.poll_interval))
                    }
                    _ => Pause::UpTo(self.settings.poll_interval),
                }
            }
        }
    }

    pub(super) async fn note_head(&self, head: &Revision) {
        let now = self.ports.clock.now();
        let known = self.board.subscribe().borrow().source.head.as_ref().is_some_and(|known| known.sha == head.sha);
        self.board.source(|source| {
            source.head = Some(head.clone());
            source.checked_at = Some(now);
            source.tried_at = Some(now);
            source.problem = None;
        });
        if !known {
            info!(revision = head.sha.short(), subject = head.subject(), "The source has a new revision");
            if let Err(error) = self.ports.ledger.remember_head(head).await {
                warn!(%error, "Could not note the newest revision");
            }
        }
    }

    /// Brings one environment to a revision unless that was settled before. What is wrong goes to the board.
    async fn bring(self: &Arc<Self>, environment: &Environment, head: &Revision) {
        let name = &environment.name;
        if self.examined().get(name).is_some_and(|examined| examined.settled && examined.sha == head.sha) {
            return;
        }
        if self.holds_back(name, &head.sha).await {
            return;
        }
        let permit = match self.permit(name) {
            Ok(permit) => permit,
            Err(reason) => {
                debug!(environment = %name, %reason, "Waiting to look at the newest revision");
                return;
            }
        };
        let (mut tried, mut passing) = (None, false);
        let (settled, mut problem) = match self.deploy(permit, environment, head, Wish::Machine).await {
            Ok(_) | Err(ManagerError::UpToDate) => (true, None),
            // Held while it was prepared: the hold says so itself.
            Err(ManagerError::Held(..)) => return,
            Err(error) => {
                tried = self.tried_as(&error, head).await;
                passing = desire::passes(&error);
                (!desire::is_transient(&error), Some(format!("revision {}: {error}", head.sha.short())))
            }
        };
        if let Some(problem) = &mut problem {
            self.discretion.mask(problem);
            let known = self.board.subscribe().borrow().environments.get(name).and_then(|known| known.problem.clone());
            if known.is_none_or(|known| known.message != *problem) {
                warn!(environment = %name, "Not deployed: {problem}");
            }
        }
        let examined = live::Examined { revision: Some(head.sha.clone()), passing, tried };
        self.board.examined(name, examined, problem, self.ports.clock.now());
        self.examined().insert(name.clone(), Examined { sha: head.sha.clone(), settled });
    }

    /// The deployment that has tried this very revision, where that is what stands in the way: its end was told.
    async fn tried_as(&self, error: &ManagerError, head: &Revision) -> Option<DeploymentId> {
        let ManagerError::TriedBefore(id) = error else { return None };
        let known = self.ports.ledger.deployment(*id).await.ok().flatten()?;
        (known.commit_sha.as_ref() == Some(&head.sha)).then_some(*id)
    }

    /// Starts the deployment of a revision, if it changes anything here.
    pub(super) async fn deploy(
        self: &Arc<Self>,
        permit: Permit,
        environment: &Environment,
        head: &Revision,
        wish: Wish,
    ) -> Result<Option<DeploymentId>, ManagerError> {
        self.adopt(environment).await?;
        let is_forced = matches!(wish, Wish::Retry(_));
        let desired = self.desire(environment, head).await?;
        for warning in &desired.warnings {
            debug!(environment = %environment.name, "{}", warning.0);
        }
        let content_hash = desired.content_hash()?;
        let tried = self.ports.ledger.tried(&environment.name).await?;
        if let Some(tried) = tried.filter(|tried| !is_forced && tried.content_hash == content_hash) {
            match tried.status {
                Status::Success if tried.moved => (),
                Status::Success => {
                    self.note_revision(environment, head).await?;
                    return Ok(None);
                }
                Status::InProgress => return Ok(None),
                _ => return Err(ManagerError::TriedBefore(tried.id)),
            }
        }
        if !is_forced && let Some(followed) = self.followed(environment).await?.filter(|known| known.sha != head.sha) {
            self.may_follow(environment, &followed, head).await?;
            self.keeps_variables(environment, &followed, head).await?;
        }
        let (release, stack, mut plan, live) = self.pinned(environment, desired).await?;
        if blocked(&plan).is_some() {
            return Err(ManagerError::Blocked(plan.blockers));
        }
        let owed = if is_forced { Owed::All } else { Owed::Recovered };
        self.add_owed(environment, &live, &mut plan, owed).await?;
        self.add_gone(environment, &stack, &live, &mut plan, None).await?;
        if !is_forced {
            if let Some(failed) = self.still_live(environment, &live, &plan).await? {
                return Err(ManagerError::StillLive(failed));
            }
            self.may_be_removed(environment, &plan, &stack, &live).await?;
        }
        let latest = self.ports.ledger.latest(&environment.name).await?;
        let failed = latest.filter(|latest| latest.status != Status::Success).map(|latest| latest.id);
        let (cause, actor) = match wish {
            Wish::Machine => (Cause::Sync, Actor::System),
            Wish::Now(actor) => (Cause::Sync, actor),
            Wish::Retry(actor) => (failed.map_or(Cause::Sync, |of| Cause::Retry { of }), actor),
        };
        let new = NewDeployment {
            environment: environment.name.clone(),
            cause,
            actor,
            release,
            stack,
            plan,
            content_hash,
            started_at: self.ports.clock.now(),
        };
        self.begin(permit, new).await.map(Some)
    }

    /// Notes that what stands here is what this revision wants: it may want something else of a later environment, and is
    /// promoted from here.
    async fn note_revision(&self, environment: &Environment, head: &Revision) -> Result<(), ManagerError> {
        let standing = self.ports.ledger.standing(&environment.name, None).await?;
        if let Some(id) = standing.and_then(|standing| standing.success) {
            self.ports.ledger.note_revision(id, head).await?;
        }
        Ok(())
    }

    /// The deployment whose failed specs a plan would leave as they are, where there is nothing else to do.
    async fn still_live(
        &self,
        environment: &Environment,
        live: &LiveStack,
        plan: &Plan,
    ) -> Result<Option<DeploymentId>, ManagerError> {
        if plan.has_work() {
            return Ok(None);
        }
        let unproved = self.unproved(&environment.name, &environment.stack, &live.services).await?;
        let left = plan.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::LeaveService { service, .. } => Some(service),
            _ => None,
        });
        Ok(left.filter_map(|service| unproved.get(service)).map(|unproved| unproved.deployment).max())
    }

    /// Plans, with every image pinned: those that change to the digest that a registry gives, where one does, and all
    /// others as they run. What is stored can then be restored and promoted to the very digest.
    async fn pinned(
        &self,
        environment: &Environment,
        desired: Desired,
    ) -> Result<(Release, Stack, Plan, LiveStack), ManagerError> {
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let first = plan::plan(&desired.stack, &live, None);
        let (kept, asked) = images(&desired.stack, &first, &live);
        let Pins { pinned, missing, unanswered } =
            pins::of_services(self.ports.swarm_of(&environment.stack).as_ref(), &asked).await?;
        let stack = plan::with_pins(&plan::with_pins(&desired.stack, &kept), &pinned);
        let mut plan = plan::plan(&stack, &live, None);
        // Asked again at every poll: an image that is pushed after the revision is deployed then.
        plan.blockers.extend(missing);
        plan.warnings.extend(unanswered);
        let services = desire::versions(&stack)?;
        Ok((Release::new(Some(desired.revision), services), stack, plan, live))
    }

    /// Refuses what a machine may not take out by itself: a service that no deployment here has brought, or so many at once
    /// that the file may have been read wrongly (two or more, and as many as would stay).
    async fn may_be_removed(
        &self,
        environment: &Environment,
        plan: &Plan,
        stack: &Stack,
        live: &LiveStack,
    ) -> Result<(), ManagerError> {
        let is_removal =
            |action: &&Action| action.write.is_some() && matches!(action.kind, ActionKind::RemoveService { .. });
        let is_kept = |action: &&Action| {
            use ActionKind::{LeaveService, UpdateService, WatchService};
            matches!(action.kind, UpdateService { .. } | LeaveService { .. } | WatchService { .. })
        };
        let removed: Vec<&ServiceName> =
            plan.actions.iter().filter(is_removal).filter_map(|action| action.kind.service()).collect();
        if removed.len() >= 2 && removed.len() >= plan.actions.iter().filter(is_kept).count() {
            return Err(ManagerError::MassRemoval(removed.len()));
        }
        for service in removed {
            let writer = live.services.get(&stack.name.scope(service)).and_then(|live| plan::written_by(&live.spec));
            let writer = match writer {
                Some(writer) => self.ports.ledger.deployment(writer).await?,
                None => None,
            };
            if writer.is_none_or(|writer| writer.environment != environment.name) {
                return Err(ManagerError::StrangerRemoval(service.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn examined(&self) -> std::sync::MutexGuard<'_, BTreeMap<EnvironmentName, Examined>> {
        self.examined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The images that stay as they run, and those that a registry is to be asked for.
fn images(
    wanted: &Stack,
    plan: &Plan,
    live: &LiveStack,
) -> (BTreeMap<ServiceName, Pinned>, BTreeMap<ServiceName, String>) {
    let (mut kept, mut asked) = (BTreeMap::new(), BTreeMap::new());
    for action in &plan.actions {
        let Some(service) = action.kind.service() else { continue };
        let rendered = wanted.services.get(service).and_then(|wanted| plan::image_of(&wanted.spec));
        let Some(rendered) = rendered else { continue };
        let running = live.services.get(&wanted.name.scope(service)).and_then(|live| plan::pinned_in(&live.spec));
        let is_left = matches!(action.kind, ActionKind::LeaveService { .. });
        // A tag that has not changed keeps the digest that runs.
        match running.filter(|running| is_left || plan::is_pin_of(&running.image, rendered)) {
            Some(running) => drop(kept.insert(service.clone(), running)),
            None if is_left || rendered.contains('@') => (),
            None => drop(asked.insert(service.clone(), rendered.to_owned())),
        }
    }
    (kept, asked)
}
