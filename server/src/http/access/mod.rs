//! Users, tokens and the audit log for programs.

mod audit;
mod tokens;
mod users;

use std::collections::BTreeSet;

use http::StatusCode;
use release_manager::access::{AccessError, Grant, Role, Scope, Who};
use release_manager::names::EnvironmentName;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::api::schema;
use super::auth::Caller;
use super::error::Problem;

/// Every operation about users, tokens and the audit log.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(users::users, users::add_user))
        .routes(routes!(users::change_user))
        .routes(routes!(tokens::tokens, tokens::create_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(audit::audit))
}

/// A role, and where it holds.
#[derive(Serialize, ToSchema)]
pub(super) struct GrantInfo {
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Where a deployer may deploy; left out where the role holds everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schema::EnvironmentName>>)]
    environments: Option<BTreeSet<EnvironmentName>>,
}

impl From<&Grant> for GrantInfo {
    fn from(grant: &Grant) -> Self {
        let environments = match grant.scope() {
            Scope::Everywhere => None,
            Scope::Only(environments) => Some(environments.clone()),
        };
        Self { role: grant.role(), environments }
    }
}

/// Who asks, and what they may do.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// `person`, `token`, or `anybody` where nobody has to log in.
    kind: &'static str,
    /// As history names them.
    #[schema(value_type = schema::Actor)]
    deployed_by: String,
    #[serde(flatten)]
    grant: GrantInfo,
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/api/me", tag = "Access", responses(
    (status = 200, description = "That is you", body = Me),
))]
pub(super) async fn me(caller: Caller) -> axum::Json<Me> {
    let principal = caller.principal();
    let kind = match principal.who {
        Who::Person(_) => "person",
        Who::Token(_) => "token",
        Who::Anybody => "anybody",
    };
    axum::Json(Me { kind, deployed_by: principal.actor().to_string(), grant: (&principal.grant).into() })
}

fn grant(role: Role, environments: BTreeSet<EnvironmentName>) -> Result<Grant, AccessError> {
    Ok(Grant::new(role, Scope::of(environments))?)
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let (status, slug) = match &error {
            AccessError::UnknownUser(_) | AccessError::UnknownToken(_) => (StatusCode::NOT_FOUND, "not-found"),
            AccessError::UserExists(_) | AccessError::TokenExists(_) => (StatusCode::CONFLICT, "exists"),
            AccessError::LastAdmin(_) => (StatusCode::CONFLICT, "last-admin"),
            AccessError::Password { .. }
            | AccessError::WrongPassword
            | AccessError::ExpiresInThePast
            | AccessError::Grant(_) => (StatusCode::UNPROCESSABLE_ENTITY, "bad-request"),
            AccessError::Slowed(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests"),
            AccessError::Ledger(failure) => {
                tracing::error!(error = %failure, "Users or tokens could not be read or changed");
                let detail = "the database failed: Release Manager's log says why".to_owned();
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "database", detail);
            }
        };
        Self::new(status, slug, error.to_string())
    }
}
