//! The orchestrator: turns what services want into tasks, and moves tasks through their lives. Nothing here waits; every
//! function looks at the store as it is at `now`, and `next_due` says when to look again.

mod allocate;
pub(crate) mod constraint;
mod global;
mod jobs;
mod lifecycle;
mod reap;
mod replicated;
mod restart;
mod schedule;
pub(crate) mod update;

use crate::{
    clock::Moment,
    spec::Mode,
    state::{
        World,
        service::Spec,
        task::{Slot, State, Status, Task},
    },
};

impl World {
    /// Does everything that is due, if there is a daemon to do it.
    pub(crate) fn settle_unless_halted(&mut self) {
        if !self.halted {
            self.settle();
        }
    }

    /// Does everything that is due, until nothing more follows from it.
    pub(crate) fn settle(&mut self) {
        loop {
            self.notice_lost_nodes();
            self.allocate_due();
            self.step_due();
            self.open_gates();
            self.mark_due_updaters();
            if self.schedule {
                self.schedule = false;
                self.schedule_pending();
            }
            let Some(service) = self.dirty.pop_first() else {
                if self.next_due().is_some_and(|due| due <= self.now) {
                    continue;
                }
                return;
            };
            self.reconcile(&service);
            self.reap(&service);
        }
    }

    /// When something happens next by itself.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        let tasks = self.tasks().flat_map(|task| {
            let step = task.next.as_ref().map(|(at, _)| *at);
            let gate = task.gate.as_ref().map(|gate| self.gate_due(gate));
            [step, gate].into_iter().flatten()
        });
        let services = self.services.values().flat_map(|service| {
            let updater = service.updater.as_ref().and_then(update::Updater::due);
            [service.allocate_at, updater].into_iter().flatten()
        });
        let nodes = self.nodes.iter().filter_map(|node| node.noticed_at);
        tasks.chain(services).chain(nodes).filter(|due| *due != crate::clock::NEVER).min()
    }

    fn reconcile(&mut self, id: &str) {
        let Some(service) = self.services.get(id) else {
            self.remove_all_tasks(id);
            return;
        };
        match service.spec.mode() {
            Mode::Replicated { replicas } => self.reconcile_replicated(id, replicas),
            Mode::Global => self.reconcile_global(id),
            Mode::ReplicatedJob { concurrent, total } => self.reconcile_job(id, concurrent, total),
            Mode::GlobalJob => self.reconcile_global_job(id),
        }
    }

    fn remove_all_tasks(&mut self, service: &str) {
        let ids: Vec<String> = self.tasks_of(service).iter().map(|task| task.id.clone()).collect();
        for id in ids {
            self.desire(&id, State::Remove);
        }
    }

    /// Makes a task for a slot of a service. Tasks of global services are bound to their node at once.
    pub(crate) fn create_task(&mut self, service: &str, slot: Slot, desired: State) -> Option<String> {
        let (spec, iteration) = {
            let service = self.services.get(service)?;
            (service.spec.clone(), service.job.as_ref().map(|job| job.iteration))
        };
        let Spec { json: service_spec, parsed, template, version: spec_version } = spec;
        let (id, serial, version, at) = (self.ids.object(), self.next_serial(), self.bump(), self.stamp());
        let node = match &slot {
            Slot::Node(node) => Some(node.clone()),
            Slot::Number(_) => None,
        };
        let status = Status { state: State::New, at: at.clone(), message: "created", error: None, container: None };
        self.insert_task(Task {
            id: id.clone(),
            serial,
            service: service.to_owned(),
            service_name: parsed.name.clone(),
            service_spec,
            slot,
            node,
            template,
            spec_version,
            version,
            created: at.clone(),
            updated: at,
            status,
            desired,
            iteration,
            next: None,
            gate: None,
            logs: Vec::new(),
        });
        self.begin_life(&id);
        Some(id)
    }

    /// Whether the task still is what the service's spec asks for.
    pub(crate) fn is_up_to_date(&self, task: &Task) -> bool {
        let Some(service) = self.services.get(&task.service) else { return false };
        let spec = &service.spec;
        if task.spec_version == spec.version {
            return true;
        }
        if task.template.endpoint != spec.template.endpoint {
            return false;
        }
        task.template.json == spec.template.json || self.differs_only_in_a_placement_it_meets(task, spec)
    }

    fn differs_only_in_a_placement_it_meets(&self, task: &Task, spec: &Spec) -> bool {
        let without_placement = |json: &serde_json::Value| {
            let mut json = json.clone();
            json.as_object_mut().map(|json| json.remove("Placement"));
            json
        };
        let node = task.node.as_deref().and_then(|id| self.node(id));
        without_placement(&task.template.json) == without_placement(&spec.template.json)
            && node.is_some_and(|node| constraint::all_met(&spec.template.parsed.placement.constraints, node))
    }
}
