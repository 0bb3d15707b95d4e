//! Replicated services: as many slots as replicas.

use std::collections::BTreeMap;

use crate::{
    orchestrate::World,
    state::{
        service::UpdateState,
        task::{Slot, State, Task},
    },
};

impl World {
    pub(crate) fn reconcile_replicated(&mut self, service: &str, replicas: u64) {
        self.restart_ended(service);
        let slots = self.updatable_slots(service);
        let (have, want) = (slots.len(), usize::try_from(replicas).unwrap_or(usize::MAX));
        if have > want {
            let kept = self.give_up_slots(slots, want);
            self.update_slots(service, &kept);
        } else {
            let taken: Vec<Slot> = slots.keys().cloned().collect();
            self.update_slots(service, &taken);
            self.add_slots(service, &taken, want - have);
        }
    }

    /// The slots that count, each with the ids of its tasks that do: the wanted ones, or the last one of a slot that is
    /// not to be restarted.
    pub(crate) fn updatable_slots(&self, service: &str) -> BTreeMap<Slot, Vec<String>> {
        let mut slots: BTreeMap<Slot, Vec<&Task>> = BTreeMap::new();
        for task in self.tasks_of(service) {
            slots.entry(task.slot.clone()).or_default().push(task);
        }
        let rolls_back = self
            .services
            .get(service)
            .and_then(|service| service.update.as_ref())
            .is_some_and(|update| update.state == UpdateState::RollbackStarted);
        let mut updatable = BTreeMap::new();
        for (slot, tasks) in slots {
            let wanted: Vec<String> =
                tasks.iter().filter(|task| task.is_wanted()).map(|task| task.id.clone()).collect();
            if !wanted.is_empty() {
                updatable.insert(slot, wanted);
            } else if let Some(last) = tasks.last()
                && last.desired == State::Shutdown
                && !rolls_back
                && !self.should_restart(last)
            {
                updatable.insert(slot, vec![last.id.clone()]);
            }
        }
        updatable
    }

    fn give_up_slots(&mut self, slots: BTreeMap<Slot, Vec<String>>, want: usize) -> Vec<Slot> {
        let mut order: Vec<(bool, Slot, Vec<String>)> = slots
            .into_iter()
            .map(|(slot, ids)| {
                let runs = ids.iter().filter_map(|id| self.task(id)).any(|task| task.status.state == State::Running);
                (!runs, slot, ids)
            })
            .collect();
        order.sort();
        for (_, _, ids) in order.drain(want..) {
            for id in ids {
                self.desire(&id, State::Remove);
            }
        }
        order.into_iter().map(|(_, slot, _)| slot).collect()
    }

    fn add_slots(&mut self, service: &str, taken: &[Slot], count: usize) {
        let free: Vec<Slot> = (1..).map(Slot::Number).filter(|slot| !taken.contains(slot)).take(count).collect();
        for slot in free {
            self.create_task(service, slot, State::Running);
        }
    }
}
