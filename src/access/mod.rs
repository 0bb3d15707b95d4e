//! Who may do what: roles and where they hold, who is asking, and the one table of operations. Nothing here knows how
//! somebody proved who they are.

mod grant;
mod operation;
mod people;
#[cfg(feature = "engine")]
mod ports;
#[cfg(feature = "engine")]
mod sight;
#[cfg(feature = "engine")]
pub mod throttle;

pub use grant::{Grant, InvalidGrant, InvalidRole, Role, Scope};
pub use operation::{Operation, Place, RULES, Rule};
pub use people::{
    AuditFilter, AuditPage, AuditResult, AuditRow, SESSION_IDLE, SESSION_LONGEST, Session, Token, User, session_is_over,
};
#[cfg(feature = "engine")]
pub use ports::{AccessError, Accounts, FreshToken, NewToken, NewUser, Trail};
#[cfg(feature = "engine")]
pub use sight::Shown;

use serde::{Deserialize, Serialize};

use crate::names::{Actor, EnvironmentName, TokenName, UserName};

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Who {
    /// A person who has logged in.
    Person(UserName),
    /// A program with an API token.
    Token(TokenName),
    /// Nobody has to log in here: `manual` in history.
    Anybody,
}

/// Who is asking, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Who.
    pub who: Who,
    /// What they may do, and where.
    pub grant: Grant,
}

/// Somebody who asks, and how they came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Who.
    pub principal: Principal,
    /// The number of the session; `None` for who did not log in with a password here.
    pub session: Option<i64>,
    /// The password was made up by Release Manager: it should be changed.
    pub password_is_temporary: bool,
}

impl Visit {
    /// Without a session.
    pub fn of(principal: Principal) -> Self {
        Self { principal, session: None, password_is_temporary: false }
    }
}

/// Why somebody may not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The role is too low, everywhere.
    #[error("to {} takes the role {needs}; {who} is {has}", operation.rule().words)]
    Role {
        /// What was wanted.
        operation: Operation,
        /// The role that it takes.
        needs: Role,
        /// `ada` or `token ci`.
        who: String,
        /// The role that there is.
        has: Role,
    },
    /// The role is high enough, but elsewhere.
    #[error("to {} takes the role {needs} in {environment}; {who} has it in {scope} only", operation.rule().words)]
    Elsewhere {
        /// What was wanted.
        operation: Operation,
        /// The role that it takes.
        needs: Role,
        /// Where it was wanted.
        environment: EnvironmentName,
        /// `ada` or `token ci`.
        who: String,
        /// Where it holds.
        scope: Scope,
    },
    /// The operation is one of an environment, and none was named. Handlers name it, so this is a fault of ours.
    #[error("to {} concerns one environment: name it", operation.rule().words)]
    Nowhere {
        /// What was wanted.
        operation: Operation,
    },
}

impl Principal {
    /// Who may do everything because nobody has to log in.
    pub fn anybody() -> Self {
        Self { who: Who::Anybody, grant: Grant::admin() }
    }

    /// As history names them.
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Person(name) => Actor::Person(name.to_string()),
            Who::Token(name) => Actor::Token(name.clone()),
            Who::Anybody => Actor::Person("manual".to_owned()),
        }
    }

    /// Whether they may do something that concerns the whole installation.
    pub fn may(&self, operation: Operation) -> Result<(), Denied> {
        match operation.rule().place {
            Place::Environment => Err(Denied::Nowhere { operation }),
            Place::Everywhere => self.might(operation),
        }
    }

    /// Whether they may do something to an environment.
    pub fn may_in(&self, operation: Operation, environment: &EnvironmentName) -> Result<(), Denied> {
        self.might(operation)?;
        let needs = operation.rule().needs;
        if self.grant.role_in(environment) >= needs {
            return Ok(());
        }
        Err(Denied::Elsewhere {
            operation,
            needs,
            environment: environment.clone(),
            who: self.named(),
            scope: self.grant.scope().clone(),
        })
    }

    /// Whether they may do it somewhere. Not enough for an operation of an environment: that asks [`Self::may_in`] too.
    pub fn might(&self, operation: Operation) -> Result<(), Denied> {
        let (needs, has) = (operation.rule().needs, self.grant.role());
        if has >= needs { Ok(()) } else { Err(Denied::Role { operation, needs, who: self.named(), has }) }
    }

    fn named(&self) -> String {
        match &self.who {
            Who::Person(name) => name.to_string(),
            Who::Token(name) => format!("token {name}"),
            Who::Anybody => "whoever comes".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role, environments: &str) -> Principal {
        let only: std::collections::BTreeSet<EnvironmentName> =
            environments.split_whitespace().map(|name| name.parse().unwrap()).collect();
        let scope = if only.is_empty() { Scope::Everywhere } else { Scope::Only(only) };
        Principal { who: Who::Person("ada".parse().unwrap()), grant: Grant::new(role, scope).unwrap() }
    }

    #[track_caller]
    fn check(role: Role, environments: &str, operation: Operation, environment: &str, refused: Option<&str>) {
        let answer = principal(role, environments).may_in(operation, &environment.parse().unwrap());
        assert_eq!(answer.err().map(|denied| denied.to_string()).as_deref(), refused);
    }

    #[test]
    fn a_role_may_what_it_takes_and_what_takes_less() {
        check(Role::Admin, "", Operation::Promote, "prod", None);
        check(Role::Deployer, "", Operation::Promote, "prod", None);
        check(
            Role::Viewer,
            "",
            Operation::Promote,
            "prod",
            Some("to promote a release takes the role deployer; ada is viewer"),
        );
        assert!(principal(Role::Deployer, "").may(Operation::ManageAccess).is_err());
        assert!(principal(Role::Admin, "").may(Operation::ManageAccess).is_ok());
    }

    #[test]
    fn a_deployer_of_preprod_only_looks_at_prod() {
        check(Role::Deployer, "preprod", Operation::Promote, "preprod", None);
        check(
            Role::Deployer,
            "preprod",
            Operation::Promote,
            "prod",
            Some("to promote a release takes the role deployer in prod; ada has it in preprod only"),
        );
        assert!(principal(Role::Deployer, "preprod").may(Operation::View).is_ok());
        assert!(principal(Role::Deployer, "preprod").might(Operation::Promote).is_ok());
    }

    #[test]
    fn an_order_to_an_environment_that_is_not_named_is_refused() {
        let admin = principal(Role::Admin, "");
        let refused = admin.may(Operation::Promote).unwrap_err().to_string();
        assert_eq!(refused, "to promote a release concerns one environment: name it");
    }

    #[test]
    fn history_names_the_person_the_token_or_manual() {
        let named = |who| Principal { who, grant: Grant::admin() }.actor().to_string();
        assert_eq!(named(Who::Person("ada".parse().unwrap())), "ada");
        assert_eq!(named(Who::Token("ci".parse().unwrap())), "token:ci");
        assert_eq!(named(Who::Anybody), "manual");
    }
}
