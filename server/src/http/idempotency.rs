//! `Idempotency-Key`: whoever does not know whether an order arrived sends it again, and it is carried out once. The
//! reasons for what is kept and what is not stand in `docs/decisions/0008-orders-once.md`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use release_manager::ports::Clock;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tracing::error;

use super::BODY_LIMIT;
use super::auth::{Caller, Gate, too_many};
use super::error::Problem;
use crate::SystemClock;
use crate::store::{Answer, Hash, Remembered, Store};

/// The request's header.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const LONGEST: usize = 255;

/// Carries orders out once.
#[derive(Clone)]
pub(super) struct Once(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    gate: Gate,
    /// Orders of one name wait for each other.
    under_way: Mutex<BTreeMap<Hash, Arc<tokio::sync::Mutex<()>>>>,
}

/// An order, as it is told from others.
struct Order {
    name: Hash,
    request: Hash,
}

impl Once {
    pub(super) fn new(store: Arc<Store>, gate: Gate) -> Self {
        Self(Arc::new(Inner { store, gate, under_way: Mutex::default() }))
    }
}

/// Whether a key is heeded there. The answer to a new token holds its secret, which must not be kept, and so does an order
/// for a new user, of which not even a quick hash may be; a webhook says only "look now", and a git host sends no key.
pub(super) fn heeded(path: &str) -> bool {
    !matches!(path, "/api/tokens" | "/api/users") && !path.starts_with("/api/webhooks/")
}

/// Whether a request is an order with a key that is heeded: it counts as a change only if it is carried out.
pub(super) fn is_keyed(request: &Request) -> bool {
    let path = request.uri().path();
    *request.method() == Method::POST
        && path.starts_with("/api/")
        && heeded(path)
        && request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// How the header is described.
pub(super) fn parameter() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Names this order: sent again within a day it is answered as before and not carried out again.",
        "required": false,
        "schema": { "type": "string", "pattern": format!("^[!-~]{{1,{LONGEST}}}$") },
    })
}

/// Answers an order that was carried out before as it was then; carries out any other.
pub(super) async fn once(State(once): State<Once>, request: Request, next: Next) -> Response {
    if !is_keyed(&request) {
        return next.run(request).await;
    }
    let key = match request.headers().get(IDEMPOTENCY_KEY).map(key).transpose() {
        Ok(Some(key)) => key,
        Ok(None) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        let detail = format!("the body could not be read, or is larger than {BODY_LIMIT} bytes");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail).into_response();
    };
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let order = Order { name: name(&parts, &key), request: hash(&[target.as_bytes(), &body]) };
    let request = Request::from_parts(parts, Body::from(body));
    once.0.carry_out(order, request, next).await
}

impl Inner {
    async fn carry_out(&self, order: Order, request: Request, next: Next) -> Response {
        let turn = self.turn(order.name);
        let response = {
            let _turn = turn.lock().await;
            self.carry_out_alone(&order, request, next).await
        };
        drop(turn);
        self.tidy(order.name);
        response.unwrap_or_else(IntoResponse::into_response)
    }

    async fn carry_out_alone(&self, order: &Order, request: Request, next: Next) -> Result<Response, Problem> {
        let now = SystemClock.now();
        match self.store.remembered(&order.name, now).await? {
            Remembered::Answered { request, answer } if request == order.request => return Ok(replay(answer)),
            Remembered::Unanswered { request } if request == order.request => return Err(cut_off()),
            Remembered::Answered { .. } | Remembered::Unanswered { .. } => return Err(reused()),
            Remembered::Nothing => (),
        }
        let counted = request.extensions().get::<Caller>().map(Caller::counted_as);
        if let Some(Err(seconds)) = counted.map(|counted| self.gate.take(counted, true)) {
            return Ok(too_many(seconds));
        }
        self.store.expect_answer(&order.name, &order.request, now).await?;
        let response = next.run(request).await;
        Ok(self.keep(order, response).await)
    }

    /// Keeps an answer that says that something was done. What could not be kept is known as cut off from then on.
    async fn keep(&self, order: &Order, response: Response) -> Response {
        if !response.status().is_success() {
            if let Err(error) = self.store.forget_answer(&order.name).await {
                error!(%error, "Could not forget a refused order");
            }
            return response;
        }
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, usize::MAX).await else { return cut_off().into_response() };
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let answer = Answer { status: parts.status.as_u16(), content_type, body: body.to_vec() };
        if let Err(error) = self.store.keep_answer(&order.name, &answer).await {
            error!(%error, "Could not keep the answer to an order");
        }
        Response::from_parts(parts, Body::from(body))
    }

    fn turn(&self, name: Hash) -> Arc<tokio::sync::Mutex<()>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(under_way.entry(name).or_default())
    }

    /// Lets go of a name that nobody waits for any more.
    fn tidy(&self, name: Hash) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.get(&name).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            under_way.remove(&name);
        }
    }
}

fn key(value: &HeaderValue) -> Result<String, Problem> {
    let text = value.to_str().ok().filter(|text| (1..=LONGEST).contains(&text.len()));
    text.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic())).map(str::to_owned).ok_or_else(|| {
        let detail = format!("`Idempotency-Key` must be 1 to {LONGEST} visible ASCII characters without spaces");
        Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    })
}

/// A key belongs to whoever sent it: nobody gets another's answer.
fn name(parts: &Parts, key: &str) -> Hash {
    let whose = parts.extensions.get::<Caller>().map(Caller::counted_as).unwrap_or_default();
    // Where nobody has to log in, programs may still tell themselves apart.
    let shown = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    hash(&[whose.as_bytes(), shown, key.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn replay(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(value) = answer.content_type.and_then(|value| HeaderValue::from_str(&value).ok()) {
        headers.insert(CONTENT_TYPE, value);
    }
    response
}

fn reused() -> Problem {
    let detail = "this `Idempotency-Key` came with another request before: use a new key for a new order".to_owned();
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail)
}

fn cut_off() -> Problem {
    let detail = "an order with this `Idempotency-Key` was cut off before its answer was kept: look at the history \
                  whether it was carried out, and use a new key if it was not"
        .to_owned();
    Problem::new(StatusCode::CONFLICT, "outcome-unknown", detail)
}
