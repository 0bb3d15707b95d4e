//! Roles, and where they hold.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::EnvironmentName;

/// What somebody may do. Each role may what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything but logs and who may come in.
    Viewer,
    /// Deploys, cancels and reads logs.
    Deployer,
    /// Decides who may come in.
    Admin,
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: use viewer, deployer or admin")]
pub struct InvalidRole(pub String);

impl Role {
    /// All roles, the lowest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Deployer, Self::Admin];

    /// The role's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Deployer => "deployer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(raw: &str) -> Result<Self, InvalidRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == raw).ok_or_else(|| InvalidRole(raw.to_owned()))
    }
}

/// Where a role holds. Everybody may look at every environment; beyond that, outside of it a deployer is a viewer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// In every environment.
    Everywhere,
    /// In these.
    Only(BTreeSet<EnvironmentName>),
}

impl Scope {
    /// These environments; none of them named means all.
    pub fn of(environments: impl IntoIterator<Item = EnvironmentName>) -> Self {
        let only: BTreeSet<_> = environments.into_iter().collect();
        if only.is_empty() { Self::Everywhere } else { Self::Only(only) }
    }

    /// Whether it reaches there.
    pub fn contains(&self, environment: &EnvironmentName) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Only(environments) => environments.contains(environment),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => formatter.write_str("every environment"),
            Self::Only(environments) => {
                let names: Vec<_> = environments.iter().map(EnvironmentName::as_str).collect();
                formatter.write_str(&names.join(", "))
            }
        }
    }
}

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Grant {
    role: Role,
    scope: Scope,
}

/// A role that cannot be limited as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrant {
    /// Only what a deployer does belongs to an environment.
    #[error("the role {0} holds everywhere: only a deployer can be limited to environments")]
    NotLimited(Role),
    /// It would hold nowhere.
    #[error("name at least one environment, or leave them out for all")]
    Nowhere,
}

impl Grant {
    /// A role that holds in the scope.
    pub fn new(role: Role, scope: Scope) -> Result<Self, InvalidGrant> {
        match &scope {
            Scope::Only(environments) if environments.is_empty() => Err(InvalidGrant::Nowhere),
            Scope::Only(_) if role != Role::Deployer => Err(InvalidGrant::NotLimited(role)),
            Scope::Only(_) | Scope::Everywhere => Ok(Self { role, scope }),
        }
    }

    /// A role everywhere.
    pub fn everywhere(role: Role) -> Self {
        Self { role, scope: Scope::Everywhere }
    }

    /// Everything, everywhere.
    pub fn admin() -> Self {
        Self::everywhere(Role::Admin)
    }

    /// The role where it holds.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where it holds.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What both of two grants allow.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let role = self.role.min(other.role);
        if role != Role::Deployer {
            return Self::everywhere(role);
        }
        let scope = match (&self.scope, &other.scope) {
            (Scope::Everywhere, scope) | (scope, Scope::Everywhere) => scope.clone(),
            (Scope::Only(one), Scope::Only(other)) => Scope::Only(one & other),
        };
        // Deployers of different environments have nothing in common but that they may look.
        Self::new(role, scope).unwrap_or_else(|_| Self::everywhere(Role::Viewer))
    }

    /// The role in an environment.
    pub fn role_in(&self, environment: &EnvironmentName) -> Role {
        if self.scope.contains(environment) { self.role } else { Role::Viewer }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Everywhere => write!(formatter, "{}", self.role),
            scope @ Scope::Only(_) => write!(formatter, "{} in {scope}", self.role),
        }
    }
}

#[derive(Deserialize)]
struct Unchecked {
    role: Role,
    scope: Scope,
}

impl TryFrom<Unchecked> for Grant {
    type Error = InvalidGrant;

    fn try_from(raw: Unchecked) -> Result<Self, InvalidGrant> {
        Self::new(raw.role, raw.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_deployer_is_limited_to_environments() {
        let only = Scope::of(["preprod".parse().unwrap()]);
        assert!(Grant::new(Role::Deployer, only.clone()).is_ok());
        for role in [Role::Viewer, Role::Admin] {
            assert_eq!(Grant::new(role, only.clone()), Err(InvalidGrant::NotLimited(role)));
        }
        assert_eq!(Grant::new(Role::Deployer, Scope::Only(BTreeSet::new())), Err(InvalidGrant::Nowhere));
        assert!(serde_json::from_str::<Grant>(r#"{"role":"admin","scope":{"only":["prod"]}}"#).is_err());
    }

    #[test]
    fn two_grants_have_in_common_what_both_allow() {
        let only = |names: &[&str]| {
            Grant::new(Role::Deployer, Scope::of(names.iter().map(|name| name.parse().unwrap()))).unwrap()
        };
        let all = Grant::everywhere;
        for (one, other, common) in [
            (Grant::admin(), Grant::admin(), Grant::admin()),
            (Grant::admin(), all(Role::Deployer), all(Role::Deployer)),
            (Grant::admin(), only(&["prod"]), only(&["prod"])),
            (all(Role::Deployer), only(&["prod"]), only(&["prod"])),
            (only(&["dev", "prod"]), only(&["prod", "test"]), only(&["prod"])),
            (only(&["dev"]), only(&["prod"]), all(Role::Viewer)),
            (all(Role::Viewer), only(&["prod"]), all(Role::Viewer)),
        ] {
            assert_eq!(one.common(&other), common, "{one} and {other}");
            assert_eq!(other.common(&one), common, "{other} and {one}");
        }
    }
}
