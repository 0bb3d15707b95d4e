//! A git host on a loopback port: git's own `upload-pack` behind HTTP.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What stands between a client and the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    /// Wants the password `hunter2`.
    Locked,
    /// Takes a request and never answers.
    Silent,
}

/// Serves the repository as `/me/lab.git`. It ends when it is dropped.
pub(super) struct GitHttp {
    pub(super) address: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    repository: PathBuf,
    door: Mutex<Door>,
}

impl GitHttp {
    pub(super) async fn start(repository: &Path, door: Door) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { repository: repository.to_owned(), door: Mutex::new(door) });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, server }
    }

    pub(super) fn set_door(&self, door: Door) {
        *self.shared.door.lock().unwrap() = door;
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let plain = |status: u16| Response::builder().status(status).body(Body::empty()).unwrap();
    let door = *shared.door.lock().unwrap();
    if door == Door::Silent {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if door == Door::Locked && given != Some(format!("Basic {}", STANDARD.encode("git:hunter2")).as_str()) {
        let builder = Response::builder().status(401).header(WWW_AUTHENTICATE, "Basic realm=\"git\"");
        return builder.body(Body::empty()).unwrap();
    }
    let repository = shared.repository.clone();
    match (method.as_str(), uri.path(), uri.query()) {
        ("GET", "/me/lab.git/info/refs", Some("service=git-upload-pack")) => {
            let refs = upload_pack(repository, &["--advertise-refs"], Bytes::new()).await;
            answer("advertisement", [b"001e# service=git-upload-pack\n0000".as_slice(), &refs].concat())
        }
        ("POST", "/me/lab.git/git-upload-pack", None) => answer("result", upload_pack(repository, &[], body).await),
        _ => plain(404),
    }
}

fn answer(kind: &str, body: Vec<u8>) -> Response {
    let kind = format!("application/x-git-upload-pack-{kind}");
    Response::builder().header(CONTENT_TYPE, kind).body(Body::from(body)).unwrap()
}

async fn upload_pack(repository: PathBuf, options: &'static [&'static str], input: Bytes) -> Vec<u8> {
    let run = move || {
        let mut child = Command::new("git")
            .args(["upload-pack", "--stateless-rpc"])
            .args(options)
            .arg(repository)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need git");
        child.stdin.take().unwrap().write_all(&input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}
