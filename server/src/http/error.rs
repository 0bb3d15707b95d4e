//! Errors for programs: problem details (RFC 9457). One table maps what went wrong to a status and a type.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{StatusCode, Uri};
use release_manager::manager::ManagerError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::error;

/// An answer that says what went wrong.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Problem {
    /// `slug` names the kind of problem for ever; `detail` is the sentence for people.
    pub(super) fn new(status: StatusCode, slug: &str, detail: String) -> Self {
        Self {
            kind: format!("/problems/{slug}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail,
            more: Map::new(),
        }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<ManagerError> for Problem {
    fn from(error: ManagerError) -> Self {
        let (status, slug) = match &error {
            ManagerError::UnknownEnvironment(_)
            | ManagerError::UnknownDeployment(_)
            | ManagerError::UnknownService(_)
            | ManagerError::NoOrigin(_) => (StatusCode::NOT_FOUND, "not-found"),
            ManagerError::Busy(_) | ManagerError::Preparing(_) => (StatusCode::CONFLICT, "busy"),
            ManagerError::Stale(_) => (StatusCode::CONFLICT, "plan-changed"),
            ManagerError::UpToDate => (StatusCode::CONFLICT, "up-to-date"),
            ManagerError::Over(_) => (StatusCode::CONFLICT, "over"),
            ManagerError::NothingToPromote(_)
            | ManagerError::NotAutomatic(_)
            | ManagerError::TriedBefore(_)
            | ManagerError::StillLive(_)
            | ManagerError::MassRemoval(_) => (StatusCode::CONFLICT, "not-now"),
            ManagerError::Blocked(_) => (StatusCode::UNPROCESSABLE_ENTITY, "blocked"),
            ManagerError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-files"),
            ManagerError::Source(_) => (StatusCode::BAD_GATEWAY, "source"),
            ManagerError::Swarm(_) => (StatusCode::BAD_GATEWAY, "swarm"),
            ManagerError::Ledger(_) => (StatusCode::SERVICE_UNAVAILABLE, "database"),
            ManagerError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        };
        let problem = Self::new(status, slug, error.to_string());
        match &error {
            ManagerError::Busy(id) => problem.with("deployment_id", json!(id)),
            ManagerError::Stale(comparison) => problem.with("comparison", json!(comparison)),
            ManagerError::Ledger(cause) => {
                error!(error = %cause, cause = ?std::error::Error::source(cause), "The database failed");
                problem
            }
            _ => problem,
        }
    }
}

/// A path below `/api` that nobody answers: programs get a problem, not a page.
pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", format!("there is no `{}`", uri.path()))
}
