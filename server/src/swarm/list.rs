//! What runs in the Swarm, in rows for people and programs.

use std::collections::BTreeMap;

use futures::try_join;
use release_manager::engine::NAMESPACE_LABEL;
use release_manager::names::StackName;
use release_manager::ports::SwarmError;
use serde::Serialize;
use serde_json::Value;

use super::DockerSwarm;
use super::client::filter;
use super::read::{self, text};

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackRow {
    /// Its name.
    pub name: String,
    /// How many services it has.
    pub services: usize,
}

/// A service of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceRow {
    /// The Engine's id.
    pub id: String,
    /// Its full name.
    pub name: String,
    /// `replicated`, `global`, `replicated-job` or `global-job`.
    pub mode: String,
    /// How many tasks run.
    pub running: u64,
    /// How many should.
    pub desired: u64,
    /// Its image, without the digest.
    pub image: String,
    /// What it publishes: `*:8080->80/tcp`.
    pub ports: Vec<String>,
}

/// A task of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskRow {
    /// The Engine's id.
    pub id: String,
    /// Its service and slot: `shop_web.1`.
    pub name: String,
    /// Its image, without the digest.
    pub image: String,
    /// The host name of its node, once it has one.
    pub node: Option<String>,
    /// What Swarm wants of it.
    pub desired_state: String,
    /// What it does.
    pub state: String,
    /// Since when, as the Engine writes it.
    pub since: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

impl DockerSwarm {
    /// Every stack, by name.
    pub async fn stacks(&self) -> Result<Vec<StackRow>, SwarmError> {
        let filters = filter("label", &[NAMESPACE_LABEL]).to_string();
        let answer = self.client.get("/services", &[("filters", &filters)]).await?;
        let mut stacks: BTreeMap<&str, usize> = BTreeMap::new();
        for service in elements(&answer) {
            let labels = service.pointer("/Spec/Labels");
            if let Some(name) = labels.and_then(|labels| labels.get(NAMESPACE_LABEL)).and_then(Value::as_str) {
                *stacks.entry(name).or_default() += 1;
            }
        }
        Ok(stacks.into_iter().map(|(name, services)| StackRow { name: name.to_owned(), services }).collect())
    }

    /// The services of a stack, by name.
    pub async fn services_of(&self, stack: &StackName) -> Result<Vec<ServiceRow>, SwarmError> {
        let filters = filter("label", &[&format!("{NAMESPACE_LABEL}={stack}")]).to_string();
        let answer = self.client.get("/services", &[("status", "true"), ("filters", &filters)]).await?;
        let mut rows: Vec<ServiceRow> = elements(&answer).map(service).collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(rows)
    }

    /// The tasks of a stack that the Engine still keeps: by service and slot, the newest of a slot first.
    pub async fn tasks_of(&self, stack: &StackName) -> Result<Vec<TaskRow>, SwarmError> {
        let filters = filter("label", &[&format!("{NAMESPACE_LABEL}={stack}")]).to_string();
        let filters = [("filters", &*filters)];
        let (services, tasks, nodes) = try_join!(
            self.client.get("/services", &filters),
            self.client.get("/tasks", &filters),
            self.client.get("/nodes", &[]),
        )?;
        let names = by_id(&services, "/Spec/Name");
        let nodes = by_id(&nodes, "/Description/Hostname");
        let mut tasks: Vec<&Value> = elements(&tasks).collect();
        let name = |task: &Value| text(task, "/ServiceID").and_then(|id| names.get(id)).cloned().unwrap_or_default();
        tasks.sort_by_cached_key(|task| {
            let slot = task.get("Slot").and_then(Value::as_u64).unwrap_or(0);
            (name(task), slot, word(task, "/NodeID").to_owned(), std::cmp::Reverse(word(task, "/CreatedAt").to_owned()))
        });
        Ok(tasks.into_iter().map(|task| row(task, &name(task), &nodes)).collect())
    }
}

fn elements(answer: &Value) -> impl Iterator<Item = &Value> {
    answer.as_array().into_iter().flatten()
}

fn by_id(answer: &Value, at: &str) -> BTreeMap<String, String> {
    elements(answer).map(|element| (word(element, "/ID").to_owned(), word(element, at).to_owned())).collect()
}

fn word<'a>(answer: &'a Value, at: &str) -> &'a str {
    text(answer, at).unwrap_or_default()
}

fn without_digest(image: &str) -> String {
    image.split_once('@').map_or(image, |(name, _)| name).to_owned()
}

fn service(answer: &Value) -> ServiceRow {
    let mode = answer.pointer("/Spec/Mode").and_then(Value::as_object);
    let mode = mode.and_then(|mode| mode.keys().next()).map(String::as_str);
    let count = |at: &str| answer.pointer(at).and_then(Value::as_u64).unwrap_or(0);
    let ports = answer.pointer("/Endpoint/Ports").and_then(Value::as_array).into_iter().flatten();
    ServiceRow {
        id: word(answer, "/ID").to_owned(),
        name: word(answer, "/Spec/Name").to_owned(),
        mode: match mode {
            Some("Global") => "global",
            Some("ReplicatedJob") => "replicated-job",
            Some("GlobalJob") => "global-job",
            _ => "replicated",
        }
        .to_owned(),
        running: count("/ServiceStatus/RunningTasks"),
        desired: count("/ServiceStatus/DesiredTasks"),
        image: without_digest(word(answer, "/Spec/TaskTemplate/ContainerSpec/Image")),
        ports: ports.map(port).collect(),
    }
}

fn port(port: &Value) -> String {
    let number = |name: &str| port.get(name).and_then(Value::as_u64).unwrap_or(0);
    let protocol = read::text(port, "/Protocol").unwrap_or("tcp");
    format!("*:{}->{}/{protocol}", number("PublishedPort"), number("TargetPort"))
}

fn row(task: &Value, service: &str, nodes: &BTreeMap<String, String>) -> TaskRow {
    let place = match task.get("Slot").and_then(Value::as_u64).filter(|slot| *slot > 0) {
        Some(slot) => slot.to_string(),
        None => text(task, "/NodeID").or_else(|| text(task, "/ID")).unwrap_or_default().to_owned(),
    };
    TaskRow {
        id: word(task, "/ID").to_owned(),
        name: format!("{service}.{place}"),
        image: without_digest(word(task, "/Spec/ContainerSpec/Image")),
        node: text(task, "/NodeID").map(|id| nodes.get(id).cloned().unwrap_or_else(|| id.to_owned())),
        desired_state: word(task, "/DesiredState").to_owned(),
        state: word(task, "/Status/State").to_owned(),
        since: text(task, "/Status/Timestamp").map(str::to_owned),
        error: text(task, "/Status/Err").map(str::to_owned),
    }
}
