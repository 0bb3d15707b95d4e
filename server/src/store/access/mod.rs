//! Users, sessions, tokens and the audit log. Secrets come in as hashes and never leave.

mod audit;
mod sessions;
mod tokens;
mod users;

use std::collections::BTreeSet;

use release_manager::access::{Grant, Scope};
use release_manager::names::EnvironmentName;
use release_manager::ports::LedgerError;

use super::codec::{from_json, parse, to_json};
use super::error::unreadable;

pub use audit::AuditEntry;
pub(super) use audit::verify;
pub use sessions::{NewSession, OpenSession};
pub use tokens::{KnownToken, StoredToken};
pub use users::KnownUser;

/// The SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// Where a role holds, as the column has it.
fn environments(grant: &Grant) -> Option<String> {
    match grant.scope() {
        Scope::Everywhere => None,
        Scope::Only(environments) => Some(to_json(environments)),
    }
}

/// The two columns of a grant.
fn grant(role: &str, environments: Option<&str>, what: impl Fn() -> String) -> Result<Grant, LedgerError> {
    let scope = match environments {
        None => Scope::Everywhere,
        Some(text) => Scope::Only(from_json::<BTreeSet<EnvironmentName>>(text, &what)?),
    };
    Grant::new(parse(role, &what)?, scope).map_err(|error| unreadable(&what(), error))
}
