//! Each request has an id: in every log line that it causes, in the answer's `X-Request-Id` and in its problem, so that a
//! person who reports a failure and the log speak of the same thing.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use serde::{Serialize, Serializer};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info, info_span, warn};

use super::error;
use crate::metrics::Metrics;

/// Carries the id, in both directions.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a client.
const LONGEST: usize = 64;

/// Names one request.
#[derive(Debug, Clone, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = String)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// The client's own id where it is harmless in logs and headers, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let sane = |text: &&str| {
            (1..=LONGEST).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane);
        Self(given.map_or_else(Self::random, Arc::from))
    }

    /// 16 hex digits. It only has to differ from the others in the log: std's hasher is keyed anew each time.
    fn random() -> Arc<str> {
        format!("{:016x}", RandomState::new().build_hasher().finish()).into()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Whether whoever asks for this path is a program rather than a person with a browser.
fn for_program(path: &str) -> bool {
    path.starts_with("/api/") || matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Gives the request its id, its span and its line in the log, counts it, and completes its problem.
pub(super) async fn identify(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let program = for_program(request.uri().path());
    // The query is left out: it may hold what a person typed.
    let span = info_span!("request", request.id = %id, %method, path = request.uri().path(), http.status = Empty);
    let route = request.extensions().get::<MatchedPath>().map(|matched| matched.as_str().to_owned());
    let response = next.run(request).instrument(span.clone()).await;
    let mut response = error::finish(response, &id, program).instrument(span.clone()).await;
    metrics.count_request(&method, route.as_deref(), response.status(), started.elapsed());
    log(&span, &method, &response, started);
    span.record("http.status", response.status().as_u16());
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

fn log(span: &Span, method: &Method, response: &Response, started: Instant) {
    let _entered = span.enter();
    let status = response.status().as_u16();
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    match status {
        500.. => warn!(http.status = status, duration.ms = millis, "Answered"),
        _ if read => debug!(http.status = status, duration.ms = millis, "Answered"),
        _ => info!(http.status = status, duration.ms = millis, "Answered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, taken: bool) {
        let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_str(given).unwrap())]);
        assert_eq!(&*RequestId::of(&headers).0 == given, taken, "{given}");
    }

    #[test]
    fn a_clients_id_is_taken_where_it_can_do_no_harm() {
        check("0af7651916cd43dd8448eb211c80319c", true);
        check("build-7.retry_2", true);
        check("", false);
        check("a b", false);
        check("<script>", false);
        check(&"x".repeat(65), false);
    }

    #[test]
    fn two_requests_without_an_id_get_different_ones() {
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
