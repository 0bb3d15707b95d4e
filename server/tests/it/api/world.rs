//! A whole Release Manager without sockets: requests go to the router as they would come off the wire.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use release_manager::manager::{Manager, Ports, Settings};
use release_manager::testing::FakeSource;
use serde_json::Value;
use server::SystemClock;
use server::auth::{AuthSettings, Doorkeeper};
use server::config::default_pipeline;
use server::http::{Gate, Parts, Webhooks, router};
use server::metrics::Metrics;
use server::store::Store;
use server::swarm::DockerSwarm;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::engines::{self, Simulated};

const STACK: &str = "
services:
  web:
    image: app:${WEB_VERSION}
  worker:
    image: app:${WORKER_VERSION}
";
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// Everything that runs.
pub(super) struct World {
    pub(super) manager: Arc<Manager>,
    pub(super) store: Arc<Store>,
    pub(super) source: Arc<FakeSource>,
    router: Router,
    tasks: TaskTracker,
    _engine: Option<Simulated>,
    _home: TempDir,
}

impl World {
    /// Version 1 of both services is in both environments' files, and is deployed to preprod by itself.
    pub(super) async fn new() -> Self {
        let engine = engines::simulated().await;
        let host = engine.host();
        Self::on(&host, Some(engine)).await
    }

    /// The same without an Engine.
    pub(super) async fn without_engine() -> Self {
        Self::on("unix:///nowhere/docker.sock", None).await
    }

    async fn on(docker_host: &str, engine: Option<Simulated>) -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&home.path().join("release-manager.db")).await.unwrap());
        let source = Arc::new(FakeSource::default());
        source.commit(
            "Start the homelab",
            &[
                ("docker-swarm-stack.yml", Some(STACK)),
                ("env/.env.preprod", Some("WEB_VERSION=1\nWORKER_VERSION=1\n")),
                ("env/.env.prod", Some("WEB_VERSION=1\nWORKER_VERSION=1\n")),
            ],
        );
        let ports = Ports {
            source: Arc::<FakeSource>::clone(&source),
            swarm: Arc::new(DockerSwarm::connect(docker_host).unwrap()),
            elsewhere: std::collections::BTreeMap::new(),
            ledger: Arc::<Store>::clone(&store),
            clock: Arc::new(SystemClock),
        };
        let stop = CancellationToken::new();
        let manager = Arc::new(Manager::new(ports, settings(), stop.clone()).await.unwrap());
        manager.start().await.unwrap();
        let tasks = TaskTracker::new();
        let keeper = Doorkeeper::new(Arc::clone(&store), Arc::new(SystemClock)).unwrap();
        let listen = ([127, 0, 0, 1], 8080).into();
        let surface = Parts {
            gate: Gate::new(Arc::new(keeper), AuthSettings::open(), listen).unwrap(),
            store: Arc::clone(&store),
            metrics: Arc::new(Metrics::new()),
            webhooks: Webhooks::start(&manager, Some("s3cret".to_owned().into()), stop.clone()),
            tasks: tasks.clone(),
            stop,
            listen,
            told: Vec::new(),
        };
        let router = router(Arc::clone(&manager), surface);
        Self { manager, store, source, router, tasks, _engine: engine, _home: home }
    }

    /// Serves on a port of its own, until the test ends. Returns the address.
    pub(super) async fn listen(&self) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, self.router.clone()).into_future());
        format!("http://{address}")
    }

    /// Where the database lies.
    pub(super) fn database(&self) -> &Path {
        self.store.path()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The answer to a request, as it begins: for streams.
    pub(super) async fn open(&self, path: &str) -> axum::response::Response {
        self.router.clone().oneshot(request(Method::GET, path, &[], Body::empty())).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub(super) async fn get_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        self.send(request(Method::GET, path, headers, Body::empty())).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, body, &[]).await
    }

    pub(super) async fn post_with(&self, path: &str, body: &Value, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = request(Method::POST, path, headers, Body::from(body.to_string()));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.send(request).await
    }

    /// Waits until preprod has what the source says, and its services are healthy.
    pub(super) async fn until_preprod_runs(&self, web: &str) {
        let mut live = self.manager.live();
        let waiting = async {
            loop {
                let states = self.get("/api/environments").await.json();
                let health = self.get("/api/health").await.json();
                if states["preprod"]["services"]["web"] == web && health["preprod"]["web"]["status"] == "healthy" {
                    return;
                }
                live.changed().await.unwrap();
            }
        };
        let came = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(came, "preprod never ran web {web}: {:#?}", self.manager.live().borrow());
    }

    /// Waits until a deployment is over.
    pub(super) async fn until_over(&self, id: i64) -> Value {
        let mut live = self.manager.live();
        let waiting = async {
            loop {
                let known = self.get(&format!("/api/deployments/{id}")).await.json();
                if known["status"] != "in_progress" {
                    return known;
                }
                live.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the deployment ends")
    }

    /// Lets everything that runs come to its end.
    pub(super) async fn stop(self) {
        self.manager.stop().await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}

pub(super) fn request(method: Method, path: &str, headers: &[(&'static str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    request.headers_mut().insert("host", HeaderValue::from_static("localhost:8080"));
    for (name, value) in headers {
        request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    request
}

fn settings() -> Settings {
    let files = ["docker-swarm-stack.yml".parse().unwrap()];
    Settings {
        pipeline: default_pipeline(&files, "lab").unwrap(),
        // Long: a test that wants the source asked says so.
        poll_interval: Duration::from_hours(1),
        health_interval: Duration::from_secs(1),
        deployment_timeout: Duration::from_mins(1),
        stability: Duration::from_secs(1),
        bind_base: None,
        demo: None,
    }
}
