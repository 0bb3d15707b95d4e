//! Orders about what an environment has already: bringing it up to date, trying again, restarting, stopping.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use release_manager::access::Operation;
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::deployments::{Accepted, Begun};
use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::Path;

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
    let actor = caller.order(Operation::Sync, &environment)?;
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
