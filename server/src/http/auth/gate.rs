//! The middleware: everything that a request must pass, in order.

use app::error::{RpcError, RpcErrorKind};
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, StatusCode};
use leptos::server_fn::error::{FromServerFnError, SERVER_FN_ERROR_HEADER};
use release_manager::access::{AuditResult, Denied, Operation, Place, Principal, Trail};
use release_manager::names::EnvironmentName;
use tokio_util::task::TaskTracker;

use super::caller::{Caller, not_logged_in};
use super::table::{Access, environment};
use super::{Client, Found, Gate};
use crate::auth;
use crate::http::error::Problem;
use crate::http::idempotency;
use crate::http::whole::to_the_end;
use crate::store::AuditEntry;

/// A server function's error is a sentence for people.
const LONGEST_ERROR: usize = 1024 * 1024;

/// What is known of a request before it is let through.
struct Asked {
    access: Access,
    environment: Option<EnvironmentName>,
    method: Method,
    path: String,
    /// The path as the router has it: a stranger's own words are not written down.
    route: String,
    /// The path with its query.
    wanted: String,
    client: Client,
    /// A person's browser asks for a page, or sends a form.
    by_browser: bool,
}

/// Lets a request through, or says why not; writes what was changed or refused into the audit log.
/// A change that was let through goes on to its end, and gets its line, also when its client has gone.
pub(in crate::http) async fn gate(
    State((gate, tasks)): State<(Gate, TaskTracker)>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&gate, &request);
    if asked.access == Access::Open {
        return next.run(request).await;
    }
    let found = match gate.find(request.headers(), &asked.client).await {
        Ok(found) => found,
        Err(failure) => {
            tracing::error!(error = %failure, "It cannot be looked up who is asking");
            let detail = "the database failed: Release Manager's log says why".to_owned();
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database", detail).into_response();
        }
    };
    let trail = Trail::default();
    let (caller, impostor) = match found {
        Found::Somebody(visit, credential) => {
            (Some(Caller { visit, credential, client: asked.client, trail: trail.clone() }), None)
        }
        Found::Nobody => (None, None),
        Found::Impostor(why) => (None, Some(why)),
    };
    let counted = caller.as_ref().map_or_else(|| auth::client(asked.client.address), Caller::counted_as);
    // An order with a key may have been carried out before: whoever carries it out counts it as a change.
    let is_change = asked.is_change() && !idempotency::is_keyed(&request);
    if let Err(seconds) = gate.take(counted, is_change) {
        let principal = caller.as_ref().map(Caller::principal);
        asked.note_refused(&gate, principal, "too many requests").await;
        return too_much(seconds, &asked);
    }
    if let Access::Needs(operation) = asked.access {
        let principal = caller.as_ref().map(Caller::principal);
        if let Some(refusal) = asked.refusal(operation, principal, impostor) {
            let entry = asked.entry(operation.as_str(), principal, AuditResult::Refused, Some(refusal.words));
            if principal.is_some() || impostor.is_some() || asked.is_change() {
                gate.keeper().audit.note(entry).await;
            }
            return refusal.answer;
        }
    }
    let principal = caller.as_ref().map(|caller| caller.principal().clone());
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller.visit.clone());
        request.extensions_mut().insert(trail.clone());
        request.extensions_mut().insert(caller);
    }
    let is_change = asked.is_change();
    let work = answer(gate, asked, principal, trail, next.run(request));
    if is_change { to_the_end(&tasks, work).await } else { work.await }
}

/// Writes into the audit log that a request was turned away before anybody asked who sends it.
pub(in crate::http) fn turned_away(
    gate: &Gate,
    request: &Request,
    why: &'static str,
) -> impl Future<Output = ()> + Send + use<> {
    let (gate, asked) = (gate.clone(), Asked::of(gate, request));
    async move { asked.note_refused(&gate, None, why).await }
}

/// The answer to a request that was let through, with its line in the audit log.
async fn answer(
    gate: Gate,
    asked: Asked,
    principal: Option<Principal>,
    trail: Trail,
    work: impl Future<Output = Response>,
) -> Response {
    let mut response = work.await;
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
    }
    if let Access::Needs(operation) = asked.access {
        let (answered, ended) = Ended::of(response).await;
        response = answered;
        record(&gate, &asked, operation, principal.as_ref(), &trail, ended).await;
    }
    response
}

/// How a request was answered.
struct Ended {
    status: StatusCode,
    /// A server function's error: a form that was sent without scripts gets a redirect all the same.
    error: Option<String>,
}

impl Ended {
    /// The answer, and what it says.
    async fn of(response: Response) -> (Response, Self) {
        let status = response.status();
        if !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
            return (response, Self { status, error: None });
        }
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, LONGEST_ERROR).await.unwrap_or_default();
        let error = RpcError::de(bytes.clone()).message;
        (Response::from_parts(parts, Body::from(bytes)), Self { status, error: Some(error) })
    }
}

/// A line for what was changed, and for what a handler has refused.
async fn record(
    gate: &Gate,
    asked: &Asked,
    operation: Operation,
    principal: Option<&Principal>,
    trail: &Trail,
    Ended { status, error }: Ended,
) {
    let (target, detail, noted) = trail.read();
    let result = noted.unwrap_or(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => AuditResult::Refused,
        status if error.is_some() || status.is_client_error() || status.is_server_error() => AuditResult::Failed,
        _ => AuditResult::Done,
    });
    let is_change = operation.rule().changes && asked.is_change();
    if !is_change && result != AuditResult::Refused {
        return;
    }
    let detail = match (detail, error) {
        // What was to be done, and why it was not.
        (Some(detail), Some(error)) if noted.is_none() => Some(format!("{detail}: {error}")),
        (Some(detail), _) => Some(detail),
        (None, error) => (result != AuditResult::Done).then(|| error.unwrap_or_else(|| status.to_string())),
    };
    let entry = asked.entry(operation.as_str(), principal, result, detail);
    let target = target.or_else(|| entry.target.clone());
    gate.keeper().audit.note(AuditEntry { target, ..entry }).await;
}

/// Why a request is not let through.
struct Refusal {
    words: String,
    answer: Response,
}

impl Asked {
    fn of(gate: &Gate, request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let access = match matched {
            Some(matched) => gate.inner.table.find(request.method(), matched).unwrap_or_else(|| {
                tracing::warn!(method = %request.method(), path = matched, "This route stands in no table of operations");
                Access::Needs(Operation::Administer)
            }),
            // A file of the site, or the page that says that there is none.
            None => Access::Public,
        };
        let environment = matched.and_then(|matched| environment(matched, &path)).and_then(|name| name.parse().ok());
        let client = Client::of(gate.settings(), request.extensions(), request.headers());
        let by_browser = !path.starts_with("/api/") && accepts_html(request.headers());
        let wanted = request.uri().path_and_query().map_or_else(|| path.clone(), ToString::to_string);
        let route = matched.unwrap_or(&path).to_owned();
        Self { access, environment, method: request.method().clone(), path, route, wanted, client, by_browser }
    }

    fn is_change(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    fn refusal(
        &self,
        operation: Operation,
        principal: Option<&Principal>,
        impostor: Option<&'static str>,
    ) -> Option<Refusal> {
        let Some(principal) = principal else {
            let words = impostor.unwrap_or("nobody is logged in").to_owned();
            return Some(Refusal { answer: self.log_in_first(impostor), words });
        };
        let answer = match &self.environment {
            Some(environment) if operation.rule().place == Place::Environment => {
                principal.may_in(operation, environment)
            }
            // Which environment it is stands in the body, or follows from a number: whoever handles it asks again.
            _ => principal.might(operation),
        };
        let denied = answer.err()?;
        Some(Refusal { words: denied.to_string(), answer: self.denied(denied) })
    }

    /// A browser is taken to the page where one logs in; a program is told.
    fn log_in_first(&self, impostor: Option<&'static str>) -> Response {
        if self.by_browser {
            let next = if self.is_change() { "/" } else { &self.wanted };
            let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            return Redirect::to(&format!("/login?next={next}")).into_response();
        }
        if self.path.starts_with("/rpc/") {
            let error = RpcError::new(RpcErrorKind::LoggedOut, "you are not logged in any more: log in again");
            return for_page(StatusCode::UNAUTHORIZED, &error);
        }
        let problem = match impostor {
            Some(why) => Problem::new(StatusCode::UNAUTHORIZED, "login-required", why.to_owned()),
            None => not_logged_in(),
        };
        let mut response = problem.into_response();
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        response
    }

    fn denied(&self, denied: Denied) -> Response {
        if self.path.starts_with("/rpc/") {
            return for_page(StatusCode::FORBIDDEN, &RpcError::new(RpcErrorKind::Forbidden, denied.to_string()));
        }
        Problem::from(denied).into_response()
    }

    /// A line for an attempt that came to nothing before its right was looked at; none where it takes no right and
    /// changes nothing.
    async fn note_refused(&self, gate: &Gate, principal: Option<&Principal>, why: &str) {
        let operation = match self.access {
            Access::Needs(operation) => operation.as_str(),
            Access::Open | Access::Public if self.route.starts_with("/login") => "log_in",
            Access::Open | Access::Public if self.is_change() => Operation::View.as_str(),
            Access::Open | Access::Public => return,
        };
        let entry = self.entry(operation, principal, AuditResult::Refused, Some(why.to_owned()));
        gate.keeper().audit.note(entry).await;
    }

    fn entry(
        &self,
        operation: &str,
        principal: Option<&Principal>,
        result: AuditResult,
        detail: Option<String>,
    ) -> AuditEntry {
        let path = if principal.is_some() { &self.path } else { &self.route };
        AuditEntry {
            actor: principal.map_or_else(|| "nobody".to_owned(), |principal| principal.actor().to_string()),
            address: Some(self.client.address.to_string()),
            operation: operation.to_owned(),
            target: Some(self.environment.as_ref().map_or_else(|| path.clone(), ToString::to_string)),
            result,
            detail,
            times: 1,
        }
    }
}

/// An error as server functions send it.
fn for_page(status: StatusCode, error: &RpcError) -> Response {
    let mut response = Response::new(Body::from(error.ser()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn too_much(seconds: u64, asked: &Asked) -> Response {
    if !asked.path.starts_with("/rpc/") {
        return too_many(seconds);
    }
    let error = RpcError::new(RpcErrorKind::Unavailable, too_many_words(seconds));
    let mut response = for_page(StatusCode::TOO_MANY_REQUESTS, &error);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The answer to a program that asks too much.
pub(in crate::http) fn too_many(seconds: u64) -> Response {
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", too_many_words(seconds));
    ([(RETRY_AFTER, HeaderValue::from(seconds))], problem).into_response()
}

fn too_many_words(seconds: u64) -> String {
    format!("too many requests: try again in {seconds} s")
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}
