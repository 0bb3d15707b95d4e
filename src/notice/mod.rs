//! What people are told when they do not look: a deployment's end, and trouble that lasts. Pure: when to tell, and in which
//! words. How it reaches them is the server's.

mod trouble;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::access::{Operation, Principal};
use crate::deployment::{Cause, Deployment, FailureReason, Outcome, ServiceOutcome, Status, Verdict};
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

/// A place that is told, without anything that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its name in the configuration.
    pub name: String,
    /// How it is reached: `webhook`, `ntfy`, `email`.
    pub kind: &'static str,
    /// The environments that it is told of; `None` for all.
    pub environments: Option<BTreeSet<EnvironmentName>>,
    /// The events that it is told of; `None` for all.
    pub events: Option<BTreeSet<Event>>,
    /// How it stands with what it was told.
    pub queue: Queue,
}

impl Told {
    /// The place as they may see it: what it has answered is for who may change things here.
    #[must_use]
    pub fn shown_to(mut self, who: &Principal) -> Self {
        if let Some((_, why)) = self.queue.trouble.as_mut().filter(|_| who.may(Operation::ManageAccess).is_err()) {
            "an admin sees why".clone_into(why);
        }
        self
    }
}

/// What waits for a place, and how it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many notices wait.
    pub waiting: u64,
    /// When the next of them is tried.
    pub next_at: Option<Timestamp>,
    /// When the newest notice that arrived was made; `None` where none has of late.
    pub sent_at: Option<Timestamp>,
    /// When the newest notice that did not arrive was made, and why; `None` where a later one has arrived. It may quote
    /// what the place has answered.
    pub trouble: Option<(Timestamp, String)>,
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

/// The deployments of an environment that did not succeed since the last one that did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// How many failed or were rolled back.
    pub failures: u32,
    /// The newest of them.
    pub newest: Option<Deployment>,
}

impl Row {
    /// Whether people need not be told of a deployment that has ended: it has failed as the one before it, for the same
    /// services and reasons. Of such a row the first two are told, then the 4th, the 8th and so on: more often tells
    /// nothing new, and more seldom would look as if it had ended.
    pub fn folds(&self, deployment: &Deployment) -> bool {
        let Some(newest) = &self.newest else { return false };
        let failed = is_failure(deployment.status());
        failed && failings(newest) == failings(deployment) && !self.failures.saturating_add(1).is_power_of_two()
    }
}

fn is_failure(status: Status) -> bool {
    matches!(status, Status::Failed | Status::RolledBack)
}

/// What is the same where a failure is the same: the services that did not succeed, and the kinds of their verdicts.
fn failings(deployment: &Deployment) -> BTreeMap<&ServiceName, (Status, Option<FailureReason>)> {
    let services = deployment.ended.iter().flat_map(|(_, outcome)| &outcome.services);
    let failed = services.filter(|(_, outcome)| is_failure(outcome.verdict.status()));
    failed.map(|(name, outcome)| (name, (outcome.verdict.status(), reason(&outcome.verdict)))).collect()
}

fn reason(verdict: &Verdict) -> Option<FailureReason> {
    match verdict {
        Verdict::Failed { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// What is told of a deployment that has ended; `row` are those before it in the same environment. `None` while it runs.
pub fn of_deployment(deployment: &Deployment, row: &Row) -> Option<Notice> {
    let (at, outcome) = deployment.ended.as_ref()?;
    let event = match outcome.status {
        Status::InProgress => return None,
        Status::Success if row.failures > 0 => Event::Recovered,
        Status::Success => Event::Succeeded,
        Status::Failed => Event::Failed,
        Status::RolledBack => Event::RolledBack,
        Status::Cancelled => Event::Cancelled,
    };
    let in_a_row = if row.failures == 0 { String::new() } else { format!(", failure {} in a row", row.failures + 1) };
    let ended = match event {
        Event::Recovered if row.failures == 1 => "succeeded after the one before had not".to_owned(),
        Event::Recovered => format!("succeeded after {} had not", row.failures),
        Event::Succeeded => "succeeded".to_owned(),
        Event::RolledBack => format!("was rolled back{in_a_row}"),
        Event::Cancelled => "was cancelled".to_owned(),
        _ => format!("failed{in_a_row}"),
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
    use super::*;
    use crate::access::{Grant, Role, Who};
    use crate::deployment::Evidence;
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
        insta::assert_yaml_snapshot!(of_deployment(&ended(Status::Failed, &services), &Row::default()));
    }

    fn failed(reason: FailureReason) -> Verdict {
        Verdict::Failed { reason, message: "it does not run".to_owned() }
    }

    fn row(failures: u32, services: &[(&str, Verdict)]) -> Row {
        Row { failures, newest: (failures > 0).then(|| ended(Status::Failed, services)) }
    }

    #[test]
    fn a_success_after_failures_is_a_recovery_that_says_how_many_there_were() {
        let check = |failures, expected: (Event, &str)| {
            let row = row(failures, &[("web", failed(FailureReason::CrashLoop))]);
            let notice = of_deployment(&ended(Status::Success, &[]), &row).unwrap();
            let title = format!("prod: deployment 42 {}", expected.1);
            assert_eq!((notice.event, notice.event.tone(), notice.title), (expected.0, Tone::Good, title));
        };
        check(0, (Event::Succeeded, "succeeded"));
        check(1, (Event::Recovered, "succeeded after the one before had not"));
        check(5, (Event::Recovered, "succeeded after 5 had not"));
    }

    #[test]
    fn of_the_same_failure_again_and_again_people_are_told_ever_more_seldom() {
        let services = [("web", failed(FailureReason::CrashLoop))];
        let again = ended(Status::Failed, &services);
        let told: Vec<u32> = (1..=20).filter(|nth| !row(nth - 1, &services).folds(&again)).collect();
        assert_eq!(told, [1, 2, 4, 8, 16]);
        let title = of_deployment(&again, &row(3, &services)).unwrap().title;
        assert_eq!(title, "prod: deployment 42 failed, failure 4 in a row");
    }

    #[test]
    fn another_failure_is_told_however_many_there_were() {
        let before = row(2, &[("web", failed(FailureReason::CrashLoop))]);
        let check = |status, services: &[(&str, Verdict)], folded| {
            assert_eq!(before.folds(&ended(status, services)), folded, "{services:?}");
        };
        check(Status::Failed, &[("web", failed(FailureReason::CrashLoop))], true);
        check(Status::Failed, &[("db", failed(FailureReason::CrashLoop))], false);
        check(Status::Failed, &[("web", failed(FailureReason::Unschedulable))], false);
        let message = String::new();
        check(Status::RolledBack, &[("web", Verdict::RolledBack { message })], false);
        check(Status::Success, &[], false);
        check(Status::Cancelled, &[], false);
    }

    #[test]
    fn many_services_are_counted_and_not_all_named() {
        let names: Vec<_> = (0..20).map(|index| format!("s{index:02}")).collect();
        let services: Vec<_> = names.iter().map(|name| (name.as_str(), Verdict::Completed)).collect();
        let notice = of_deployment(&ended(Status::Success, &services), &Row::default()).unwrap();
        assert_eq!((notice.lines.len(), notice.lines[9].as_str()), (10, "and 12 more"));
    }

    #[test]
    fn what_a_place_has_answered_is_for_admins_alone() {
        let trouble = Some((Timestamp::from_millis(0), "token hunter2 is unknown".to_owned()));
        let place = Told {
            name: "ops".to_owned(),
            kind: "ntfy",
            environments: None,
            events: None,
            queue: Queue { trouble, ..Queue::default() },
        };
        let check = |role: Role, is_told: bool| {
            let who = Principal { who: Who::Person("ada".parse().unwrap()), grant: Grant::everywhere(role) };
            let text = format!("{:?}", place.clone().shown_to(&who));
            assert_eq!(text.contains("hunter2"), is_told, "{role}: {text}");
        };
        check(Role::Admin, true);
        check(Role::Deployer, false);
        check(Role::Viewer, false);
    }

    #[test]
    fn what_runs_is_not_told_of() {
        assert_eq!(of_deployment(&Deployment { ended: None, ..ended(Status::Success, &[]) }, &Row::default()), None);
    }

    #[test]
    fn every_event_has_one_name_in_json_and_configuration() {
        for event in Event::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
    }
}
