//! How the services of a stack are, from one look at them.
//!
//! One look cannot prove that a service is stable; it can tell that it is not. A task that has only just started after
//! others of its slot failed is not taken for health.

use std::collections::BTreeMap;

use super::{HealthStatus, ServiceHealth};
use crate::engine::{Observation, Task};
use crate::judge::{Look, Slot, cut, is_before_end, is_failure};
use crate::names::{ServiceName, StackName};
use crate::plan::{Mode, image_of, short_name};
use crate::time::Timestamp;

/// A failure that is older says nothing about a slot that is being filled now.
const RECENT_SECONDS: f64 = 300.0;
/// A task that follows failed ones must have run for so long.
const SETTLED_SECONDS: f64 = 20.0;
/// So many recent failures in one slot are a crash loop.
const CRASH_LOOP: usize = 3;

/// Judges every service of the stack as of `now`.
pub fn judge_stack(stack: &StackName, seen: &Observation, now: Timestamp) -> BTreeMap<ServiceName, ServiceHealth> {
    seen.services
        .iter()
        .filter_map(|(full_name, service)| {
            let assessment = Assessment::new(Look::new(service, seen), now);
            Some((short_name(stack, full_name)?, assessment.health()))
        })
        .collect()
}

struct Assessment<'a> {
    look: Look<'a>,
    slots: BTreeMap<Slot, Vec<&'a Task>>,
    now: Timestamp,
}

/// How one slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlotState {
    /// Its task runs, or has ended as it should.
    Filled,
    /// Its task is on its way, or has only just started after others failed.
    Coming,
    /// Its task is said to run on a node that does not answer: it may run or not.
    Lost,
    /// Nothing runs there and nothing good is on its way.
    Broken,
    /// Nothing is meant to run there.
    Idle,
}

impl<'a> Assessment<'a> {
    fn new(look: Look<'a>, now: Timestamp) -> Self {
        let iteration = look.service.job_iteration.unwrap_or(0);
        let mut slots: BTreeMap<Slot, Vec<&Task>> = BTreeMap::new();
        for task in &look.tasks {
            if !look.mode.is_job() || task.job_iteration.unwrap_or(0) == iteration {
                slots.entry(look.slot(task)).or_default().push(task);
            }
        }
        Self { look, slots, now }
    }

    fn health(&self) -> ServiceHealth {
        let states: BTreeMap<&Slot, SlotState> =
            self.slots.iter().map(|(slot, tasks)| (slot, self.slot_state(tasks))).collect();
        let running = self.slots.values().filter(|tasks| self.is_filled(tasks)).count() as u64;
        let desired = self.look.want();
        let word = self.status(&states, running, desired);
        ServiceHealth {
            status: word,
            running,
            desired,
            error: if word == HealthStatus::Healthy { None } else { self.error(&states, desired) },
            running_since: self.running_since(),
            image: image_of(&self.look.service.spec).unwrap_or_default().to_owned(),
            // Whoever follows the tasks from look to look knows better than one look.
            restarts: 0,
            unreachable: self.lost().count() as u64,
        }
    }

    fn status(&self, states: &BTreeMap<&Slot, SlotState>, running: u64, desired: u64) -> HealthStatus {
        let any = |state| states.values().any(|other| *other == state);
        let is_updating = matches!(self.look.update_state(), "updating" | "rollback_started");
        if self.look.mode == Mode::Global && desired == 0 || any(SlotState::Broken) {
            return HealthStatus::Unhealthy;
        }
        if is_updating || any(SlotState::Coming) {
            return HealthStatus::Progressing;
        }
        if any(SlotState::Lost) {
            return HealthStatus::Unknown;
        }
        match (running >= desired, self.look.update_state()) {
            (true, _) => HealthStatus::Healthy,
            // Nobody goes on with a paused update.
            (false, "paused" | "rollback_paused") => HealthStatus::Unhealthy,
            // A service that was just created has no tasks for a moment.
            (false, _) if self.slots.is_empty() => HealthStatus::Progressing,
            (false, _) => HealthStatus::Unhealthy,
        }
    }

    /// Whether a slot counts as running: by a task on a node that answers, or by one that was to end and has.
    fn is_filled(&self, tasks: &[&Task]) -> bool {
        let has_ended =
            |task: &&Task| self.look.may_complete() && task.state == "complete" && task.desired_state != "remove";
        tasks.iter().any(|task| self.look.runs(task) || has_ended(task))
    }

    fn slot_state(&self, tasks: &[&Task]) -> SlotState {
        let failures = self.recent_failures(tasks);
        if self.is_filled(tasks) {
            let fresh = tasks.iter().any(|task| self.look.runs(task) && self.seconds_in_state(task) < SETTLED_SECONDS);
            return match (fresh, failures) {
                (true, CRASH_LOOP..) => SlotState::Broken,
                (true, 1..) => SlotState::Coming,
                _ => SlotState::Filled,
            };
        }
        let meant: Vec<&&Task> = tasks.iter().filter(|task| self.look.is_meant(task)).collect();
        if meant.is_empty() {
            return self.ended_slot(tasks);
        }
        let is_coming = |task: &&&Task| {
            let has_error = task.error.as_ref().is_some_and(|error| !error.is_empty());
            let is_lost = task.node_id.is_some() && !self.look.is_on_ready_node(task);
            is_before_end(&task.state) && task.state != "running" && !has_error && !is_lost
        };
        if failures == 0 && meant.iter().any(is_coming) {
            return SlotState::Coming;
        }
        if failures == 0 && meant.iter().any(|task| self.is_lost(task)) { SlotState::Lost } else { SlotState::Broken }
    }

    /// Whether a task is said to run on a node that does not answer. Nobody knows whether it does.
    fn is_lost(&self, task: &Task) -> bool {
        task.state == "running" && task.node_id.is_some() && !self.look.is_on_ready_node(task)
    }

    fn lost(&self) -> impl Iterator<Item = &&'a Task> {
        self.look.tasks.iter().filter(|task| self.is_lost(task))
    }

    /// A slot where nothing is meant to run any more: it was scaled away, or given up.
    fn ended_slot(&self, tasks: &[&Task]) -> SlotState {
        let is_given_up = |task: &&Task| is_failure(&task.state) && task.desired_state != "remove";
        let newest = tasks.iter().max_by_key(|task| since(task));
        let stays_down = self.look.may_complete() || self.look.want() > 0 && self.is_short();
        match newest {
            Some(task) if stays_down && is_given_up(task) => SlotState::Broken,
            _ => SlotState::Idle,
        }
    }

    /// Whether fewer slots than wanted have a task that is meant to run.
    fn is_short(&self) -> bool {
        let is_meant = |tasks: &&Vec<&Task>| tasks.iter().any(|task| self.look.is_meant(task));
        (self.slots.values().filter(is_meant).count() as u64) < self.look.want()
    }

    fn recent_failures(&self, tasks: &[&Task]) -> usize {
        let is_recent = |task: &&&Task| self.seconds_in_state(task) < RECENT_SECONDS;
        let is_end = |task: &&&Task| is_failure(&task.state) || task.state == "complete" && !self.look.may_complete();
        tasks.iter().filter(is_end).filter(is_recent).filter(|task| self.look.is_on_ready_node(task)).count()
    }

    /// How long it has been so; for ever, where the Engine does not say.
    fn seconds_in_state(&self, task: &Task) -> f64 {
        since(task).map_or(f64::INFINITY, |since| self.now.seconds_since(since))
    }

    fn error(&self, states: &BTreeMap<&Slot, SlotState>, desired: u64) -> Option<String> {
        let not_filled = self.slots.iter().filter(|(slot, _)| states.get(slot) != Some(&SlotState::Filled));
        let with_error = not_filled
            .flat_map(|(_, tasks)| tasks)
            .filter(|task| task.error.as_ref().is_some_and(|error| !error.is_empty()));
        let newest =
            with_error.max_by_key(|task| (since(task), &task.id)).and_then(|task| task.error.as_deref()).map(cut);
        let lost = || {
            let away = self.look.nodes_that_do_not_answer();
            let count = self.lost().count();
            (count > 0).then(|| format!("{count} on unreachable node: {}", away.join(", ")))
        };
        let paused = || {
            let is_paused = matches!(self.look.update_state(), "paused" | "rollback_paused");
            is_paused.then(|| self.look.update_message().to_owned())
        };
        let unwanted = || {
            (self.look.mode == Mode::Global && desired == 0)
                .then(|| "no node may run it: check its constraints and the nodes".to_owned())
        };
        newest.or_else(lost).or_else(paused).or_else(unwanted)
    }

    fn running_since(&self) -> Option<Timestamp> {
        self.look.tasks.iter().filter(|task| self.look.runs(task)).filter_map(|task| since(task)).min()
    }
}

fn since(task: &Task) -> Option<Timestamp> {
    task.state_since.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests;
