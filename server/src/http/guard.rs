//! What every request must pass: it is meant for us, a change comes from our own pages or from a program, and every
//! answer carries the headers that keep a page from being abused.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use super::error::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Which `Host` headers are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// Served on loopback: only its names. A page of another site that has its name point here is turned away.
    Loopback,
    /// Served to a network: any.
    Any,
}

impl Hosts {
    /// What follows from the address that is listened on.
    pub fn of(listen: SocketAddr) -> Self {
        if listen.ip().is_loopback() { Self::Loopback } else { Self::Any }
    }

    fn allows(self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        self == Self::Any || matches!(name, "localhost" | "127.0.0.1" | "::1")
    }
}

/// Turns away what is not meant for us and what another site's page sends; adds headers to every answer.
pub(super) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let mut response = match refusal(hosts, request.method(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(header::CACHE_CONTROL, "no-store");
    response
}

fn refusal(hosts: Hosts, method: &Method, headers: &HeaderMap) -> Option<Problem> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(&header::HOST).unwrap_or_default();
    if !hosts.allows(host) {
        let detail = format!("the host `{host}` is not served here: use http://localhost or http://127.0.0.1");
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", detail));
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let same_site = match (text(&SEC_FETCH_SITE), text(&header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").is_some_and(|(_, origin_host)| origin_host == host),
        // No browser sends a change without either: this is a program.
        (None, None) => true,
    };
    (!same_site).then(|| {
        let detail = "a change was sent by a page of another site".to_owned();
        Problem::new(StatusCode::FORBIDDEN, "cross-site", detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, pairs: &[(&'static str, &'static str)], refused: bool) {
        let headers =
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        assert_eq!(refusal(Hosts::Loopback, method, &headers.collect()).is_some(), refused, "{method} {pairs:?}");
    }

    #[test]
    fn a_change_from_another_site_is_refused_and_a_program_is_not() {
        check(&Method::POST, &[("host", "localhost:8080")], false);
        check(&Method::POST, &[("host", "localhost:8080"), ("sec-fetch-site", "same-origin")], false);
        check(&Method::POST, &[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")], true);
        check(&Method::POST, &[("host", "localhost:8080"), ("sec-fetch-site", "same-site")], true);
        check(&Method::POST, &[("host", "localhost:8080"), ("origin", "http://localhost:8080")], false);
        check(&Method::POST, &[("host", "localhost:8080"), ("origin", "http://evil.test")], true);
        check(&Method::POST, &[("host", "localhost:8080"), ("origin", "null")], true);
        check(&Method::GET, &[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")], false);
    }

    #[test]
    fn on_loopback_only_its_own_names_are_answered() {
        check(&Method::GET, &[("host", "[::1]:8080")], false);
        check(&Method::GET, &[("host", "127.0.0.1:8080")], false);
        check(&Method::GET, &[("host", "rebound.test")], true);
    }
}
