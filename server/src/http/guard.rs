//! What every request must pass: it is meant for us, a change comes from our own pages or from a program, and every
//! answer carries the headers that keep a page from being abused.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode, Uri};
use url::Url;

use super::auth::{Client, Gate, has_session, turned_away};
use super::error::Problem;
use crate::auth::{Auth, AuthSettings};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The longest path with its query, in bytes.
const LONGEST_ADDRESS: usize = 8 * 1024;
/// A year, as browsers ask for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Which `Host` headers are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// Those of loopback, and these. A page of another site that has its name point here is turned away.
    Only(BTreeSet<String>),
    /// The same, and any address: nobody's name can be made to point here by an address.
    OnlyOrAddress(BTreeSet<String>),
    /// Served to a network that may call us anything: a page of another site that has its name point here has no session.
    Any,
}

impl Hosts {
    /// What follows from the address that is listened on, and from the settings.
    pub fn of(listen: SocketAddr, settings: &AuthSettings) -> Self {
        let public = settings.public_url.as_ref().and_then(Url::host_str).map(str::to_ascii_lowercase);
        let names = settings.allowed_hosts.iter().cloned().chain(public).collect();
        match settings.auth {
            _ if listen.ip().is_loopback() || !settings.allowed_hosts.is_empty() => Self::Only(names),
            // Where nobody needs a session, a page of another site would need none either.
            Auth::None => Self::OnlyOrAddress(names),
            Auth::Login => Self::Any,
        }
    }

    fn allows(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let is_known = |names: &BTreeSet<String>| {
            matches!(name, "localhost" | "127.0.0.1" | "::1") || names.contains(&name.to_ascii_lowercase())
        };
        match self {
            Self::Any => true,
            Self::Only(names) => is_known(names),
            Self::OnlyOrAddress(names) => is_known(names) || name.parse::<IpAddr>().is_ok(),
        }
    }
}

/// Turns away what is not meant for us and what another site's page sends; adds headers to every answer.
pub(super) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let is_https = Client::of(gate.settings(), request.extensions(), request.headers()).is_https;
    let public = gate.settings().public_url.as_ref();
    let refused =
        too_long(request.uri()).or_else(|| refusal(gate.hosts(), public, request.method(), request.headers()));
    let mut response = match refused {
        Some((why, problem)) => {
            turned_away(&gate, &request, why).await;
            problem.into_response()
        }
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
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    set(header::CACHE_CONTROL, "no-store");
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

/// An address that none of ours is as long as.
fn too_long(address: &Uri) -> Option<(&'static str, Problem)> {
    let length = address.path_and_query().map_or(0, |text| text.as_str().len());
    let detail =
        || format!("the address has {length} bytes, and at most {LONGEST_ADDRESS} are read: ask for less at once");
    (length > LONGEST_ADDRESS)
        .then(|| ("its address was too long", Problem::new(StatusCode::URI_TOO_LONG, "address-too-long", detail())))
}

/// Why a request is turned away, in a few words and as the answer.
fn refusal(
    hosts: &Hosts,
    public: Option<&Url>,
    method: &Method,
    headers: &HeaderMap,
) -> Option<(&'static str, Problem)> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(&header::HOST).unwrap_or_default();
    if !hosts.allows(host) {
        let detail = format!("the host `{host}` is not served here: use http://localhost, or name it in ALLOWED_HOSTS");
        let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", detail);
        return Some(("it was sent to a host that is not served here", problem));
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let is_ours = |origin: &str| {
        origin.split_once("://").is_some_and(|(_, origin_host)| origin_host == host)
            || public.is_some_and(|public| public.origin().ascii_serialization() == origin)
    };
    let same_site = match (text(&SEC_FETCH_SITE), text(&header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => is_ours(origin),
        // No browser sends a change without either: this is a program, and programs have no session.
        (None, None) => !has_session(headers),
    };
    (!same_site).then(|| {
        let detail = "a change was sent by a page of another site, or with a session but without a browser's \
                      `Sec-Fetch-Site` or `Origin`"
            .to_owned();
        let problem = Problem::new(StatusCode::FORBIDDEN, "cross-site", detail);
        ("it came from a page of another site", problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, pairs: &[(&'static str, &'static str)], refused: bool) {
        let headers =
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let hosts = Hosts::Only(["lab.example.org".to_owned()].into());
        let public = Url::parse("https://lab.example.org").unwrap();
        let refusal = refusal(&hosts, Some(&public), method, &headers.collect());
        assert_eq!(refusal.is_some(), refused, "{method} {pairs:?}");
    }

    #[test]
    fn an_address_may_be_long_but_not_without_end() {
        let is_refused = |length: usize| too_long(&format!("/{}", "a".repeat(length - 1)).parse().unwrap()).is_some();
        assert!(!is_refused(LONGEST_ADDRESS) && is_refused(LONGEST_ADDRESS + 1));
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
    fn behind_a_proxy_a_change_comes_from_the_public_address() {
        check(&Method::POST, &[("host", "localhost:8080"), ("origin", "https://lab.example.org")], false);
        check(&Method::POST, &[("host", "localhost:8080"), ("origin", "http://lab.example.org")], true);
    }

    #[test]
    fn a_session_without_a_browser_changes_nothing() {
        check(&Method::POST, &[("host", "localhost:8080"), ("cookie", "release-manager=x")], true);
        check(&Method::POST, &[("host", "localhost:8080"), ("cookie", "__Host-release-manager=x")], true);
        check(&Method::POST, &[("host", "localhost:8080"), ("cookie", "other=x")], false);
    }

    #[test]
    fn without_a_login_a_network_reaches_it_by_address_or_by_a_name_that_was_given() {
        let hosts = |auth, listen: &str| {
            let public_url = Some(Url::parse("https://lab.example.org").unwrap());
            Hosts::of(listen.parse().unwrap(), &AuthSettings { auth, public_url, ..AuthSettings::open() })
        };
        let open = hosts(Auth::None, "0.0.0.0:8080");
        for (host, allowed) in [
            ("192.168.0.2:8080", true),
            ("[fd00::2]:8080", true),
            ("localhost:8080", true),
            ("lab.example.org", true),
            ("rebound.test:8080", false),
        ] {
            assert_eq!(open.allows(host), allowed, "{host}");
        }
        assert!(!hosts(Auth::None, "127.0.0.1:8080").allows("192.168.0.2:8080"));
        assert_eq!(hosts(Auth::Login, "0.0.0.0:8080"), Hosts::Any);
    }

    #[test]
    fn only_its_own_names_are_answered() {
        check(&Method::GET, &[("host", "[::1]:8080")], false);
        check(&Method::GET, &[("host", "127.0.0.1:8080")], false);
        check(&Method::GET, &[("host", "rebound.test")], true);
        check(&Method::GET, &[("host", "Lab.example.org")], false);
    }
}
