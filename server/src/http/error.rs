//! Errors for programs: problem details (RFC 9457). One table lists every kind of problem, another maps what went wrong
//! to one of them.

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{StatusCode, Uri};
use release_manager::manager::ManagerError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tracing::error;
use utoipa::ToSchema;

use super::api::Planned;
use super::request::RequestId;

/// The media type of every problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
/// The most of a foreign error's text that becomes a problem's detail, in bytes.
const FOREIGN_DETAIL: usize = 4 * 1024;

/// A kind of problem. Its slug stands in `type` and never changes its meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// The end of `type`: `/problems/{slug}`.
    pub(super) slug: &'static str,
    /// The short name, the same for every occurrence.
    pub(super) title: &'static str,
    /// The statuses that it comes with.
    pub(super) statuses: &'static [u16],
    /// What it means, for whoever writes a client.
    pub(super) meaning: &'static str,
}

const fn kind(slug: &'static str, title: &'static str, statuses: &'static [u16], meaning: &'static str) -> Kind {
    Kind { slug, title, statuses, meaning }
}

/// Every kind of problem that is ever answered.
pub(super) const KINDS: &[Kind] = &[
    kind("bad-request", "Bad request", &[400, 422], "the request cannot be read; `detail` says where"),
    kind("login-required", "Login required", &[401], "the request needs a login or a token"),
    kind("signature", "Wrong signature", &[401], "the signature of a webhook is missing or does not match"),
    kind("forbidden", "Forbidden", &[403], "this login or token may not do this"),
    kind(
        "cross-site",
        "Cross-site request",
        &[403],
        "a page of another site sent a change, or a session without a browser",
    ),
    kind(
        "not-found",
        "Not found",
        &[404],
        "no such environment, deployment, service or path; also where a name cannot be one",
    ),
    kind(
        "method-not-allowed",
        "Method not allowed",
        &[405],
        "the path is there, the method is not; `Allow` lists those",
    ),
    kind("timeout", "Timed out", &[408], "the request did not come in time"),
    kind("busy", "Busy", &[409], "another deployment of the environment is not over; `deployment_id` is its number"),
    kind(
        "plan-changed",
        "Plan changed",
        &[409],
        "something has changed since the plan was seen; `plan` is the new one",
    ),
    kind(
        "read-only",
        "Read only",
        &[409],
        "another Release Manager leads this environment; `detail` says where it runs",
    ),
    kind("up-to-date", "Up to date", &[409], "nothing would change"),
    kind("over", "Over", &[409], "the deployment has ended"),
    kind("exists", "Exists already", &[409], "the name is taken"),
    kind("last-admin", "Last admin", &[409], "nobody could administer any more"),
    kind("held", "Held", &[409], "the environment is held; `hold` says by whom, since when and why"),
    kind("not-held", "Not held", &[409], "there is no hold to end"),
    kind("not-now", "Not now", &[409], "the state does not allow it, or it needs another way; `detail` says which"),
    kind(
        "outcome-unknown",
        "Outcome unknown",
        &[409],
        "an earlier request with this key was cut off: look at what is there",
    ),
    kind("too-large", "Too large", &[413], "the body is larger than what is taken"),
    kind("address-too-long", "Address too long", &[414], "path and query have more than 8 KiB"),
    kind("unsupported-media-type", "Unsupported media type", &[415], "the body must be `application/json`"),
    kind("wrong-host", "Wrong host", &[421], "only loopback's names and those of the settings are answered"),
    kind("not-confirmed", "Not confirmed", &[422], "`confirm` is not `true`"),
    kind("key-reused", "Key reused", &[422], "the `Idempotency-Key` was used for another request within the last day"),
    kind("blocked", "Blocked", &[422], "the plan cannot work; `detail` says why"),
    kind("invalid-files", "Invalid files", &[422], "the env file or stack file cannot be used; `detail` says where"),
    kind("too-many-requests", "Too many requests", &[429], "wait for `Retry-After` seconds"),
    kind("internal", "Internal error", &[500], "it went wrong inside; the log has it under `request_id`"),
    kind("source", "Source failed", &[502], "the repository could not answer"),
    kind("swarm", "Swarm failed", &[502], "the Docker Engine could not answer"),
    kind("database", "Database failed", &[503], "try again in a moment; the log says more"),
    kind("stopping", "Stopping", &[503], "Release Manager is about to stop: try again in a moment"),
    kind("too-many-streams", "Too many streams", &[503], "too many streams are open: close a tab, or wait"),
    kind(
        "too-many-viewers",
        "Too many viewers",
        &[503],
        "so many logs as there is room for are being looked at already",
    ),
    kind("unavailable", "Unavailable", &[503], "try again in a moment"),
];

fn known(slug: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|known| known.slug == slug)
}

/// An answer that says what went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Names the kind of problem for ever: `/problems/busy`.
    #[serde(rename = "type", serialize_with = "as_reference")]
    #[schema(value_type = String, pattern = "^/problems/[a-z-]+$")]
    slug: &'static str,
    /// The kind of problem in a few words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time and what to do, for people.
    detail: String,
    /// Names the request in Release Manager's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

fn as_reference<S: serde::Serializer>(slug: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("/problems/{slug}"))
}

impl Problem {
    /// `slug` is one of [`KINDS`]; `detail` is the sentence for people.
    pub(super) fn new(status: StatusCode, slug: &'static str, detail: String) -> Self {
        let kind = known(slug);
        debug_assert!(
            kind.is_some_and(|kind| kind.statuses.contains(&status.as_u16())),
            "{slug} {status} is not listed"
        );
        Self::of(status, slug, detail)
    }

    fn of(status: StatusCode, slug: &'static str, detail: String) -> Self {
        let title = known(slug).map_or_else(|| status.canonical_reason().unwrap_or("Error"), |kind| kind.title);
        Self { slug, title, status: status.as_u16(), detail, request_id: None, more: Map::new() }
    }

    /// The kind that goes with a status that nobody has said more about.
    pub(super) fn of_status(status: StatusCode, detail: String) -> Self {
        let slug = match status.as_u16() {
            401 => "login-required",
            403 => "forbidden",
            404 => "not-found",
            405 => "method-not-allowed",
            408 => "timeout",
            413 => "too-large",
            415 => "unsupported-media-type",
            429 => "too-many-requests",
            503 => "unavailable",
            500..=599 => "internal",
            _ => "bad-request",
        };
        Self::of(status, slug, detail)
    }

    /// Adds a member of its own.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn body(&self) -> Body {
        Body::from(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body());
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        // Read again by `finish`, which knows the request.
        response.extensions_mut().insert(self);
        response
    }
}

/// Marks an answer whose status says that something fails, and whose form is promised: it is no problem document.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsItIs;

/// Gives a problem the id of its request, and makes a problem of every other failure that a program gets.
pub(super) async fn finish(response: Response, id: &RequestId, for_program: bool) -> Response {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if !failed || response.extensions().get::<AsItIs>().is_some() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let problem = match parts.extensions.remove::<Problem>() {
        Some(problem) => problem,
        None if for_program => {
            // A body of another form is at most a line for people.
            let text = to_bytes(body, FOREIGN_DETAIL).await.unwrap_or_default();
            Problem::of_status(parts.status, foreign_detail(parts.status, &text))
        }
        None => return Response::from_parts(parts, body),
    };
    let problem = Problem { request_id: Some(id.clone()), ..problem };
    parts.status = problem.status();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Response::from_parts(parts, problem.body())
}

fn foreign_detail(status: StatusCode, text: &[u8]) -> String {
    match std::str::from_utf8(text).map(str::trim) {
        Ok(text) if !text.is_empty() => text.to_owned(),
        _ => status.canonical_reason().unwrap_or("the request failed").to_lowercase(),
    }
}

/// A handler has panicked: the log has what it said, the client has the id to look for.
#[expect(clippy::needless_pass_by_value, reason = "the form that the layer wants")]
pub(super) fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    error!(panic = message.unwrap_or("no text"), "A request panicked");
    let detail = "something went wrong inside Release Manager: its log says why".to_owned();
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}

impl From<ManagerError> for Problem {
    fn from(error: ManagerError) -> Self {
        let (status, slug) = match &error {
            ManagerError::UnknownEnvironment(_)
            | ManagerError::NotRunning { .. }
            | ManagerError::UnknownDeployment(_)
            | ManagerError::UnknownRow(_)
            | ManagerError::UnknownRevision(_)
            | ManagerError::OtherEnvironment(..)
            | ManagerError::UnknownService(_)
            | ManagerError::NoOrigin(_) => (StatusCode::NOT_FOUND, "not-found"),
            ManagerError::Busy(_) | ManagerError::Preparing(_) => (StatusCode::CONFLICT, "busy"),
            ManagerError::Stale(_) => (StatusCode::CONFLICT, "plan-changed"),
            ManagerError::NotLeading { .. } => (StatusCode::CONFLICT, "read-only"),
            ManagerError::TooManyViewers(_) => (StatusCode::SERVICE_UNAVAILABLE, "too-many-viewers"),
            ManagerError::UpToDate => (StatusCode::CONFLICT, "up-to-date"),
            ManagerError::Over(_) => (StatusCode::CONFLICT, "over"),
            ManagerError::NothingToPromote(_)
            | ManagerError::NotAutomatic(_)
            | ManagerError::TriedBefore(_)
            | ManagerError::StillLive(_)
            | ManagerError::NotProved(_)
            | ManagerError::NoWayBack(_)
            | ManagerError::HealedBefore
            | ManagerError::UnknownWriter { .. }
            | ManagerError::MassRemoval(_)
            | ManagerError::Rewritten { .. }
            | ManagerError::Vanished { .. }
            | ManagerError::StrangerRemoval(_) => (StatusCode::CONFLICT, "not-now"),
            ManagerError::Held(..) => (StatusCode::CONFLICT, "held"),
            ManagerError::NotHeld(_) => (StatusCode::CONFLICT, "not-held"),
            ManagerError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            ManagerError::Blocked(_) => (StatusCode::UNPROCESSABLE_ENTITY, "blocked"),
            ManagerError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-files"),
            ManagerError::Source(_) => (StatusCode::BAD_GATEWAY, "source"),
            ManagerError::Swarm(_) => (StatusCode::BAD_GATEWAY, "swarm"),
            ManagerError::Ledger(_) => (StatusCode::SERVICE_UNAVAILABLE, "database"),
            ManagerError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        };
        let problem = Self::new(status, slug, error.to_string());
        match error {
            ManagerError::Busy(id) => problem.with("deployment_id", json!(id)),
            ManagerError::Stale(comparison) => problem.with("plan", json!(Planned::from(*comparison))),
            ManagerError::Held(_, hold) => problem.with("hold", json!(hold)),
            ManagerError::Ledger(cause) => {
                error!(error = %cause, cause = ?std::error::Error::source(&cause), "The database failed");
                problem
            }
            _ => problem,
        }
    }
}

impl From<release_manager::ports::LedgerError> for Problem {
    fn from(error: release_manager::ports::LedgerError) -> Self {
        ManagerError::from(error).into()
    }
}

/// A path below `/api` that nobody answers: programs get a problem, not a page.
pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", format!("there is no `{}`", uri.path()))
}

/// A method that a path does not have.
pub(super) async fn no_such_method(method: http::Method, uri: Uri) -> Problem {
    let detail = format!("`{}` does not take {method}: `Allow` lists what it takes", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_is_listed_once_and_stands_in_the_documentation() {
        let documented = include_str!("../../../docs/api.md");
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|other| other.slug != kind.slug), "{} is listed twice", kind.slug);
            assert!(documented.contains(&format!("`/problems/{}`", kind.slug)), "docs/api.md lacks {}", kind.slug);
        }
    }

    #[test]
    fn every_status_has_a_kind_of_problem() {
        for status in (400..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
            let problem = Problem::of_status(status, String::new());
            assert!(known(problem.slug).is_some(), "{status}");
        }
    }
}
