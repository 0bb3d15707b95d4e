//! An Engine that says whatever a test wants, on a socket of its own.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use server::swarm::DockerSwarm;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// A request that arrived.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its method and path: `GET /v1.41/services`.
    pub(super) what: String,
    /// Its query, as it was sent.
    pub(super) query: String,
    /// Its body, or null.
    pub(super) body: Value,
}

impl Asked {
    /// Whether it is this question, whatever its API version.
    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        let (found, versioned) = self.what.split_once(' ').unwrap();
        let bare = versioned.strip_prefix("/v1.").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        found == method && (versioned == path || bare == Some(path))
    }
}

/// What becomes of a request.
pub(super) enum Answer {
    /// A status and a body.
    Json(u16, Value),
    /// Success with these bytes.
    Bytes(Vec<u8>),
    /// Success with these bytes, and then the connection breaks off.
    Half(Vec<u8>),
    /// The connection breaks off without an answer.
    Broken,
    /// Nothing, ever.
    Never,
}

type Answers = dyn Fn(&Asked) -> Answer + Send + Sync;

struct State {
    answers: Box<Answers>,
    asked: Mutex<Vec<Asked>>,
    minor: AtomicU32,
}

pub(super) struct Fake {
    pub(super) swarm: DockerSwarm,
    state: Arc<State>,
    server: JoinHandle<()>,
    dir: TempDir,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    /// An Engine of API 1.41. It knows its version, and refuses newer ones, by itself.
    pub(super) fn new(answers: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let state = Arc::new(State { answers: Box::new(answers), asked: Mutex::default(), minor: AtomicU32::new(41) });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        let swarm = DockerSwarm::connect(&format!("unix://{}", socket.display())).unwrap();
        Self { swarm, state, server, dir }
    }

    /// From now on it is an Engine of this API version.
    pub(super) fn becomes(&self, minor: u32) {
        self.state.minor.store(minor, Ordering::SeqCst);
    }

    /// The file in which it listens.
    pub(super) fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// What was asked so far, questions for the version apart.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }
}

async fn serve(listener: UnixListener, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            // A connection that is to break off ends with an error here.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let asked = Asked {
        what: format!("{} {}", head.method, head.uri.path()),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let minor = state.minor.load(Ordering::SeqCst);
    let answer = if asked.is("GET", "/version") {
        Answer::Json(200, json!({"Version": "99.0", "ApiVersion": format!("1.{minor}"), "MinAPIVersion": "1.24"}))
    } else if version_of(&asked.what).is_some_and(|version| version > minor) {
        let words = format!("client version 1.x is too new. Maximum supported API version is 1.{minor}");
        Answer::Json(400, json!({ "message": words }))
    } else {
        state.asked.lock().unwrap().push(asked.clone());
        (state.answers)(&asked)
    };
    let response = Response::builder().header("api-version", format!("1.{minor}"));
    let response = match answer {
        Answer::Json(status, body) => response.status(status).body(Body::from(body.to_string())),
        Answer::Bytes(bytes) => response.body(Body::from(bytes)),
        Answer::Half(bytes) => {
            // What comes at once with an error is never sent.
            let broken = stream::once(async {
                tokio::task::yield_now().await;
                Err(io::Error::from(io::ErrorKind::ConnectionReset))
            });
            response.body(Body::from_stream(stream::iter([Ok(Bytes::from(bytes))]).chain(broken)))
        }
        Answer::Broken => return Err(io::ErrorKind::ConnectionReset.into()),
        Answer::Never => std::future::pending().await,
    };
    response.map_err(io::Error::other)
}

fn version_of(what: &str) -> Option<u32> {
    what.split_once("/v1.")?.1.split('/').next()?.parse().ok()
}
