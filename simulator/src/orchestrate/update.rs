//! The updater: takes the slots of a service from one spec to the next, watches for failures, and pauses, goes on or
//! rolls back. It works as swarmkit's does, down to the moments in which it does not look at failures: it looks while it
//! has slots to hand out and while it monitors, not while it waits for the last workers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    clock::Moment,
    orchestrate::World,
    spec::UpdateConfig,
    state::{
        service::{UpdateState, UpdateStatus},
        task::{Gate, OLD_TASK_TIMEOUT, Slot, State},
    },
};

/// An update on its way.
#[derive(Debug, Clone)]
pub(crate) struct Updater {
    spec_version: u64,
    config: UpdateConfig,
    queue: VecDeque<Slot>,
    total: usize,
    workers: Vec<Worker>,
    /// The tasks made by this update, and when each came up.
    started: BTreeMap<String, Option<Moment>>,
    /// Tasks of the service that ended and have not been looked at yet.
    ended: VecDeque<String>,
    failed: BTreeSet<String>,
    monitor_until: Option<Moment>,
}

/// What one of the parallel hands does.
#[derive(Debug, Clone)]
enum Worker {
    Idle,
    /// Waits for a new task to come up; with `start-first` the old ones go then.
    Awaits {
        task: String,
        slot: Slot,
    },
    /// Pauses after a slot.
    Rests {
        until: Moment,
    },
}

impl Updater {
    /// When it has to be looked at again, apart from changes of tasks.
    pub(crate) fn due(&self) -> Option<Moment> {
        let rests = self.workers.iter().filter_map(|worker| match worker {
            Worker::Rests { until } => Some(*until),
            _ => None,
        });
        rests.chain(self.monitor_until).min()
    }

    /// Whether it looks at failures at this moment.
    fn is_watching(&self) -> bool {
        !self.queue.is_empty() || self.monitor_until.is_some()
    }
}

impl World {
    /// Marks the services whose updater has waited long enough.
    pub(crate) fn mark_due_updaters(&mut self) {
        let now = self.now;
        let due = self
            .services
            .values()
            .filter(|service| service.updater.as_ref().and_then(Updater::due).is_some_and(|due| due <= now))
            .map(|service| service.id.clone());
        self.dirty.extend(due);
    }

    /// Tells the updater of a task's service that the task has ended.
    pub(crate) fn note_failure(&mut self, id: &str) {
        let Some(service) = self.task(id).map(|task| task.service.clone()) else { return };
        if let Some(updater) = self.services.get_mut(&service).and_then(|service| service.updater.as_mut()) {
            updater.ended.push_back(id.to_owned());
        }
    }

    /// Brings these slots of a service to its spec, as far as that is possible now.
    pub(crate) fn update_slots(&mut self, service: &str, slots: &[Slot]) {
        let Some(found) = self.services.get(service) else { return };
        let is_running = found.updater.as_ref().is_some_and(|updater| updater.spec_version == found.spec.version);
        if !is_running && !self.begin_update(service, slots) {
            return;
        }
        // Taken out, so that the updater and the store can be changed side by side.
        while let Some(mut updater) = self.services.get_mut(service).and_then(|service| service.updater.take()) {
            let outcome = self.drive(service, &mut updater);
            match outcome {
                Outcome::Moved => self.put_back(service, updater),
                Outcome::Waits => {
                    self.put_back(service, updater);
                    return;
                }
                Outcome::Done => {
                    self.dirty.insert(service.to_owned());
                    return;
                }
            }
        }
    }

    fn put_back(&mut self, service: &str, updater: Updater) {
        if let Some(service) = self.services.get_mut(service) {
            service.updater = Some(updater);
        }
    }

    /// Sets up an update if any slot needs one.
    fn begin_update(&mut self, service: &str, slots: &[Slot]) -> bool {
        let tasks = self.updatable_slots(service);
        let is_dirty = |slot: &&Slot| tasks.get(slot).is_some_and(|ids| self.is_slot_dirty(ids));
        let dirty: VecDeque<Slot> = slots.iter().filter(is_dirty).cloned().collect();
        let Some(found) = self.services.get_mut(service) else { return false };
        found.updater = None;
        let state = found.update.as_ref().map(|update| update.state);
        if dirty.is_empty() {
            if matches!(state, Some(UpdateState::Updating | UpdateState::RollbackStarted)) {
                self.complete_update(service);
            }
            return false;
        }
        if matches!(state, Some(UpdateState::Paused | UpdateState::RollbackPaused)) {
            return false;
        }
        let spec = &found.spec.parsed;
        let config =
            if state == Some(UpdateState::RollbackStarted) { &spec.rollback_config } else { &spec.update_config };
        let config = config.clone().unwrap_or_else(UpdateConfig::unsaid);
        let hands = match usize::try_from(config.parallelism).unwrap_or(usize::MAX) {
            0 => dirty.len(),
            hands => hands.min(dirty.len()),
        };
        found.updater = Some(Updater {
            spec_version: found.spec.version,
            config,
            total: dirty.len(),
            queue: dirty,
            workers: vec![Worker::Idle; hands],
            started: BTreeMap::new(),
            ended: VecDeque::new(),
            failed: BTreeSet::new(),
            monitor_until: None,
        });
        if state.is_none() {
            self.set_update_state(service, UpdateState::Updating, "update in progress");
        }
        true
    }

    fn is_slot_dirty(&self, ids: &[String]) -> bool {
        match ids {
            [id] => self.task(id).is_some_and(|task| !self.is_up_to_date(task)),
            ids => ids.len() > 1,
        }
    }

    /// One round: failures, workers, monitoring.
    fn drive(&mut self, service: &str, updater: &mut Updater) -> Outcome {
        while updater.is_watching()
            && let Some(ended) = updater.ended.pop_front()
        {
            if self.acts_on_failure(service, updater, &ended) {
                return Outcome::Done;
            }
        }
        let mut moved = false;
        for worker in 0..updater.workers.len() {
            moved |= self.drive_worker(service, updater, worker);
        }
        if moved {
            return Outcome::Moved;
        }
        let is_idle = updater.queue.is_empty() && updater.workers.iter().all(|worker| matches!(worker, Worker::Idle));
        match updater.monitor_until {
            None if is_idle => {
                updater.monitor_until = Some(self.ahead(updater.config.monitor()));
                Outcome::Moved
            }
            Some(until) if until <= self.now => {
                self.complete_update(service);
                Outcome::Done
            }
            _ => Outcome::Waits,
        }
    }

    fn drive_worker(&mut self, service: &str, updater: &mut Updater, worker: usize) -> bool {
        match updater.workers[worker].clone() {
            Worker::Idle => {
                let Some(slot) = updater.queue.pop_front() else { return false };
                updater.workers[worker] = self.begin_slot(service, updater, slot);
                true
            }
            Worker::Rests { until } => {
                let is_over = until <= self.now;
                if is_over {
                    updater.workers[worker] = Worker::Idle;
                }
                is_over
            }
            Worker::Awaits { task, slot } => {
                let state = self.task(&task).map(|task| task.status.state);
                let is_up = state.is_none_or(|state| state >= State::Running);
                if is_up {
                    updater.started.insert(task.clone(), Some(self.now));
                    if updater.config.order == "start-first" && state == Some(State::Running) {
                        self.stop_others(service, &slot, &task);
                    }
                    updater.workers[worker] = self.rest(&updater.config);
                }
                is_up
            }
        }
    }

    fn rest(&self, config: &UpdateConfig) -> Worker {
        if config.delay().is_zero() { Worker::Idle } else { Worker::Rests { until: self.ahead(config.delay()) } }
    }

    /// Begins with a slot: a new task, unless a right one is there already.
    fn begin_slot(&mut self, service: &str, updater: &mut Updater, slot: Slot) -> Worker {
        let ids = self.updatable_slots(service).remove(&slot).unwrap_or_default();
        let right = |wanted: fn(State) -> bool| {
            ids.iter()
                .filter_map(|id| self.task(id))
                .find(|task| wanted(task.desired) && self.is_up_to_date(task))
                .map(|task| task.id.clone())
        };
        if let Some(there) =
            right(|desired| desired == State::Running).or_else(|| right(|desired| desired < State::Running))
        {
            self.stop_others(service, &slot, &there);
            if self.task(&there).is_some_and(|task| task.desired < State::Running) {
                self.plan_task(&there, |task| task.gate = None);
                self.desire(&there, State::Running);
            }
            return self.rest(&updater.config);
        }
        let start_first = updater.config.order == "start-first";
        let Some(new) = self.create_task(service, slot.clone(), State::Ready) else { return Worker::Idle };
        updater.started.insert(new.clone(), None);
        let old = if start_first { None } else { self.stop_others(service, &slot, &new) };
        let gate = Gate {
            not_before: self.now,
            after: old.map(|old| (old, self.ahead(OLD_TASK_TIMEOUT))),
            to: State::Running,
        };
        self.plan_task(&new, |task| task.gate = Some(gate));
        Worker::Awaits { task: new, slot }
    }

    /// Stops all wanted tasks of a slot but one; says which was the last that still runs.
    fn stop_others(&mut self, service: &str, slot: &Slot, keep: &str) -> Option<String> {
        let others: Vec<String> = self
            .tasks_of(service)
            .into_iter()
            .filter(|task| task.slot == *slot && task.is_wanted() && task.id != keep)
            .map(|task| task.id.clone())
            .collect();
        for id in &others {
            self.desire(id, State::Shutdown);
        }
        others.into_iter().rev().find(|id| self.task(id).is_some_and(|task| !task.is_dead()))
    }

    fn acts_on_failure(&mut self, service: &str, updater: &mut Updater, task: &str) -> bool {
        let config = &updater.config;
        if config.failure_action == "continue" {
            return false;
        }
        let counts = updater.started.get(task).is_some_and(|started| {
            started.is_none_or(|started| self.now.saturating_sub(started) <= self.scaled(config.monitor()))
        });
        if !counts || !updater.failed.insert(task.to_owned()) {
            return false;
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of slots")]
        let ratio = updater.failed.len() as f64 / updater.total as f64;
        if ratio <= config.max_failure_ratio {
            return false;
        }
        let why = format!("due to failure or early termination of task {task}");
        let state = self.services.get(service).and_then(|service| service.update.as_ref()).map(|update| update.state);
        let rolls_back = state == Some(UpdateState::RollbackStarted);
        match (config.failure_action.as_str(), rolls_back) {
            ("rollback", false) => self.roll_back(service, &format!("update rolled back {why}")),
            ("rollback", true) => {
                self.set_update_state(service, UpdateState::RollbackPaused, &format!("rollback paused {why}"));
            }
            (_, true) => self.set_update_state(service, UpdateState::RollbackPaused, &format!("update paused {why}")),
            (_, false) => self.set_update_state(service, UpdateState::Paused, &format!("update paused {why}")),
        }
        true
    }

    fn roll_back(&mut self, service: &str, message: &str) {
        let version = self.index + 1;
        let Some(found) = self.services.get_mut(service) else { return };
        let Some(mut previous) = found.previous.take() else {
            let message = "cannot roll back service because no previous spec is available";
            self.set_update_state(service, UpdateState::Paused, message);
            return;
        };
        previous.version = version;
        found.spec = previous;
        self.set_update_state(service, UpdateState::RollbackStarted, message);
    }

    fn complete_update(&mut self, service: &str) {
        let state = self.services.get(service).and_then(|service| service.update.as_ref()).map(|update| update.state);
        let (state, message) = match state {
            Some(UpdateState::RollbackStarted) => (UpdateState::RollbackCompleted, "rollback completed"),
            _ => (UpdateState::Completed, "update completed"),
        };
        self.set_update_state(service, state, message);
    }

    /// Writes `UpdateStatus`. The start of an update stays the start of its rollback.
    fn set_update_state(&mut self, id: &str, state: UpdateState, message: &str) {
        let (version, at) = (self.bump(), self.stamp());
        let Some(service) = self.services.get_mut(id) else { return };
        let old = service.update.take();
        let is_complete = matches!(state, UpdateState::Completed | UpdateState::RollbackCompleted);
        service.update = Some(UpdateStatus {
            state,
            started: old.as_ref().map_or_else(|| at.clone(), |old| old.started.clone()),
            completed: is_complete.then(|| at.clone()),
            message: message.to_owned(),
        });
        (service.version, service.updated) = (version, at);
        let name = service.name().to_owned();
        let mut attributes = vec![("name", name.as_str()), ("updatestate.new", state.word())];
        if let Some(old) = &old {
            attributes.push(("updatestate.old", old.state.word()));
        }
        self.unsaved = true;
        self.dirty.insert(id.to_owned());
        self.tell("service", "update", id, &attributes);
    }
}

/// What a round came to.
enum Outcome {
    /// Something changed: another round may change more.
    Moved,
    /// Nothing to do before time passes or a task changes.
    Waits,
    /// The update is over, for good or ill.
    Done,
}
