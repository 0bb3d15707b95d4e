//! Holding an environment, and letting it go on.

use axum::extract::State;
use release_manager::access::Operation;
use release_manager::hold::Hold;
use release_manager::names::{Actor, CommitSha, EnvironmentName, HoldReason};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Json, Path};

/// An order to bring nothing new to an environment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct HoldRequest {
    /// Why, in a line.
    #[schema(value_type = String, min_length = 1, max_length = 500, example = "moving house")]
    reason: HoldReason,
}

/// Whether an environment is held.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct HoldState {
    #[schema(value_type = schema::EnvironmentName)]
    environment: EnvironmentName,
    /// `null` where it is not.
    hold: Option<KnownHold>,
}

/// Why nothing new is brought to an environment.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct KnownHold {
    /// Who holds it.
    #[schema(value_type = schema::Actor)]
    by: Actor,
    /// Since when.
    #[schema(value_type = schema::Timestamp)]
    since: Timestamp,
    /// Why.
    #[schema(value_type = String)]
    reason: HoldReason,
    /// The hold ends by itself with the first revision that is not this one; `null`: only a person ends it.
    #[schema(value_type = Option<schema::CommitSha>)]
    newer_than: Option<CommitSha>,
}

impl From<Hold> for KnownHold {
    fn from(hold: Hold) -> Self {
        let Hold { by, since, reason, newer_than } = hold;
        Self { by, since, reason, newer_than }
    }
}

/// Holds an environment: neither a sync nor a promotion brings anything new to it. It may be rolled back and restarted.
#[utoipa::path(post, path = "/api/environments/{environment}/hold", tag = "Environments",
    params(("environment" = schema::EnvironmentName, Path, description = "The environment", example = "prod")),
    request_body = HoldRequest,
    responses(
        (status = 200, description = "It is held", body = HoldState),
        (status = 404, description = "No such environment", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn hold(
    State(state): State<AppState>,
    caller: Caller,
    Path(environment): Path<EnvironmentName>,
    Json(request): Json<HoldRequest>,
) -> Result<axum::Json<HoldState>, Problem> {
    let actor = caller.order(Operation::Hold, &environment)?;
    let hold = state.manager.hold(actor, &environment, request.reason).await?;
    Ok(axum::Json(HoldState { environment, hold: Some(hold.into()) }))
}

/// Ends the hold of an environment. One that follows the source is brought to its newest revision.
#[utoipa::path(post, path = "/api/environments/{environment}/resume", tag = "Environments",
    params(("environment" = schema::EnvironmentName, Path, description = "The environment", example = "prod")),
    responses(
        (status = 200, description = "It is not held any more", body = HoldState),
        (status = 404, description = "No such environment", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was not held", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn resume(
    State(state): State<AppState>,
    caller: Caller,
    Path(environment): Path<EnvironmentName>,
) -> Result<axum::Json<HoldState>, Problem> {
    let actor = caller.order(Operation::Hold, &environment)?;
    state.manager.resume(actor, &environment).await?;
    Ok(axum::Json(HoldState { environment, hold: None }))
}
