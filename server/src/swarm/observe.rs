//! One consistent look at a stack.
//!
//! The Engine's lists cannot be read in one transaction. A service whose version is the same before and after its tasks
//! were read did not change meanwhile; those that did are looked at again.

use std::collections::{BTreeMap, BTreeSet};

use futures::try_join;
use release_manager::engine::{LiveService, NAMESPACE_LABEL, Observation, Task};
use release_manager::names::StackName;
use release_manager::ports::SwarmError;
use serde_json::{Map, Value, json};

use super::client::{Client, READ, filter};
use super::read;

/// How often a stack is looked at until every service has held still once.
const ROUNDS: usize = 8;

/// A service with its tasks, read while it did not change.
struct Settled {
    service: LiveService,
    tasks: Vec<Task>,
    up_to_date: BTreeSet<String>,
}

type Services = BTreeMap<String, LiveService>;

pub(super) async fn observe(client: &Client, stack: &StackName) -> Result<Observation, SwarmError> {
    let labelled = format!("{NAMESPACE_LABEL}={}", stack.as_str());
    let look = Look { client, labelled: &labelled };
    let mut settled: BTreeMap<String, Settled> = BTreeMap::new();
    let mut before = look.services().await?;
    for _ in 0..ROUNDS {
        let (tasks, up_to_date, nodes) = look.tasks(&before).await?;
        let after = look.services().await?;
        for (name, service) in &after {
            if before.get(name).is_some_and(|seen| (&seen.id, seen.version) == (&service.id, service.version)) {
                settled.insert(name.clone(), Settled::new(service, &tasks, &up_to_date));
            }
        }
        settled.retain(|name, seen| after.get(name).is_some_and(|service| service.id == seen.service.id));
        if settled.len() == after.len() {
            let nodes = read::list("node", &nodes, read::node).map_err(|missing| look.unreadable(missing))?;
            // A removed service is gone at once, its tasks only when their containers have stopped.
            let is_left = |task: &Task| !after.values().any(|service| service.id == task.service_id);
            return Ok(observation(settled, tasks.into_iter().filter(is_left), nodes));
        }
        before = after;
    }
    let moving = before.keys().filter(|name| !settled.contains_key(*name)).cloned().collect::<Vec<_>>().join(", ");
    Err(client.trouble(READ).unreadable(format!("{moving} changed at each of {ROUNDS} looks")))
}

fn observation(
    settled: BTreeMap<String, Settled>,
    left: impl Iterator<Item = Task>,
    nodes: Vec<release_manager::engine::Node>,
) -> Observation {
    let mut observation = Observation { tasks: left.collect(), nodes, ..Observation::default() };
    for (name, mut seen) in settled {
        observation.services.insert(name, seen.service);
        observation.tasks.append(&mut seen.tasks);
        observation.up_to_date.append(&mut seen.up_to_date);
    }
    observation
}

impl Settled {
    fn new(service: &LiveService, tasks: &[Task], up_to_date: &BTreeSet<String>) -> Self {
        let tasks: Vec<Task> = tasks.iter().filter(|task| task.service_id == service.id).cloned().collect();
        let up_to_date = tasks.iter().map(|task| &task.id).filter(|id| up_to_date.contains(*id)).cloned().collect();
        Self { service: service.clone(), tasks, up_to_date }
    }
}

/// The questions about one stack.
struct Look<'a> {
    client: &'a Client,
    labelled: &'a str,
}

impl Look<'_> {
    fn unreadable(&self, missing: read::Missing) -> SwarmError {
        self.client.trouble(READ).unreadable(missing.0)
    }

    async fn services(&self) -> Result<Services, SwarmError> {
        let filters = filter("label", &[self.labelled]).to_string();
        let answer = self.client.get("/services", &[("status", "true"), ("filters", &filters)]).await?;
        let services = read::list("service", &answer, read::service).map_err(|missing| self.unreadable(missing))?;
        Ok(services.into_iter().collect())
    }

    /// The stack's tasks, which of them match the spec of their service, and the nodes.
    async fn tasks(&self, services: &Services) -> Result<(Vec<Task>, BTreeSet<String>, Value), SwarmError> {
        let all = filter("label", &[self.labelled]).to_string();
        let current = json!({"label": [self.labelled], "_up-to-date": ["true"]}).to_string();
        let (all, current) = ([("filters", &*all)], [("filters", &*current)]);
        let (tasks, current, nodes) = try_join!(
            self.client.get("/tasks", &all),
            async {
                match self.client.get("/tasks", &current).await {
                    // The filter is not documented: an Engine may come that does not have it.
                    Err(SwarmError::Refused(_)) => Ok(None),
                    answer => answer.map(Some),
                }
            },
            self.client.get("/nodes", &[]),
        )?;
        let up_to_date = match current {
            Some(current) => ids(&current),
            None => by_comparison(&tasks, services),
        };
        let tasks = read::list("task", &tasks, read::task).map_err(|missing| self.unreadable(missing))?;
        Ok((tasks, up_to_date, nodes))
    }
}

fn ids(tasks: &Value) -> BTreeSet<String> {
    elements(tasks).filter_map(|task| read::text(task, "/ID")).map(str::to_owned).collect()
}

fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The tasks whose spec is that of their service, as far as can be told without the Engine's help.
fn by_comparison(tasks: &Value, services: &Services) -> BTreeSet<String> {
    let wanted: BTreeMap<&str, Value> =
        services.values().map(|service| (&*service.id, canonical(&service.spec["TaskTemplate"]))).collect();
    let matches = |task: &&Value| {
        let wanted = read::text(task, "/ServiceID").and_then(|id| wanted.get(id));
        wanted.is_some_and(|wanted| *wanted == canonical(&task["Spec"]))
    };
    elements(tasks).filter(matches).filter_map(|task| read::text(task, "/ID")).map(str::to_owned).collect()
}

/// A spec without what says nothing: the Engine fills in defaults in services that it leaves out in tasks.
fn canonical(spec: &Value) -> Value {
    match spec {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "Runtime");
            let members = members.map(|(name, value)| (name.clone(), canonical(value)));
            Value::Object(members.filter(|(_, value)| says_something(value)).collect::<Map<_, _>>())
        }
        Value::Array(elements) => Value::Array(elements.iter().map(canonical).collect()),
        value => value.clone(),
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(value) => value.as_f64() != Some(0.0),
        Value::String(value) => !value.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_filter_tasks_are_compared_with_the_spec_of_their_service() {
        let template =
            json!({"ContainerSpec": {"Image": "a:2", "DNSConfig": {}}, "ForceUpdate": 0, "Runtime": "container"});
        let service = json!({"ID": "s", "Version": {"Index": 1}, "Spec": {"Name": "a", "TaskTemplate": template}});
        let services = Services::from([read::service(&service).unwrap()]);
        let task = |id: &str, image: &str, service: &str| json!({"ID": id, "ServiceID": service, "Spec": {"ContainerSpec": {"Image": image}, "Placement": {}}});
        let tasks = json!([task("new", "a:2", "s"), task("old", "a:1", "s"), task("stranger", "a:2", "z")]);
        assert_eq!(by_comparison(&tasks, &services), BTreeSet::from(["new".to_owned()]));
    }
}
