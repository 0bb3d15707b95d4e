//! The snapshot that a browser follows. It is state, not a message: whoever misses a value loses nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::deployment::{Cause, Status, Step, Verdict};
use crate::health::EnvironmentHealth;
use crate::hold::Hold;
use crate::names::{Actor, CommitSha, DeploymentId, EnvironmentName, ServiceName, Version};
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::watched::Watched;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Under way.
    InProgress,
    /// Done.
    Completed,
    /// It went wrong here.
    Failed,
}

/// Where one service of a running deployment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum ServicePhase {
    /// Nothing written yet.
    Waiting,
    /// The new spec is being written, or is not visible yet.
    Submitting,
    /// Tasks are being replaced.
    Updating,
    /// All tasks are there; the proof is growing.
    Verifying {
        /// Seconds of proof so far.
        stable_seconds: u64,
        /// Seconds of proof needed.
        of_seconds: u64,
    },
    /// The Engine could not be asked just now.
    Observing,
    /// Over.
    Done {
        /// What became of it.
        verdict: Verdict,
    },
}

/// One service of a running deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceProgress {
    /// The version it had.
    pub from: Option<Version>,
    /// The version it gets; `None` where it is removed.
    pub to: Option<Version>,
    /// Where it is.
    pub phase: ServicePhase,
    /// Tasks of the new spec that run.
    pub running: u64,
    /// Tasks that should run.
    pub desired: u64,
    /// The newest message of a task, or what is waited for.
    pub message: Option<String>,
}

/// A deployment, step by step and service by service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Its number.
    pub id: DeploymentId,
    /// The environment.
    pub environment: EnvironmentName,
    /// Why it was started.
    pub cause: Cause,
    /// Who started it.
    pub actor: Actor,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// Where it stands.
    pub status: Status,
    /// Every step in order.
    pub steps: Vec<(Step, StepState)>,
    /// Every service that changes.
    pub services: BTreeMap<ServiceName, ServiceProgress>,
    /// Why it ended without touching a service.
    pub error: Option<String>,
}

/// How the source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// `owner/name` or the remote, without credentials.
    pub name: String,
    /// The branch that is followed.
    pub branch: String,
    /// The newest revision that was read.
    pub head: Option<Revision>,
    /// When the source last answered.
    pub checked_at: Option<Timestamp>,
    /// When the last question to it was over, answered or not.
    #[serde(default)]
    pub tried_at: Option<Timestamp>,
    /// What is wrong, since when, and what to do; `None` while all is well.
    pub problem: Option<Problem>,
    /// The page of a commit at the host: this text followed by the sha. `None` where the host has none.
    pub commit_url: Option<String>,
}

/// Something that a person should know about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Since when.
    pub since: Timestamp,
    /// What is wrong and what to do.
    pub message: String,
}

/// The newest revision, as far as it was examined for an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The revision; `None` where no revision is brought by itself.
    pub revision: Option<CommitSha>,
    /// It could not be examined to the end, and is looked at again soon.
    #[serde(default)]
    pub passing: bool,
    /// The deployment that has tried it and whose end says all there is to say.
    #[serde(default)]
    pub tried: Option<DeploymentId>,
}

/// One environment, as far as it moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveEnvironment {
    /// How its services are.
    pub health: EnvironmentHealth,
    /// The deployment in progress, or the one that ended last since the start.
    pub deployment: Option<Progress>,
    /// Why the newest revision is not deployed here.
    pub problem: Option<Problem>,
    /// What was looked at to say so; `None` as long as this process has looked at nothing.
    #[serde(default)]
    pub examined: Option<Examined>,
    /// Why nothing new is brought here, and who says so.
    pub hold: Option<Hold>,
    /// What came after the last success, who leads, and what somebody else has changed.
    #[serde(default)]
    pub watched: Watched,
}

/// Everything that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Grows when history or what is current changes: pages then ask again.
    pub generation: u64,
    /// How the source is.
    pub source: SourceState,
    /// Why the Engine cannot be used.
    pub engine_problem: Option<Problem>,
    /// Why nothing is written into the database any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_problem: Option<Problem>,
    /// Every environment of the pipeline.
    pub environments: BTreeMap<EnvironmentName, LiveEnvironment>,
}

impl Progress {
    /// Marks a step; those before it are done.
    pub fn step(&mut self, step: Step, state: StepState) {
        for (known, now) in &mut self.steps {
            if *known < step {
                *now = StepState::Completed;
            } else if *known == step {
                *now = state;
            }
        }
    }

    /// Marks the end, which is recorded by now. Where it did not succeed, the step under way is the one that failed.
    pub fn close(&mut self, outcome: &crate::deployment::Outcome) {
        self.status = outcome.status;
        self.error.clone_from(&outcome.error_message);
        for (step, state) in &mut self.steps {
            match (outcome.status, *step, *state) {
                (Status::Success, ..) | (_, Step::Record, _) => *state = StepState::Completed,
                (_, _, StepState::InProgress) => *state = StepState::Failed,
                _ => (),
            }
        }
        for (service, outcome) in &outcome.services {
            if let Some(progress) = self.services.get_mut(service) {
                progress.phase = ServicePhase::Done { verdict: outcome.verdict.clone() };
            }
        }
    }
}
