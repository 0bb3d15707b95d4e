//! Restarting a service: its tasks are started anew as they are, as a deployment that is watched to its verdict.

use std::collections::{BTreeMap, BTreeSet};

use super::desire::content_hash;
use super::{Inner, Manager, ManagerError};
use crate::deployment::Cause;
use crate::diff::Finding;
use crate::engine::LiveStack;
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName, StackName};
use crate::pipeline::Environment;
use crate::plan::{self, Action, Part, Plan, compose};
use crate::ports::NewDeployment;
use crate::release::{Release, ServiceVersion};
use crate::stack::Stack;

impl Manager {
    /// Starts all tasks of a running service anew.
    pub async fn restart(
        &self,
        actor: Actor,
        target: &EnvironmentName,
        service: &ServiceName,
    ) -> Result<DeploymentId, ManagerError> {
        let inner = &self.inner;
        let environment = inner.environment(target)?;
        let permit = inner.permit(target)?;
        inner.adopt(environment).await?;
        let live = inner.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let action = restart(&live, &environment.stack, service)?;
        let (release, stack) = inner.with_live(environment, &live, service).await?;
        let new = NewDeployment {
            environment: target.clone(),
            cause: Cause::Restart { service: service.clone() },
            actor,
            content_hash: content_hash(&stack)?,
            release,
            stack,
            plan: Plan { actions: vec![action], ..Plan::default() },
            started_at: inner.ports.clock.now(),
        };
        inner.begin(permit, new).await
    }
}

impl Inner {
    /// What success has proved, with the service as it is live: it may run what has not been proved yet.
    async fn with_live(
        &self,
        environment: &Environment,
        live: &LiveStack,
        service: &ServiceName,
    ) -> Result<(Release, Stack), ManagerError> {
        let proven = self.proven(environment, None).await?;
        let (mut release, stack) = match proven {
            Some(proven) => (proven.release, proven.stack),
            None => (Release::new(None, BTreeMap::new()), compose(&environment.stack, &[])),
        };
        let found = live.services.get(&environment.stack.scope(service));
        let image = found.and_then(|found| plan::image_of(&found.spec)).unwrap_or_default();
        let Some(version) = ServiceVersion::of_image(image) else { return Ok((release, stack)) };
        if release.services.get(service).is_some_and(|known| known.image == version.image) {
            return Ok((release, stack));
        }
        // Written without success so far: the record that wrote it knows how it was rendered.
        let writer = found.and_then(|found| plan::written_by(&found.spec));
        let record = match writer {
            Some(id) => self.ports.ledger.release_of(id).await?,
            None => None,
        };
        let own = record.as_ref().and_then(|(release, _)| release.revision_of(service).cloned());
        if own == release.revision {
            release.elsewhere.remove(service);
        } else {
            release.elsewhere.insert(service.clone(), own);
        }
        release.services.insert(service.clone(), version);
        let only = BTreeSet::from([service.clone()]);
        let kept =
            Part { stack: &stack, services: stack.services.keys().filter(|name| *name != service).cloned().collect() };
        let mut parts: Vec<Part<'_>> = record.iter().map(|(_, stack)| Part { stack, services: only.clone() }).collect();
        parts.push(kept);
        Ok((release, compose(&environment.stack, &parts)))
    }
}

fn restart(live: &LiveStack, stack: &StackName, service: &ServiceName) -> Result<Action, ManagerError> {
    let found = live.services.get(&stack.scope(service));
    let state = found.and_then(|found| found.update.as_ref()).map_or("", |update| update.state.as_str());
    if matches!(state, "paused" | "rollback_paused") {
        let message =
            "Swarm has paused its update: a restart would go on with that and take down the tasks that still \
                       serve. Deploy another version, or roll back"
                .to_owned();
        return Err(ManagerError::Blocked(vec![Finding { service: Some(service.clone()), message }]));
    }
    plan::restart(live, stack, service).ok_or_else(|| ManagerError::UnknownService(service.clone()))
}
