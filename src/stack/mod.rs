//! The stack engine: compose files become what the Engine is asked for, exactly as `docker stack deploy` does it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::{RepoPath, ServiceName, StackName};
use crate::ports::Files;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// A stack file: where it stands and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFile {
    /// Its path in the repository.
    pub path: RepoPath,
    /// Its text.
    pub text: String,
}

/// What a stack is rendered from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The name that every object's name begins with.
    pub stack: &'a StackName,
    /// The files in the order of `-c`.
    pub files: &'a [StackFile],
    /// What the docker command would find in its process environment.
    pub variables: &'a Variables,
    /// Where relative bind mounts lead to on the nodes: an absolute directory. `None` refuses them.
    pub bind_base: Option<&'a str>,
}

/// A rendered stack: everything that the Engine is to be asked for, in the Engine API's own JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// The stack's name.
    pub name: StackName,
    /// Every service.
    pub services: BTreeMap<ServiceName, Service>,
    /// Every network that a service uses, by full name.
    pub networks: BTreeMap<String, Object>,
    /// Every secret of the file, by full name.
    pub secrets: BTreeMap<String, Object>,
    /// Every config of the file, by full name.
    pub configs: BTreeMap<String, Object>,
}

/// A rendered service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// The body of `POST /services/create`, with full names; secrets and configs are named, their ids left out.
    pub spec: Value,
    /// The services that must have converged first.
    pub depends_on: BTreeSet<ServiceName>,
}

/// A network, secret or config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "owner", rename_all = "snake_case")]
pub enum Object {
    /// It must be there already.
    External,
    /// The body of its create request.
    Ours {
        /// In the Engine API's own JSON.
        spec: Value,
    },
}

/// Something about a stack file that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Warning(pub String);

/// What is wrong with a stack file: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct StackError {
    /// The file, the line where one is known, and the key: `docker-swarm-stack.yml:12: services.web.ports.0`.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// The repository's files (env files, secrets, configs) that must be at hand to render the stack.
pub fn referenced_files(input: Input<'_>) -> Result<BTreeSet<RepoPath>, Vec<StackError>> {
    let _ = input;
    Ok(BTreeSet::new())
}

/// The names of the variables that stand in services' images, by service: they hold the versions.
pub fn render(input: Input<'_>, files: &Files) -> Result<(Stack, Vec<Warning>), Vec<StackError>> {
    let _ = (input, files);
    Err(Vec::new())
}
