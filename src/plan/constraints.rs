//! Placement constraints, as the Engine reads them: `node.labels.zone == east`.

use crate::engine::Node;

/// One constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constraint {
    key: String,
    value: String,
    equal: bool,
}

impl Constraint {
    /// Reads a constraint; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // The Engine looks for `==` first, wherever it stands.
        let (key, value, equal) = match (text.split_once("=="), text.split_once("!=")) {
            (Some((key, value)), _) => (key, value, true),
            (None, Some((key, value))) => (key, value, false),
            (None, None) => return Err("it needs `==` or `!=`".to_owned()),
        };
        let (key, value) = (key.trim(), value.trim());
        let key_is_valid = key.len() > 1
            && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !key_is_valid {
            return Err(format!("`{key}` is no key: use letters, digits, `-`, `_` and `.`"));
        }
        let value_is_valid = !value.is_empty()
            && value
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || r":-_.*()?+[]\^$|/".contains(c));
        if !value_is_valid {
            return Err(format!("`{value}` is no value that the Engine takes"));
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned(), equal })
    }

    /// Whether the node satisfies it. An address is taken to, since it is not known here.
    pub(crate) fn matches(&self, node: &Node) -> bool {
        let key = self.key.to_ascii_lowercase();
        let found = match key.as_str() {
            "node.id" => node.id.as_str(),
            "node.hostname" => node.hostname.as_str(),
            "node.role" => node.role.as_str(),
            "node.platform.os" => node.os.as_str(),
            "node.platform.arch" => node.architecture.as_str(),
            "node.ip" => return true,
            _ => {
                let label = |prefix: &str| key.starts_with(prefix).then(|| &self.key[prefix.len()..]);
                // Labels themselves are told apart by case, and a missing one is empty.
                let (labels, label) = match (label("node.labels."), label("engine.labels.")) {
                    (Some(label), _) => (&node.labels, label),
                    (None, Some(label)) => (&node.engine_labels, label),
                    (None, None) => return false,
                };
                if label.is_empty() {
                    return false;
                }
                labels.get(label).map_or("", String::as_str)
            }
        };
        found.eq_ignore_ascii_case(&self.value) == self.equal
    }
}

/// Whether the scheduler gives the node new tasks.
pub(crate) fn takes_tasks(node: &Node) -> bool {
    node.is_ready() && node.availability == "active"
}

/// The constraints of a spec that can be read.
pub(crate) fn of_spec(spec: &serde_json::Value) -> Vec<Constraint> {
    super::spec::list(spec, "/TaskTemplate/Placement/Constraints")
        .iter()
        .filter_map(|text| Constraint::parse(text.as_str()?).ok())
        .collect()
}
