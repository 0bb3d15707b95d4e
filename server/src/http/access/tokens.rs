//! API tokens for programs.

use std::collections::BTreeSet;

use axum::extract::State;
use http::StatusCode;
use release_manager::access::{Accounts, NewToken, Operation, Role, Token};
use release_manager::names::{EnvironmentName, TokenName};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{GrantInfo, grant};
use crate::http::AppState;
use crate::http::api::schema;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Json, Path};

/// An API token, without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenInfo {
    #[schema(value_type = String)]
    name: TokenName,
    /// What it begins with.
    start: String,
    #[serde(flatten)]
    grant: GrantInfo,
    #[schema(value_type = schema::Actor)]
    created_by: String,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    /// `null` for ever.
    #[schema(value_type = Option<schema::Timestamp>)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<schema::Timestamp>)]
    last_used_at: Option<Timestamp>,
}

impl From<Token> for TokenInfo {
    fn from(token: Token) -> Self {
        Self {
            grant: (&token.grant).into(),
            name: token.name,
            start: token.start,
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// All tokens that are not revoked, by name.
#[utoipa::path(get, path = "/api/tokens", tag = "Access", responses(
    (status = 200, description = "The tokens", body = Vec<TokenInfo>),
))]
pub(super) async fn tokens(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<axum::Json<Vec<TokenInfo>>, Problem> {
    caller.allow(Operation::ManageAccess)?;
    let tokens = state.gate.keeper().tokens().await?;
    Ok(axum::Json(tokens.into_iter().map(TokenInfo::from).collect()))
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateToken {
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", example = "ci")]
    name: TokenName,
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Only for a deployer; left out, the role holds everywhere.
    #[serde(default)]
    #[schema(value_type = Vec<schema::EnvironmentName>)]
    environments: BTreeSet<EnvironmentName>,
    /// Left out, it works until it is revoked.
    #[schema(value_type = Option<schema::Timestamp>)]
    expires_at: Option<Timestamp>,
}

/// The one answer that holds a token's secret.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedToken {
    /// The whole token: it is never shown again.
    secret: String,
    #[serde(flatten)]
    token: TokenInfo,
}

/// Makes a token. An `Idempotency-Key` is not heeded here: the answer holds a secret, and is not kept.
#[utoipa::path(post, path = "/api/tokens", tag = "Access", request_body = CreateToken, responses(
    (status = 201, description = "This is the token, this once", body = CreatedToken),
    (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The role or the end cannot be used", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create_token(
    State(state): State<AppState>,
    caller: Caller,
    Json(request): Json<CreateToken>,
) -> Result<(StatusCode, axum::Json<CreatedToken>), Problem> {
    caller.allow(Operation::ManageAccess)?;
    caller.trail().target(&format_args!("token {}", request.name));
    let grant = grant(request.role, request.environments)?;
    caller.trail().detail(&format_args!("made for {grant}"));
    let new = NewToken { name: request.name, grant, expires_at: request.expires_at };
    let fresh = state.gate.keeper().create_token(caller.principal(), new).await?;
    Ok((StatusCode::CREATED, axum::Json(CreatedToken { secret: fresh.secret, token: fresh.token.into() })))
}

/// Makes a token useless at once.
#[utoipa::path(delete, path = "/api/tokens/{name}", tag = "Access",
    params(("name" = String, Path, description = "The token", pattern = "^[a-z0-9][a-z0-9._-]{0,63}$", example = "ci")),
    responses(
        (status = 204, description = "Revoked"),
        (status = 404, description = "No such token", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn revoke_token(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<TokenName>,
) -> Result<StatusCode, Problem> {
    caller.allow(Operation::ManageAccess)?;
    caller.trail().target(&format_args!("token {name}"));
    caller.trail().detail("revoked");
    state.gate.keeper().revoke_token(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
