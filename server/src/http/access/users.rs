//! Users for programs.

use std::collections::BTreeSet;

use axum::extract::State;
use http::StatusCode;
use release_manager::access::{Accounts, NewUser, Operation, Role, User};
use release_manager::names::{EnvironmentName, UserName};
use release_manager::time::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{GrantInfo, grant};
use crate::http::AppState;
use crate::http::api::schema;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Json, Path};

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
    #[schema(value_type = Option<String>, min_length = 12, max_length = 256)]
    password: Option<SecretString>,
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
    let password = request.password.map(|password| password.expose_secret().to_owned());
    state.gate.keeper().add_user(NewUser { name: request.name, grant, password }).await?;
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
    #[schema(value_type = Option<String>, min_length = 12, max_length = 256)]
    password: Option<SecretString>,
    /// `true` shuts them out.
    disabled: Option<bool>,
}

/// Changes a user, and ends their sessions.
#[utoipa::path(patch, path = "/api/users/{name}", tag = "Access",
    params(("name" = String, Path, description = "The user", pattern = "^[a-z0-9][a-z0-9._@+-]{0,63}$", example = "ada")),
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
    // What is refused must not hide what was done before: it is noted step by step, and the password comes first, since it
    // is what is refused most often.
    let mut note = |what: String| {
        done.push(what);
        caller.trail().detail(&done.join(", "));
    };
    let grant = request.role.map(|role| grant(role, request.environments)).transpose()?;
    if let Some(password) = request.password {
        keeper.set_password(&name, password.expose_secret().to_owned()).await?;
        note("has another password".to_owned());
    }
    if let Some(grant) = grant {
        let what = format!("is {grant} now");
        keeper.set_grant(&name, grant).await?;
        note(what);
    }
    if let Some(disabled) = request.disabled {
        keeper.set_disabled(&name, disabled).await?;
        note(if disabled { "is shut out" } else { "may come in again" }.to_owned());
    }
    Ok(StatusCode::NO_CONTENT)
}
