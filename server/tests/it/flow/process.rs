//! A whole Release Manager inside the test: real SQLite, real router on loopback, real adapters.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use release_manager::live::Live;
use release_manager::manager::{Manager, Ports, Settings};
use release_manager::pipeline::{Environment, Mode, OnDrift, OnFailure, Pipeline};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use server::SystemClock;
use server::auth::{AuthSettings, Doorkeeper};
use server::http::{Gate, Parts, Webhooks, router};
use server::source::{GitHub, GitHubSettings};
use server::store::Store;
use server::swarm::DockerSwarm;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a test waits for something to come true before it says what stood instead.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running process.
pub(super) struct Process {
    pub(super) manager: Arc<Manager>,
    store: Arc<Store>,
    base: String,
    client: Client,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Process {
    /// Starts on a database, an Engine and a source.
    pub(super) async fn start(
        database: &Path,
        docker_host: &str,
        github: GitHubSettings,
        stack: &str,
        on_failure: OnFailure,
    ) -> Self {
        // Only this client needs a default; a second start finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stop = CancellationToken::new();
        let store = Arc::new(Store::open(database).await.expect("the database opens"));
        let ports = Ports {
            source: Arc::new(GitHub::new(github).expect("the settings are right")),
            swarm: Arc::new(DockerSwarm::connect(docker_host).expect("the address is right")),
            elsewhere: std::collections::BTreeMap::new(),
            ledger: Arc::<Store>::clone(&store),
            clock: Arc::new(SystemClock),
        };
        let manager =
            Manager::new(ports, settings(stack, on_failure), stop.clone()).await.expect("the manager is made");
        let manager = Arc::new(manager);
        manager.start().await.expect("the manager starts");
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let keeper = Doorkeeper::new(Arc::clone(&store), Arc::new(SystemClock)).expect("passwords can be hashed");
        let surface = Parts {
            gate: Gate::new(Arc::new(keeper), AuthSettings::open(), address).expect("a gate"),
            store: Arc::clone(&store),
            metrics: Arc::default(),
            webhooks: Webhooks::start(&manager, Some("s3cret".to_owned().into()), stop.clone()),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
            listen: address,
            told: Vec::new(),
        };
        let app = router(Arc::clone(&manager), surface);
        let serving = tokio::spawn(server::http::serve(listener, app, stop.clone()));
        Self { manager, store, base: format!("http://{address}"), client: Client::new(), stop, serving }
    }

    /// Stops as SIGTERM does.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.manager.stop().await;
        drop(self.client);
        self.serving.await.expect("it does not panic").expect("it serves to the end");
        self.store.close().await;
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let response = self.client.get(format!("{}{path}", self.base)).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.expect("JSON")
    }

    pub(super) async fn answer(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).send().await.expect("an answer")
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let response = self.client.post(format!("{}{path}", self.base)).json(body).send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    /// Waits until the live state is as wanted.
    pub(super) async fn until(&self, what: &str, reached: impl Fn(&Live) -> bool) {
        let mut live = self.manager.live();
        let came = tokio::time::timeout(PATIENCE, live.wait_for(|live| reached(live))).await.is_ok();
        assert!(came, "never came: {what}; {:#?}", self.manager.live().borrow());
    }

    /// Waits until an environment runs these versions, as `GET /api/environments` tells it.
    pub(super) async fn until_running(&self, environment: &str, versions: &Value) {
        let mut live = self.manager.live();
        let waiting = async {
            while self.get("/api/environments").await[environment]["services"] != *versions {
                live.changed().await.expect("the manager lives");
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let now = self.get("/api/environments").await;
            panic!("{environment} never ran {versions}; {now}; {:#?}", self.manager.live().borrow());
        }
    }
}

fn settings(stack: &str, on_failure: OnFailure) -> Settings {
    let environment = |name: &str, mode, from: Option<&str>| Environment {
        name: name.parse().expect("a name"),
        mode,
        stack: format!("{stack}-{name}").parse().expect("a name"),
        env_file: format!("env/.env.{name}").parse().expect("a path"),
        stack_files: vec!["docker-swarm-stack.yml".parse().expect("a path")],
        promotes_from: from.map(|from| from.parse().expect("a name")),
        on_failure,
        on_drift: OnDrift::Report,
        allow_rewind: false,
    };
    let environments =
        vec![environment("preprod", Mode::Auto, None), environment("prod", Mode::Manual, Some("preprod"))];
    Settings {
        pipeline: Pipeline::new(environments).expect("a pipeline"),
        poll_interval: Duration::from_millis(300),
        health_interval: Duration::from_secs(2),
        deployment_timeout: Duration::from_secs(90),
        stability: Duration::from_secs(1),
        bind_base: None,
        demo: None,
    }
}
