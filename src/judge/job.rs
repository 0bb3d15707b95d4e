//! The row for jobs: their tasks are to end, once each, and well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::look::{Look, Slot, is_failure};
use super::timing::time;
use super::watch::Watch;
use super::{Judgement, words};
use crate::deployment::{FailureReason, Verdict};
use crate::engine::Task;
use crate::live::ServicePhase;
use crate::plan::Mode;

impl Watch {
    pub(super) fn judge_job(&mut self, at: Duration, look: &Look<'_>) -> Judgement {
        let iteration = look.service.job_iteration.unwrap_or(0);
        // Iteration 0 of a job that was there before is written as none at all.
        let before = self.target.version_before.map(|_| self.target.job_iteration_before.unwrap_or(0));
        if before.is_some_and(|before| iteration <= before) {
            return self.going(ServicePhase::Submitting);
        }
        let tasks: Vec<&Task> =
            look.tasks.iter().copied().filter(|task| task.job_iteration.unwrap_or(0) == iteration).collect();
        let complete: BTreeSet<Slot> =
            tasks.iter().filter(|task| task.state == "complete").map(|task| look.slot(task)).collect();
        self.count_job(look, &tasks, &complete);
        if is_done(look, &complete) {
            return self.over(Verdict::Completed);
        }
        if let Some(over) = self.job_failed(at, look, &tasks).or_else(|| self.unschedulable(at, look)) {
            return over;
        }
        self.going(ServicePhase::Updating)
    }

    fn count_job(&mut self, look: &Look<'_>, tasks: &[&Task], complete: &BTreeSet<Slot>) {
        let running: BTreeSet<Slot> =
            tasks.iter().filter(|task| task.state == "running").map(|task| look.slot(task)).collect();
        self.count.running = u64::try_from(complete.union(&running).count()).unwrap_or(u64::MAX);
        self.count.word = "running or complete";
        self.count.old_tasks_serve = false;
    }

    /// A slot that is given up, or one that fails again and again.
    fn job_failed(&mut self, at: Duration, look: &Look<'_>, tasks: &[&Task]) -> Option<Judgement> {
        let policy = &look.service.spec["TaskTemplate"]["RestartPolicy"];
        let mut slots: BTreeMap<Slot, bool> = BTreeMap::new();
        for task in tasks {
            let is_given_up = is_failure(&task.state) && matches!(task.desired_state.as_str(), "shutdown" | "remove");
            *slots.entry(look.slot(task)).or_insert(true) &= is_given_up;
        }
        self.given_up.retain(|slot, _| slots.get(slot) == Some(&true));
        for (slot, _) in slots.into_iter().filter(|(_, is_given_up)| *is_given_up) {
            self.given_up.entry(slot).or_insert(at);
        }
        let patience = time(policy, "/Delay").unwrap_or(Duration::from_secs(5)) + Duration::from_secs(2);
        let is_given_up = self.given_up.values().any(|since| at.saturating_sub(*since) >= patience);
        let retries_blindly =
            policy["Condition"].as_str().is_none_or(|condition| condition.is_empty() || condition == "any");
        let is_loop = retries_blindly && self.ends.values().any(|ends| *ends >= self.timing.crash_budget);
        (is_given_up || is_loop).then(|| {
            let message = words::job_failed(&self.count.tasks(), self.why());
            self.fail(FailureReason::JobFailed, message)
        })
    }
}

fn is_done(look: &Look<'_>, complete: &BTreeSet<Slot>) -> bool {
    match look.mode {
        Mode::GlobalJob => {
            let nodes = look.eligible_nodes();
            !complete.is_empty() && nodes.iter().all(|node| complete.contains(&Slot::Node((*node).to_owned())))
        }
        _ => u64::try_from(complete.len()).is_ok_and(|complete| complete >= look.want()),
    }
}
