//! One word per thing.

use release_manager::deployment::{Cause, CauseKind, FailureReason, Status, Step, Verdict};
use release_manager::diff::ChangeType;
use release_manager::health::{EnvironmentHealth, HealthStatus};
use release_manager::live::{ServicePhase, StepState};
use release_manager::names::Actor;
use release_manager::pipeline::Mode;
use release_manager::watched::{ServiceDrift, Soak};

use super::{Said, Tone, count, said};

/// How a deployment stands.
pub fn status(status: Status) -> Said {
    match status {
        Status::InProgress => said("In progress", Tone::Busy),
        Status::Success => said("Succeeded", Tone::Good),
        Status::Failed => said("Failed", Tone::Bad),
        Status::RolledBack => said("Rolled back", Tone::Warn),
        Status::Cancelled => said("Cancelled", Tone::Warn),
    }
}

/// What is said aloud when a deployment changes.
pub fn status_sentence(status: Status, environment: &str, percent: u8) -> String {
    match status {
        Status::InProgress => format!("Deploying to {environment}: {percent} %"),
        Status::Success => format!("The deployment to {environment} succeeded"),
        Status::Failed => format!("The deployment to {environment} failed"),
        Status::RolledBack => format!("The deployment to {environment} was rolled back"),
        Status::Cancelled => format!("The deployment to {environment} was cancelled"),
    }
}

/// How a service is.
pub fn health(status: Option<HealthStatus>) -> Said {
    match status {
        Some(HealthStatus::Healthy) => said("Healthy", Tone::Good),
        Some(HealthStatus::Unhealthy) => said("Unhealthy", Tone::Bad),
        Some(HealthStatus::Progressing) => said("Progressing", Tone::Busy),
        Some(HealthStatus::Unknown) => said("Unknown", Tone::Idle),
        None => said("Not running", Tone::Idle),
    }
}

/// How an environment is: the worst of its services, and how many of them are healthy.
pub fn roll_up(health: &EnvironmentHealth) -> (Tone, String) {
    let of = |status| health.services.values().filter(|service| service.status == status).count();
    let (bad, busy, unknown) = (of(HealthStatus::Unhealthy), of(HealthStatus::Progressing), of(HealthStatus::Unknown));
    let healthy = of(HealthStatus::Healthy);
    match (bad, busy, unknown) {
        _ if health.services.is_empty() && health.checked_at.is_none() => (Tone::Idle, "Not checked yet".to_owned()),
        _ if health.services.is_empty() => (Tone::Idle, "No services".to_owned()),
        (0, 0, 0) => (Tone::Good, format!("{healthy} healthy")),
        (0, 0, _) => (Tone::Idle, format!("{unknown} unknown")),
        (0, ..) => (Tone::Busy, format!("{} progressing", count(busy, "service", "services"))),
        _ => (Tone::Bad, format!("{} unhealthy", count(bad, "service", "services"))),
    }
}

/// What becomes of a service.
pub fn change(change: ChangeType) -> Said {
    match change {
        ChangeType::NoChange => said("No change", Tone::Idle),
        ChangeType::VersionBump => said("Version bump", Tone::Fresh),
        ChangeType::NewService => said("New service", Tone::Good),
        ChangeType::RemovedService => said("Removed service", Tone::Bad),
    }
}

/// Who starts an environment's deployments, and what that means.
pub fn mode(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Auto => ("auto", "Follows git: a new revision is deployed by itself"),
        Mode::Manual => ("manual", "Deployed when a person says so"),
    }
}

/// Why a deployment was started.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Sync => "Sync from git".to_owned(),
        Cause::Promotion { from } => format!("Promotion from {from}"),
        Cause::Rollback { to } => format!("Rollback to deployment {to}"),
        Cause::CommandLine => "Command line".to_owned(),
        Cause::Retry { of } => format!("Retry of deployment {of}"),
        Cause::Restart { service } => format!("Restart of {service}"),
        Cause::Return { from } => format!("Return from deployment {from}"),
        Cause::Heal { .. } => "Drift brought back".to_owned(),
    }
}

/// The kind of reason for which deployments are started.
pub fn cause_kind(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::Sync => "Sync from git",
        CauseKind::Promotion => "Promotion",
        CauseKind::Rollback => "Rollback",
        CauseKind::CommandLine => "Command line",
        CauseKind::Retry => "Retry",
        CauseKind::Restart => "Restart",
        CauseKind::Return => "Return",
        CauseKind::Heal => "Drift brought back",
    }
}

/// The name that history has for a person where nobody has to log in, and what people are told instead.
const UNNAMED: (&str, &str) = ("manual", "somebody");

/// Who.
pub fn actor(actor: &Actor) -> String {
    let name = actor.to_string();
    if name == UNNAMED.0 { UNNAMED.1.to_owned() } else { name }
}

/// Who is meant by what people are told.
#[cfg(feature = "ssr")]
pub fn actor_named(text: &str) -> Actor {
    if text == UNNAMED.1 { UNNAMED.0 } else { text }.to_owned().into()
}

/// What a step does.
pub fn step(step: Step) -> &'static str {
    match step {
        Step::Render => "Read and render the release",
        Step::Plan => "Compare with the Swarm",
        Step::Apply => "Write the changes to the Swarm",
        Step::Verify => "Wait until every service has proved itself",
        Step::Record => "Record the outcome",
    }
}

/// How far a step is.
pub fn step_state(state: StepState) -> Said {
    match state {
        StepState::Pending => said("Pending", Tone::Idle),
        StepState::InProgress => said("In progress", Tone::Busy),
        StepState::Completed => said("Completed", Tone::Good),
        StepState::Failed => said("Failed", Tone::Bad),
    }
}

/// Where a service of a running deployment is.
pub fn phase(phase: &ServicePhase) -> (String, Tone) {
    match phase {
        ServicePhase::Waiting => ("Waiting".to_owned(), Tone::Idle),
        ServicePhase::Submitting => ("Submitting".to_owned(), Tone::Busy),
        ServicePhase::Updating => ("Updating".to_owned(), Tone::Busy),
        ServicePhase::Verifying { stable_seconds, of_seconds } => {
            (format!("Stable {stable_seconds} of {of_seconds} s"), Tone::Busy)
        }
        ServicePhase::Observing => ("Cannot look just now".to_owned(), Tone::Warn),
        ServicePhase::Done { verdict: reached } => {
            let said = verdict(reached);
            (said.word.to_owned(), said.tone)
        }
    }
}

/// What became of a service.
pub fn verdict(verdict: &Verdict) -> Said {
    match verdict {
        Verdict::Succeeded { warning: None, .. } => said("Succeeded", Tone::Good),
        Verdict::Succeeded { warning: Some(_), .. } => said("Succeeded", Tone::Warn),
        Verdict::Completed => said("Completed", Tone::Good),
        Verdict::Pruned => said("Taken out", Tone::Good),
        Verdict::RolledBack { .. } => said("Rolled back", Tone::Warn),
        Verdict::Failed { reason, .. } => said(failure(*reason), Tone::Bad),
        Verdict::Superseded { .. } => said("Superseded", Tone::Warn),
        Verdict::Removed => said("Removed by somebody", Tone::Bad),
        Verdict::Cancelled { .. } => said("Cancelled", Tone::Warn),
    }
}

/// How a live service differs from its release.
pub fn drift(drift: &ServiceDrift) -> Said {
    match drift {
        ServiceDrift::Changed { .. } => said("Changed", Tone::Warn),
        ServiceDrift::Missing => said("Missing", Tone::Bad),
        ServiceDrift::Foreign => said("Not in the release", Tone::Warn),
    }
}

/// How a version has stood: `no restarts`, `2 restarts, 1 failed task`.
pub fn soak(soak: &Soak) -> (String, Tone) {
    let number = |count: u64, one, many| super::count(usize::try_from(count).unwrap_or(usize::MAX), one, many);
    match (soak.restarts, soak.failed_tasks) {
        (0, _) => ("no restarts".to_owned(), Tone::Good),
        (restarts, 0) => (number(restarts, "restart", "restarts"), Tone::Warn),
        (restarts, failed) => {
            let failed = number(failed, "failed task", "failed tasks");
            (format!("{}, {failed}", number(restarts, "restart", "restarts")), Tone::Bad)
        }
    }
}

/// Why a service failed.
pub fn failure(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::CrashLoop => "Crash loop",
        FailureReason::Unschedulable => "No node takes it",
        FailureReason::Paused => "Update paused",
        FailureReason::Stalled => "Stalled",
        FailureReason::Deadline => "Out of time",
        FailureReason::Unknown => "Not known",
        FailureReason::RollbackFailed => "Rollback failed",
        FailureReason::JobFailed => "Job failed",
        FailureReason::Refused => "Refused by the Engine",
    }
}

/// The sentence that goes with a verdict, good or bad.
pub fn verdict_message(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Succeeded { stable_seconds, warning } => Some(match warning {
            Some(warning) => warning.clone(),
            None => format!("All tasks ran the new spec without a change for {stable_seconds} s."),
        }),
        Verdict::Completed => Some("The job has run to its end.".to_owned()),
        Verdict::Pruned => Some("The release no longer has this service, so it was taken out.".to_owned()),
        _ => verdict.error_message(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use release_manager::health::ServiceHealth;

    use super::*;

    #[test]
    fn the_worst_service_speaks_for_the_environment() {
        use HealthStatus::{Healthy, Progressing, Unhealthy, Unknown};
        for (statuses, tone, text) in [
            (vec![], Tone::Idle, "No services"),
            (vec![Healthy, Healthy], Tone::Good, "2 healthy"),
            (vec![Healthy, Unknown], Tone::Idle, "1 unknown"),
            (vec![Healthy, Progressing, Unknown], Tone::Busy, "1 service progressing"),
            (vec![Unhealthy, Unhealthy, Progressing], Tone::Bad, "2 services unhealthy"),
        ] {
            let services: BTreeMap<_, _> = statuses
                .into_iter()
                .enumerate()
                .map(|(index, status)| {
                    let health = ServiceHealth {
                        status,
                        running: 0,
                        desired: 1,
                        error: None,
                        running_since: None,
                        image: "a:1".to_owned(),
                        restarts: 0,
                        unreachable: 0,
                    };
                    (format!("s{index}").parse().unwrap(), health)
                })
                .collect();
            let checked_at = Some(release_manager::time::Timestamp::from_millis(0));
            let said = roll_up(&EnvironmentHealth { checked_at, services });
            assert_eq!(said, (tone, text.to_owned()));
        }
    }

    #[test]
    fn restarts_and_failures_are_told_apart() {
        let at = release_manager::time::Timestamp::from_millis(0);
        let of = |restarts, failed_tasks| {
            soak(&Soak { image: String::new(), since: at, restarts, failed_tasks, last_failure: None }).0
        };
        assert_eq!(of(0, 0), "no restarts");
        assert_eq!(of(1, 0), "1 restart");
        assert_eq!(of(3, 1), "3 restarts, 1 failed task");
    }

    #[test]
    fn what_nobody_has_looked_at_is_not_empty() {
        let unseen = EnvironmentHealth { checked_at: None, services: BTreeMap::new() };
        assert_eq!(roll_up(&unseen), (Tone::Idle, "Not checked yet".to_owned()));
    }
}
