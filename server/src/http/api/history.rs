//! History, page by page.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, LINK};
use release_manager::deployment::{HistoryFilter, HistoryRow, Status};
use release_manager::names::{Actor, EnvironmentName, ServiceName, Version};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use super::schema;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::{Cursor, Query, page_length};

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
    #[param(value_type = Option<u64>, minimum = 0, maximum = 4_294_967_295_u64, default = 0)]
    offset: Option<u32>,
    /// Go on behind the page whose `next_cursor` this is, whatever has come since; 0 for the newest. Instead of `offset`.
    #[param(value_type = Option<i64>, minimum = 0)]
    cursor: Option<Cursor>,
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
    /// Only with `cursor`: where the next page begins; `null` on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    next_cursor: Option<NextCursor>,
}

/// The number of the row behind which the next page begins; `None` on the last one.
#[derive(Serialize)]
pub(in crate::http) struct NextCursor(Option<i64>);

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

/// One row for each service of each deployment, newest first. `Link` leads to the next page.
#[utoipa::path(get, path = "/api/history", tag = "History", params(HistoryQuery), responses(
    (status = 200, description = "A page of history", body = History),
    (status = 400, description = "A parameter cannot be used", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "`cursor` and `offset` do not go together", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn history(
    State(state): State<AppState>,
    Query(query): Query<HistoryQuery>,
) -> Result<(HeaderMap, Json<History>), Problem> {
    if query.cursor.is_some() && query.offset.is_some() {
        let detail = "`cursor` and `offset` do not go together: use one of them".to_owned();
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-request", detail));
    }
    let filter = HistoryFilter {
        environment: query.environment,
        service: query.service,
        limit: page_length(query.limit, 50, 500)?,
        offset: query.offset.unwrap_or(0),
        before: query.cursor.and_then(Cursor::before),
        ..HistoryFilter::default()
    };
    let page = state.manager.history(&filter).await?;
    let next = page.rows.last().filter(|_| page.more).map(|row| row.id);
    let deployments = page.rows.into_iter().map(HistoryEntry::from).collect();
    let links = next.map(|next| link(&filter, next)).unwrap_or_default();
    let next_cursor = query.cursor.map(|_| NextCursor(next));
    let history = History { deployments, total: page.total, limit: filter.limit, offset: filter.offset, next_cursor };
    Ok((links, Json(history)))
}

/// Leads to the page behind the row (RFC 8288).
fn link(filter: &HistoryFilter, next: i64) -> HeaderMap {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("cursor", &next.to_string()).append_pair("limit", &filter.limit.to_string());
    if let Some(environment) = &filter.environment {
        query.append_pair("environment", environment.as_str());
    }
    if let Some(service) = &filter.service {
        query.append_pair("service", service.as_str());
    }
    let link = HeaderValue::from_str(&format!("</api/history?{}>; rel=\"next\"", query.finish()));
    link.into_iter().map(|link| (LINK, link)).collect()
}
