//! Jobs: tasks that run to their end, once for every write of the spec.

use std::collections::BTreeSet;

use crate::{
    orchestrate::World,
    state::{
        node::Node,
        task::{Slot, State, Task},
    },
};

impl World {
    pub(crate) fn reconcile_job(&mut self, service: &str, concurrent: u64, total: u64) {
        let slots = (0..total).map(Slot::Number).collect();
        let concurrent = usize::try_from(concurrent).unwrap_or(usize::MAX);
        self.run_job(service, slots, concurrent);
    }

    pub(crate) fn reconcile_global_job(&mut self, service: &str) {
        let slots = self.eligible_nodes(service, Node::takes_tasks).into_iter().map(Slot::Node).collect();
        self.run_job(service, slots, usize::MAX);
    }

    fn run_job(&mut self, service: &str, slots: Vec<Slot>, concurrent: usize) {
        let Some(iteration) =
            self.services.get(service).and_then(|service| service.job.as_ref()).map(|job| job.iteration)
        else {
            return;
        };
        self.drop_earlier_iterations(service, iteration);
        self.restart_ended(service);
        let is_open = |task: &&&Task| task.desired <= State::Complete && !task.is_dead();
        let (tried, open) = {
            let tasks = self.tasks_of(service);
            let now: Vec<&Task> = tasks.into_iter().filter(|task| task.iteration == Some(iteration)).collect();
            let tried: BTreeSet<Slot> = now.iter().map(|task| task.slot.clone()).collect();
            (tried, now.iter().filter(is_open).count())
        };
        let free = concurrent.saturating_sub(open);
        for slot in slots.into_iter().filter(|slot| !tried.contains(slot)).take(free) {
            self.create_task(service, slot, State::Complete);
        }
    }

    fn drop_earlier_iterations(&mut self, service: &str, iteration: u64) {
        let earlier: Vec<String> = self
            .tasks_of(service)
            .into_iter()
            .filter(|task| task.iteration != Some(iteration) && task.desired <= State::Complete && !task.is_dead())
            .map(|task| task.id.clone())
            .collect();
        for id in earlier {
            self.desire(&id, State::Remove);
        }
    }
}
