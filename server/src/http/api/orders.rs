//! Orders besides promotion: going back, holding, restarting, trying again, stopping.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use release_manager::access::Operation;
use release_manager::hold::Hold;
use release_manager::names::{Actor, CommitSha, DeploymentId, EnvironmentName, HoldReason, ServiceName};
use release_manager::time::Timestamp;
use release_manager::views::RollbackPlan;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::deployments::Accepted;
use super::plans::{Planned, chosen};
use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Json, Path, Query, confirmed};

type Begun = Result<(StatusCode, axum::Json<Accepted>), Problem>;

/// An order to roll back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct RollbackRequest {
    /// A row of history: the release of its deployment is restored.
    deployment_history_id: Option<i64>,
    /// The deployment itself, instead.
    #[schema(value_type = Option<schema::DeploymentId>)]
    deployment_id: Option<DeploymentId>,
    #[serde(default)]
    #[schema(value_type = schema::Confirmed, required)]
    confirm: bool,
    /// Only these services; all if it is left out.
    #[schema(value_type = Option<Vec<schema::ServiceName>>, min_items = 1)]
    services: Option<BTreeSet<ServiceName>>,
    /// Only if the plan is still the one of this hash.
    plan_hash: Option<String>,
}

/// Restores a release of history as it was stored: everything, or chosen services. The source is not asked for anything.
/// An environment that follows the source is held until a newer revision comes or it is resumed.
#[utoipa::path(post, path = "/api/rollback/{environment}", tag = "Rollback",
    params(
        ("environment" = schema::EnvironmentName, Path, description = "What goes back", example = "prod"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names this order: sent again within a day it is answered as before and not carried out again", pattern = "^[!-~]{1,255}$"),
    ),
    request_body = RollbackRequest,
    responses(
        (status = 202, description = "It has begun", body = Accepted),
        (status = 404, description = "No such environment, service, deployment or row there", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another deployment runs, the plan has changed, nothing would change, or that release did not succeed", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not confirmed, or the plan cannot work", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn roll_back(
    State(state): State<AppState>,
    caller: Caller,
    Path(environment): Path<EnvironmentName>,
    Json(request): Json<RollbackRequest>,
) -> Begun {
    let actor = caller.order(Operation::RollBack, &environment)?;
    confirmed(request.confirm, "roll back")?;
    let to = named(&state, request.deployment_history_id, request.deployment_id).await?;
    let seen = request.plan_hash.as_deref();
    let id = state.manager.roll_back(actor, &environment, to, request.services, seen).await?;
    Accepted::answer(&state, id).await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RollbackQuery {
    /// A row of history: the release of its deployment would be restored.
    deployment_history_id: Option<i64>,
    /// The deployment itself, instead.
    #[param(value_type = Option<schema::DeploymentId>)]
    deployment_id: Option<DeploymentId>,
    /// Only these services, separated by commas; all if it is left out.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,63}(,[A-Za-z0-9._-]{1,63})*$", example = "jellyfin,pihole")]
    services: Option<String>,
}

/// What a rollback would do.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct RollbackPlanned {
    /// The deployment whose release would be restored.
    #[schema(value_type = schema::DeploymentId)]
    deployment_id: DeploymentId,
    /// When that one was accepted.
    #[schema(value_type = schema::Timestamp)]
    started_at: Timestamp,
    /// Whether the environment follows the source, so that it would be held.
    holds: bool,
    /// What would be done; it promotes from itself.
    plan: Planned,
}

impl From<RollbackPlan> for RollbackPlanned {
    fn from(plan: RollbackPlan) -> Self {
        let RollbackPlan { to, started_at, holds, comparison } = plan;
        Self { deployment_id: to, started_at, holds, plan: comparison.into() }
    }
}

/// What a rollback would do to each service, why, and whether it can work. Nothing is written.
#[utoipa::path(get, path = "/api/rollback/{environment}", tag = "Rollback",
    params(
        ("environment" = schema::EnvironmentName, Path, description = "What would go back", example = "prod"),
        RollbackQuery,
    ),
    responses(
        (status = 200, description = "The plan", body = RollbackPlanned),
        (status = 404, description = "No such environment, service, deployment or row there", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "That release did not succeed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn plan_rollback(
    State(state): State<AppState>,
    Path(environment): Path<EnvironmentName>,
    Query(query): Query<RollbackQuery>,
) -> Result<axum::Json<RollbackPlanned>, Problem> {
    let to = named(&state, query.deployment_history_id, query.deployment_id).await?;
    let services = query.services.as_deref().map(chosen).transpose()?;
    Ok(axum::Json(state.manager.plan_rollback(&environment, to, services.as_ref()).await?.into()))
}

/// The deployment that a row of history or a number names.
async fn named(state: &AppState, row: Option<i64>, id: Option<DeploymentId>) -> Result<DeploymentId, Problem> {
    match (row, id) {
        (Some(row), None) => Ok(state.manager.deployment_of_row(row).await?),
        (None, Some(id)) => Ok(id),
        _ => {
            let detail =
                "name the release by `deployment_history_id` or by `deployment_id`, and not by both".to_owned();
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-request", detail))
        }
    }
}

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

/// Looks at the source now and brings an environment that follows it to its newest revision, as the poller would.
#[utoipa::path(post, path = "/api/sync/{environment}", tag = "Deployments",
    params(("environment" = schema::EnvironmentName, Path, description = "The environment", example = "preprod")),
    responses(
        (status = 202, description = "It has begun", body = Accepted),
        (status = 404, description = "No such environment", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another deployment runs, it is held, it follows no source, or there is nothing to deploy", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn sync_environment(
    State(state): State<AppState>,
    caller: Caller,
    Path(environment): Path<EnvironmentName>,
) -> Begun {
    let actor = caller.order(Operation::Retry, &environment)?;
    let id = state.manager.sync(actor, &environment).await?;
    Accepted::answer(&state, id).await
}

/// Tries again what did not succeed: the newest revision, or in an environment that does not follow the source its last
/// deployment. What is live already is watched again and not written.
#[utoipa::path(post, path = "/api/retry/{environment}", tag = "Deployments",
    params(("environment" = schema::EnvironmentName, Path, description = "The environment", example = "preprod")),
    responses(
        (status = 202, description = "It has begun", body = Accepted),
        (status = 404, description = "No such environment", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another deployment runs, it is held, or there is nothing to try again", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn retry(
    State(state): State<AppState>,
    caller: Caller,
    Path(environment): Path<EnvironmentName>,
) -> Begun {
    let actor = caller.order(Operation::Retry, &environment)?;
    let id = state.manager.retry(actor, &environment).await?;
    Accepted::answer(&state, id).await
}

/// Starts all tasks of a service anew, as a deployment that is watched to its verdict.
#[utoipa::path(post, path = "/api/restart/{environment}/{service}", tag = "Deployments",
    params(
        ("environment" = schema::EnvironmentName, Path, description = "The environment", example = "prod"),
        ("service" = schema::ServiceName, Path, description = "The service", example = "jellyfin"),
    ),
    responses(
        (status = 202, description = "It has begun", body = Accepted),
        (status = 404, description = "No such environment, or no such service there", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another deployment runs", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A restart would take down what still serves", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn restart(
    State(state): State<AppState>,
    caller: Caller,
    Path((environment, service)): Path<(EnvironmentName, ServiceName)>,
) -> Begun {
    let actor = caller.order(Operation::Restart, &environment)?;
    let id = state.manager.restart(actor, &environment, &service).await?;
    Accepted::answer(&state, id).await
}

/// How a deployment is to be stopped.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct CancelRequest {
    /// Whether what was written is put back at once, by a deployment of its own.
    #[serde(default)]
    go_back: bool,
}

/// The answer to an order to stop.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Cancelling {
    #[schema(value_type = schema::DeploymentId)]
    deployment_id: DeploymentId,
    /// `cancelling`
    status: String,
}

/// Stops a deployment at the next safe point: what is not written stays unwritten, what is written is watched to its
/// verdict, or put back.
#[utoipa::path(post, path = "/api/deploy/cancel/{id}", tag = "Deployments",
    params(("id" = schema::DeploymentId, Path, description = "The deployment")),
    request_body = Option<CancelRequest>,
    responses(
        (status = 202, description = "It stops at the next safe point", body = Cancelling),
        (status = 404, description = "No such deployment", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is over, or is itself on the way back", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<DeploymentId>,
    request: Result<Option<axum::Json<CancelRequest>>, JsonRejection>,
) -> Result<(StatusCode, axum::Json<Cancelling>), Problem> {
    let go_back = request?.is_some_and(|axum::Json(request)| request.go_back);
    let environment = state.manager.deployment(id).await?.deployment.environment;
    let actor = caller.order(Operation::Cancel, &environment)?;
    caller.trail().detail(&format_args!("deployment {id}"));
    state.manager.cancel(actor, id, go_back).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Cancelling { deployment_id: id, status: "cancelling".to_owned() })))
}
