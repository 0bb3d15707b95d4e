//! For whoever runs Release Manager: is it alive, can it work, and its numbers.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use release_manager::manager::Condition;
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use super::AppState;
use super::error::Problem;
use crate::metrics::Now;

/// Says `ok` while the process serves. It asks nothing of anybody: what restarts Release Manager must not depend on
/// anything that a restart does not mend.
#[utoipa::path(get, path = "/healthz", tag = "Operation", responses(
    (status = 200, description = "It serves", body = String, content_type = "text/plain"),
))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether Release Manager can do what it is for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(super) struct Answer {
    /// Whether a deployment could be made now.
    ready: bool,
    database: Check,
    engine: Check,
    source: Check,
    /// Release Manager itself: what failed by a mistake of its own within the last ten minutes, and was started again.
    own: Check,
}

/// How one thing is that Release Manager needs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Check {
    /// Whether it works.
    ok: bool,
    /// Whether nothing can be deployed without it.
    needed: bool,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Check {
    fn needed(problem: Option<String>) -> Self {
        Self { ok: problem.is_none(), needed: true, problem }
    }
}

impl From<Condition> for Check {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Good => Self { ok: true, needed: false, problem: None },
            Condition::Poor(problem) => Self { ok: false, needed: false, problem: Some(problem) },
            Condition::Bad(problem) => Self { ok: false, needed: true, problem: Some(problem) },
        }
    }
}

/// Says whether database and Docker Engine can be used, and how old the knowledge of the source is. Without the source
/// Release Manager stays ready: what was proved can be promoted.
#[utoipa::path(get, path = "/readyz", tag = "Operation", responses(
    (status = 200, description = "A deployment could be made", body = Answer),
    (status = 503, description = "None could be made; each check says why", body = Answer),
))]
pub(super) async fn readyz(State(state): State<AppState>) -> Response {
    let readiness = state.manager.readiness();
    let database = state.store.ping().await.err().map(|error| error.to_string());
    let engine = Check { needed: true, ..readiness.engine.into() };
    let (database, source) = (Check::needed(database), Check::from(readiness.source));
    let own = Check::from(readiness.own);
    let ready = [&database, &engine, &source, &own].iter().all(|check| check.ok || !check.needed);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, Json(Answer { ready, database, engine, source, own })).into_response();
    // A check that fails is an answer, not an error: it keeps its form.
    response.extensions_mut().insert(super::error::AsItIs);
    response
}

/// Numbers for Prometheus, as OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "Operation", responses(
    (status = 200, description = "The numbers", body = String, content_type = "application/openmetrics-text"),
))]
pub(super) async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    let deployments = state.store.tally().await?;
    let live = state.manager.live().borrow().clone();
    let now = Now { live: &live, deployments: &deployments, database_bytes: state.store.bytes() };
    let text = state.metrics.text(&now).map_err(|error| {
        error!(%error, "The metrics could not be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the numbers could not be written".to_owned())
    })?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
