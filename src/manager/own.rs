//! Release Manager's own service, where it is part of a stack: it is updated last, because that ends this process.

use serde_json::Value;

use super::{Inner, ManagerError};
use crate::diff::Finding;
use crate::engine::Write;
use crate::names::{ServiceName, StackName};
use crate::pipeline::Environment;
use crate::plan::{self, Mode, Plan};
use crate::ports::SwarmError;

impl Inner {
    /// The service of this stack that this process is a task of.
    pub(crate) async fn own_service(&self, stack: &StackName) -> Result<Option<ServiceName>, SwarmError> {
        // This process runs where most stacks do.
        if self.ports.elsewhere.contains_key(stack) {
            return Ok(None);
        }
        let service = match self.watcher.identity.get().and_then(|known| known.service.clone()) {
            Some(service) => Some(service),
            // A task that has only just started may not be known to the Swarm by its container.
            None => self.ports.swarm.identity().await?.service,
        };
        Ok(service.and_then(|full_name| plan::short_name(stack, &full_name)))
    }

    /// Puts the own service behind everything else, and refuses what would end in two processes on one database.
    pub(super) async fn own_last(&self, environment: &Environment, plan: &mut Plan) -> Result<(), ManagerError> {
        let Some(own) = self.own_service(&environment.stack).await? else { return Ok(()) };
        let Some(action) = plan.actions.iter().find(|action| action.kind.service() == Some(&own)) else {
            return Ok(());
        };
        let reason = match &action.write {
            Some(Write::RemoveService { .. }) => {
                Some("it is Release Manager itself: remove it by hand if that is meant")
            }
            Some(Write::UpdateService { spec, .. }) => refused(spec),
            _ => return Ok(()),
        };
        if let Some(reason) = reason {
            let finding = Finding { service: Some(own), message: reason.to_owned() };
            return Err(ManagerError::Blocked(vec![finding]));
        }
        plan.put_last(&own);
        Ok(())
    }
}

/// Why Release Manager would end, or run twice on one database, if its own service were to be like this.
fn refused(spec: &Value) -> Option<&'static str> {
    if spec["UpdateConfig"]["Order"] == "start-first" {
        return Some(
            "it is Release Manager itself, and `start-first` would start the new one while this one still holds the \
             database: use `order: stop-first` in its `update_config`",
        );
    }
    (Mode::of(spec) != Mode::Replicated(1)).then_some(
        "it is Release Manager itself, and one task of it must run: neither none nor several (`replicas: 1`)",
    )
}
