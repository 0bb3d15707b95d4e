//! Questions of the pages that go beyond one ledger entry: a service as it runs, the figures.

use serde_json::Value;

use super::{Inner, Manager, ManagerError};
use crate::diff::FieldChange;
use crate::engine::{LiveService, Node, Observation, Task};
use crate::insights::{Insights, Span, insights};
use crate::names::{EnvironmentName, ServiceName};
use crate::plan;
use crate::time::Timestamp;
use crate::views::{RunningService, Setup, TaskView};

impl Manager {
    /// A service as the Swarm runs it, in every environment that has it.
    pub async fn running_service(&self, service: &ServiceName) -> Result<Vec<RunningService>, ManagerError> {
        let mut found = Vec::new();
        for environment in self.inner.settings.pipeline.environments() {
            let full_name = environment.stack.scope(service);
            let seen = self.inner.ports.swarm_of(&environment.stack).observe(&environment.stack).await?;
            if let Some(live) = seen.services.get(&full_name) {
                let mut running = running(environment.name.clone(), full_name, live, &seen);
                for field in &mut running.spec {
                    self.inner.discretion.mask_change(field);
                }
                found.push(running);
            }
        }
        Ok(found)
    }

    /// How often, how fast and how well each environment is deployed to.
    pub async fn insights(&self, span: Span) -> Result<(Timestamp, Vec<Insights>), ManagerError> {
        let now = self.inner.ports.clock.now();
        let facts = self.inner.ports.ledger.facts(span.begin(now)).await?;
        let names: Vec<EnvironmentName> =
            self.inner.settings.pipeline.environments().iter().map(|known| known.name.clone()).collect();
        Ok((now, insights(&facts, &names, span, now)))
    }

    /// What Release Manager follows, and in which rhythm.
    pub fn setup(&self) -> Setup {
        let Inner { settings, .. } = self.inner.as_ref();
        Setup {
            environments: settings.pipeline.environments().to_vec(),
            poll_seconds: settings.poll_interval.as_secs(),
            timeout_seconds: settings.deployment_timeout.as_secs(),
            stability_seconds: settings.stability.as_secs(),
        }
    }
}

fn running(environment: EnvironmentName, full_name: String, live: &LiveService, seen: &Observation) -> RunningService {
    let mut tasks: Vec<TaskView> =
        seen.tasks.iter().filter(|task| task.service_id == live.id).map(|task| shown(task, &seen.nodes)).collect();
    tasks.sort_by(|one, other| (other.wanted, other.since, &one.id).cmp(&(one.wanted, one.since, &other.id)));
    RunningService { environment, full_name, spec: fields(&live.spec), tasks }
}

/// Every field that is set. A spec is compared with an empty one, so that the same rules say what may be secret.
fn fields(spec: &Value) -> Vec<FieldChange> {
    plan::changes(&Value::Object(serde_json::Map::new()), spec)
}

fn shown(task: &Task, nodes: &[Node]) -> TaskView {
    let name =
        |id: &String| nodes.iter().find(|node| node.id == *id).map_or_else(|| id.clone(), |node| node.hostname.clone());
    TaskView {
        id: task.id.clone(),
        slot: task.slot,
        node: task.node_id.as_ref().map(name),
        state: task.state.clone(),
        since: task.state_since.as_deref().and_then(|since| since.parse().ok()),
        wanted: matches!(task.desired_state.as_str(), "running" | "ready" | "complete"),
        error: task.error.clone().filter(|error| !error.is_empty()),
        exit_code: task.exit_code.filter(|code| *code != 0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_spec_is_shown_without_what_may_be_secret() {
        let spec = json!({
            "Name": "home_web",
            "TaskTemplate": {"ContainerSpec": {"Image": "web:1", "Env": ["DB_PASSWORD=hunter2", "LEVEL=info"]}},
        });
        let text: Vec<String> = fields(&spec)
            .iter()
            .map(|field| format!("{}={}", field.field, field.to.as_deref().unwrap_or("")))
            .collect();
        let text = text.join(" ");
        assert!(text.contains("Image=web:1") && text.contains("Env[DB_PASSWORD]=(hidden)"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("info"), "{text}");
    }
}
