//! `/tasks`.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use serde_json::Value;

use crate::{
    api::{Answer, App, Query1, filters::Filters, ok},
    error::Refusal,
    state::{
        World,
        task::{State as TaskState, Task},
    },
};

const FILTERS: [&str; 9] =
    ["id", "label", "name", "node", "service", "desired-state", "_up-to-date", "runtime", "reference"];

impl World {
    /// A task by id or the beginning of one.
    pub(super) fn find_task(&self, name: &str) -> Result<&Task, Refusal> {
        self.task(name)
            .or_else(|| self.tasks().find(|task| task.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found("task", name))
    }

    fn tasks_by(&self, filters: &Filters) -> Result<Vec<&Task>, Refusal> {
        let services: BTreeSet<String> = filters
            .values("service")
            .iter()
            .map(|name| Ok(self.find_service(name)?.id.clone()))
            .collect::<Result<_, Refusal>>()?;
        let nodes: BTreeSet<String> = filters
            .values("node")
            .iter()
            .map(|name| Ok(self.find_node_by(name)?.id.clone()))
            .collect::<Result<_, Refusal>>()?;
        let states = filters.values("desired-state");
        if let Some(unknown) =
            states.iter().find(|state| !["running", "shutdown", "accepted"].contains(&state.as_str()))
        {
            return Err(Refusal::new(500, format!("Invalid desired-state filter: '{unknown}'")));
        }
        let only_current = filters.values("_up-to-date").iter().any(|value| value == "true" || value == "1");
        let tasks = self.tasks().filter(|task| {
            (services.is_empty() || services.contains(&task.service))
                && (nodes.is_empty() || task.node.as_ref().is_some_and(|node| nodes.contains(node)))
                && filters.begins("id", &task.id)
                && filters.begins("name", &task.name())
                // The Engine matches the labels of the service, also of one that is gone.
                && filters.labels(
                    &self.services.get(&task.service).map_or(&task.service_spec, |known| &known.spec.json)["Labels"],
                )
                && filters.passes("desired-state", |word| has_desired(task, word))
                && (!only_current || self.is_up_to_date(task))
        });
        Ok(tasks.collect())
    }
}

fn has_desired(task: &Task, word: &str) -> bool {
    match word {
        "running" => task.desired == TaskState::Running,
        "shutdown" => task.desired == TaskState::Shutdown,
        _ => task.desired == TaskState::Accepted,
    }
}

pub(super) async fn list(State(shared): App, Query(query): Query1) -> Answer {
    let filters = Filters::read(&query).map_err(|refusal| Refusal { status: 500, ..refusal })?.only(&FILTERS)?;
    shared.with(|world| ok(&Value::Array(world.tasks_by(&filters)?.into_iter().map(Task::json).collect())))
}

pub(super) async fn inspect(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.with(|world| ok(&world.find_task(&id)?.json()))
}
