//! Going back: what it would do, and the order.

use std::collections::BTreeSet;

use axum::extract::State;
use http::StatusCode;
use release_manager::access::Operation;
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use release_manager::time::Timestamp;
use release_manager::views::RollbackPlan;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::deployments::{Accepted, Begun};
use super::plans::{Planned, chosen};
use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Json, Path, Query, confirmed};

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
