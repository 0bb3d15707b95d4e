//! Going back after a deployment that failed or was cancelled: a deployment of its own, begun under the same permit, so
//! that nobody comes in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::{info, warn};

use super::desire::content_hash;
use super::lifecycle::RECORD_AGAIN;
use super::{Inner, ManagerError, Permit};
use crate::deployment::Cause;
use crate::names::{Actor, DeploymentId, ServiceName};
use crate::pipeline::Environment;
use crate::plan::{self, Part, Plan, compose};
use crate::ports::{JournalEntry, NewDeployment, OpenDeployment};
use crate::release::{Release, ServiceVersion};
use crate::rollout::{Switch, WayBack, way_back};
use crate::stack::{Service, Stack};

impl Inner {
    /// Takes up the returns that an earlier process decided on and did not begin.
    pub(super) async fn take_up_returns(self: &Arc<Self>) -> Result<(), ManagerError> {
        for environment in self.settings.pipeline.environments() {
            let Some(latest) = self.ports.ledger.latest(&environment.name).await? else { continue };
            if latest.status.is_final()
                && self.owed_by(latest.id).await?.is_some()
                && let Ok(permit) = self.permit(&environment.name)
            {
                self.launch_return(permit, latest.id);
            }
        }
        Ok(())
    }

    /// Begins the return that a deployment owes, as soon as that can be planned. `None` where none is owed, nothing is
    /// left to put back, or the process is to stop.
    pub(super) async fn return_from(&self, permit: &Permit, id: DeploymentId) -> Option<(OpenDeployment, Switch)> {
        let before = self.problem_of(permit.environment());
        loop {
            match self.try_return_from(permit, id).await {
                Ok(next) => {
                    self.board.problem(permit.environment(), before, self.ports.clock.now());
                    return next.map(|open| {
                        let switch = self.show(&open);
                        (open, switch)
                    });
                }
                Err(error) => {
                    let message =
                        format!("what deployment {id} has changed cannot be put back yet ({error}): it is tried again");
                    warn!(environment = %permit.environment(), "{message}");
                    self.board.problem(permit.environment(), Some(message), self.ports.clock.now());
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(RECORD_AGAIN) => (),
            }
        }
    }

    /// Who wants what a deployment has changed to be put back.
    async fn owed_by(&self, id: DeploymentId) -> Result<Option<(Actor, OpenDeployment)>, ManagerError> {
        let Some(record) = self.ports.ledger.recorded(id).await? else { return Ok(None) };
        let by = record.journal.iter().rev().find_map(|entry| match entry {
            JournalEntry::GoingBack { by } => Some(by.clone()),
            _ => None,
        });
        Ok(by.map(|by| (by, record)))
    }

    async fn try_return_from(&self, permit: &Permit, id: DeploymentId) -> Result<Option<OpenDeployment>, ManagerError> {
        let Some((by, record)) = self.owed_by(id).await? else { return Ok(None) };
        let environment = self.environment(permit.environment())?;
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let way = way_back(&record, &environment.stack, &live);
        for finding in &way.left {
            warn!(
                deployment.id = id.0,
                service = finding.service.as_ref().map(ServiceName::as_str),
                "{}",
                finding.message
            );
        }
        let mut open = match self.begun(id).await? {
            Some(begun) => begun,
            None if way.actions.is_empty() => {
                info!(deployment.id = id.0, environment = %environment.name, "Everything is as it was before");
                return Ok(None);
            }
            None => self.begin_return(environment, id, by, &way).await?,
        };
        for finding in way.left {
            let service = finding.service.map(|service| format!("{service}: ")).unwrap_or_default();
            let entry = JournalEntry::Noted { message: format!("{service}{}", finding.message) };
            if !open.journal.contains(&entry) {
                self.ports.ledger.journal(open.id, &entry, self.ports.clock.now()).await?;
                open.journal.push(entry);
            }
        }
        Ok(Some(open))
    }

    /// The return from a deployment that an earlier try has begun without coming any further.
    async fn begun(&self, from: DeploymentId) -> Result<Option<OpenDeployment>, ManagerError> {
        let unfinished = self.ports.ledger.unfinished().await?;
        Ok(unfinished.into_iter().find(|open| open.new.cause == Cause::Return { from }))
    }

    async fn begin_return(
        &self,
        environment: &Environment,
        from: DeploymentId,
        by: Actor,
        way: &WayBack,
    ) -> Result<OpenDeployment, ManagerError> {
        let (release, stack) = self.before(environment, from, way).await?;
        let mut plan = Plan { actions: way.actions.clone(), ..Plan::default() };
        if let Some(own) = self.own_service(&environment.stack).await? {
            plan.put_last(&own);
        }
        let new = NewDeployment {
            environment: environment.name.clone(),
            cause: Cause::Return { from },
            actor: by,
            content_hash: content_hash(&stack)?,
            release,
            stack,
            plan,
            started_at: self.ports.clock.now(),
        };
        let id = self.ports.ledger.begin(&new).await?;
        info!(deployment.id = id.0, environment = %new.environment, actor = %new.actor, "Going back");
        self.discretion.learn(&new.stack);
        Ok(OpenDeployment { id, new, journal: Vec::new() })
    }

    /// The release that stands once the services on the way back are as they were: those as they stood before the
    /// deployment, the others as they stand now.
    async fn before(
        &self,
        environment: &Environment,
        from: DeploymentId,
        way: &WayBack,
    ) -> Result<(Release, Stack), ManagerError> {
        let earlier = self.proven(environment, Some(from)).await?;
        let now = self.proven(environment, None).await?;
        let touched: BTreeSet<ServiceName> =
            way.actions.iter().filter_map(|action| action.kind.service()).cloned().collect();
        let mut services: Vec<_> = Vec::new();
        let (mut rendered, mut found) = (BTreeSet::new(), compose(&environment.stack, &[]));
        for (service, spec) in &way.specs {
            let Some(version) = plan::image_of(spec).and_then(ServiceVersion::of_image) else { continue };
            let known = earlier.as_ref().filter(|earlier| earlier.release.services.get(service) == Some(&version));
            let revision = known.and_then(|known| known.release.revision_of(service).cloned());
            services.push((service.clone(), (version, revision)));
            if known.is_some_and(|known| known.stack.services.contains_key(service)) {
                rendered.insert(service.clone());
            } else {
                let as_found = Service { spec: spec.clone(), depends_on: BTreeSet::new() };
                found.services.insert(service.clone(), as_found);
            }
        }
        let kept = now.iter().flat_map(|now| now.release.services.iter().map(move |known| (now, known)));
        for (now, (service, version)) in kept.filter(|(_, (service, _))| !touched.contains(*service)) {
            services.push((service.clone(), (version.clone(), now.release.revision_of(service).cloned())));
        }
        let all = found.services.keys().cloned().collect();
        let mut parts = Vec::new();
        parts.extend(earlier.as_ref().map(|earlier| Part { stack: &earlier.stack, services: rendered }));
        parts.push(Part { stack: &found, services: all });
        parts.extend(now.as_ref().map(|now| now.without(&touched)));
        let stack = compose(&environment.stack, &parts);
        let revision = earlier.as_ref().and_then(|earlier| earlier.release.revision.clone());
        Ok((Release::mixed(revision, services), stack))
    }
}
