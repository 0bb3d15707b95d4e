//! What an environment should run at a revision: files are read, the stack is rendered.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Inner, ManagerError};
use crate::env_file;
use crate::names::{CommitSha, RepoPath, ServiceName, StackName};
use crate::pipeline::Environment;
use crate::plan;
use crate::ports::{Files, Source, SourceError};
use crate::release::ServiceVersion;
use crate::revision::Revision;
use crate::stack::{self, Input, Reach, Stack, StackError, StackFile, Variables, Warning};

/// A rendered stack and what it says of versions. Images stand as in the files: no registry has been asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Desired {
    pub(crate) revision: Revision,
    pub(crate) stack: Stack,
    pub(crate) versions: BTreeMap<ServiceName, ServiceVersion>,
    pub(crate) warnings: Vec<Warning>,
}

impl Desired {
    /// Names the content: the same files give the same hash, whatever the revision is called.
    pub(crate) fn content_hash(&self) -> Result<String, ManagerError> {
        content_hash(&self.stack)
    }
}

/// Hex SHA-256 over the rendered stack: what the Engine is asked for, and not from where its parts came.
pub(crate) fn content_hash(stack: &Stack) -> Result<String, ManagerError> {
    #[derive(Serialize)]
    struct Content<'a> {
        name: &'a StackName,
        services: &'a BTreeMap<ServiceName, stack::Service>,
        networks: &'a BTreeMap<String, stack::Object>,
        secrets: &'a BTreeMap<String, stack::Object>,
        configs: &'a BTreeMap<String, stack::Object>,
    }
    let Stack { name, services, networks, secrets, configs, given: _ } = stack;
    let bytes = serde_json::to_vec(&Content { name, services, networks, secrets, configs })
        .map_err(|error| ManagerError::Internal(format!("the rendered stack cannot be written down: {error}")))?;
    Ok(format!("{:x}", Sha256::digest(&bytes)))
}

/// Whether an environment could be deployed at a revision as far as its files say. Returns what a person should know.
pub async fn rehearse(
    source: &dyn Source,
    bind_base: Option<&str>,
    environment: &Environment,
    revision: &Revision,
) -> Result<Vec<Warning>, ManagerError> {
    Ok(Reader { source, bind_base }.desire(environment, revision).await?.warnings)
}

impl Inner {
    /// Renders an environment at a revision. Every file is read at that very revision.
    pub(crate) async fn desire(&self, environment: &Environment, revision: &Revision) -> Result<Desired, ManagerError> {
        let desired = self.reader().desire(environment, revision).await?;
        self.discretion.learn(&desired.stack);
        Ok(desired)
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { source: self.ports.source.as_ref(), bind_base: self.settings.bind_base.as_deref() }
    }
}

/// Reads what an environment is rendered from.
pub(super) struct Reader<'a> {
    source: &'a dyn Source,
    bind_base: Option<&'a str>,
}

impl Reader<'_> {
    async fn desire(&self, environment: &Environment, revision: &Revision) -> Result<Desired, ManagerError> {
        let at = &revision.sha;
        let variables = self.variables(environment, at).await?;
        let stack_files = self.stack_files(environment, at).await?;
        let input = self.input(environment, &stack_files, &variables);
        let named = stack::referenced_files(input).map_err(ManagerError::Invalid)?;
        let contents = try_join_all(named.iter().map(|path| self.source.read(path, at))).await?;
        let files: Files = named.into_iter().zip(contents).collect();
        let (stack, warnings) = stack::render(input, &files).map_err(ManagerError::Invalid)?;
        let versions = versions(&stack)?;
        Ok(Desired { revision: revision.clone(), stack, versions, warnings })
    }

    async fn variables(&self, environment: &Environment, at: &CommitSha) -> Result<Variables, ManagerError> {
        let mut variables = self.env_file(environment, at).await?;
        variables.entry("ENV_NAME".to_owned()).or_insert_with(|| environment.name.to_string());
        Ok(variables)
    }

    /// What the env file says itself.
    pub(super) async fn env_file(&self, environment: &Environment, at: &CommitSha) -> Result<Variables, ManagerError> {
        let path = &environment.env_file;
        let text = self.source.read(path, at).await?;
        let place = |error: &env_file::EnvFileError| StackError { place: path.to_string(), message: error.to_string() };
        env_file::parse(&text).map_err(|errors| ManagerError::Invalid(errors.iter().map(place).collect()))
    }

    /// The variables that the stack files name.
    pub(super) async fn named_variables(
        &self,
        environment: &Environment,
        at: &CommitSha,
    ) -> Result<BTreeSet<String>, ManagerError> {
        let variables = self.variables(environment, at).await?;
        let files = self.stack_files(environment, at).await?;
        Ok(stack::named_variables(self.input(environment, &files, &variables)))
    }

    fn input<'b>(
        &'b self,
        environment: &'b Environment,
        files: &'b [StackFile],
        variables: &'b Variables,
    ) -> Input<'b> {
        Input { stack: &environment.stack, files, variables, bind_base: self.bind_base, reach: Reach::Repository }
    }

    async fn stack_files(&self, environment: &Environment, at: &CommitSha) -> Result<Vec<StackFile>, ManagerError> {
        try_join_all(environment.stack_files.iter().map(|path| self.stack_file(path, at))).await
    }

    async fn stack_file(&self, path: &RepoPath, at: &CommitSha) -> Result<StackFile, ManagerError> {
        let bytes = self.source.read(path, at).await?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let message = format!("byte {} is not UTF-8: save the file as UTF-8", error.utf8_error().valid_up_to());
            ManagerError::Invalid(vec![StackError { place: path.to_string(), message }])
        })?;
        Ok(StackFile { path: path.clone(), text })
    }
}

/// Reads every service's version off the rendered stack; an image with an impossible tag is an error.
pub(crate) fn versions(stack: &Stack) -> Result<BTreeMap<ServiceName, ServiceVersion>, ManagerError> {
    let mut versions = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, service) in &stack.services {
        let image = plan::image_of(&service.spec).unwrap_or_default();
        match ServiceVersion::of_image(image) {
            Some(version) => {
                versions.insert(name.clone(), version);
            }
            None => errors.push(StackError {
                place: format!("services.{name}.image"),
                message: format!(
                    "`{image}` has a tag or digest that no registry takes: check the variable that holds it"
                ),
            }),
        }
    }
    if errors.is_empty() { Ok(versions) } else { Err(ManagerError::Invalid(errors)) }
}

/// Whether trying again later can help without a new revision.
pub(crate) fn is_transient(error: &ManagerError) -> bool {
    match error {
        ManagerError::Invalid(_) | ManagerError::Rewritten { .. } | ManagerError::Vanished { .. } => false,
        ManagerError::Source(error) => {
            !matches!(error, SourceError::NoFile { .. } | SourceError::TooLarge { .. } | SourceError::NotAFile { .. })
        }
        _ => true,
    }
}

/// Whether it may be over by itself: what a person has to mend is not.
pub(crate) fn passes(error: &ManagerError) -> bool {
    use ManagerError::{Busy, Ledger, NotLeading, Preparing, Stopping, Swarm};
    match error {
        Busy(_) | Ledger(_) | NotLeading { .. } | Preparing(_) | Stopping | Swarm(_) => true,
        ManagerError::Source(_) => is_transient(error),
        _ => false,
    }
}

/// The image with the repository of `own` and the version of `proven`; with the very digest where both are the same
/// repository.
pub(crate) fn with_version(own: &str, proven: &ServiceVersion) -> String {
    let repository = |image: &str| {
        let name = image.split_once('@').map_or(image, |(name, _)| name).to_owned();
        let tagged = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
        if tagged { name.rsplit_once(':').map_or(name.clone(), |(name, _)| name.to_owned()) } else { name }
    };
    if repository(own) == repository(&proven.image) {
        return proven.image.clone();
    }
    let version = proven.version.as_str();
    let joint = if version.starts_with("sha256:") { '@' } else { ':' };
    format!("{}{joint}{version}", repository(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: &str, proven: &str, expected: &str) {
        assert_eq!(with_version(own, &ServiceVersion::of_image(proven).unwrap()), expected);
    }

    #[test]
    fn a_promoted_image_keeps_its_own_repository_and_the_proven_digest() {
        let digest = format!("sha256:{}", "c".repeat(64));
        check("app:1", &format!("app:2@{digest}"), &format!("app:2@{digest}"));
        check("registry:5000/app:1", "app:2", "registry:5000/app:2");
        check("localhost:5000/app", "other:7", "localhost:5000/app:7");
        check("app:1", &format!("other@{digest}"), &format!("app@{digest}"));
    }
}
