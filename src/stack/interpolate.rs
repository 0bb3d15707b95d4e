//! Variables: `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME:-default}`, `${NAME?message}`, `${NAME:?message}`, `$$`.
//!
//! Stricter than the docker command on purpose: see the list in the documentation of [`super`].

use super::Variables;
use super::findings::{Findings, Place};
use super::yaml::{Node, Yaml, parse_float};

/// Fills variables into every string of a stack file. Keys, `version` and extensions (`x-…`) stay as they are: an
/// extension takes effect only through aliases, and there it is filled in at the place of use.
pub(crate) fn interpolate(root: &mut Node, file: &Place, variables: &Variables, findings: &mut Findings) {
    let Yaml::Map(entries) = &mut root.yaml else { return };
    for entry in entries {
        if entry.key == "version" || entry.key.starts_with("x-") {
            continue;
        }
        let place = file.below(&entry.key, entry.line);
        let mut walk = Walk { variables, findings: &mut *findings, path: vec![entry.key.clone()] };
        walk.node(&mut entry.node, &place);
    }
}

struct Walk<'a> {
    variables: &'a Variables,
    findings: &'a mut Findings,
    /// The keys that lead here; list items are `[]`.
    path: Vec<String>,
}

impl Walk<'_> {
    fn node(&mut self, node: &mut Node, place: &Place) {
        match &mut node.yaml {
            Yaml::Text(text) if text.contains('$') => {
                let filled = self.text(text, place);
                node.yaml = filled;
            }
            Yaml::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let place = place.below(&index.to_string(), item.line);
                    self.below("[]", item, &place);
                }
            }
            Yaml::Map(entries) => {
                // Extensions stand in a service, network, volume, secret or config itself.
                let extensions = self.path.len() == 2;
                for entry in entries.iter_mut().filter(|entry| !(extensions && entry.key.starts_with("x-"))) {
                    let place = place.below(&entry.key, entry.line);
                    self.below(&entry.key, &mut entry.node, &place);
                }
            }
            _ => (),
        }
    }

    fn below(&mut self, key: &str, node: &mut Node, place: &Place) {
        self.path.push(key.to_owned());
        self.node(node, place);
        self.path.pop();
    }

    fn text(&mut self, text: &str, place: &Place) -> Yaml {
        self.findings.note_variables(variables_in(text));
        if matches!(&self.path[..], [services, _, image] if services == "services" && image == "image") {
            self.findings.note_in_image(variables_in(text));
        }
        let filled = match substitute(text, self.variables) {
            Ok(filled) if self.findings.take_text(place, filled.len()) => filled,
            Ok(_) => return Yaml::Broken,
            Err(troubles) => {
                for trouble in troubles {
                    self.findings.refuse(place, trouble.to_string());
                }
                return Yaml::Broken;
            }
        };
        if filled == text {
            return Yaml::Text(filled);
        }
        match cast_for(&self.path) {
            None => Yaml::Text(filled),
            Some(cast) => cast.apply(&filled).unwrap_or_else(|| {
                let shown: String = filled.chars().take(40).collect();
                self.findings.refuse(place, format!("must become {}, but `{text}` becomes `{shown}`", cast.wanted()));
                Yaml::Broken
            }),
        }
    }
}

/// Why a text could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the variable `{0}` is not set: set it in the env file, or give it a default with `${{{0}:-…}}`")]
    Unset(String),
    #[error("the variable `{name}` is required: {message}")]
    Required { name: String, message: String },
    #[error(
        "the `$` at character {0} begins no variable: write `$NAME`, `${{NAME}}`, `${{NAME:-default}}` or \
         `${{NAME:?message}}`, or `$$` for a dollar sign"
    )]
    Invalid(usize),
    #[error("this becomes longer than 1 MiB once its variables are filled in: make it shorter")]
    TooLong,
    #[error("the default of `{0}` contains another variable, which would not be filled in: use one variable only")]
    Nested(String),
}

/// A text whose variables are filled in may be so long.
const LONGEST: usize = 1024 * 1024;

/// The variables that a text names.
pub(crate) fn variables_in(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            if let Some(literal) = after.strip_prefix('$') {
                rest = literal;
                continue;
            }
            let inside = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            // What stands within braces is filled in as a whole.
            let (expression, behind) = inside.unwrap_or_else(|| after.split_at(name_length(after)));
            let name = &expression[..name_length(expression)];
            rest = behind;
            if !name.is_empty() {
                return Some(name);
            }
        }
    })
}

/// Fills variables into a text. Every trouble is reported, not only the first.
pub(crate) fn substitute(text: &str, variables: &Variables) -> Result<String, Vec<Trouble>> {
    let mut filled = String::with_capacity(text.len());
    let mut troubles = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let position = || text[..text.len() - after.len()].chars().count();
        if let Some(literal) = after.strip_prefix('$') {
            filled.push('$');
            rest = literal;
            continue;
        }
        let (expression, end) = match after.strip_prefix('{') {
            Some(inside) => match inside.find('}') {
                Some(end) => (&inside[..end], end + 2),
                None => ("", 1),
            },
            None => (&after[..name_length(after)], name_length(after)),
        };
        if filled.len() > LONGEST {
            return Err(vec![Trouble::TooLong]);
        }
        match evaluate(expression, variables) {
            Some(Ok(value)) => filled.push_str(value),
            Some(Err(trouble)) => troubles.push(trouble),
            None => troubles.push(Trouble::Invalid(position())),
        }
        rest = &after[end..];
    }
    filled.push_str(rest);
    if filled.len() > LONGEST && filled.len() > text.len() {
        troubles.push(Trouble::TooLong);
    }
    if troubles.is_empty() { Ok(filled) } else { Err(troubles) }
}

/// The value of `NAME` with an optional operator; `None` if it is not written so.
fn evaluate<'a>(expression: &'a str, variables: &'a Variables) -> Option<Result<&'a str, Trouble>> {
    let (name, operation) = expression.split_at(name_length(expression));
    if name.is_empty() {
        return None;
    }
    let value = variables.get(name).map(String::as_str);
    let (given, operation) = match operation.strip_prefix(':') {
        Some(operation) => (value.filter(|value| !value.is_empty()), operation),
        None if operation.is_empty() => return Some(value.ok_or_else(|| Trouble::Unset(name.to_owned()))),
        None => (value, operation),
    };
    if let Some(message) = operation.strip_prefix('?') {
        let message = if message.is_empty() { "it must be set and not empty" } else { message };
        let trouble = || Trouble::Required { name: name.to_owned(), message: message.to_owned() };
        return Some(given.ok_or_else(trouble));
    }
    let default = operation.strip_prefix('-')?;
    if default.contains("${") {
        return Some(Err(Trouble::Nested(name.to_owned())));
    }
    Some(Ok(given.unwrap_or(default)))
}

fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// What a filled-in text becomes where the schema wants no string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cast {
    Int,
    Float,
    Bool,
}

impl Cast {
    fn apply(self, text: &str) -> Option<Yaml> {
        match self {
            // Decimal even with leading zeros, unlike in YAML itself.
            Self::Int => text.parse::<i64>().ok().map(|value| Yaml::Int(value.into())),
            Self::Float => parse_float(text).map(Yaml::Float),
            Self::Bool => match text.to_ascii_lowercase().as_str() {
                "y" | "yes" | "true" | "on" => Some(Yaml::Bool(true)),
                "n" | "no" | "false" | "off" => Some(Yaml::Bool(false)),
                _ => None,
            },
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Bool => "true or false",
        }
    }
}

/// Where a filled-in text is cast; `*` stands for any key.
const CASTS: &[(&str, Cast)] = &[
    ("services.*.configs.[].mode", Cast::Int),
    ("services.*.secrets.[].mode", Cast::Int),
    ("services.*.healthcheck.retries", Cast::Int),
    ("services.*.healthcheck.disable", Cast::Bool),
    ("services.*.deploy.replicas", Cast::Int),
    ("services.*.deploy.update_config.parallelism", Cast::Int),
    ("services.*.deploy.update_config.max_failure_ratio", Cast::Float),
    ("services.*.deploy.rollback_config.parallelism", Cast::Int),
    ("services.*.deploy.rollback_config.max_failure_ratio", Cast::Float),
    ("services.*.deploy.restart_policy.max_attempts", Cast::Int),
    ("services.*.deploy.placement.max_replicas_per_node", Cast::Int),
    ("services.*.ports.[].target", Cast::Int),
    ("services.*.ports.[].published", Cast::Int),
    ("services.*.ulimits.*", Cast::Int),
    ("services.*.ulimits.*.hard", Cast::Int),
    ("services.*.ulimits.*.soft", Cast::Int),
    ("services.*.oom_score_adj", Cast::Int),
    ("services.*.privileged", Cast::Bool),
    ("services.*.read_only", Cast::Bool),
    ("services.*.stdin_open", Cast::Bool),
    ("services.*.tty", Cast::Bool),
    ("services.*.volumes.[].read_only", Cast::Bool),
    ("services.*.volumes.[].volume.nocopy", Cast::Bool),
    ("networks.*.external", Cast::Bool),
    ("networks.*.internal", Cast::Bool),
    ("networks.*.attachable", Cast::Bool),
    ("volumes.*.external", Cast::Bool),
    ("secrets.*.external", Cast::Bool),
    ("configs.*.external", Cast::Bool),
];

fn cast_for(path: &[String]) -> Option<Cast> {
    let fits = |pattern: &str| {
        pattern.split('.').count() == path.len()
            && pattern.split('.').zip(path).all(|(wanted, key)| wanted == "*" || wanted == key)
    };
    CASTS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, cast)| *cast)
}

#[cfg(test)]
mod tests;
