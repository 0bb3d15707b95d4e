//! `[[environment]]` of the configuration file, and the two environments that there are without one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use release_manager::names::{EnvironmentName, RepoPath, StackName};
use release_manager::pipeline::{Environment, Mode, OnDrift, OnFailure, Pipeline};
use serde::Deserialize;

use super::is_docker_host;

/// What the environment variables say of stacks; the file fills in the rest.
pub(super) struct Usual {
    /// `STACK_FILE`.
    pub(super) stack_files: Vec<RepoPath>,
    /// `STACK_NAME`, or the repository's name: stacks are `PREFIX-ENVIRONMENT`.
    pub(super) stack_prefix: String,
}

/// One `[[environment]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    name: EnvironmentName,
    mode: Mode,
    stack: Option<StackName>,
    env_file: Option<RepoPath>,
    stack_files: Option<Vec<RepoPath>>,
    promotes_from: Option<EnvironmentName>,
    #[serde(default)]
    on_failure: OnFailure,
    #[serde(default)]
    on_drift: OnDrift,
    #[serde(default)]
    allow_rewind: bool,
    docker_host: Option<String>,
    docker_cert_path: Option<PathBuf>,
}

/// An Engine of its own for an environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineAddress {
    /// `unix:///path` or `tcp://host:port`.
    pub host: String,
    /// The directory of the certificates for TLS; `None` for none.
    pub certificates: Option<PathBuf>,
}

/// The environments, and the stacks that run elsewhere than at `DOCKER_HOST`.
pub(super) type Described = (Pipeline, BTreeMap<StackName, EngineAddress>);

/// The default pipeline over a repository: `preprod` follows it, `prod` is promoted to.
pub fn default_pipeline(stack_files: &[RepoPath], stack_prefix: &str) -> Result<Pipeline, String> {
    let entry = |name: &str, mode, from: Option<&str>| -> Result<Entry, String> {
        let parse = |name: &str| EnvironmentName::from_str(name).map_err(|error| error.to_string());
        Ok(Entry {
            name: parse(name)?,
            mode,
            stack: None,
            env_file: None,
            stack_files: None,
            promotes_from: from.map(parse).transpose()?,
            on_failure: OnFailure::default(),
            on_drift: OnDrift::default(),
            allow_rewind: false,
            docker_host: None,
            docker_cert_path: None,
        })
    };
    let entries = vec![entry("preprod", Mode::Auto, None)?, entry("prod", Mode::Manual, Some("preprod"))?];
    Ok(pipeline(entries, &Usual { stack_files: stack_files.to_vec(), stack_prefix: stack_prefix.to_owned() })?.0)
}

/// The pipeline that the entries describe.
pub(super) fn pipeline(entries: Vec<Entry>, usual: &Usual) -> Result<Described, String> {
    let mut engines = BTreeMap::new();
    let mut environments = Vec::with_capacity(entries.len());
    for entry in entries {
        let engine = engine(&entry)?;
        let environment = environment(entry, usual)?;
        if let Some(engine) = engine {
            engines.insert(environment.stack.clone(), engine);
        }
        environments.push(environment);
    }
    Ok((Pipeline::new(environments).map_err(|error| error.to_string())?, engines))
}

/// The Engine that an environment names.
fn engine(entry: &Entry) -> Result<Option<EngineAddress>, String> {
    let invalid = |key: &str, problem: &str| format!("environment `{}`: {key}: {problem}", entry.name);
    match (entry.docker_host.clone(), entry.docker_cert_path.clone()) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(invalid("docker_host", "it is missing: docker_cert_path belongs to it")),
        (Some(host), None) if is_docker_host(&host) => Ok(Some(EngineAddress { host, certificates: None })),
        (Some(host), certificates) if host.starts_with("tcp://") => Ok(Some(EngineAddress { host, certificates })),
        (Some(host), Some(_)) if is_docker_host(&host) => {
            Err(invalid("docker_cert_path", "only an Engine at tcp://host:port takes certificates"))
        }
        (Some(host), _) => Err(invalid(
            "docker_host",
            &format!("`{host}` was read: use unix:///path/to/docker.sock or tcp://host:port"),
        )),
    }
}

fn environment(entry: Entry, usual: &Usual) -> Result<Environment, String> {
    let name = entry.name;
    let invalid = |what: &str, problem: &dyn std::fmt::Display| format!("environment `{name}`: {what}: {problem}");
    let stack = match entry.stack {
        Some(stack) => stack,
        None => format!("{}-{name}", usual.stack_prefix).parse().map_err(|error| invalid("its stack", &error))?,
    };
    let env_file = match entry.env_file {
        Some(path) => path,
        None => format!("env/.env.{name}").parse().map_err(|error| invalid("its env file", &error))?,
    };
    let stack_files = entry.stack_files.unwrap_or_else(|| usual.stack_files.clone());
    if stack_files.is_empty() {
        return Err(invalid("stack_files", &"the list is empty: name at least one stack file"));
    }
    if entry.mode == Mode::Manual && entry.promotes_from.is_none() {
        return Err(invalid("promotes_from", &"it is missing: a manual environment gets its releases from another"));
    }
    if entry.mode == Mode::Auto && entry.promotes_from.is_some() {
        return Err(invalid(
            "promotes_from",
            &"an automatic environment follows the repository: remove it, or use mode = \"manual\"",
        ));
    }
    if entry.mode == Mode::Manual && entry.allow_rewind {
        return Err(invalid("allow_rewind", &"a manual environment follows no branch: remove it"));
    }
    Ok(Environment {
        name,
        mode: entry.mode,
        stack,
        env_file,
        stack_files,
        promotes_from: entry.promotes_from,
        on_failure: entry.on_failure,
        on_drift: entry.on_drift,
        allow_rewind: entry.allow_rewind,
    })
}
