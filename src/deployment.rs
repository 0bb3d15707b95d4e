//! Deployments: one attempt to bring one environment to one release, and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::{Actor, CommitSha, DeploymentId, Digest, EnvironmentName, ServiceName, Version};
use crate::time::Timestamp;
use crate::watched::After;

/// Why a deployment was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// The source had a new revision.
    Sync,
    /// A person brought the release of another environment here.
    Promotion {
        /// Where the release came from.
        from: EnvironmentName,
    },
    /// A person chose a release from history.
    Rollback {
        /// The deployment whose release it is.
        to: DeploymentId,
    },
    /// A person gave a stack file to the command line.
    CommandLine,
    /// A person had tried again what had not succeeded.
    Retry {
        /// The deployment that had not.
        of: DeploymentId,
    },
    /// A person had the tasks of a service started anew.
    Restart {
        /// The service.
        service: ServiceName,
    },
    /// What another deployment had changed was put back as it was before.
    Return {
        /// That deployment.
        from: DeploymentId,
    },
    /// Somebody else had changed the stack, and the environment heals.
    Heal {
        /// Names what was found: the same is healed once.
        drift: String,
    },
}

/// The kind of a [`Cause`], for whoever looks for deployments of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// [`Cause::Sync`]
    Sync,
    /// [`Cause::Promotion`]
    Promotion,
    /// [`Cause::Rollback`]
    Rollback,
    /// [`Cause::CommandLine`]
    CommandLine,
    /// [`Cause::Retry`]
    Retry,
    /// [`Cause::Restart`]
    Restart,
    /// [`Cause::Return`]
    Return,
    /// [`Cause::Heal`]
    Heal,
}

impl CauseKind {
    /// All kinds, in the order in which people are shown them.
    pub const ALL: [Self; 8] = [
        Self::Sync,
        Self::Promotion,
        Self::Rollback,
        Self::CommandLine,
        Self::Retry,
        Self::Restart,
        Self::Return,
        Self::Heal,
    ];

    /// The word in history and in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Promotion => "promotion",
            Self::Rollback => "rollback",
            Self::CommandLine => "command_line",
            Self::Retry => "retry",
            Self::Restart => "restart",
            Self::Return => "return",
            Self::Heal => "heal",
        }
    }

    /// The kind of that word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Cause {
    /// Whether it brings what a hold keeps out. Going back and restarting are what a hold is there for.
    pub fn is_held_back(&self) -> bool {
        matches!(self, Self::Sync | Self::Promotion { .. } | Self::Retry { .. })
    }

    /// Its kind.
    pub fn kind(&self) -> CauseKind {
        match self {
            Self::Sync => CauseKind::Sync,
            Self::Promotion { .. } => CauseKind::Promotion,
            Self::Rollback { .. } => CauseKind::Rollback,
            Self::CommandLine => CauseKind::CommandLine,
            Self::Retry { .. } => CauseKind::Retry,
            Self::Restart { .. } => CauseKind::Restart,
            Self::Return { .. } => CauseKind::Return,
            Self::Heal { .. } => CauseKind::Heal,
        }
    }
}

/// Where a deployment stands. The words are those of the REST API and of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not over.
    InProgress,
    /// Every changed service has proved itself.
    Success,
    /// At least one service has not.
    Failed,
    /// Swarm took a service back to what ran before.
    RolledBack,
    /// A person stopped it.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::InProgress, Self::Success, Self::Failed, Self::RolledBack, Self::Cancelled];

    /// The status of that word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The word in history and in the REST API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the deployment is over.
    pub fn is_final(self) -> bool {
        self != Self::InProgress
    }
}

/// The steps of a deployment, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Env file, stack file and what they name are read and rendered.
    Render,
    /// The live stack is read and compared; everything that can be checked beforehand is.
    Plan,
    /// Networks, secrets, configs and services are written.
    Apply,
    /// The Swarm's tasks are watched until each changed service is proved or has failed.
    Verify,
    /// The outcome is recorded.
    Record,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 5] = [Self::Render, Self::Plan, Self::Apply, Self::Verify, Self::Record];
}

/// Why a service failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// Its tasks end again and again.
    CrashLoop,
    /// No node takes it.
    Unschedulable,
    /// Swarm paused its update.
    Paused,
    /// Swarm's updater does not move.
    Stalled,
    /// Time ran out.
    Deadline,
    /// Time ran out while the Engine could not be asked.
    Unknown,
    /// Swarm's own rollback failed too.
    RollbackFailed,
    /// A job's task failed for good.
    JobFailed,
    /// The Engine refused the write.
    Refused,
}

/// What became of one service in one deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// All tasks run the new spec and did so without a change for `stable_seconds`.
    Succeeded {
        /// How long the proof is.
        stable_seconds: u64,
        /// Something a person should know although it succeeded.
        warning: Option<String>,
    },
    /// A job or one-shot has run to its end.
    Completed,
    /// The service was taken out, as the release says.
    Pruned,
    /// Swarm went back to the earlier spec, and that one is stable.
    RolledBack {
        /// What Swarm said, and the first error seen.
        message: String,
    },
    /// It does not work.
    Failed {
        /// The kind of failure.
        reason: FailureReason,
        /// The sentence for people: what was seen and what to do.
        message: String,
    },
    /// Somebody else changed it meanwhile.
    Superseded {
        /// What was found instead.
        message: String,
    },
    /// Somebody removed it meanwhile.
    Removed,
    /// The deployment was stopped before this service was written, or while it was watched.
    Cancelled {
        /// Whether the new spec had been written.
        written: bool,
    },
}

impl Verdict {
    /// The status of the service's row in history.
    pub fn status(&self) -> Status {
        match self {
            Self::Succeeded { .. } | Self::Completed | Self::Pruned => Status::Success,
            Self::RolledBack { .. } => Status::RolledBack,
            Self::Failed { .. } | Self::Superseded { .. } | Self::Removed => Status::Failed,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// The sentence for people, if the verdict is not good news; `error_message` in history.
    pub fn error_message(&self) -> Option<String> {
        match self {
            Self::Succeeded { .. } | Self::Completed | Self::Pruned => None,
            Self::RolledBack { message } | Self::Superseded { message } | Self::Failed { message, .. } => {
                Some(message.clone())
            }
            Self::Removed => Some("somebody removed the service during the deployment".to_owned()),
            Self::Cancelled { written: true } => Some("cancelled after its new spec had been written".to_owned()),
            Self::Cancelled { written: false } => Some("cancelled before anything was written".to_owned()),
        }
    }
}

/// What was seen of a task that tells why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskEvidence {
    /// The task's id.
    pub task: String,
    /// The node's host name, or its id where the name is not known.
    pub node: Option<String>,
    /// The Engine's word for its state.
    pub state: String,
    /// The Engine's error, cut to 2,000 characters.
    pub error: Option<String>,
    /// The exit code of its container.
    pub exit_code: Option<i64>,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The first task that failed.
    pub failing_task: Option<TaskEvidence>,
    /// The last log lines of it, oldest first; at most 50.
    pub log_lines: Vec<String>,
    /// Whether tasks of the earlier spec were still running when the verdict was given.
    pub old_tasks_serve: bool,
    /// `2/3 running`, as last seen.
    pub tasks: String,
    /// The digest of the image before; `None` where there was none or it was not pinned.
    #[serde(default)]
    pub digest_before: Option<Digest>,
    /// The digest of the image that was written.
    #[serde(default)]
    pub digest_after: Option<Digest>,
    /// What to look at, in plain words.
    #[serde(default)]
    pub hint: Option<String>,
}

/// What a deployment did with one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceOutcome {
    /// The version it was to get; for a removed service the one it had.
    pub version: Version,
    /// The version it had.
    pub from: Option<Version>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why that is so.
    pub evidence: Evidence,
}

/// How a whole deployment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The worst of its services, or `failed` where it ended before any was written.
    pub status: Status,
    /// Why it ended before it had services, in words.
    pub error_message: Option<String>,
    /// Every service that it changed or tried to change.
    pub services: BTreeMap<ServiceName, ServiceOutcome>,
}

impl Outcome {
    /// The outcome that follows from the services: failed, else cancelled, else rolled back, else success.
    pub fn of_services(services: BTreeMap<ServiceName, ServiceOutcome>) -> Self {
        let worst = [Status::Failed, Status::Cancelled, Status::RolledBack]
            .into_iter()
            .find(|status| services.values().any(|outcome| outcome.verdict.status() == *status));
        Self { status: worst.unwrap_or(Status::Success), error_message: None, services }
    }

    /// The outcome of a deployment that ended before it wrote anything.
    pub fn refused(message: String) -> Self {
        Self { status: Status::Failed, error_message: Some(message), services: BTreeMap::new() }
    }
}

/// One deployment as history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// The environment.
    pub environment: EnvironmentName,
    /// Why it was started.
    pub cause: Cause,
    /// Who started it.
    pub actor: Actor,
    /// The revision of its release; `None` where the release was adopted.
    pub commit_sha: Option<CommitSha>,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// How it ended and when; `None` while it runs.
    pub ended: Option<(Timestamp, Outcome)>,
    /// What a person should know of it besides the verdicts, oldest first.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Deployment {
    /// Where it stands.
    pub fn status(&self) -> Status {
        self.ended.as_ref().map_or(Status::InProgress, |(_, outcome)| outcome.status)
    }
}

/// One row of history: what one deployment did to one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The row's own number; rollback names it.
    pub id: i64,
    /// The deployment that it belongs to.
    pub deployment: DeploymentId,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The version that it was to get.
    pub version: Version,
    /// The version that it had.
    pub from: Option<Version>,
    /// The revision.
    pub commit_sha: Option<CommitSha>,
    /// How it ended for this service.
    pub status: Status,
    /// Who started it.
    pub actor: Actor,
    /// What became of it; `None` while it runs.
    pub verdict: Option<Verdict>,
    /// Why that is so; `None` while it runs.
    pub evidence: Option<Evidence>,
    /// When the deployment was accepted.
    pub started_at: Timestamp,
    /// When the service's verdict was given.
    pub completed_at: Option<Timestamp>,
    /// What came after a success that did not last.
    #[serde(default)]
    pub after: Option<After>,
}

/// Which rows of history are asked for; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFilter {
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this service.
    pub service: Option<ServiceName>,
    /// Only this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only what stands so.
    pub status: Option<Status>,
    /// Only deployments of this kind.
    pub cause: Option<CauseKind>,
    /// Only what this person, or `system`, started.
    pub actor: Option<Actor>,
    /// Only what was accepted then or later.
    pub since: Option<Timestamp>,
    /// Only what was accepted before then.
    pub until: Option<Timestamp>,
    /// Only rows that stand behind the row of this number: the next page begins there, whatever has come since.
    pub before: Option<i64>,
    /// At most so many rows, 1 to 500.
    pub limit: u32,
    /// Leave out so many of the newest.
    pub offset: u32,
}

impl HistoryFilter {
    /// Whether nothing but environment and service narrows it: for those, history counts its rows as they come.
    pub fn is_counted(&self) -> bool {
        self.status.is_none()
            && self.cause.is_none()
            && self.actor.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The rows, newest first.
    pub rows: Vec<HistoryRow>,
    /// How many rows there are in all; at least so many where `counted` is false.
    pub total: u64,
    /// Whether all of them were counted.
    pub counted: bool,
    /// Whether older rows follow.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_service_decides_the_deployment() {
        let outcome = |verdicts: Vec<Verdict>| {
            let services = verdicts
                .into_iter()
                .enumerate()
                .map(|(index, verdict)| {
                    let version = "1".parse().unwrap();
                    let outcome = ServiceOutcome { version, from: None, verdict, evidence: Evidence::default() };
                    (format!("s{index}").parse().unwrap(), outcome)
                })
                .collect();
            Outcome::of_services(services).status
        };
        let rolled_back = || Verdict::RolledBack { message: String::new() };
        assert_eq!(outcome(vec![]), Status::Success);
        assert_eq!(outcome(vec![Verdict::Completed, rolled_back()]), Status::RolledBack);
        assert_eq!(outcome(vec![rolled_back(), Verdict::Removed]), Status::Failed);
    }
}
