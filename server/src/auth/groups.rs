//! From the groups of a proxy or an identity provider to roles.

use std::str::FromStr;

use release_manager::access::{Grant, Role, Scope};
use release_manager::names::EnvironmentName;

/// Which group gets which role. Of several, the highest counts; of two deployers, the one with the wider reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups(Vec<(String, Grant)>);

/// The group that everybody is in.
const EVERYBODY: &str = "*";

impl Default for Groups {
    fn default() -> Self {
        Self(vec![(EVERYBODY.to_owned(), Grant::everywhere(Role::Viewer))])
    }
}

impl FromStr for Groups {
    type Err = String;

    /// `ops=admin,devs=deployer:preprod+staging,*=viewer`
    fn from_str(raw: &str) -> Result<Self, String> {
        let rules = raw.split(',').map(str::trim).filter(|rule| !rule.is_empty());
        let rules = rules.map(rule).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() { Err("it names no group".to_owned()) } else { Ok(Self(rules)) }
    }
}

fn rule(raw: &str) -> Result<(String, Grant), String> {
    let usage = || format!("`{raw}` was read: use group=role or group=deployer:environment+environment");
    let (group, grant) = raw.rsplit_once('=').ok_or_else(usage)?;
    let (role, environments) = grant.split_once(':').map_or((grant, None), |(role, rest)| (role, Some(rest)));
    let role: Role = role.trim().parse().map_err(|error| format!("in `{raw}`, {error}"))?;
    let scope = match environments {
        None => Scope::Everywhere,
        Some(names) => {
            let names = names.split('+').map(|name| name.trim().parse::<EnvironmentName>());
            Scope::Only(names.collect::<Result<_, _>>().map_err(|error| format!("in `{raw}`, {error}"))?)
        }
    };
    let group = group.trim();
    if group.is_empty() {
        return Err(usage());
    }
    Ok((group.to_owned(), Grant::new(role, scope).map_err(|error| format!("in `{raw}`, {error}"))?))
}

impl Groups {
    /// What somebody in these groups may do; `None` if nothing.
    pub fn grant<'a>(&self, groups: impl IntoIterator<Item = &'a str>) -> Option<Grant> {
        let own: Vec<&str> = groups.into_iter().chain([EVERYBODY]).collect();
        let granted = self.0.iter().filter(|(group, _)| own.contains(&group.as_str())).map(|(_, grant)| grant);
        granted
            .fold(None, |best: Option<Grant>, next| Some(best.map_or_else(|| next.clone(), |best| wider(best, next))))
    }
}

fn wider(one: Grant, other: &Grant) -> Grant {
    if one.role() != other.role() {
        return if one.role() > other.role() { one } else { other.clone() };
    }
    let scope = match (one.scope(), other.scope()) {
        (Scope::Only(one), Scope::Only(other)) => Scope::Only(one.union(other).cloned().collect()),
        _ => Scope::Everywhere,
    };
    Grant::new(one.role(), scope).unwrap_or(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(groups: &[&str], expected: Option<&str>) {
        let rules: Groups = "ops=admin, devs=deployer:preprod,qa=deployer:staging, all=viewer".parse().unwrap();
        let grant = rules.grant(groups.iter().copied());
        assert_eq!(grant.map(|grant| grant.to_string()).as_deref(), expected);
    }

    #[test]
    fn of_several_groups_the_highest_role_counts_and_the_same_role_adds_up() {
        check(&["all", "ops"], Some("admin"));
        check(&["devs"], Some("deployer in preprod"));
        check(&["devs", "qa", "all"], Some("deployer in preprod, staging"));
        check(&["strangers"], None);
        check(&[], None);
    }

    #[test]
    fn everybody_is_a_viewer_unless_something_is_said() {
        assert_eq!(Groups::default().grant([]).unwrap().to_string(), "viewer");
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_named() {
        for (raw, expected) in [
            ("ops", "`ops` was read: use group=role or group=deployer:environment+environment"),
            ("ops=root", "in `ops=root`, `root` is not a role: use viewer, deployer or admin"),
            (
                "ops=admin:prod",
                "in `ops=admin:prod`, the role admin holds everywhere: only a deployer can be limited to environments",
            ),
            ("", "it names no group"),
        ] {
            assert_eq!(raw.parse::<Groups>().unwrap_err(), expected);
        }
    }
}
