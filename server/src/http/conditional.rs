//! `ETag` and `If-None-Match`: whoever asks again for what has not changed gets a 304 and no body.

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use sha2::{Digest, Sha256};

use super::error::Problem;

/// The largest answer that is named: a page of history with all its evidence stays far below.
const LARGEST: u64 = 32 * 1024 * 1024;

/// Names the JSON that a `GET` is answered with by its SHA-256.
pub(super) async fn conditional(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    // What is sent as it is made has no length, and is never held as a whole.
    let is_whole = response.body().size_hint().exact().is_some_and(|length| length <= LARGEST);
    if !is_read || response.status() != StatusCode::OK || !is_json(response.headers()) || !is_whole {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        let detail = "the answer could not be made: Release Manager's log says why".to_owned();
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response();
    };
    let tag = format!("\"{:.32x}\"", Sha256::digest(&bytes));
    // Kept by whoever asks, but never used without asking.
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(ETAG, value);
    }
    if known.is_some_and(|known| matches(&known, &tag)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.remove(CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Bytes that were compressed on the way are no longer those that were named: their tag becomes a weak one.
pub(super) async fn weaken(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if headers.contains_key(CONTENT_ENCODING)
        && let Some(weak) = headers.get(ETAG).and_then(weak)
    {
        headers.insert(ETAG, weak);
    }
    response
}

fn weak(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.to_str().ok().filter(|tag| !tag.starts_with("W/"))?;
    HeaderValue::from_str(&format!("W/{tag}")).ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// The weak comparison, which is the one for `If-None-Match` (RFC 9110, 13.1.2).
fn matches(known: &HeaderValue, tag: &str) -> bool {
    let Ok(known) = known.to_str() else { return false };
    known.trim() == "*" || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(known: &'static str, expected: bool) {
        assert_eq!(matches(&HeaderValue::from_static(known), "\"a\""), expected, "{known}");
    }

    #[test]
    fn a_tag_matches_whether_it_was_weakened_or_stands_among_others() {
        check("\"a\"", true);
        check("W/\"a\"", true);
        check("\"b\", W/\"a\"", true);
        check("*", true);
        check("\"b\"", false);
        check("a", false);
    }
}
