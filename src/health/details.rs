//! Task by task, for whoever looks closely.

use std::collections::BTreeMap;

use super::{ServiceDetails, TaskEnd, TaskView};
use crate::engine::{Observation, Task};
use crate::judge::{Look, cut};
use crate::names::{ServiceName, StackName};
use crate::plan::short_name;
use crate::time::Timestamp;

/// How many tasks of a service are shown.
const TASKS: usize = 50;
/// How many errors of a service are shown.
const ERRORS: usize = 5;

/// Every service of the stack with its tasks.
pub(crate) fn details(stack: &StackName, seen: &Observation) -> BTreeMap<ServiceName, ServiceDetails> {
    let services = seen.services.iter();
    services
        .filter_map(|(full_name, service)| Some((short_name(stack, full_name)?, of(&Look::new(service, seen)))))
        .collect()
}

fn of(look: &Look<'_>) -> ServiceDetails {
    let mut tasks = look.tasks.clone();
    // Those that are meant to run first, and of the rest the newest.
    tasks.sort_by_key(|task| (!look.is_meant(task), look.is_meant(task).then_some(task.slot), newest_first(task)));
    let mut failed: Vec<&Task> = look.tasks.iter().filter(|task| has_error(task)).copied().collect();
    failed.sort_by_key(|task| newest_first(task));
    ServiceDetails {
        tasks: tasks.into_iter().take(TASKS).map(|task| view(look, task)).collect(),
        last_errors: failed
            .into_iter()
            .take(ERRORS)
            .map(|task| TaskEnd { at: since(task), task: look.evidence(task) })
            .collect(),
    }
}

fn view(look: &Look<'_>, task: &Task) -> TaskView {
    TaskView {
        id: task.id.clone(),
        slot: task.slot,
        node: look.evidence(task).node,
        node_answers: look.is_on_ready_node(task),
        state: task.state.clone(),
        desired_state: task.desired_state.clone(),
        since: since(task),
        current: look.is_current(task),
        error: task.error.as_deref().filter(|error| !error.is_empty()).map(cut),
        exit_code: task.exit_code,
    }
}

fn has_error(task: &Task) -> bool {
    task.error.as_ref().is_some_and(|error| !error.is_empty())
}

fn newest_first(task: &Task) -> std::cmp::Reverse<Option<Timestamp>> {
    std::cmp::Reverse(since(task))
}

fn since(task: &Task) -> Option<Timestamp> {
    task.state_since.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::testkit::{observation, two};

    #[test]
    fn what_should_run_comes_first_and_the_newest_error_leads() {
        let seen = observation(
            two("app:1"),
            "",
            "a1:2@n1 shutdown/failed !old #1 ^90; a2:2@n1 shutdown/failed !new #3 ^30; a3:2@n3 running/running ^9; \
             a4:1@n2 running/running ^9",
        );
        let found = details(&"home".parse().unwrap(), &seen).remove(&"web".parse().unwrap()).unwrap();
        let ids: Vec<&str> = found.tasks.iter().map(|task| task.id.as_str()).collect();
        assert_eq!(ids, ["a4", "a3", "a2", "a1"]);
        assert!(!found.tasks[1].node_answers, "n3 does not answer");
        let errors: Vec<_> = found.last_errors.iter().map(|end| end.task.error.as_deref().unwrap()).collect();
        assert_eq!(errors, ["new", "old"]);
    }
}
