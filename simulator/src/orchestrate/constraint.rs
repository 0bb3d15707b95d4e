//! Placement constraints.

use crate::{error::Refusal, state::node::Node};

/// A constraint: `key == value` or `key != value`.
#[derive(Debug, PartialEq, Eq)]
struct Constraint<'a> {
    key: &'a str,
    equal: bool,
    value: &'a str,
}

fn parse(text: &str) -> Result<Constraint<'_>, Refusal> {
    let unknown = |message: &str| Refusal::new(500, format!("rpc error: code = Unknown desc = {message}"));
    let (key, value, equal) = if let Some((key, value)) = text.split_once("==") {
        (key, value, true)
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, value, false)
    } else {
        return Err(unknown("constraint expected one operator from ==, !="));
    };
    let (key, value) = (key.trim(), value.trim());
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if key.is_empty() || !key.starts_with(|c: char| c.is_ascii_alphabetic()) || !key.chars().all(is_key) {
        return Err(unknown(&format!("key '{key}' is invalid")));
    }
    if value.is_empty() {
        return Err(unknown(&format!("value '{value}' is invalid")));
    }
    Ok(Constraint { key, equal, value })
}

/// Refuses what swarmkit cannot read.
pub(crate) fn check(constraints: &[String]) -> Result<(), Refusal> {
    constraints.iter().try_for_each(|text| parse(text).map(drop))
}

/// Whether a node satisfies all constraints. An unknown key is never satisfied.
pub(crate) fn all_met(constraints: &[String], node: &Node) -> bool {
    constraints.iter().all(|text| parse(text).is_ok_and(|constraint| is_met(&constraint, node)))
}

fn is_met(constraint: &Constraint<'_>, node: &Node) -> bool {
    let compare = |actual: &str| actual.eq_ignore_ascii_case(constraint.value) == constraint.equal;
    let key = constraint.key.to_ascii_lowercase();
    match key.as_str() {
        "node.id" => compare(&node.id),
        "node.hostname" => compare(&node.hostname),
        "node.ip" => compare(&node.address),
        "node.role" => compare(node.role()),
        "node.platform.os" => compare("linux"),
        "node.platform.arch" => compare("x86_64") || compare("amd64"),
        _ => {
            let label = |prefix: &str| key.starts_with(prefix).then(|| &constraint.key[prefix.len()..]);
            if let Some(name) = label("node.labels.") {
                compare(node.labels.get(name).map_or("", String::as_str))
            } else if let Some(name) = label("engine.labels.") {
                compare(node.engine_labels.get(name).map_or("", String::as_str))
            } else {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::NodeOptions;

    #[track_caller]
    fn check_met(constraint: &str, expected: bool) {
        let mut options = NodeOptions::new("swarm-1", true);
        options.labels.insert("disk".into(), "ssd".into());
        let node = Node::new("id1".into(), 0, &options, "");
        assert_eq!(all_met(&[constraint.to_owned()], &node), expected, "{constraint}");
    }

    #[test]
    fn nodes_are_compared_by_what_a_constraint_names() {
        check_met("node.role == manager", true);
        check_met("node.role != manager", false);
        check_met("node.hostname==swarm-1", true);
        check_met("node.labels.disk == SSD", true);
        check_met("node.labels.zone != a", true);
        check_met("node.labels.zone == a", false);
        check_met("engine.labels.x == y", false);
        check_met("foo == bar", false);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_engines_text() {
        let refusal = check(&["node.role=manager".to_owned()]).expect_err("one operator is missing");
        assert_eq!(refusal.message, "rpc error: code = Unknown desc = constraint expected one operator from ==, !=");
        assert_eq!(refusal.status, 500);
    }
}
