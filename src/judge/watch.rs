//! The watch over one service, and the rows of the rule in the order in which they are asked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::look::{Look, Slot, is_failure, label};
use super::{Judgement, Target, Timing, words};
use crate::deployment::{Evidence, FailureReason, TaskEvidence, Verdict};
use crate::engine::{DEPLOYMENT_LABEL, Observation, Task};
use crate::live::ServicePhase;
use crate::plan::{Mode, NetworkNames, canon, changes, is_as_written};

/// A service that is gone for so long was removed and is not just being made anew.
const GONE: Duration = Duration::from_secs(2);

/// The watch over one service: takes one observation after the other and remembers what only their sequence tells.
#[derive(Debug, Clone)]
pub struct Watch {
    pub(super) target: Target,
    pub(super) timing: Timing,
    /// When the write was sent.
    started: Duration,
    networks: NetworkNames,
    /// When the Engine last answered.
    pub(super) answered: Duration,
    /// Whether nobody has looked since the write: what ended meanwhile proves nothing.
    unseen: bool,
    /// Whether the service was ever there.
    pub(super) found: bool,
    /// Since when it is not there.
    gone: Option<Duration>,
    /// The live spec that was last found to be ours: most looks show it again.
    known: Option<Value>,
    /// Why the Engine could not be asked the last time.
    pub(super) blind: Option<String>,
    /// What Swarm said when it began to go back to the prior spec.
    rollback: Option<String>,
    /// The tasks whose end has been looked at.
    pub(super) ended: BTreeSet<String>,
    /// Ends that count, by slot.
    pub(super) ends: BTreeMap<Slot, u32>,
    /// The first task that failed by its own fault, and the first that failed at all.
    failure: Option<TaskEvidence>,
    any_failure: Option<TaskEvidence>,
    /// The first task of the prior spec that failed after Swarm had gone back to it.
    failure_of_prior: Option<TaskEvidence>,
    /// Since when a task has found no node.
    pending: BTreeMap<String, Duration>,
    /// Since when no node may run it at all.
    unwanted: Option<Duration>,
    /// The tasks with their states, and since when they are so.
    stillness: (BTreeSet<(String, String, String)>, Duration),
    /// The tasks that fill all slots, and since when they do.
    proof: Option<(BTreeSet<String>, Duration)>,
    /// Since when a slot of a job has nothing but failed tasks.
    pub(super) given_up: BTreeMap<Slot, Duration>,
    pub(super) count: Count,
}

/// What was counted at the last look.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    pub(super) running: u64,
    pub(super) desired: u64,
    /// `running`, or `complete` for jobs.
    pub(super) word: &'static str,
    pub(super) old_tasks_serve: bool,
    pub(super) message: Option<String>,
}

impl Count {
    pub(super) fn tasks(&self) -> String {
        format!("{}/{} {}", self.running, self.desired, if self.word.is_empty() { "running" } else { self.word })
    }
}

impl Watch {
    /// Begins to watch. `started` is when the write was sent, on the clock that [`Watch::see`] is given.
    pub fn new(target: Target, timing: Timing, started: Duration) -> Self {
        Self {
            target,
            timing,
            started,
            networks: NetworkNames::new(),
            answered: started,
            unseen: false,
            found: false,
            gone: None,
            known: None,
            blind: None,
            rollback: None,
            ended: BTreeSet::new(),
            ends: BTreeMap::new(),
            failure: None,
            any_failure: None,
            failure_of_prior: None,
            pending: BTreeMap::new(),
            unwanted: None,
            stillness: (BTreeSet::new(), started),
            proof: None,
            given_up: BTreeMap::new(),
            count: Count::default(),
        }
    }

    /// Takes up a watch that another process has begun: what ended before the first look was seen by nobody.
    #[must_use]
    pub fn after_a_gap(mut self) -> Self {
        self.unseen = true;
        self
    }

    /// Tells the names of networks by their ids, so that somebody else's change of networks is noticed too.
    #[must_use]
    pub fn with_networks(mut self, networks: BTreeMap<String, String>) -> Self {
        self.networks = networks;
        self
    }

    /// What is watched.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Takes what was seen at a moment, or why nothing could be, and judges. Moments never go back.
    pub fn see(&mut self, at: Duration, seen: Result<&Observation, &str>) -> Judgement {
        let judgement = match seen {
            Ok(seen) => {
                self.blind = None;
                let judgement = self.judge(at, seen);
                self.answered = at;
                judgement
            }
            Err(why) => {
                self.blind = Some(why.to_owned());
                self.count.message = Some(format!("the Docker Engine cannot be asked just now: {why}"));
                self.going(ServicePhase::Observing)
            }
        };
        match judgement {
            Judgement::Going { .. } if at.saturating_sub(self.started) >= self.timing.deadline => self.too_late(),
            judgement => judgement,
        }
    }

    fn judge(&mut self, at: Duration, seen: &Observation) -> Judgement {
        let after_gap = self.unseen || at.saturating_sub(self.answered) > self.timing.gap;
        if after_gap {
            self.proof = None;
            self.stillness.1 = at;
        }
        if self.target.spec.is_none() {
            return self.judge_removal(seen);
        }
        let Some(service) = seen.services.get(&self.target.full_name) else { return self.missing(at) };
        let look = Look::new(service, seen);
        if self.target.service_id.as_ref().is_some_and(|id| *id != service.id) {
            return self.over(superseded("the service was removed and created anew by somebody else"));
        }
        self.found = true;
        self.gone = None;
        if self.target.version_before.is_some_and(|before| service.version <= before) {
            return self.going(ServicePhase::Submitting);
        }
        if let Some(over) = self.whose(&look) {
            return over;
        }
        self.target.service_id = Some(service.id.clone());
        self.account(&look, after_gap);
        self.unseen = false;
        if look.mode.is_job() { self.judge_job(at, &look) } else { self.judge_tasks(at, &look) }
    }

    /// Row 1. A service that was just created may not be visible yet, and one that somebody makes anew is gone for moments.
    fn missing(&mut self, at: Duration) -> Judgement {
        let gone = *self.gone.get_or_insert(at);
        let is_new = self.target.version_before.is_none() && !self.found;
        if is_new && at.saturating_sub(self.started) < self.timing.pending_grace {
            return self.going(ServicePhase::Submitting);
        }
        if at.saturating_sub(gone) < GONE {
            self.count.message = Some("the service is gone; somebody may be making it anew".to_owned());
            return self.going(ServicePhase::Observing);
        }
        self.over(Verdict::Removed)
    }

    /// Rows 4 to 6: whose spec is live?
    fn whose(&mut self, look: &Look<'_>) -> Option<Judgement> {
        if self.known.as_ref() == Some(&look.service.spec) {
            return None;
        }
        let live = &look.service.spec;
        let written = self.target.spec.as_ref()?;
        // What is watched without having been written may carry nobody's label.
        let has_label = label(live, DEPLOYMENT_LABEL) == label(written, DEPLOYMENT_LABEL);
        if has_label && is_as_written(written, live, &self.networks) {
            self.known = Some(live.clone());
            return None;
        }
        let is_prior = self.target.prior.as_ref().is_some_and(|prior| is_as_written(prior, live, &self.networks));
        let is_back = is_prior && self.target.was_taken_back(look.service.update.as_ref());
        match look.update_state() {
            "rollback_paused" if is_back => {
                self.account(look, false);
                let message = words::rollback_failed(look.update_message(), self.why());
                Some(self.fail(FailureReason::RollbackFailed, message))
            }
            "rollback_started" | "rollback_completed" if is_back => {
                if self.rollback.is_none() {
                    self.rollback = Some(look.update_message().to_owned());
                    // What is counted from here on are tasks of the prior spec.
                    self.ends.clear();
                    self.proof = None;
                }
                None
            }
            _ => {
                let message = self.by_whom(look, is_prior);
                Some(self.over(superseded(&message)))
            }
        }
    }

    fn by_whom(&self, look: &Look<'_>, is_prior: bool) -> String {
        let live = &look.service.spec;
        let since = look.service.update.as_ref().and_then(|update| update.started_at.as_deref());
        let since = since.map(|since| format!(" (update of {since})")).unwrap_or_default();
        if is_prior {
            return format!("somebody put back the spec from before{since}");
        }
        match label(live, DEPLOYMENT_LABEL) {
            Some(other) if other != self.target.deployment.to_string() => {
                format!("deployment {other} has changed the service meanwhile{since}")
            }
            _ => {
                let canonical = |spec| canon(spec, &self.networks);
                let written = self.target.spec.as_ref().map(canonical).unwrap_or_default();
                let fields: Vec<String> =
                    changes(&written, &canonical(live)).into_iter().take(5).map(|change| change.field).collect();
                format!("somebody else has changed the service meanwhile{since}: {}", fields.join(", "))
            }
        }
    }

    /// Notes ends, failures and movements, and counts.
    fn account(&mut self, look: &Look<'_>, after_gap: bool) {
        for task in &look.tasks {
            self.note_end(look, task, after_gap);
        }
        let live: BTreeSet<Slot> =
            look.tasks.iter().filter(|task| look.is_live(task)).map(|task| look.slot(task)).collect();
        let is_other = |task: &&&Task| look.runs(task) && (self.rollback.is_some() || !look.is_current(task));
        self.count = Count {
            running: u64::try_from(live.len()).unwrap_or(u64::MAX),
            desired: look.want(),
            word: "running",
            old_tasks_serve: look.tasks.iter().any(|task| is_other(&task)),
            message: self.message(look),
        };
    }

    pub(super) fn note_end(&mut self, look: &Look<'_>, task: &Task, after_gap: bool) {
        let completed = task.state == "complete" && !look.may_complete() && !look.mode.is_job();
        let is_new = !self.target.tasks_before.contains(&task.id);
        if !is_new || !(is_failure(&task.state) || completed) || self.ended.contains(&task.id) {
            return;
        }
        self.ended.insert(task.id.clone());
        // An end that nobody watched, or on a node that is gone, is not the service's own fault.
        let is_infra = after_gap || task.node_id.is_some() && !look.is_on_ready_node(task);
        self.any_failure.get_or_insert_with(|| look.evidence(task));
        if is_infra {
            return;
        }
        self.failure.get_or_insert_with(|| look.evidence(task));
        if look.is_current(task) {
            if self.rollback.is_some() {
                self.failure_of_prior.get_or_insert_with(|| look.evidence(task));
            }
            *self.ends.entry(look.slot(task)).or_default() += 1;
        }
    }

    /// What a person would want to read while it goes on.
    fn message(&self, look: &Look<'_>) -> Option<String> {
        let current = || look.tasks.iter().filter(|task| look.is_current(task));
        let pending = current().find(|task| look.is_unschedulable(task)).and_then(|task| task.error.clone());
        let failed = || self.failure.as_ref().and_then(|task| task.error.clone());
        let busy = || current().find(|task| look.is_worked_on(task)).map(|task| task.message.clone());
        pending.or_else(failed).or_else(busy).filter(|message| !message.is_empty())
    }

    /// Rows 7 to 12.
    fn judge_tasks(&mut self, at: Duration, look: &Look<'_>) -> Judgement {
        let full = Self::is_full(look);
        self.prove(at, look, full);
        let still_for = self.still_for(at, look);
        if let Some(over) = self.crash_loop().or_else(|| self.unschedulable(at, look)) {
            return over;
        }
        match look.update_state() {
            "updating" | "rollback_started" => {
                let is_stuck = still_for >= self.timing.stall && !look.tasks.iter().any(|task| look.is_worked_on(task));
                match (is_stuck, full) {
                    (false, _) => self.going(ServicePhase::Updating),
                    (true, true) => self.verify(at, look, Some("Swarm's updater is stuck, although every task runs")),
                    (true, false) => self.stalled(look),
                }
            }
            "paused" | "rollback_paused" if full => {
                self.verify(at, look, Some("Swarm paused the update, although every task runs"))
            }
            "paused" | "rollback_paused" => {
                let message = words::paused(look.update_message(), &self.count.tasks(), self.why());
                self.fail(FailureReason::Paused, message)
            }
            _ if full => self.verify(at, look, None),
            _ => self.going(ServicePhase::Updating),
        }
    }

    /// Whether every slot is filled once by the current spec, and nothing else is left.
    fn is_full(look: &Look<'_>) -> bool {
        let want = look.want();
        if look.mode == Mode::Replicated(0) {
            let is_up =
                |task: &&Task| matches!(task.state.as_str(), "starting" | "running") && look.is_on_ready_node(task);
            return !look.tasks.iter().any(is_up);
        }
        if want == 0 || look.tasks.iter().any(|task| look.is_old(task) || look.is_stray(task)) {
            return false;
        }
        let mut filled: BTreeMap<Slot, u32> = BTreeMap::new();
        for task in look.tasks.iter().filter(|task| look.is_live(task)) {
            *filled.entry(look.slot(task)).or_default() += 1;
        }
        if look.may_complete() {
            for task in look.tasks.iter().filter(|task| look.is_current(task) && task.state == "complete") {
                filled.entry(look.slot(task)).or_insert(1);
            }
        }
        filled.values().all(|tasks| *tasks == 1) && u64::try_from(filled.len()) == Ok(want)
    }

    /// Lets the proof grow, or begins it anew.
    fn prove(&mut self, at: Duration, look: &Look<'_>, full: bool) {
        if !full {
            self.proof = None;
            return;
        }
        let live: BTreeSet<String> =
            look.tasks.iter().filter(|task| look.is_live(task)).map(|task| task.id.clone()).collect();
        if self.proof.as_ref().is_none_or(|(tasks, _)| *tasks != live) {
            self.proof = Some((live, at));
        }
    }

    fn still_for(&mut self, at: Duration, look: &Look<'_>) -> Duration {
        let now: BTreeSet<_> =
            look.tasks.iter().map(|task| (task.id.clone(), task.state.clone(), task.desired_state.clone())).collect();
        if now != self.stillness.0 {
            self.stillness = (now, at);
        }
        at.saturating_sub(self.stillness.1)
    }

    /// Row 7.
    pub(super) fn crash_loop(&mut self) -> Option<Judgement> {
        let worst = self.ends.values().max().copied().unwrap_or(0);
        if worst < self.timing.crash_budget {
            return None;
        }
        let why = self.failure_of_prior.as_ref().or_else(|| self.why());
        let message = words::crash_loop(worst, self.rollback.is_some(), why);
        Some(self.fail(FailureReason::CrashLoop, message))
    }

    /// Row 8.
    pub(super) fn unschedulable(&mut self, at: Duration, look: &Look<'_>) -> Option<Judgement> {
        let waiting: BTreeMap<&str, &Task> = look
            .tasks
            .iter()
            .filter(|task| look.is_unschedulable(task))
            .map(|task| (task.id.as_str(), *task))
            .collect();
        self.pending.retain(|task, _| waiting.contains_key(task.as_str()));
        for task in waiting.keys() {
            self.pending.entry((*task).to_owned()).or_insert(at);
        }
        let grace = self.timing.pending_grace;
        let late = self.pending.iter().find(|(_, since)| at.saturating_sub(**since) >= grace);
        if let Some(task) = late.and_then(|(task, _)| waiting.get(task.as_str())) {
            self.failure = Some(look.evidence(task));
            let message = words::unschedulable(task.error.as_deref().unwrap_or_default(), grace);
            return Some(self.fail(FailureReason::Unschedulable, message));
        }
        let is_unwanted = matches!(look.mode, Mode::Global | Mode::GlobalJob) && look.want() == 0;
        self.unwanted = if is_unwanted { self.unwanted.or(Some(at)) } else { None };
        if self.unwanted.is_some_and(|since| at.saturating_sub(since) >= grace) {
            return Some(self.fail(FailureReason::Unschedulable, words::no_node_wanted(grace)));
        }
        None
    }

    /// Row 12.
    fn verify(&mut self, at: Duration, look: &Look<'_>, warning: Option<&str>) -> Judgement {
        let Some((tasks, since)) = &self.proof else { return self.going(ServicePhase::Updating) };
        let has_ended = tasks.is_empty() && look.want() > 0;
        let stable = at.saturating_sub(*since);
        if stable < self.timing.stability && !has_ended {
            let phase = ServicePhase::Verifying {
                stable_seconds: stable.as_secs(),
                of_seconds: self.timing.stability.as_secs(),
            };
            return self.going(phase);
        }
        let verdict = match &self.rollback {
            Some(cause) => Verdict::RolledBack { message: words::rolled_back(cause, self.why()) },
            None if has_ended => Verdict::Completed,
            None => {
                let warning = warning.map(|warning| match look.update_message() {
                    "" => warning.to_owned(),
                    message => format!("{warning}: {message}"),
                });
                Verdict::Succeeded { stable_seconds: stable.as_secs(), warning }
            }
        };
        self.over(verdict)
    }

    fn stalled(&mut self, look: &Look<'_>) -> Judgement {
        let down = look.nodes_that_do_not_answer();
        let message = words::stalled(self.timing.stall, &self.count.tasks(), &down);
        self.fail(FailureReason::Stalled, message)
    }

    /// Row D.
    fn too_late(&mut self) -> Judgement {
        let after = self.timing.deadline;
        if let Some(why) = self.blind.clone() {
            return self.fail(FailureReason::Unknown, words::unknown(after, &why));
        }
        let message = if self.target.spec.is_none() {
            words::still_there(after)
        } else {
            words::deadline(after, &self.count.tasks(), self.count.message.as_deref(), self.why())
        };
        self.fail(FailureReason::Deadline, message)
    }

    /// The task that tells most about a failure.
    pub(super) fn why(&self) -> Option<&TaskEvidence> {
        self.failure.as_ref().or(self.any_failure.as_ref())
    }

    pub(super) fn going(&self, phase: ServicePhase) -> Judgement {
        let Count { running, desired, message, .. } = self.count.clone();
        Judgement::Going { phase, running, desired, message }
    }

    pub(super) fn fail(&self, reason: FailureReason, message: String) -> Judgement {
        self.over(Verdict::Failed { reason, message })
    }

    pub(super) fn over(&self, verdict: Verdict) -> Judgement {
        let evidence = Evidence {
            failing_task: self.why().cloned(),
            log_lines: Vec::new(),
            old_tasks_serve: self.count.old_tasks_serve,
            tasks: self.count.tasks(),
            ..Evidence::default()
        };
        Judgement::Over { verdict, evidence }
    }
}

pub(super) fn superseded(by: &str) -> Verdict {
    Verdict::Superseded { message: words::superseded(by) }
}
