//! What people are told when they do not look: a deployment's end, and trouble that lasts. Pure: when to tell, and in which
//! words. How it reaches them is the server's.

mod trouble;

use serde::{Deserialize, Serialize};

use crate::deployment::{Cause, Deployment, Outcome, ServiceOutcome, Status};
use crate::names::{CommitSha, DeploymentId, EnvironmentName, ServiceName};
use crate::time::Timestamp;

pub use trouble::{Key, Troubles};

/// How many services a notice names; the rest is counted.
const NAMED: usize = 8;

/// The kinds of things that people can choose to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A deployment ended well.
    Succeeded,
    /// A deployment ended well in an environment where the one before had not.
    Recovered,
    /// A deployment failed.
    Failed,
    /// Swarm took a service back to what ran before.
    RolledBack,
    /// A person stopped a deployment.
    Cancelled,
    /// An environment does not get what the repository says: its newest revision cannot be deployed.
    Held,
    /// A service lost a task after its deployment had succeeded.
    Degraded,
    /// Somebody else has changed a service.
    Drifted,
    /// The repository cannot be read.
    SourceLost,
    /// The Swarm cannot be asked.
    EngineLost,
    /// Something of which trouble was told is well again.
    Resolved,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Succeeded,
        Self::Recovered,
        Self::Failed,
        Self::RolledBack,
        Self::Cancelled,
        Self::Held,
        Self::Degraded,
        Self::Drifted,
        Self::SourceLost,
        Self::EngineLost,
        Self::Resolved,
    ];

    /// Its name in the configuration and in the JSON of a webhook.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Recovered => "recovered",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
            Self::Degraded => "degraded",
            Self::Drifted => "drifted",
            Self::SourceLost => "source_lost",
            Self::EngineLost => "engine_lost",
            Self::Resolved => "resolved",
        }
    }

    /// How it is meant.
    pub fn tone(self) -> Tone {
        match self {
            Self::Succeeded | Self::Recovered | Self::Resolved => Tone::Good,
            Self::Cancelled => Tone::Neutral,
            Self::Failed
            | Self::RolledBack
            | Self::Held
            | Self::Degraded
            | Self::Drifted
            | Self::SourceLost
            | Self::EngineLost => Tone::Bad,
        }
    }
}

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// All is well.
    Good,
    /// Good to know.
    Neutral,
    /// Somebody should look.
    Bad,
}

/// One thing that people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What kind of thing it is.
    pub event: Event,
    /// The environment, where it is about one.
    pub environment: Option<EnvironmentName>,
    /// The deployment, where it is about one.
    pub deployment: Option<DeploymentId>,
    /// The revision, where it is about one.
    pub commit: Option<CommitSha>,
    /// When it came to be.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// The particulars, one line each.
    pub lines: Vec<String>,
}

/// What is told of a deployment that has ended; `before` is how the one before it ended in the same environment. `None`
/// while it runs.
pub fn of_deployment(deployment: &Deployment, before: Option<Status>) -> Option<Notice> {
    let (at, outcome) = deployment.ended.as_ref()?;
    let event = match outcome.status {
        Status::InProgress => return None,
        Status::Success if before.is_some_and(|status| !matches!(status, Status::Success | Status::Cancelled)) => {
            Event::Recovered
        }
        Status::Success => Event::Succeeded,
        Status::Failed => Event::Failed,
        Status::RolledBack => Event::RolledBack,
        Status::Cancelled => Event::Cancelled,
    };
    let ended = match event {
        Event::Recovered => "succeeded after the one before had not",
        Event::Succeeded => "succeeded",
        Event::RolledBack => "was rolled back",
        Event::Cancelled => "was cancelled",
        _ => "failed",
    };
    let title = format!("{}: deployment {} {ended}", deployment.environment, deployment.id);
    let mut lines = vec![origin(deployment)];
    lines.extend(outcome.error_message.clone());
    lines.extend(service_lines(outcome));
    lines.extend(deployment.notes.iter().cloned());
    let (environment, id) = (Some(deployment.environment.clone()), Some(deployment.id));
    let commit = deployment.commit_sha.clone();
    Some(Notice { event, environment, deployment: id, commit, at: *at, title, lines })
}

/// `Promoted from preprod by mara, revision 0123456`.
fn origin(deployment: &Deployment) -> String {
    let cause = match &deployment.cause {
        Cause::Sync => "Deployed from the repository".to_owned(),
        Cause::Promotion { from } => format!("Promoted from {from}"),
        Cause::Rollback { to } => format!("Rolled back to deployment {to}"),
        Cause::CommandLine => "Deployed from the command line".to_owned(),
        Cause::Retry { of } => format!("Deployment {of} tried again"),
        Cause::Restart { service } => format!("{service} restarted"),
        Cause::Return { from } => format!("Put back as before deployment {from}"),
        Cause::Heal { .. } => "Drift brought back".to_owned(),
    };
    let revision = deployment.commit_sha.as_ref().map(|sha| format!(", revision {}", sha.short())).unwrap_or_default();
    format!("{cause} by {}{revision}", deployment.actor)
}

/// The services, first those that somebody should look at.
fn service_lines(outcome: &Outcome) -> Vec<String> {
    let mut services: Vec<_> = outcome.services.iter().collect();
    services.sort_by_key(|(_, outcome)| outcome.verdict.status() == Status::Success);
    let mut lines: Vec<_> = services.iter().take(NAMED).map(|(name, outcome)| service_line(name, outcome)).collect();
    if services.len() > NAMED {
        lines.push(format!("and {} more", services.len() - NAMED));
    }
    lines
}

fn service_line(name: &ServiceName, outcome: &ServiceOutcome) -> String {
    let versions = match &outcome.from {
        Some(from) if *from != outcome.version => format!("{from} → {}", outcome.version),
        _ => outcome.version.to_string(),
    };
    match outcome.verdict.error_message() {
        Some(message) => format!("{name} {versions}: {message}"),
        None => format!("{name} {versions}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::deployment::{Evidence, FailureReason, Verdict};
    use crate::names::Actor;

    fn ended(status: Status, services: &[(&str, Verdict)]) -> Deployment {
        let services = services.iter().map(|(name, verdict)| {
            let outcome = ServiceOutcome {
                version: "2".parse().unwrap(),
                from: Some("1".parse().unwrap()),
                verdict: verdict.clone(),
                evidence: Evidence::default(),
            };
            (name.parse().unwrap(), outcome)
        });
        let outcome = Outcome { status, error_message: None, services: services.collect::<BTreeMap<_, _>>() };
        Deployment {
            id: DeploymentId(42),
            environment: "prod".parse().unwrap(),
            cause: Cause::Promotion { from: "preprod".parse().unwrap() },
            actor: Actor::Person("mara".to_owned()),
            commit_sha: Some("0123456789012345678901234567890123456789".parse().unwrap()),
            started_at: Timestamp::from_millis(0),
            ended: Some((Timestamp::from_millis(60_000), outcome)),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_failed_deployment_names_first_what_failed_and_why() {
        let succeeded = || Verdict::Succeeded { stable_seconds: 20, warning: None };
        let failed = Verdict::Failed { reason: FailureReason::CrashLoop, message: "ended 3 times, exit 1".to_owned() };
        let services = [("db", succeeded()), ("web", failed)];
        insta::assert_yaml_snapshot!(of_deployment(&ended(Status::Failed, &services), None));
    }

    #[test]
    fn a_success_after_a_failure_is_a_recovery_and_after_a_cancel_it_is_not() {
        let check = |before, expected| {
            let notice = of_deployment(&ended(Status::Success, &[]), before).unwrap();
            assert_eq!((notice.event, notice.event.tone()), (expected, Tone::Good));
        };
        check(None, Event::Succeeded);
        check(Some(Status::Success), Event::Succeeded);
        check(Some(Status::Cancelled), Event::Succeeded);
        check(Some(Status::Failed), Event::Recovered);
        check(Some(Status::RolledBack), Event::Recovered);
    }

    #[test]
    fn many_services_are_counted_and_not_all_named() {
        let names: Vec<_> = (0..20).map(|index| format!("s{index:02}")).collect();
        let services: Vec<_> = names.iter().map(|name| (name.as_str(), Verdict::Completed)).collect();
        let notice = of_deployment(&ended(Status::Success, &services), None).unwrap();
        assert_eq!((notice.lines.len(), notice.lines[9].as_str()), (10, "and 12 more"));
    }

    #[test]
    fn what_runs_is_not_told_of() {
        assert_eq!(of_deployment(&Deployment { ended: None, ..ended(Status::Success, &[]) }, None), None);
    }

    #[test]
    fn every_event_has_one_name_in_json_and_configuration() {
        for event in Event::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
    }
}
