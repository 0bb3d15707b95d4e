//! The Engine's HTTP API: one module per resource.

mod data;
mod distribution;
mod events;
mod filters;
mod logs;
mod networks;
mod nodes;
mod services;
mod system;
mod tasks;
mod validate;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Query, Request, State},
    http::{
        HeaderValue, Method, StatusCode, Uri,
        header::{CONTENT_TYPE, SERVER},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde_json::{Value, json};

use crate::{
    error::Refusal,
    simulator::{AcceptedWrite, Shared, SwarmTrouble},
};

/// The version of the Engine that is pretended.
pub(crate) const ENGINE_VERSION: &str = "20.10.24";
/// The newest API version that is spoken.
const API_VERSION: (u32, u32) = (1, 41);
/// The oldest.
const MIN_API_VERSION: (u32, u32) = (1, 12);
/// The longest body that is read.
const LONGEST_BODY: usize = 16 << 20;

type Query1 = Query<HashMap<String, String>>;
type App = State<Arc<Shared>>;
type Answer = Result<Response, Refused>;

/// A refusal as an answer.
pub(crate) struct Refused(pub(crate) Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<Refused> for Response {
    fn from(refused: Refused) -> Self {
        refused.into_response()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, go_json(&json!({ "message": self.0.message }))).into_response();
        add_headers(&mut response);
        response
    }
}

/// All endpoints.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_ping", get(system::ping).head(system::ping))
        .route("/version", get(system::version))
        .route("/info", get(system::info))
        .route("/swarm", get(system::swarm))
        .route("/events", get(events::stream))
        .route("/distribution/{*image}", get(distribution::inspect))
        .route("/nodes", get(nodes::list))
        .route("/nodes/{id}", get(nodes::inspect))
        .route("/nodes/{id}/update", post(nodes::update))
        .route("/services", get(services::list))
        .route("/services/create", post(services::create))
        .route("/services/{id}", get(services::inspect).delete(services::remove))
        .route("/services/{id}/update", post(services::update))
        .route("/services/{id}/logs", get(logs::of_service))
        .route("/tasks", get(tasks::list))
        .route("/tasks/{id}", get(tasks::inspect))
        .route("/tasks/{id}/logs", get(logs::of_task))
        .route("/networks", get(networks::list))
        .route("/networks/create", post(networks::create))
        .route("/networks/{id}", get(networks::inspect).delete(networks::remove))
        .route("/secrets", get(data::list_secrets))
        .route("/secrets/create", post(data::create_secret))
        .route("/secrets/{id}", get(data::inspect_secret).delete(data::remove_secret))
        .route("/secrets/{id}/update", post(data::update_secret))
        .route("/configs", get(data::list_configs))
        .route("/configs/create", post(data::create_config))
        .route("/configs/{id}", get(data::inspect_config).merge(delete(data::remove_config)))
        .route("/configs/{id}/update", post(data::update_config))
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), around))
        .with_state(shared)
}

async fn nothing_here() -> Response {
    Refused(Refusal::new(404, "page not found")).into_response()
}

/// What holds for every call: trouble of the swarm, the record of writes, the Engine's headers.
async fn around(State(shared): App, request: Request, next: Next) -> Response {
    if let Some(refusal) = trouble(&shared, request.uri().path()) {
        return Refused(refusal).into_response();
    }
    let mut response = if request.method() == Method::GET || request.method() == Method::HEAD {
        next.run(request).await
    } else {
        write(&shared, request, next).await
    };
    add_headers(&mut response);
    response
}

fn trouble(shared: &Shared, path: &str) -> Option<Refusal> {
    let needs_swarm = ["/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs"];
    if !needs_swarm.iter().any(|start| path.starts_with(start)) {
        return None;
    }
    shared.with(|world| world.trouble).map(SwarmTrouble::refusal)
}

async fn write(shared: &Shared, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return Refused(Refusal::bad("http: request body too large")).into_response();
    };
    let write = AcceptedWrite {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if response.status().is_success() {
        shared.record(write);
    }
    response
}

fn add_headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert("Api-Version", HeaderValue::from_static("1.41"));
    headers.insert("Docker-Experimental", HeaderValue::from_static("false"));
    headers.insert("Ostype", HeaderValue::from_static("linux"));
    headers.insert(SERVER, HeaderValue::from_static("Docker/20.10.24 (linux)"));
}

/// JSON with the line end that Go's encoder adds.
fn go_json(value: &Value) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], format!("{value}\n")).into_response()
}

#[expect(clippy::unnecessary_wraps, reason = "handlers end with it, and they can fail")]
fn ok(value: &Value) -> Answer {
    Ok(go_json(value))
}

#[expect(clippy::unnecessary_wraps, reason = "handlers end with it, and they can fail")]
fn created(value: &Value) -> Answer {
    Ok((StatusCode::CREATED, go_json(value)).into_response())
}

impl SwarmTrouble {
    /// The Engine's words for it.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::NotAManager => {
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this \
                 node to swarm and try again."
            }
            Self::NoLeader => {
                "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than \
                 half of the managers are online."
            }
        }
    }

    fn refusal(self) -> Refusal {
        match self {
            Self::NotAManager => Refusal::new(503, self.message()),
            Self::NoLeader => Refusal::new(500, format!("rpc error: code = Unknown desc = {}", self.message())),
        }
    }
}

/// Takes `/v1.NN` off the path, or refuses a version that is not spoken.
pub(crate) fn strip_version(request: &mut Request) -> Result<(), Refusal> {
    let path = request.uri().path();
    let Some((version, rest)) = path.strip_prefix("/v").and_then(|path| path.split_once('/')) else { return Ok(()) };
    let Some(number) =
        version.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
    else {
        return Ok(());
    };
    if number > API_VERSION {
        let (major, minor) = API_VERSION;
        let message = format!("client version {version} is too new. Maximum supported API version is {major}.{minor}");
        return Err(Refusal::bad(message));
    }
    if number < MIN_API_VERSION {
        let (major, minor) = MIN_API_VERSION;
        let message = format!(
            "client version {version} is too old. Minimum supported API version is {major}.{minor}, please upgrade your \
             client to a newer version"
        );
        return Err(Refusal::bad(message));
    }
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let stripped: Uri = format!("/{rest}{query}").parse().map_err(|_| Refusal::bad("the path is not a path"))?;
    *request.uri_mut() = stripped;
    Ok(())
}

/// A body of JSON, refused in Go's words.
fn body(bytes: &Bytes) -> Result<Value, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::bad("got EOF while reading request body"));
    }
    serde_json::from_slice(bytes).map_err(|error| Refusal::bad(go_syntax_error(bytes, &error)))
}

fn go_syntax_error(bytes: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected EOF".to_owned();
    }
    let column = error.column().saturating_sub(1);
    let found = bytes.get(column).map_or('?', |byte| char::from(*byte));
    format!("invalid character '{found}' looking for beginning of value")
}

/// `?version=`, which every update has to name.
fn version(query: &HashMap<String, String>, kind: &str) -> Result<u64, Refusal> {
    let text = query.get("version").map_or("", String::as_str);
    text.parse().map_err(|_| {
        Refusal::bad(format!("invalid {kind} version '{text}': strconv.ParseUint: parsing \"{text}\": invalid syntax"))
    })
}

fn is_true(query: &HashMap<String, String>, name: &str) -> bool {
    query.get(name).is_some_and(|value| !matches!(value.to_lowercase().as_str(), "" | "0" | "no" | "false" | "none"))
}
