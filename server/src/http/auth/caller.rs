//! Who a handler works for, and whether they may.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use release_manager::access::{AuditResult, Denied, Operation, Principal, Trail, Visit};
use release_manager::names::{Actor, EnvironmentName};
use secrecy::SecretString;

use super::Client;
use crate::auth;
use crate::http::error::Problem;

/// What somebody has shown to come in.
#[derive(Debug, Clone)]
pub(in crate::http) enum Credential {
    /// The cookie of a session.
    Cookie(SecretString),
    /// An API token.
    Token(SecretString),
    /// A proxy vouches for them.
    Proxy,
    /// Nothing: nobody has to.
    None,
}

/// Who a handler works for. The gate has found them; without the gate there is nobody.
#[derive(Debug, Clone)]
pub(in crate::http) struct Caller {
    pub(super) visit: Visit,
    pub(super) credential: Credential,
    pub(super) client: Client,
    pub(super) trail: Trail,
}

impl Caller {
    /// Who it is, and what they may do.
    pub(in crate::http) fn principal(&self) -> &Principal {
        &self.visit.principal
    }

    /// Where a handler writes what the audit log should know.
    pub(in crate::http) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Whether they may do something that concerns the whole installation.
    pub(in crate::http) fn allow(&self, operation: Operation) -> Result<(), Problem> {
        self.checked(self.visit.principal.may(operation))
    }

    /// Whether they may give an order to an environment; as whom history names them.
    pub(in crate::http) fn order(&self, operation: Operation, environment: &EnvironmentName) -> Result<Actor, Problem> {
        self.trail.target(environment);
        self.checked(self.visit.principal.may_in(operation, environment))?;
        Ok(self.visit.principal.actor())
    }

    fn checked(&self, answer: Result<(), Denied>) -> Result<(), Problem> {
        answer.map_err(|denied| {
            self.trail.ended(AuditResult::Refused, &denied);
            Problem::from(denied)
        })
    }

    /// Whether it is a program with a token, and no browser.
    pub(in crate::http) fn is_program(&self) -> bool {
        matches!(self.credential, Credential::Token(_))
    }

    /// What requests and streams are counted by.
    pub(in crate::http) fn counted_as(&self) -> String {
        match (&self.credential, &self.visit.session) {
            (Credential::Cookie(_), Some(session)) => format!("session {session}"),
            (Credential::Token(_) | Credential::Proxy, _) => self.visit.principal.actor().to_string(),
            (Credential::Cookie(_) | Credential::None, _) => auth::client(self.client.address),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(not_logged_in)
    }
}

/// Nobody has shown who they are.
pub(super) fn not_logged_in() -> Problem {
    let detail = "log in, or send `Authorization: Bearer` with an API token".to_owned();
    Problem::new(StatusCode::UNAUTHORIZED, "login-required", detail)
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", denied.to_string())
    }
}
