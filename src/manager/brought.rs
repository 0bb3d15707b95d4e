//! A stack that somebody brings along: no source says what it should be, but it goes through the same corridor.

use std::time::Duration;

use tokio::time::Instant;

use super::{Manager, ManagerError, desire, watch};
use crate::deployment::Cause;
use crate::names::{Actor, DeploymentId, EnvironmentName};
use crate::plan::{self, Plan};
use crate::ports::{NewDeployment, SwarmError};
use crate::release::Release;
use crate::stack::Stack;

/// How long to wait before what is still in use is tried again.
const AGAIN: Duration = Duration::from_millis(300);

impl Manager {
    /// Deploys a stack as planned. Refused where the plan has blockers or nothing to write.
    pub async fn deploy(
        &self,
        actor: Actor,
        target: &EnvironmentName,
        stack: Stack,
        plan: Plan,
    ) -> Result<DeploymentId, ManagerError> {
        let inner = &self.inner;
        let permit = inner.permit(target)?;
        if !plan.blockers.is_empty() {
            return Err(ManagerError::Blocked(plan.blockers));
        }
        if !plan.has_writes() {
            return Err(ManagerError::UpToDate);
        }
        let new = NewDeployment {
            environment: target.clone(),
            cause: Cause::CommandLine,
            actor,
            release: Release::new(None, desire::versions(&stack)?),
            content_hash: desire::content_hash(&stack)?,
            stack,
            plan,
            started_at: inner.ports.clock.now(),
        };
        inner.begin(permit, new).await
    }

    /// Removes the secrets, configs and networks of a stack whose services are gone, and tells what they were.
    /// The Engine holds on to networks until the last container has left; that is waited for.
    pub async fn clear(&self, target: &EnvironmentName) -> Result<Vec<plan::Left>, ManagerError> {
        let inner = &self.inner;
        let _permit = inner.permit(target)?;
        let stack = &inner.environment(target)?.stack;
        let began = Instant::now();
        let mut removed = Vec::new();
        loop {
            let left = plan::leftovers(stack, &inner.ports.swarm_of(stack).live(stack).await?);
            if left.is_empty() {
                return Ok(removed);
            }
            let mut trouble = None;
            for leftover in left {
                match inner.ports.swarm_of(stack).apply(&leftover.write).await {
                    Ok(_) if removed.contains(&leftover.what) => (),
                    Ok(_) => removed.push(leftover.what),
                    // A network that was removed is listed until the last container of this node has left it.
                    Err(SwarmError::NotFound(_)) => (),
                    Err(error) => trouble = Some(error),
                }
            }
            match trouble {
                Some(error) if began.elapsed() >= inner.settings.deployment_timeout => return Err(error.into()),
                None if began.elapsed() >= inner.settings.deployment_timeout => return Ok(removed),
                _ => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Follows the Engine's events, and neither source nor health: for a process that lives for one deployment. Ends with
    /// [`Manager::stop`].
    pub fn follow_engine(&self) {
        watch::follow_engines(&self.inner);
    }
}

#[cfg(test)]
mod tests;
