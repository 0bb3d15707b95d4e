//! Writing, once. A write in doubt is settled by reading, never by repeating it blindly; nobody else's change is
//! overwritten.

use serde_json::Value;

use super::{Before, FRESH_LOOK, Interrupted, Rollout, service_of};
use crate::deployment::{Evidence, FailureReason, ServiceOutcome, Verdict};
use crate::engine::{DEPLOYMENT_LABEL, LiveService, Task, Write};
use crate::judge::{Target, Timing, Watch, is_before_end};
use crate::live::ServicePhase;
use crate::manager::ManagerError;
use crate::names::ServiceName;
use crate::plan::{self, ActionKind, SPEC_LABEL};
use crate::ports::{JournalEntry, SwarmError};

/// How often a write is tried again when only the Engine's own bookkeeping has moved the version.
const SEQUENCE_TRIES: u32 = 5;

/// How often a write waits for a network that the Engine still lists although it is gone: after a stack was removed that
/// takes it some seconds.
const NETWORK_TRIES: u32 = 10;

/// What came of writing a service.
pub(super) enum Submitted {
    /// The Engine has it: from now on it is watched.
    Accepted(Box<Watch>),
    /// It is over before it began.
    Ended(Box<ServiceOutcome>),
    /// It is watched or has its verdict.
    Already,
    /// Nothing more is to be written, and this was not.
    NotBegun,
}

/// What reading says of a write in doubt.
enum Settled {
    /// It was done.
    Accepted,
    /// It was not, and may be sent again with this version.
    Again(Option<u64>),
    /// Somebody else has written.
    Superseded(String),
    /// Nobody could be asked until time ran out.
    Unknown(String),
}

impl Rollout<'_> {
    /// Sends a write, if this process still leads. A lease that cannot be read leaves the write in doubt.
    pub(super) async fn send(&self, write: &Write) -> Result<String, SwarmError> {
        let environment = self.inner.environment(self.permit.environment());
        match self.inner.must_lead(environment.map_err(|error| SwarmError::Refused(error.to_string()))?).await {
            Ok(()) => self.inner.ports.swarm_of(&self.stack).apply(write).await,
            Err(ManagerError::Swarm(error)) => Err(error),
            Err(error) => Err(SwarmError::Refused(error.to_string())),
        }
    }

    /// Writes one service, or finds that it was written.
    pub(super) async fn submit_service(
        &self,
        number: usize,
        before: &Before,
    ) -> Result<(ServiceName, Submitted), Interrupted> {
        let action = &self.actions[number];
        let Some(service) = service_of(&action.kind).cloned() else {
            return Err(Interrupted::Refused(format!("action {number} of the plan is about no service")));
        };
        if self.over.contains_key(&service) || self.watches.contains_key(&service) {
            return Ok((service, Submitted::Already));
        }
        if self.is_halted() && !self.journal.intents.contains_key(&number) {
            return Ok((service, Submitted::NotBegun));
        }
        let Some(write) = &action.write else {
            let submitted = self.watch_as_it_is(number, &service, before);
            return Ok((service, submitted));
        };
        self.show(&service, |progress| progress.phase = ServicePhase::Submitting);
        let known = self.journal.intents.get(&number).cloned().flatten();
        let in_doubt = known.is_some() && !self.journal.done.contains(&number);
        let is_new = known.is_none();
        let target = known.unwrap_or_else(|| self.target(number, &service, write, before));
        if is_new {
            self.journal(&JournalEntry::Intent { action: number, target: Some(target.clone()) }).await?;
        }
        let verdict = if self.journal.done.contains(&number) {
            None
        } else {
            self.write_service(number, write, &target, in_doubt).await?
        };
        let submitted = match verdict {
            // Nobody has seen what ended between the process that wrote it and this one.
            None if !is_new => Submitted::Accepted(Box::new(self.watch(target, before).after_a_gap())),
            None => Submitted::Accepted(Box::new(self.watch(target, before))),
            Some(verdict) => Submitted::Ended(Box::new(self.outcome(number, verdict, Evidence::default()))),
        };
        Ok((service, submitted))
    }

    /// Sends the write until the Engine has taken or refused it. `None`: taken.
    async fn write_service(
        &self,
        number: usize,
        write: &Write,
        target: &Target,
        mut in_doubt: bool,
    ) -> Result<Option<Verdict>, Interrupted> {
        let mut write = stamped(write, target);
        let mut sequence_tries = 0;
        let mut network_tries = 0;
        loop {
            if in_doubt {
                match self.settle(target).await? {
                    Settled::Accepted => return self.accepted(number, target, String::new()).await,
                    Settled::Superseded(message) => return Ok(Some(Verdict::Superseded { message })),
                    Settled::Unknown(message) => {
                        return Ok(Some(Verdict::Failed { reason: FailureReason::Unknown, message }));
                    }
                    Settled::Again(_) if self.is_halted() => return Ok(Some(Verdict::Cancelled { written: false })),
                    Settled::Again(version) => at_version(&mut write, version),
                }
            }
            let error = match self.send(&write).await {
                Ok(id) => return self.accepted(number, target, id).await,
                Err(error) => error,
            };
            in_doubt = true;
            match error {
                SwarmError::OutOfSequence if sequence_tries < SEQUENCE_TRIES => sequence_tries += 1,
                SwarmError::OutOfSequence => {
                    let message = format!("the service changed at each of {SEQUENCE_TRIES} tries to write it");
                    return Ok(Some(Verdict::Superseded { message }));
                }
                SwarmError::NameTaken(_) if sequence_tries < 1 => sequence_tries += 1,
                // A second look did not find it in this stack: whoever took the name keeps it.
                SwarmError::NameTaken(_) => {
                    let message = "somebody else has made a service of that name meanwhile".to_owned();
                    return Ok(Some(Verdict::Superseded { message }));
                }
                SwarmError::NotFound(_) if target.spec.is_none() => {
                    return self.accepted(number, target, String::new()).await;
                }
                error if error.is_doubtful() && !self.is_late() => self.pause().await?,
                error if error.is_doubtful() => {
                    let (reason, message) = (FailureReason::Unknown, error.to_string());
                    return Ok(Some(Verdict::Failed { reason, message }));
                }
                SwarmError::Refused(why) if network_tries < NETWORK_TRIES && self.lacks_network(&why) => {
                    network_tries += 1;
                    self.pause().await?;
                    self.make_networks_again(&why).await;
                }
                // The Engine's codes are not reliable: what it refuses it may have done all the same.
                _ if self.was_done(target).await => return self.accepted(number, target, String::new()).await,
                error => {
                    let (reason, message) = (FailureReason::Refused, error.to_string());
                    return Ok(Some(Verdict::Failed { reason, message }));
                }
            }
        }
    }

    /// Whether a look shows the write as done. Where nobody can be asked it does not.
    async fn was_done(&self, target: &Target) -> bool {
        let live = self.inner.ports.swarm_of(&self.stack).live(&self.stack).await;
        live.is_ok_and(|live| matches!(settled(target, live.services.get(&target.full_name)), Settled::Accepted))
    }

    /// Watches what is live already: nothing is written.
    fn watch_as_it_is(&self, number: usize, service: &ServiceName, before: &Before) -> Submitted {
        let full_name = self.stack.scope(service);
        let live = before.observation.services.get(&full_name);
        let is_removal = matches!(self.actions[number].kind, ActionKind::RemoveService { .. });
        let live = match live {
            Some(live) if !is_removal => live,
            found => {
                let verdict = match (is_removal, found) {
                    (true, None) => Verdict::Pruned,
                    (true, Some(_)) => {
                        Verdict::Superseded { message: "somebody has made the service anew meanwhile".to_owned() }
                    }
                    (false, _) => Verdict::Removed,
                };
                return Submitted::Ended(Box::new(self.outcome(number, verdict, Evidence::default())));
            }
        };
        let over = |task: &&Task| task.service_id == live.id && !is_before_end(&task.state);
        let target = Target {
            full_name,
            // Whose label the live spec carries: it stays there.
            deployment: plan::written_by(&live.spec).unwrap_or(self.id),
            spec: Some(live.spec.clone()),
            prior: None,
            service_id: Some(live.id.clone()),
            version_before: None,
            // What has ended so far was judged before.
            tasks_before: before.observation.tasks.iter().filter(over).map(|task| task.id.clone()).collect(),
            job_iteration_before: None,
            update_before: None,
        };
        Submitted::Accepted(Box::new(self.watch(target, before)))
    }

    async fn accepted(&self, number: usize, target: &Target, id: String) -> Result<Option<Verdict>, Interrupted> {
        let id = if id.is_empty() { target.service_id.clone().unwrap_or_default() } else { id };
        self.journal(&JournalEntry::Done { action: number, id }).await?;
        Ok(None)
    }

    /// Reads what became of a write in doubt. As long as nobody can be asked, it stays in doubt.
    async fn settle(&self, target: &Target) -> Result<Settled, Interrupted> {
        let live = loop {
            match self.inner.ports.swarm_of(&self.stack).live(&self.stack).await {
                Ok(live) => break live,
                Err(_) if !self.is_late() => self.pause().await?,
                Err(error) => return Ok(Settled::Unknown(error.to_string())),
            }
        };
        Ok(settled(target, live.services.get(&target.full_name)))
    }

    fn target(&self, number: usize, service: &ServiceName, write: &Write, before: &Before) -> Target {
        let full_name = self.stack.scope(service);
        let before = &before.observation;
        let live = before.services.get(&full_name);
        let (spec, version_before) = match write {
            Write::CreateService { spec } => (Some(plan::stamped(spec, self.id)), None),
            // The version of the plan, not of this look: a change in between is then refused by the Engine.
            Write::UpdateService { spec, version, .. } => (Some(plan::stamped(spec, self.id)), Some(*version)),
            _ => (None, live.map(|live| live.version)),
        };
        let prior = match &self.actions[number].kind {
            ActionKind::UpdateService { prior, .. } => Some(prior.clone()),
            _ => live.map(|live| live.spec.clone()),
        };
        let tasks = before.tasks.iter().filter(|task| live.is_some_and(|live| live.id == task.service_id));
        Target {
            full_name,
            deployment: self.id,
            spec,
            prior,
            service_id: live.map(|live| live.id.clone()),
            version_before,
            tasks_before: tasks.map(|task| task.id.clone()).collect(),
            job_iteration_before: live.and_then(|live| live.job_iteration),
            update_before: live.and_then(|live| live.update.as_ref()?.started_at.clone()),
        }
    }

    fn watch(&self, target: Target, before: &Before) -> Watch {
        let settings = &self.inner.settings;
        let started = self.began.elapsed();
        let cap = self.end.saturating_sub(started);
        let timing = match (&target.spec, &target.prior) {
            (Some(spec), _) => Timing::for_spec(spec, settings.stability, before.observation.nodes.len(), cap),
            (None, prior) => {
                let cap = cap.max(FRESH_LOOK);
                Timing::for_removal(prior.as_ref().unwrap_or(&Value::Null), cap)
            }
        };
        Watch::new(target, timing, started).with_networks(before.networks.clone())
    }

    pub(super) fn is_late(&self) -> bool {
        self.began.elapsed() >= self.end
    }
}

/// Decides from a fresh look whether a write in doubt was done.
fn settled(target: &Target, live: Option<&LiveService>) -> Settled {
    match (live, &target.spec) {
        (None, None) => Settled::Accepted,
        (None, Some(_)) if target.prior.is_none() => Settled::Again(None),
        (None, Some(_)) => Settled::Superseded("somebody has removed the service meanwhile".to_owned()),
        (Some(_), None) => Settled::Again(None),
        (Some(live), Some(_)) if carries(&live.spec, target) => Settled::Accepted,
        // Swarm has taken the spec and gone back from it: the same spec is not sent a second time.
        (Some(live), Some(_)) if has_gone_back(live, target) => Settled::Accepted,
        (Some(_), Some(_)) if target.version_before.is_none() => {
            Settled::Superseded("somebody else has made a service of that name meanwhile".to_owned())
        }
        (Some(live), Some(_)) => match &target.prior {
            // Only the version has moved, which the Engine does by itself when it hands out addresses.
            Some(prior) if *prior == live.spec => Settled::Again(Some(live.version)),
            _ => Settled::Superseded("somebody else has changed the service meanwhile".to_owned()),
        },
    }
}

fn has_gone_back(live: &LiveService, target: &Target) -> bool {
    target.was_taken_back(live.update.as_ref()) && target.version_before.is_some_and(|before| live.version > before)
}

/// Whether a spec is the one of this deployment: its number alone would not do, as one may come again when a database has
/// been restored.
fn carries(spec: &Value, target: &Target) -> bool {
    let label = |spec: &Value, name: &str| spec["Labels"][name].as_str().map(str::to_owned);
    let asked_for = target.spec.as_ref().and_then(|target| label(target, SPEC_LABEL));
    label(spec, DEPLOYMENT_LABEL) == Some(target.deployment.to_string()) && label(spec, SPEC_LABEL) == asked_for
}

/// The write with the deployment's label in its spec.
fn stamped(write: &Write, target: &Target) -> Write {
    let mut write = write.clone();
    if let (Write::CreateService { spec } | Write::UpdateService { spec, .. }, Some(stamped)) =
        (&mut write, &target.spec)
    {
        spec.clone_from(stamped);
    }
    write
}

fn at_version(write: &mut Write, fresh: Option<u64>) {
    if let (Write::UpdateService { version, .. }, Some(fresh)) = (write, fresh) {
        *version = fresh;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::engine::UpdateStatus;
    use crate::names::DeploymentId;

    /// The write of a service that stood at version 10 with the update of `before`; later it shows the prior spec, version
    /// 11, and that state of the update of `now`.
    #[track_caller]
    fn check(before: Option<&str>, state: &str, now: Option<&str>, was_taken: bool) {
        let spec = |image: &str| json!({"Name": "lab_db", "TaskTemplate": {"ContainerSpec": {"Image": image}}});
        let target = Target {
            full_name: "lab_db".to_owned(),
            deployment: DeploymentId(7),
            spec: Some(plan::stamped(&spec("db:2"), DeploymentId(7))),
            prior: Some(spec("db:1")),
            service_id: Some("s1".to_owned()),
            version_before: Some(10),
            tasks_before: BTreeSet::new(),
            job_iteration_before: None,
            update_before: before.map(str::to_owned),
        };
        let status = |started: &str| UpdateStatus {
            state: state.to_owned(),
            started_at: Some(started.to_owned()),
            message: String::new(),
        };
        let live = LiveService {
            id: "s1".to_owned(),
            version: 11,
            spec: spec("db:1"),
            update: now.map(status),
            job_iteration: None,
            desired_tasks: 1,
        };
        match settled(&target, Some(&live)) {
            Settled::Accepted => assert!(was_taken, "{before:?} {state} {now:?}"),
            Settled::Again(version) => assert!(!was_taken && version == Some(11), "{before:?} {state} {now:?}"),
            Settled::Superseded(message) | Settled::Unknown(message) => panic!("{message}"),
        }
    }

    #[test]
    fn a_rollback_from_before_the_write_does_not_show_that_it_was_done() {
        check(Some("10:00"), "rollback_completed", Some("10:00"), false);
        check(Some("10:00"), "rollback_started", Some("10:00"), false);
        check(Some("10:00"), "rollback_completed", Some("10:07"), true);
        check(None, "rollback_completed", Some("10:07"), true);
        check(None, "completed", Some("10:07"), false);
        check(None, "", None, false);
    }
}
