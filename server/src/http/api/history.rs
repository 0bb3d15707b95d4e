//! History, page by page.

use axum::Json;
use axum::extract::State;
use release_manager::deployment::{HistoryFilter, HistoryRow, Status};
use release_manager::names::{Actor, EnvironmentName, ServiceName, Version};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::schema;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::Query;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// Only this environment.
    #[param(value_type = Option<schema::EnvironmentName>)]
    environment: Option<EnvironmentName>,
    /// Only this service.
    #[param(value_type = Option<schema::ServiceName>)]
    service: Option<ServiceName>,
    /// At most so many rows.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Leave out so many of the newest.
    #[param(minimum = 0, default = 0)]
    offset: Option<u32>,
}

/// A page of history.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct History {
    /// One row for each service of each deployment, newest first.
    deployments: Vec<HistoryEntry>,
    /// How many rows there are in all.
    total: u64,
    limit: u32,
    offset: u32,
}

/// What one deployment did to one service.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct HistoryEntry {
    /// The row's own number: a rollback names it.
    id: i64,
    #[schema(value_type = schema::EnvironmentName)]
    environment: EnvironmentName,
    #[schema(value_type = schema::ServiceName)]
    service_name: ServiceName,
    #[schema(value_type = schema::Version)]
    version: Version,
    #[schema(value_type = schema::Status)]
    status: Status,
    #[schema(value_type = schema::Actor)]
    deployed_by: Actor,
    #[schema(value_type = schema::Timestamp)]
    started_at: Timestamp,
    /// `null` while it runs.
    #[schema(value_type = Option<schema::Timestamp>)]
    completed_at: Option<Timestamp>,
}

impl From<HistoryRow> for HistoryEntry {
    fn from(row: HistoryRow) -> Self {
        Self {
            id: row.id,
            environment: row.environment,
            service_name: row.service,
            version: row.version,
            status: row.status,
            deployed_by: row.actor,
            started_at: row.started_at,
            completed_at: row.completed_at,
        }
    }
}

/// One row for each service of each deployment, newest first.
#[utoipa::path(get, path = "/api/history", tag = "History", params(HistoryQuery), responses(
    (status = 200, description = "A page of history", body = History),
))]
pub(super) async fn history(
    State(state): State<AppState>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let filter = HistoryFilter {
        environment: query.environment,
        service: query.service,
        limit: query.limit.unwrap_or(50).clamp(1, 500),
        offset: query.offset.unwrap_or(0),
        ..HistoryFilter::default()
    };
    let page = state.manager.history(&filter).await?;
    let deployments = page.rows.into_iter().map(HistoryEntry::from).collect();
    Ok(Json(History { deployments, total: page.total, limit: filter.limit, offset: filter.offset }))
}
