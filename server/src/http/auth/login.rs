//! `POST /login` and `POST /logout`: plain forms, which work before and without WASM.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ACCEPT, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Extensions, HeaderMap, StatusCode};
use release_manager::access::{AuditResult, Visit};
use release_manager::ports::Clock;
use secrecy::SecretString;

use super::{Client, cookies};
use crate::SystemClock;
use crate::auth;
use crate::auth::oidc::OidcError;
use crate::auth::{Attempt, LoginError, Opened, Visitor};
use crate::http::AppState;
use crate::http::error::Problem;
use crate::store::AuditEntry;

/// What a browser calls itself is kept up to this length.
const AGENT: usize = 200;

/// What the form sends.
struct LoginForm {
    name: String,
    password: SecretString,
    next: String,
}

impl LoginForm {
    fn read(body: &[u8]) -> Self {
        let field = |name: &str| {
            let mut fields = url::form_urlencoded::parse(body);
            fields.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        Self { name: field("name"), password: field("password").into(), next: field("next") }
    }
}

/// `POST /login`: to the page that was asked for, with a new session; back to the form with the reason otherwise.
pub(in crate::http) async fn log_in(
    State(state): State<AppState>,
    extensions: Extensions,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = LoginForm::read(&body);
    let client = Client::of(state.gate.settings(), &extensions, &headers);
    let visitor = visitor(&client, &headers);
    let attempt = Attempt {
        name: &form.name,
        password: form.password,
        visitor: &visitor,
        device: cookies::browser(&headers, client.is_https),
        old: cookies::session(&headers, client.is_https),
    };
    let next = local(&form.next);
    match state.gate.keeper().log_in(attempt).await {
        Ok(opened) => welcome(&opened, next, client.is_https),
        Err(refused) => refuse(&refused, next, &headers),
    }
}

/// What the address says when somebody comes back from the identity provider.
#[derive(Debug, serde::Deserialize)]
pub(in crate::http) struct OidcAnswer {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    error: Option<String>,
}

/// What the address says where to go after the login.
#[derive(Debug, serde::Deserialize)]
pub(in crate::http) struct OidcQuestion {
    #[serde(default)]
    next: String,
}

/// `GET /login/oidc`: to the identity provider.
pub(in crate::http) async fn to_provider(
    State(state): State<AppState>,
    Query(question): Query<OidcQuestion>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Response {
    let client = Client::of(state.gate.settings(), &extensions, &headers);
    let Some(provider) = state.gate.provider() else { return Redirect::to("/login").into_response() };
    match provider.begin(local(&question.next), &auth::client(client.address)).await {
        Ok((url, secret)) => {
            let mut response = Redirect::to(url.as_str()).into_response();
            cookies::add(response.headers_mut(), cookies::give_state(&secret, client.is_https));
            response
        }
        Err(error) => provider_trouble(&error),
    }
}

/// `GET /login/oidc/callback`: back from the identity provider.
pub(in crate::http) async fn from_provider(
    State(state): State<AppState>,
    Query(answer): Query<OidcAnswer>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Response {
    let client = Client::of(state.gate.settings(), &extensions, &headers);
    let Some(provider) = state.gate.provider() else { return Redirect::to("/login").into_response() };
    if let Some(error) = answer.error {
        // As a literal: it stands in an address that anybody can make up.
        tracing::warn!(?error, "The identity provider refused a login");
        return Redirect::to("/login?problem=refused").into_response();
    }
    let cookie = cookies::state(&headers, client.is_https);
    let identity = match provider.finish(&answer.state, cookie, &answer.code, SystemClock.now()).await {
        Ok(identity) => identity,
        Err(error) => return provider_trouble(&error),
    };
    let keeper = state.gate.keeper();
    let (visitor, old) = (visitor(&client, &headers), cookies::session(&headers, client.is_https));
    match keeper.log_in_as(&identity, &state.gate.settings().groups, &visitor, old).await {
        Ok(opened) => welcome(&opened, &identity.next, client.is_https),
        Err(LoginError::NoAccess) => Redirect::to("/login?problem=no-access").into_response(),
        Err(refused) => refuse(&refused, "/", &headers),
    }
}

fn provider_trouble(error: &OidcError) -> Response {
    tracing::warn!(%error, "Somebody could not log in by the identity provider");
    let word = if matches!(error, OidcError::Unknown) { "again" } else { "provider" };
    Redirect::to(&format!("/login?problem={word}")).into_response()
}

/// `POST /logout`: ends the session, here and in the browser.
pub(in crate::http) async fn log_out(
    State(state): State<AppState>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Response {
    let client = Client::of(state.gate.settings(), &extensions, &headers);
    if let Some(cookie) = cookies::session(&headers, client.is_https) {
        if let Err(error) = state.gate.keeper().log_out(cookie).await {
            tracing::error!(%error, "A session could not be ended");
            let detail = "the database failed, so you are still logged in: try again".to_owned();
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database", detail).into_response();
        }
        if let Some(visit) = extensions.get::<Visit>() {
            let entry = AuditEntry {
                actor: visit.principal.actor().to_string(),
                address: Some(client.address.to_string()),
                operation: "log_out".to_owned(),
                target: None,
                result: AuditResult::Done,
                detail: None,
                times: 1,
            };
            state.gate.keeper().audit.note(entry).await;
        }
    }
    let mut response = Redirect::to("/login?problem=left").into_response();
    cookies::add(response.headers_mut(), cookies::take());
    // What the browser has kept of pages goes with the session.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    response
}

fn welcome(opened: &Opened, next: &str, is_https: bool) -> Response {
    let next = if opened.password_is_temporary { "/account?problem=temporary" } else { next };
    let mut response = Redirect::to(next).into_response();
    cookies::add(response.headers_mut(), cookies::give(&opened.session, &opened.device, is_https));
    response
}

fn refuse(refused: &LoginError, next: &str, headers: &HeaderMap) -> Response {
    let (status, word, wait) = match refused {
        LoginError::Wrong => (StatusCode::UNAUTHORIZED, "wrong", None),
        LoginError::Slowed(seconds) => (StatusCode::TOO_MANY_REQUESTS, "slowed", Some(*seconds)),
        LoginError::Password(crate::auth::PasswordError::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "busy", Some(5)),
        other => {
            tracing::error!(error = %other, "A login failed inside");
            (StatusCode::SERVICE_UNAVAILABLE, "inside", None)
        }
    };
    let by_browser =
        headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"));
    let mut response = if by_browser {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let wait = wait.map(|seconds| format!("&wait={seconds}")).unwrap_or_default();
        Redirect::to(&format!("/login?problem={word}{wait}&next={next}")).into_response()
    } else {
        let detail = match status {
            StatusCode::SERVICE_UNAVAILABLE => "logging in is not possible just now: try again in a moment".to_owned(),
            _ => refused.to_string(),
        };
        Problem::of_status(status, detail).into_response()
    };
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn visitor(client: &Client, headers: &HeaderMap) -> Visitor {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    Visitor { address: client.address, agent: agent.chars().take(AGENT).collect() }
}

/// A path of ours; anything else is the dashboard.
fn local(next: &str) -> &str {
    let ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && next.chars().all(|c| c.is_ascii_graphic())
        && !next.starts_with("/log");
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_login_nobody_is_sent_elsewhere() {
        for next in ["/", "/history?environment=prod", "/changes/prod"] {
            assert_eq!(local(next), next);
        }
        for next in [
            "",
            "https://evil.test",
            "//evil.test",
            "/\\evil.test",
            "/\t/evil.test",
            "javascript:alert(1)",
            "/login?next=/login",
            "/logout",
            "/a b",
        ] {
            assert_eq!(local(next), "/", "{next}");
        }
    }
}
