//! The reaper: forgets tasks that are to be removed, and old ones beyond the history limit.

use std::collections::BTreeMap;

use crate::{
    orchestrate::World,
    state::task::{Slot, State, Task},
};

impl World {
    pub(crate) fn reap(&mut self, service: &str) {
        let gone =
            |task: &&Task| task.desired == State::Remove && (task.is_dead() || task.status.state < State::Assigned);
        let mut doomed: Vec<String> =
            self.tasks_of(service).iter().filter(|task| gone(task)).map(|task| task.id.clone()).collect();
        doomed.extend(self.beyond_history(service));
        for id in doomed {
            self.remove_task(&id);
        }
    }

    fn beyond_history(&self, service: &str) -> Vec<String> {
        // swarmkit keeps the newest task and the one before it whatever the limit.
        let limit = self.options.task_history_limit.max(2);
        let mut slots: BTreeMap<&Slot, Vec<&Task>> = BTreeMap::new();
        let tasks = self.tasks_of(service);
        for task in &tasks {
            slots.entry(&task.slot).or_default().push(task);
        }
        let mut doomed = Vec::new();
        for tasks in slots.values() {
            let excess = tasks.len().saturating_sub(limit);
            let is_over = |task: &&&Task| {
                task.is_dead() && !task.is_wanted()
                    || task.desired == State::Shutdown && task.status.state < State::Assigned
            };
            doomed.extend(tasks.iter().filter(is_over).take(excess).map(|task| task.id.clone()));
        }
        doomed
    }
}
