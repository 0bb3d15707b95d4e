//! A go-between in front of a real Engine. It keeps every task pending, so that nothing runs, and notes every write.
//!
//! Services are sent on with one more placement constraint, which no node meets, and shown without it: nobody in front of it
//! can tell.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::AbortHandle;

/// The constraint that no node meets.
const NOWHERE: &str = "node.labels.release-manager.parity == nowhere";
const CONSTRAINTS: &str = "/TaskTemplate/Placement/Constraints";

/// A request that changes something, as it came in: method and path without the version.
pub(super) type Noted = (Method, String);

struct Behind {
    engine: String,
    writes: Mutex<Vec<Noted>>,
}

/// The go-between. It ends when it is dropped.
pub(super) struct Proxy {
    home: TempDir,
    behind: Arc<Behind>,
    server: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Proxy {
    /// Stands in front of the Engine at `engine` (`unix://…` or `tcp://…`).
    pub(super) fn start(engine: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let behind = Arc::new(Behind { engine: engine.to_owned(), writes: Mutex::default() });
        let listener = UnixListener::bind(socket(home.path())).unwrap();
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&behind));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { home, behind, server }
    }

    /// Its `DOCKER_HOST`.
    pub(super) fn host(&self) -> String {
        format!("unix://{}", socket(self.home.path()))
    }

    /// What was written since the last question.
    pub(super) fn writes(&self) -> Vec<Noted> {
        std::mem::take(&mut *self.behind.writes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the Engine, and reads the answer as JSON; of several lines, as a list.
    pub(super) async fn get(&self, path: &str) -> Value {
        let request = Request::get(path).header(HOST, "docker").body(Full::default()).unwrap();
        let (status, _, bytes) = exchange(&self.behind.engine, request).await;
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        let mut answer = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()).collect()
        });
        show(&mut answer);
        answer
    }

    /// Sends a body to the Engine, past what is noted; says whether it was taken.
    pub(super) async fn post(&self, path: &str, body: &Value) -> bool {
        let request = Request::post(path).header(HOST, "docker").header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::from(body.to_string())).unwrap();
        exchange(&self.behind.engine, request).await.0.is_success()
    }

    pub(super) async fn delete(&self, path: &str) -> bool {
        let request = Request::delete(path).header(HOST, "docker").body(Full::default()).unwrap();
        exchange(&self.behind.engine, request).await.0.is_success()
    }
}

fn socket(home: &Path) -> String {
    home.join("p.sock").display().to_string()
}

async fn pass_on(State(behind): State<Arc<Behind>>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let mut bytes = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().to_owned();
    let plain = path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')).map_or(path.as_str(), |(_, rest)| rest);
    let plain = plain.trim_start_matches('/').to_owned();
    let is_service = plain.starts_with("services/");
    if head.method == Method::POST && is_service {
        let mut spec: Value = serde_json::from_slice(&bytes).unwrap();
        hold_back(&mut spec);
        bytes = Bytes::from(spec.to_string());
    }
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let mut writes = behind.writes.lock().unwrap_or_else(PoisonError::into_inner);
        writes.push((head.method.clone(), plain.clone()));
    }
    let mut onward = Request::builder().method(head.method.clone()).uri(head.uri);
    for (name, value) in &head.headers {
        if !matches!(*name, CONTENT_LENGTH | TRANSFER_ENCODING) {
            onward = onward.header(name, value);
        }
    }
    let (status, headers, mut answer) = exchange(&behind.engine, onward.body(Full::from(bytes)).unwrap()).await;
    if head.method == Method::GET
        && plain.starts_with("services")
        && let Ok(mut shown) = serde_json::from_slice(&answer)
    {
        show(&mut shown);
        answer = Bytes::from(shown.to_string());
    }
    let mut response = (status, answer).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    for (name, value) in &headers {
        if !matches!(*name, CONTENT_LENGTH | TRANSFER_ENCODING) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// Adds the constraint.
fn hold_back(spec: &mut Value) {
    let place = &mut spec["TaskTemplate"]["Placement"]["Constraints"];
    match place.as_array_mut() {
        Some(constraints) => constraints.push(NOWHERE.into()),
        None => *place = json!([NOWHERE]),
    }
}

/// Takes the constraint out of one service or a list of them.
fn show(answer: &mut Value) {
    let services = match answer {
        Value::Array(list) => list.iter_mut().collect(),
        one => vec![one],
    };
    for service in services {
        for spec in ["/Spec", "/PreviousSpec"] {
            let Some(constraints) = service.pointer_mut(&format!("{spec}{CONSTRAINTS}")).and_then(Value::as_array_mut)
            else {
                continue;
            };
            let before = constraints.len();
            constraints.retain(|constraint| constraint != NOWHERE);
            if constraints.is_empty()
                && before > 0
                && let Some(placement) = service.pointer_mut(&format!("{spec}/TaskTemplate/Placement"))
            {
                placement.as_object_mut().unwrap().remove("Constraints");
            }
        }
    }
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

type Answer = (StatusCode, http::HeaderMap, Bytes);

async fn exchange(engine: &str, request: Request<Full<Bytes>>) -> Answer {
    let wire: Box<dyn Wire> = match engine.split_once("://") {
        Some(("unix", path)) => Box::new(UnixStream::connect(path).await.unwrap()),
        Some(("tcp", address)) => Box::new(TcpStream::connect(address).await.unwrap()),
        _ => panic!("the tests against the docker command need TEST_DOCKER_HOST as unix://… or tcp://…"),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(wire)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    connection.abort();
    (head.status, head.headers, bytes)
}

/// What stands in an Engine's answer, one line for each scalar.
pub(super) fn flat(value: &Value) -> BTreeMap<String, String> {
    fn walk(path: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    walk(&format!("{path}.{name}"), value, lines);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, value) in items.iter().enumerate() {
                    walk(&format!("{path}[{index}]"), value, lines);
                }
            }
            other => {
                lines.insert(path.to_owned(), other.to_string());
            }
        }
    }
    let mut lines = BTreeMap::new();
    walk("", value, &mut lines);
    lines
}
