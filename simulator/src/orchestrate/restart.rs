//! The restart supervisor: what follows a task that has ended, or lost its node.

use std::time::Duration;

use crate::{
    orchestrate::World,
    spec::RestartPolicy,
    state::{
        node::Availability,
        task::{Gate, OLD_TASK_TIMEOUT, State, Task},
    },
};

impl World {
    /// Whether the restart policy calls for another task after this one.
    pub(crate) fn should_restart(&self, task: &Task) -> bool {
        let Some(service) = self.services.get(&task.service) else { return false };
        let policy = &service.spec.parsed.task_template.restart_policy;
        let is_complete = task.status.state == State::Complete;
        let by_condition = match policy.condition.as_str() {
            "none" => false,
            "on-failure" => !is_complete,
            _ => !(is_complete && service.spec.mode().is_job()),
        };
        by_condition && (policy.max_attempts == 0 || self.restarts_so_far(task, policy) < policy.max_attempts)
    }

    fn restarts_so_far(&self, task: &Task, policy: &RestartPolicy) -> u64 {
        let service = &self.services[&task.service];
        let Some(restarts) = service.restarts.get(&task.slot) else { return 0 };
        if restarts.spec_version != service.spec.version {
            return 0;
        }
        let since = policy.window().map(|window| self.now.saturating_sub(self.scaled(window)));
        let counted = restarts.at.iter().filter(|at| since.is_none_or(|since| **at >= since)).count();
        u64::try_from(counted).unwrap_or(u64::MAX)
    }

    /// Gives up a task that has ended, and puts another one in its slot after the delay if the policy says so.
    pub(crate) fn restart(&mut self, id: &str) {
        let Some(task) = self.task(id) else { return };
        if task.desired > State::Complete || task.gate.is_some() {
            return;
        }
        let (service_id, slot, iteration) = (task.service.clone(), task.slot.clone(), task.iteration);
        let is_drained = task
            .node
            .as_deref()
            .and_then(|node| self.node(node))
            .is_some_and(|node| node.availability == Availability::Drain);
        let old_ends_later = !task.is_dead() && !self.is_down(task.node.as_deref());
        let again = self.should_restart(task);
        self.desire(id, State::Shutdown);
        if !again {
            return;
        }
        let Some(service) = self.services.get_mut(&service_id) else { return };
        // swarmkit does not make a drained node's tasks wait.
        let delay = if is_drained { Duration::ZERO } else { service.spec.parsed.task_template.restart_policy.delay() };
        let (spec_version, now) = (service.spec.version, self.now);
        let restarts = service.restarts.entry(slot.clone()).or_default();
        if restarts.spec_version != spec_version {
            restarts.spec_version = spec_version;
            restarts.at.clear();
        }
        restarts.at.push(now);
        let Some(new) = self.create_task(&service_id, slot, State::Ready) else { return };
        let gate = Gate {
            not_before: self.ahead(delay),
            after: old_ends_later.then(|| (id.to_owned(), self.ahead(OLD_TASK_TIMEOUT))),
            to: if iteration.is_some() { State::Complete } else { State::Running },
        };
        self.plan_task(&new, |task| task.gate = Some(gate));
    }

    /// Restarts every wanted task of a service that has ended or whose node must not keep it.
    pub(crate) fn restart_ended(&mut self, service: &str) {
        let ended: Vec<String> = self
            .tasks_of(service)
            .into_iter()
            .filter(|task| task.desired <= State::Complete && (task.is_dead() || self.lost_its_node(task)))
            .filter(|task| !(task.desired == State::Complete && task.status.state == State::Complete))
            .map(|task| task.id.clone())
            .collect();
        for id in ended {
            self.restart(&id);
        }
    }

    fn lost_its_node(&self, task: &Task) -> bool {
        task.status.state >= State::Assigned
            && task.node.as_deref().is_some_and(|id| self.node(id).is_none_or(|node| !node.keeps_tasks()))
    }
}
