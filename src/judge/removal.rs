//! The rows for a service that is removed: it must be gone, and its tasks with it.

use super::watch::{Watch, superseded};
use super::{Judgement, Look};
use crate::deployment::Verdict;
use crate::engine::{Observation, Task};
use crate::live::ServicePhase;

impl Watch {
    pub(super) fn judge_removal(&mut self, seen: &Observation) -> Judgement {
        if let Some(service) = seen.services.get(&self.target.full_name) {
            if self.target.service_id.as_ref().is_some_and(|id| *id != service.id) {
                return self.over(superseded("the service was created anew by somebody else"));
            }
            let look = Look::new(service, seen);
            self.count.running = look.tasks.iter().filter(|task| look.runs(task)).count() as u64;
            return self.going(ServicePhase::Submitting);
        }
        let is_ready = |node: &str| seen.nodes.iter().any(|other| other.id == node && other.is_ready());
        let lingers = |task: &&Task| {
            self.target.service_id.as_ref() == Some(&task.service_id)
                && matches!(task.state.as_str(), "starting" | "running")
                && task.node_id.as_deref().is_some_and(is_ready)
        };
        self.count.running = seen.tasks.iter().filter(lingers).count() as u64;
        self.count.old_tasks_serve = false;
        if self.count.running == 0 {
            return self.over(Verdict::Pruned);
        }
        self.count.message = Some("its tasks are being stopped".to_owned());
        self.going(ServicePhase::Updating)
    }
}
