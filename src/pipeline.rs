//! The environments and how releases flow between them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{EnvironmentName, RepoPath, StackName};

/// Who starts a deployment of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A new revision does.
    Auto,
    /// A person does.
    Manual,
}

/// What becomes of the services that a deployment has changed when one of them fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// They stay as they are, and a person decides.
    #[default]
    Keep,
    /// All of them go back to what they were before the deployment.
    Rollback,
}

/// What becomes of a service that somebody else has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// It is shown, and a person decides.
    #[default]
    Report,
    /// It is brought back to the release that was deployed last.
    Heal,
}

/// A named target: what it is rendered from, the stack it becomes, and where its releases come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name in pages, URLs and history.
    pub name: EnvironmentName,
    /// Who starts its deployments.
    pub mode: Mode,
    /// The stack in the Swarm.
    pub stack: StackName,
    /// The env file that holds its versions and variables.
    pub env_file: RepoPath,
    /// The stack files, merged in this order as `docker stack deploy -c a -c b` does. Never empty.
    pub stack_files: Vec<RepoPath>,
    /// The environment whose releases are promoted to this one.
    pub promotes_from: Option<EnvironmentName>,
    /// What becomes of what was changed when a deployment fails.
    pub on_failure: OnFailure,
    /// What becomes of a service that somebody else has changed.
    pub on_drift: OnDrift,
    /// Whether a machine follows the branch also where it was set back or rewritten.
    #[serde(default)]
    pub allow_rewind: bool,
}

impl Environment {
    /// How long a success is watched on: ten minutes where releases enter, thirty where they are promoted to.
    pub fn probation(&self) -> Duration {
        if self.promotes_from.is_some() { Duration::from_mins(30) } else { Duration::from_mins(10) }
    }
}

/// All environments, in the order in which releases flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline(Vec<Environment>);

/// Why a set of environments is no pipeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPipeline {
    /// Nothing to deploy to.
    #[error("a pipeline needs at least one environment")]
    Empty,
    /// Two environments share a name.
    #[error("two environments are named `{0}`")]
    SameName(EnvironmentName),
    /// Two environments would overwrite each other.
    #[error("environments `{0}` and `{1}` both use stack `{2}`")]
    SameStack(EnvironmentName, EnvironmentName, StackName),
    /// A release would come from an environment that stands later, or nowhere.
    #[error("environment `{0}` promotes from `{1}`, which does not stand before it")]
    UnknownOrigin(EnvironmentName, EnvironmentName),
}

impl Pipeline {
    /// Takes environments in the order of promotion.
    pub fn new(environments: Vec<Environment>) -> Result<Self, InvalidPipeline> {
        if environments.is_empty() {
            return Err(InvalidPipeline::Empty);
        }
        for (index, environment) in environments.iter().enumerate() {
            let before = &environments[..index];
            if before.iter().any(|other| other.name == environment.name) {
                return Err(InvalidPipeline::SameName(environment.name.clone()));
            }
            if let Some(other) = before.iter().find(|other| other.stack == environment.stack) {
                let (first, second) = (other.name.clone(), environment.name.clone());
                return Err(InvalidPipeline::SameStack(first, second, environment.stack.clone()));
            }
            if let Some(origin) = &environment.promotes_from
                && !before.iter().any(|other| other.name == *origin)
            {
                return Err(InvalidPipeline::UnknownOrigin(environment.name.clone(), origin.clone()));
            }
        }
        Ok(Self(environments))
    }

    /// All environments, first the one that releases enter.
    pub fn environments(&self) -> &[Environment] {
        &self.0
    }

    /// The environment of that name.
    pub fn get(&self, name: &EnvironmentName) -> Option<&Environment> {
        self.0.iter().find(|environment| environment.name == *name)
    }
}
