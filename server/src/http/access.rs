//! Users, tokens and the audit log for programs.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use release_manager::access::{
    AccessError, Accounts, AuditFilter, AuditPage, Grant, NewToken, NewUser, Operation, Role, Scope, Token, User, Who,
};
use release_manager::names::{EnvironmentName, TokenName, UserName};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::api::schema;
use super::auth::Caller;
use super::error::Problem;
use super::extract::{Json, Path, Query};

/// Every operation about users, tokens and the audit log.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me))
        .routes(routes!(users, add_user))
        .routes(routes!(change_user))
        .routes(routes!(tokens, create_token))
        .routes(routes!(revoke_token))
        .routes(routes!(audit))
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

/// Somebody who may come in.
#[derive(Serialize, ToSchema)]
pub(super) struct UserInfo {
    #[schema(value_type = String)]
    name: UserName,
    #[serde(flatten)]
    grant: GrantInfo,
    /// Without one they come through a proxy or an identity provider.
    has_password: bool,
    /// Since when they are shut out.
    #[schema(value_type = Option<schema::Timestamp>)]
    disabled_at: Option<Timestamp>,
    #[schema(value_type = schema::Timestamp)]
    created_at: Timestamp,
    #[schema(value_type = Option<schema::Timestamp>)]
    last_login_at: Option<Timestamp>,
}

impl From<User> for UserInfo {
    fn from(user: User) -> Self {
        Self {
            grant: (&user.grant).into(),
            name: user.name,
            has_password: user.has_password,
            disabled_at: user.disabled_at,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
        }
    }
}

/// All users, by name.
#[utoipa::path(get, path = "/api/users", tag = "Access", responses(
    (status = 200, description = "The users", body = Vec<UserInfo>),
))]
pub(super) async fn users(State(state): State<AppState>, caller: Caller) -> Result<axum::Json<Vec<UserInfo>>, Problem> {
    caller.allow(Operation::ManageAccess)?;
    let users = state.gate.keeper().users().await?;
    Ok(axum::Json(users.into_iter().map(UserInfo::from).collect()))
}

/// Somebody to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddUser {
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._@+-]{0,63}$", example = "ada")]
    name: UserName,
    #[schema(value_type = schema::Role)]
    role: Role,
    /// Only for a deployer; left out, the role holds everywhere.
    #[serde(default)]
    #[schema(value_type = Vec<schema::EnvironmentName>)]
    environments: BTreeSet<EnvironmentName>,
    /// Left out for who comes through a proxy or an identity provider.
    #[schema(min_length = 12, max_length = 256)]
    password: Option<String>,
}

/// Adds a user.
#[utoipa::path(post, path = "/api/users", tag = "Access", request_body = AddUser, responses(
    (status = 201, description = "They may come in"),
    (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The role or the password cannot be used", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn add_user(
    State(state): State<AppState>,
    caller: Caller,
    Json(request): Json<AddUser>,
) -> Result<StatusCode, Problem> {
    caller.allow(Operation::ManageAccess)?;
    caller.trail().target(&format_args!("user {}", request.name));
    let grant = grant(request.role, request.environments)?;
    caller.trail().detail(&format_args!("added as {grant}"));
    state.gate.keeper().add_user(NewUser { name: request.name, grant, password: request.password }).await?;
    Ok(StatusCode::CREATED)
}

/// What is to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeUser {
    #[schema(value_type = Option<schema::Role>)]
    role: Option<Role>,
    /// Only with `role`, for a deployer.
    #[serde(default)]
    #[schema(value_type = Vec<schema::EnvironmentName>)]
    environments: BTreeSet<EnvironmentName>,
    #[schema(min_length = 12, max_length = 256)]
    password: Option<String>,
    /// `true` shuts them out.
    disabled: Option<bool>,
}

/// Changes a user, and ends their sessions.
#[utoipa::path(patch, path = "/api/users/{name}", tag = "Access",
    params(("name" = String, Path, description = "The user", example = "ada")),
    request_body = ChangeUser,
    responses(
        (status = 204, description = "Changed"),
        (status = 404, description = "No such user", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody could administer any more", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn change_user(
    State(state): State<AppState>,
    caller: Caller,
    Path(name): Path<UserName>,
    Json(request): Json<ChangeUser>,
) -> Result<StatusCode, Problem> {
    caller.allow(Operation::ManageAccess)?;
    caller.trail().target(&format_args!("user {name}"));
    let keeper = state.gate.keeper();
    let mut done = Vec::new();
    if let Some(role) = request.role {
        let grant = grant(role, request.environments)?;
        done.push(format!("is {grant} now"));
        keeper.set_grant(&name, grant).await?;
    }
    if let Some(password) = request.password {
        keeper.set_password(&name, password).await?;
        done.push("has another password".to_owned());
    }
    if let Some(disabled) = request.disabled {
        keeper.set_disabled(&name, disabled).await?;
        done.push(if disabled { "is shut out" } else { "may come in again" }.to_owned());
    }
    caller.trail().detail(&done.join(", "));
    Ok(StatusCode::NO_CONTENT)
}

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
    params(("name" = String, Path, description = "The token", example = "ci")),
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

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only of this actor.
    actor: Option<String>,
    /// The `next` of the page before.
    before: Option<i64>,
    /// At most so many lines.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `csv` for a spreadsheet.
    #[serde(default)]
    #[param(value_type = Option<String>, pattern = "^(json|csv)$")]
    format: AuditFormat,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuditFormat {
    #[default]
    Json,
    Csv,
}

/// Lines of the audit log, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditLines {
    #[schema(value_type = Vec<AuditLine>)]
    rows: Vec<release_manager::access::AuditRow>,
    /// What to send as `before` for older lines; `null` at the end.
    next: Option<i64>,
}

/// A line of the audit log, as it is described.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands for the core's type in the description")]
struct AuditLine {
    id: i64,
    #[schema(value_type = schema::Timestamp)]
    at: Timestamp,
    /// Who, as history names them; `nobody` without a proof.
    actor: String,
    address: Option<String>,
    /// What: `promote`, `log_in`, …
    operation: String,
    /// To what: an environment, a user, a token, a path.
    target: Option<String>,
    /// `done`, `refused` or `failed`.
    result: String,
    detail: Option<String>,
    /// How often: refusals alike share a line.
    times: u32,
}

/// The audit log: every change and every refused attempt, newest first.
#[utoipa::path(get, path = "/api/audit", tag = "Access", params(AuditQuery), responses(
    (status = 200, description = "Lines of it", body = AuditLines),
))]
pub(super) async fn audit(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    caller.allow(Operation::ReadAudit)?;
    let filter = AuditFilter { actor: query.actor, before: query.before, limit: query.limit.unwrap_or(100) };
    let page = state.gate.keeper().audit(&filter).await?;
    Ok(match query.format {
        AuditFormat::Json => axum::Json(AuditLines { rows: page.rows, next: page.next }).into_response(),
        AuditFormat::Csv => {
            let headers = [
                (CONTENT_TYPE, "text/csv; charset=utf-8"),
                (CONTENT_DISPOSITION, "attachment; filename=\"release-manager-audit.csv\""),
            ];
            (headers, csv(&page)).into_response()
        }
    })
}

fn csv(page: &AuditPage) -> String {
    let mut text = "id,at,actor,address,operation,target,result,times,detail\r\n".to_owned();
    for row in &page.rows {
        let (address, target, detail) = (&row.address, &row.target, &row.detail);
        let optional = |field: &Option<String>| cell(field.as_deref().unwrap_or_default());
        let fields = [
            row.id.to_string(),
            row.at.to_string(),
            cell(&row.actor),
            optional(address),
            cell(&row.operation),
            optional(target),
            row.result.as_str().to_owned(),
            row.times.to_string(),
            optional(detail),
        ];
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A cell: quoted, and never a formula to a spreadsheet.
fn cell(text: &str) -> String {
    let harmless = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{harmless}{}\"", text.replace('"', "\"\""))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(cell("ada"), "\"ada\"");
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
