//! Why a question or an order was refused.

use crate::diff::Finding;
use crate::hold::Hold;
use crate::names::{CommitSha, DeploymentId, EnvironmentName, RepoPath, ServiceName};
use crate::ports::{LedgerError, Lineage, SourceError, SwarmError};
use crate::stack::StackError;
use crate::views::Comparison;

/// Why a question or an order was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// No such environment in the pipeline.
    #[error("there is no environment `{0}`")]
    UnknownEnvironment(EnvironmentName),
    /// No such deployment in history.
    #[error("there is no deployment {0}")]
    UnknownDeployment(DeploymentId),
    /// No such row in history.
    #[error("there is no row {0} in history")]
    UnknownRow(i64),
    /// A revision that is neither the newest nor stands in an environment.
    #[error("revision {sha} stands in no environment and is not the newest: reload the page", sha = .0.short())]
    UnknownRevision(CommitSha),
    /// A deployment of another environment.
    #[error("deployment {0} is one of `{1}`: choose one of this environment")]
    OtherEnvironment(DeploymentId, EnvironmentName),
    /// Only what was proved once can be restored.
    #[error("deployment {0} did not succeed, so there is nothing to go back to: choose one that did")]
    NotProved(DeploymentId),
    /// Nothing new is brought to the environment.
    #[error("environment `{0}` is held by {by} ({reason}): resume it first", by = .1.by, reason = .1.reason)]
    Held(EnvironmentName, Box<Hold>),
    /// There is no hold to end.
    #[error("environment `{0}` is not held")]
    NotHeld(EnvironmentName),
    /// A way back has no way back.
    #[error("deployment {0} is itself on the way back: stop it, then choose a release from history")]
    NoWayBack(DeploymentId),
    /// A service that nobody knows.
    #[error("there is no service `{0}` here")]
    UnknownService(ServiceName),
    /// The environment takes releases from no other.
    #[error("environment `{0}` does not promote from another environment")]
    NoOrigin(EnvironmentName),
    /// The environment before has nothing that was deployed with success.
    #[error("environment `{0}` has not been deployed with success yet, so there is nothing to promote")]
    NothingToPromote(EnvironmentName),
    /// Another deployment of the environment is not over.
    #[error("deployment {0} is still in progress")]
    Busy(DeploymentId),
    /// Another deployment of the environment is being prepared.
    #[error("another deployment of `{0}` is being prepared: try again in a moment")]
    Preparing(EnvironmentName),
    /// A machine tries a revision once.
    #[error("deployment {0} has tried exactly this and did not succeed: push a new revision, or retry it by hand")]
    TriedBefore(DeploymentId),
    /// The specs are there already; writing them again would only take good tasks down.
    #[error(
        "deployment {0} did not succeed, yet what it wrote is what this revision wants: retry it by hand to have it watched \
         again, or push a new revision"
    )]
    StillLive(DeploymentId),
    /// A machine does not empty a stack.
    #[error("it would remove {0} services, at least as many as would stay: retry it by hand if that is meant")]
    MassRemoval(usize),
    /// Nor does it take out what it has not brought.
    #[error("it would remove `{0}`, which no deployment has brought here: retry it by hand if that is meant")]
    StrangerRemoval(ServiceName),
    /// Nor does it follow a branch that does not only grow.
    #[error("{}: retry it by hand if that is meant, or set `allow_rewind = true` for the environment", rewritten(.followed, *.lineage))]
    Rewritten {
        /// The revision that was brought here last.
        followed: CommitSha,
        /// How the head stands to it.
        lineage: Lineage,
    },
    /// Nor does it put a default in the place of what was written.
    #[error("{}: put back what is needed, or retry it by hand if that is meant", vanished(.names, .env_file))]
    Vanished {
        /// The variables.
        names: Vec<String>,
        /// Where they stood.
        env_file: RepoPath,
    },
    /// It follows no revision.
    #[error("environment `{0}` does not follow the source: promote to it instead")]
    NotAutomatic(EnvironmentName),
    /// Another Release Manager may change the stack: this one only reads.
    #[error("{place} leads `{environment}`: this Release Manager only reads. Stop one of the two")]
    NotLeading {
        /// The environment.
        environment: EnvironmentName,
        /// Where the one that leads runs.
        place: String,
    },
    /// A drift is healed once.
    #[error("the same was brought back once, and somebody has changed it again: find out who, or deploy what is meant")]
    HealedBefore,
    /// A machine does not undo what its database has forgotten.
    #[error(
        "`{service}` was written by deployment {writer}, which this database does not know: has an older copy of it been \
         restored? Deploy what is meant by hand"
    )]
    UnknownWriter {
        /// The service.
        service: ServiceName,
        /// The number that it carries.
        writer: DeploymentId,
    },
    /// Nothing of that name runs here.
    #[error("there is no service `{service}` in `{environment}`")]
    NotRunning {
        /// The service.
        service: ServiceName,
        /// The environment.
        environment: EnvironmentName,
    },
    /// Logs are looked at by as many as there is room for.
    #[error("{0} logs are being looked at already: close one, or try again later")]
    TooManyViewers(usize),
    /// Only a running deployment can be cancelled.
    #[error("deployment {0} is over")]
    Over(DeploymentId),
    /// Something has changed since the plan was seen.
    #[error("the plan has changed since you saw it: look at it again")]
    Stale(Box<Comparison>),
    /// Nothing would change.
    #[error("nothing to deploy: the environment already runs this")]
    UpToDate,
    /// The plan has blockers.
    #[error("the deployment cannot work: {}", sentences(.0))]
    Blocked(Vec<Finding>),
    /// The env file or stack file cannot be used.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<StackError>),
    /// The source could not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The Swarm could not answer.
    #[error(transparent)]
    Swarm(#[from] SwarmError),
    /// The database could not answer.
    #[error(transparent)]
    Ledger(LedgerError),
    /// A promise of our own is broken.
    #[error("something is wrong inside Release Manager: {0}")]
    Internal(String),
    /// Release Manager is about to stop.
    #[error("Release Manager is stopping: try again in a moment")]
    Stopping,
}

impl From<LedgerError> for ManagerError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Busy(id) => Self::Busy(id),
            LedgerError::Held(environment, hold) => Self::Held(environment, hold),
            LedgerError::Over(id) => Self::Over(id),
            other @ LedgerError::Failed { .. } => Self::Ledger(other),
        }
    }
}

/// What an env file has lost, in words; the names of so many stand in them.
fn vanished(names: &[String], env_file: &RepoPath) -> String {
    const TOLD: usize = 10;
    let told: Vec<String> = names.iter().take(TOLD).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > TOLD { format!(" and {} more", names.len() - TOLD) } else { String::new() };
    let have = if names.len() == 1 { "has" } else { "have" };
    format!(
        "{}{more} {have} vanished from `{env_file}`, where nothing or a default would take their place",
        told.join(", ")
    )
}

/// What became of the branch, in words.
fn rewritten(followed: &CommitSha, lineage: Lineage) -> String {
    let short = followed.short();
    match lineage {
        Lineage::Behind => {
            format!("the branch was set back: it leads to {short}, which was brought here last, no longer")
        }
        Lineage::Lost => {
            format!("the branch was rewritten: the source does not know {short}, which was brought here last, any more")
        }
        Lineage::Diverged | Lineage::Ahead => {
            format!("the branch was rewritten: {short}, which was brought here last, does not lead to it")
        }
    }
}

/// Findings as one sentence each, with the service they concern.
pub(crate) fn sentences(findings: &[Finding]) -> String {
    let sentence = |finding: &Finding| match &finding.service {
        Some(service) => format!("{service}: {}", finding.message),
        None => finding.message.clone(),
    };
    findings.iter().map(sentence).collect::<Vec<_>>().join("; ")
}
