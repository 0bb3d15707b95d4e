//! How far a deployment is, told from its progress while it runs and from history afterwards.

use std::collections::BTreeMap;

use release_manager::deployment::{Deployment, ServiceOutcome, Status, Step, Verdict};
use release_manager::live::{Progress, ServicePhase, StepState};
use release_manager::names::ServiceName;

use super::{Tone, phase, verdict, verdict_message};

/// One service of a deployment, running or over.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceLine {
    /// The version it had.
    pub from: Option<String>,
    /// The version it gets or got; `None` where it is removed.
    pub to: Option<String>,
    /// Where it is, or what became of it.
    pub word: String,
    /// The feeling of that.
    pub tone: Tone,
    /// `2/3`, as last seen.
    pub tasks: String,
    /// How much of it is done, 0 to 100; `None` once it is over.
    pub percent: Option<u8>,
    /// What is waited for, or why it ended so.
    pub message: Option<String>,
    /// What the verdict rests on, once history has it.
    pub outcome: Option<ServiceOutcome>,
}

/// Every service of a deployment: from history once it is over, else from its progress.
pub fn lines(deployment: &Deployment, progress: Option<&Progress>) -> BTreeMap<ServiceName, ServiceLine> {
    let mut lines: BTreeMap<ServiceName, ServiceLine> = BTreeMap::new();
    for (name, service) in progress.into_iter().flat_map(|progress| &progress.services) {
        let (word, tone) = phase(&service.phase);
        let verdict = match &service.phase {
            ServicePhase::Done { verdict } => verdict_message(verdict),
            _ => None,
        };
        let line = ServiceLine {
            from: service.from.as_ref().map(ToString::to_string),
            to: service.to.as_ref().map(ToString::to_string),
            word,
            tone,
            tasks: format!("{}/{}", service.running, service.desired),
            percent: (!matches!(service.phase, ServicePhase::Done { .. }))
                .then(|| u8::try_from(hundredths(&service.phase, service.running, service.desired)).unwrap_or(100)),
            message: verdict.or_else(|| service.message.clone()),
            outcome: None,
        };
        lines.insert(name.clone(), line);
    }
    for (name, outcome) in deployment.ended.iter().flat_map(|(_, outcome)| &outcome.services) {
        lines.insert(name.clone(), ended(outcome));
    }
    lines
}

fn ended(outcome: &ServiceOutcome) -> ServiceLine {
    let said = verdict(&outcome.verdict);
    let gone = matches!(outcome.verdict, Verdict::Pruned);
    ServiceLine {
        from: outcome.from.as_ref().map(ToString::to_string),
        to: (!gone).then(|| outcome.version.to_string()),
        word: said.word.to_owned(),
        tone: said.tone,
        tasks: outcome.evidence.tasks.clone(),
        percent: None,
        message: verdict_message(&outcome.verdict),
        outcome: Some(outcome.clone()),
    }
}

/// Every step and how far it is. What history does not keep follows from how the deployment ended.
pub fn steps(deployment: &Deployment, progress: Option<&Progress>) -> Vec<(Step, StepState)> {
    if let Some(progress) = progress {
        return progress.steps.clone();
    }
    let failed_at = match &deployment.ended {
        None => return Step::ALL.map(|step| (step, StepState::Pending)).into(),
        Some((_, outcome)) if outcome.status == Status::Success => None,
        Some((_, outcome)) if outcome.services.is_empty() => Some(Step::Plan),
        Some(_) => Some(Step::Verify),
    };
    let state = |step| match failed_at {
        Some(failed) if step == failed => StepState::Failed,
        Some(failed) if step > failed && step != Step::Record => StepState::Pending,
        _ => StepState::Completed,
    };
    Step::ALL.map(|step| (step, state(step))).into()
}

/// How much of a deployment is done, 0 to 100. It never falls while services move forward.
pub fn percent(progress: &Progress) -> u8 {
    if progress.status.is_final() {
        return 100;
    }
    let done = |step| progress.steps.contains(&(step, StepState::Completed));
    let share = |step, weight: u64| if done(step) { weight } else { 0 };
    let number = progress.services.len() as u64;
    let sum: u64 =
        progress.services.values().map(|service| hundredths(&service.phase, service.running, service.desired)).sum();
    let services = if number == 0 { 0 } else { 85 * sum / (100 * number) };
    let total = share(Step::Render, 5) + share(Step::Plan, 5) + services + share(Step::Record, 5);
    u8::try_from(total.min(99)).unwrap_or(99)
}

fn hundredths(phase: &ServicePhase, running: u64, desired: u64) -> u64 {
    let part = |of: u64, whole: u64, weight: u64| (weight * of.min(whole)).checked_div(whole).unwrap_or(weight);
    match phase {
        ServicePhase::Waiting => 0,
        ServicePhase::Submitting => 10,
        ServicePhase::Updating => 20 + part(running, desired, 30),
        ServicePhase::Observing => 50,
        ServicePhase::Verifying { stable_seconds, of_seconds } => 55 + part(*stable_seconds, *of_seconds, 40),
        ServicePhase::Done { .. } => 100,
    }
}

/// How many services are over, of how many.
pub fn counts(progress: &Progress) -> (usize, usize) {
    let over = |phase: &ServicePhase| matches!(phase, ServicePhase::Done { .. });
    (progress.services.values().filter(|service| over(&service.phase)).count(), progress.services.len())
}

#[cfg(test)]
mod tests {
    use release_manager::deployment::{Cause, Outcome};
    use release_manager::live::ServiceProgress;
    use release_manager::names::{Actor, DeploymentId};
    use release_manager::time::Timestamp;

    use super::*;

    fn progress(completed: usize, phases: Vec<ServicePhase>) -> Progress {
        let steps = Step::ALL
            .iter()
            .enumerate()
            .map(|(index, step)| (*step, if index < completed { StepState::Completed } else { StepState::Pending }));
        let services = phases.into_iter().enumerate().map(|(index, phase)| {
            let service = ServiceProgress { from: None, to: None, phase, running: 1, desired: 2, message: None };
            (format!("s{index}").parse().unwrap(), service)
        });
        Progress {
            id: DeploymentId(1),
            environment: "prod".parse().unwrap(),
            cause: Cause::Sync,
            actor: Actor::System,
            started_at: Timestamp::from_millis(0),
            status: Status::InProgress,
            steps: steps.collect(),
            services: services.collect(),
            error: None,
        }
    }

    #[test]
    fn progress_grows_with_steps_and_services() {
        let verifying = |stable_seconds| ServicePhase::Verifying { stable_seconds, of_seconds: 10 };
        let done = || ServicePhase::Done { verdict: Verdict::Completed };
        let rows = [
            (0, vec![], 0),
            (2, vec![ServicePhase::Waiting], 10),
            (2, vec![ServicePhase::Submitting, ServicePhase::Waiting], 14),
            (2, vec![ServicePhase::Updating, ServicePhase::Updating], 39),
            (3, vec![verifying(5), done()], 84),
            (4, vec![done(), done()], 95),
            (5, vec![done(), done()], 99),
        ];
        for (completed, phases, expected) in rows {
            assert_eq!(percent(&progress(completed, phases)), expected);
        }
    }

    #[test]
    fn a_deployment_that_is_over_is_complete() {
        assert_eq!(percent(&Progress { status: Status::Failed, ..progress(1, vec![]) }), 100);
    }

    #[test]
    fn steps_of_a_past_deployment_follow_from_its_end() {
        let deployment = |outcome| Deployment {
            id: DeploymentId(1),
            environment: "prod".parse().unwrap(),
            cause: Cause::Sync,
            actor: Actor::System,
            commit_sha: None,
            started_at: Timestamp::from_millis(0),
            ended: Some((Timestamp::from_millis(1), outcome)),
            notes: Vec::new(),
        };
        let refused = steps(&deployment(Outcome::refused(String::new())), None);
        assert!(refused.contains(&(Step::Plan, StepState::Failed)));
        let success = steps(&deployment(Outcome::of_services(BTreeMap::new())), None);
        assert!(success.iter().all(|(_, state)| *state == StepState::Completed));
    }
}
