//! The environment of a service: its env files, its own entries, and what the caller's variables say.
//!
//! Env files of a *service* are verbatim: no quotes, no escapes. Those of an *environment* are read by
//! [`crate::env_file`].

use std::collections::BTreeMap;

use super::Surroundings;
use super::values::{optional_dict, text_or_texts};
use crate::names::RepoPath;
use crate::ports::Files;
use crate::stack::Variables;
use crate::stack::findings::{Findings, Placed};
use crate::stack::yaml::Cursor;

type Environment = BTreeMap<String, Option<String>>;

/// The env files that a service names, in order.
pub(crate) fn env_files(
    service: &Cursor<'_>,
    around: Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<Placed<RepoPath>> {
    let Some(found) = service.get("env_file") else { return Vec::new() };
    let mut files = Vec::new();
    for path in text_or_texts(service, "env_file") {
        if let Some(value) = findings.take(&found.place, around.base.join(&path)) {
            files.push(Placed { place: found.place.clone(), value });
        }
    }
    files
}

pub(super) fn load(service: &Cursor<'_>, around: Surroundings<'_>, findings: &mut Findings) -> Environment {
    let mut environment = Environment::new();
    if let Some(files) = around.files.filter(|_| findings.has_room()) {
        let mut from_files = Environment::new();
        for file in env_files(service, around, findings) {
            let read = read(&file.value, files, around.variables);
            from_files.extend(findings.take(&file.place, read).unwrap_or_default());
        }
        from_files.values().flatten().for_each(|value| findings.note_from_env_file(value));
        lay_over(&mut environment, from_files, around.variables);
    }
    lay_over(&mut environment, optional_dict(service, "environment"), around.variables);
    let bytes = environment.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len)).sum();
    // A name without a value names the caller's variable.
    findings.note_variables(environment.keys().map(String::as_str).filter(|name| around.variables.contains_key(*name)));
    if !findings.take_text(&service.place, bytes) {
        return Environment::new();
    }
    if let Some(found) = service.get("environment") {
        for (name, _) in environment.iter().filter(|(_, value)| value.is_none()) {
            let message = format!("`{name}` has no value here and is no variable: containers do not get it");
            findings.warn(&found.place, message);
        }
    }
    environment
}

/// An entry without a value, or with an empty one, takes the caller's if there is one.
fn lay_over(environment: &mut Environment, entries: Environment, variables: &Variables) {
    for (name, value) in entries {
        let value = match variables.get(&name) {
            Some(given) if value.as_ref().is_none_or(String::is_empty) => Some(given.clone()),
            _ => value,
        };
        environment.insert(name, value);
    }
}

fn read(path: &RepoPath, files: &Files, variables: &Variables) -> Result<Environment, String> {
    let bytes =
        files.get(path).ok_or_else(|| format!("the env file `{path}` is not in the repository at this revision"))?;
    let text = str::from_utf8(bytes).map_err(|_| format!("the env file `{path}` is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut environment = Environment::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value.to_owned())));
        if name.is_empty() || name.contains([' ', '\t']) || line.contains('\0') {
            return Err(format!("line {} of the env file `{path}` is not `NAME=value`", index + 1));
        }
        match value.or_else(|| variables.get(name).cloned()) {
            Some(value) => environment.insert(name.to_owned(), Some(value)),
            None => None,
        };
    }
    Ok(environment)
}
