//! The stack engine: compose files become what the Engine is asked for, exactly as `docker stack deploy` does it.
//!
//! The way of a file: [`yaml`] (text to tree) → [`interpolate`] (variables) → [`schema`] (may it say that?) → [`load`]
//! (short forms to one form) → [`merge`] (several files to one) → [`convert`] (to the Engine API's JSON). Nothing stops at
//! the first mistake: what is wrong is reported together (the first 200), in the order in which it stands in the files.
//!
//! Where it differs from the docker command, on purpose, stands in `docs/stack-differences.md`. A test deploys the files of
//! `testdata` with both and compares what the Engine shows.
//!
//! A hostile file costs neither time nor memory: see the bounds in [`yaml`] and [`findings`].

mod convert;
mod findings;
mod image;
mod interpolate;
mod load;
mod merge;
mod schema;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hidden::Hidden;
use crate::names::{RepoPath, ServiceName, StackName};
use crate::ports::Files;
use findings::{Findings, Place};
use load::Surroundings;
use load::model::Document;
use load::paths::Base;
use yaml::{Cursor, Node};

pub use crate::env_file::Variables;
pub use image::registry_of;

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
    /// Where relative bind mounts lead to on the nodes: the absolute directory that `.` stands for. `None` refuses them.
    pub bind_base: Option<&'a str>,
    /// How far the paths of the files that the stack names may lead.
    pub reach: Reach,
}

/// How far the paths of files (`file`, `env_file`) may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// Into the repository and not out of it: whoever writes it need not be trusted with the machine's own files.
    #[default]
    Repository,
    /// Anywhere on the machine of the person who names the files. Every [`RepoPath`] counts from its root then.
    Machine,
}

/// A rendered stack: everything that the Engine is to be asked for, in the Engine API's own JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// The stack's name.
    pub name: StackName,
    /// Every service.
    pub services: BTreeMap<ServiceName, Service>,
    /// Every network that a service uses, by full name, except those that every Engine has (`host`, …).
    pub networks: BTreeMap<String, Object>,
    /// Every secret of the stack itself and every external one that a service uses, by full name.
    pub secrets: BTreeMap<String, Object>,
    /// Every config of the stack itself and every external one that a service uses, by full name.
    pub configs: BTreeMap<String, Object>,
    /// The values that services are given and that are nobody's to see, wherever they stand: see [`crate::hidden`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub given: BTreeSet<String>,
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

/// A file whose variables are filled in and that the schema allows.
struct Checked {
    place: Place,
    root: Node,
    minor: u8,
}

/// The repository's files (env files, secrets, configs) that must be at hand to render the stack.
pub fn referenced_files(input: Input<'_>) -> Result<BTreeSet<RepoPath>, Vec<StackError>> {
    let mut findings = Findings::default();
    let (base, checked, _) = check_all(input, &mut findings);
    let mut paths = BTreeSet::new();
    for file in &checked {
        let around = surroundings(input, &base, None, file.minor);
        let root = Cursor::new(&file.root, file.place.clone());
        for (_, service) in root.get("services").iter().flat_map(Cursor::entries) {
            paths.extend(load::env_files(&service, around, &mut findings).into_iter().map(|file| file.value));
        }
        let document = load::load(&root, around, &mut findings);
        let objects = document.secrets.into_values().chain(document.configs.into_values());
        paths.extend(objects.filter_map(|object| object.file).map(|file| file.value));
    }
    conclude(findings, input.variables, paths).map(|(paths, _)| paths)
}

/// The variables that the stack files name, set or not, as far as the files can be read.
pub fn named_variables(input: Input<'_>) -> BTreeSet<String> {
    let mut findings = Findings::default();
    check_all(input, &mut findings);
    findings.into_variables()
}

/// Renders a stack. `files` holds what [`referenced_files`] asked for.
pub fn render(input: Input<'_>, files: &Files) -> Result<(Stack, Vec<Warning>), Vec<StackError>> {
    let mut findings = Findings::default();
    let (base, checked, complete) = check_all(input, &mut findings);
    let mut merged: Option<Document> = None;
    for file in &checked {
        let around = surroundings(input, &base, Some(files), file.minor);
        let root = Cursor::new(&file.root, file.place.clone());
        schema::warn_of_ignored(&root, &mut findings);
        let document = load::load(&root, around, &mut findings);
        match &mut merged {
            Some(merged) => merge::merge(merged, document, &mut findings),
            None => merged = Some(document),
        }
    }
    let document = merged.unwrap_or_default();
    // A file that could not be read at all would make everything that it declares look undefined.
    if complete {
        if document.services.is_empty() {
            let first = input.files.first().map_or("the stack", |file| file.path.as_str());
            findings.refuse(&Place::of_file(0, first), "there are no services: add them under `services`");
        }
        convert::refuse_cycles(&document, &mut findings);
        let mut stack = convert::convert(input.stack, &document, files, &mut findings);
        stack.given = findings.given(input.variables);
        return conclude(findings, input.variables, stack);
    }
    conclude(findings, input.variables, ()).and(Err(Vec::new()))
}

/// What was found, without the values that are nobody's to see: messages quote what stands in a file once it is filled in.
fn conclude<T>(findings: Findings, variables: &Variables, value: T) -> Result<(T, Vec<Warning>), Vec<StackError>> {
    let hidden = Hidden::of_values(findings.given(variables));
    let masked = |text: String| hidden.mask(&text).into_owned();
    match findings.conclude(value) {
        Ok((value, warnings)) => Ok((value, warnings.into_iter().map(|Warning(text)| Warning(masked(text))).collect())),
        Err(errors) => {
            let errors = errors.into_iter();
            Err(errors.map(|error| StackError { message: masked(error.message), ..error }).collect())
        }
    }
}

fn surroundings<'a>(input: Input<'a>, base: &'a Base, files: Option<&'a Files>, minor: u8) -> Surroundings<'a> {
    Surroundings { variables: input.variables, base, files, bind_base: input.bind_base, minor }
}

/// Reads and checks every file. The last value says whether all of them could be read.
fn check_all(input: Input<'_>, findings: &mut Findings) -> (Base, Vec<Checked>, bool) {
    let base = input.files.first().map(|file| Base::of(&file.path, input.reach)).unwrap_or_default();
    let mut version: Option<(String, Place)> = None;
    let mut checked = Vec::new();
    for (order, file) in input.files.iter().enumerate() {
        let place = Place::of_file(order, file.path.as_str());
        let Some((text, one)) = check_file(&place, file, input.variables, findings) else { continue };
        match &version {
            Some((first, at)) if *first != text => {
                let message = format!("the version {text} differs from {first} in {at}: all files need the same");
                findings.refuse(&place, message);
            }
            Some(_) => (),
            None => version = Some((text, place)),
        }
        checked.push(one);
    }
    let complete = checked.len() == input.files.len();
    (base, checked, complete)
}

fn check_file(
    place: &Place,
    file: &StackFile,
    variables: &Variables,
    findings: &mut Findings,
) -> Option<(String, Checked)> {
    let mut root = match yaml::parse(&file.text) {
        Ok(root) => root,
        Err(error) => {
            findings.refuse(&place.clone().at_line(error.line), error.message);
            return None;
        }
    };
    let (text, minor) = schema::version(&Cursor::new(&root, place.clone()), findings)?;
    interpolate::interpolate(&mut root, place, variables, findings);
    schema::check(&Cursor::new(&root, place.clone()), minor, findings);
    Some((text, Checked { place: place.clone(), root, minor }))
}

#[cfg(test)]
mod tests;
