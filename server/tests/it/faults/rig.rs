//! The world of one test: a repository, an Engine, a database, a clock, and one process after the other.
//!
//! Over a simulated Engine everything happens in one thread on a paused clock: an hour passes when nobody has anything
//! left to do. Over a real one the same code runs in real time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use release_manager::manager::{Manager, Ports, Settings};
use release_manager::names::{DeploymentId, EnvironmentName};
use release_manager::pipeline::{Environment, Mode, OnDrift, OnFailure, Pipeline};
use release_manager::ports::Swarm;
use release_manager::testing::FakeSource;
use serde_json::Value;
use server::SystemClock;
use server::auth::{AuthSettings, Doorkeeper};
use server::http::{Gate, Parts, Webhooks, router};
use server::store::{OpenError, Store};
use server::swarm::{DockerSwarm, Registries};
use simulator::{NodeOptions, Options, Simulator};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::canary;
use super::engine::{Engine, stranger};
use super::life::{Busy, Holds, Life, MortalLedger, MortalSwarm, Wall};
use super::recorder::Recorder;
use super::stack;

/// How long anything may take before a test says that it never came. Of the clock that the test runs on.
const PATIENCE: Duration = Duration::from_mins(25);

/// How a world differs from the usual one.
pub(super) struct Terms {
    pub(super) nodes: usize,
    pub(super) task_history: usize,
    pub(super) stability: Duration,
    pub(super) timeout: Duration,
    pub(super) health: Duration,
    pub(super) seed: u64,
    /// What both environments do when a deployment has failed, and when somebody changes what they run.
    pub(super) on_failure: OnFailure,
    pub(super) on_drift: OnDrift,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            nodes: 1,
            task_history: 5,
            stability: Duration::from_secs(10),
            timeout: Duration::from_mins(5),
            health: Duration::from_secs(30),
            seed: 1,
            on_failure: OnFailure::Keep,
            on_drift: OnDrift::Report,
        }
    }
}

/// A running process.
struct Process {
    manager: Arc<Manager>,
    ledger: Arc<MortalLedger>,
    store: Arc<Store>,
    life: Life,
    stop: CancellationToken,
}

/// The world.
pub(super) struct Rig {
    pub(super) engine: Engine,
    pub(super) simulator: Option<Simulator>,
    pub(super) source: Arc<FakeSource>,
    pub(super) wall: Arc<Wall>,
    pub(super) holds: Arc<Holds>,
    pub(super) full: Arc<AtomicBool>,
    /// What the judge is given by a real Engine, where that is to be kept.
    pub(super) recorder: Option<Arc<Recorder>>,
    home: TempDir,
    /// Where the credentials for registries are.
    logins: TempDir,
    prefix: String,
    docker_host: Option<String>,
    settings: Settings,
    process: Option<Process>,
    known_files: Vec<String>,
    engine_runs: Option<DropGuard>,
}

impl Rig {
    /// A world with a simulated Engine, on the clock of the runtime that it is made in.
    pub(super) fn simulated(terms: &Terms) -> Self {
        let nodes = (1..=terms.nodes).map(|number| NodeOptions::new(format!("swarm-{number}"), number == 1));
        let simulator = Simulator::new(Options {
            nodes: nodes.collect(),
            task_history_limit: terms.task_history,
            seed: Some(terms.seed),
            ..Options::default()
        });
        let stop = CancellationToken::new();
        let engine = simulator.clone();
        let stopped = stop.clone();
        tokio::spawn(async move { engine.run(stopped).await });
        let mut rig = Self::new(Engine::Simulated(simulator.clone()), "lab".to_owned(), terms);
        rig.simulator = Some(simulator);
        rig.engine_runs = Some(stop.drop_guard());
        rig
    }

    /// A world with a real Engine, in stacks whose names begin with `prefix`. The process reaches it at `host`, the test
    /// at `behind`.
    pub(super) fn docker(host: &str, behind: &str, prefix: String, terms: &Terms) -> Self {
        let socket = PathBuf::from(behind.strip_prefix("unix://").expect("an Engine behind a socket"));
        let mut rig = Self::new(Engine::Socket(socket), prefix, terms);
        rig.docker_host = Some(host.to_owned());
        rig.recorder = Recorder::new(terms.stability, terms.timeout);
        rig
    }

    fn new(engine: Engine, prefix: String, terms: &Terms) -> Self {
        canary::listen();
        let logins = tempfile::tempdir_in(memory_disk()).unwrap();
        canary::write_login(logins.path());
        Self {
            engine,
            simulator: None,
            source: Arc::default(),
            wall: Arc::new(Wall::new()),
            holds: Arc::default(),
            full: Arc::new(AtomicBool::new(false)),
            recorder: None,
            home: tempfile::tempdir_in(memory_disk()).unwrap(),
            logins,
            docker_host: None,
            settings: settings(&prefix, terms),
            prefix,
            process: None,
            known_files: Vec::new(),
            engine_runs: None,
        }
    }

    pub(super) fn simulator(&self) -> &Simulator {
        self.simulator.as_ref().expect("only a simulated Engine can do this")
    }

    /// The full name of a service: of preprod unless it names its environment (`prod/web`).
    pub(super) fn full_name(&self, service: &str) -> String {
        let (environment, service) = service.split_once('/').unwrap_or(("preprod", service));
        format!("{}-{environment}_{service}", self.prefix)
    }

    /// What the names of the stacks of this world begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The full name of a service that is nobody's business.
    pub(super) fn stranger(&self) -> String {
        format!("stranger-{}_app", self.prefix)
    }

    /// Makes that service, unless it is there.
    pub(super) async fn plant_stranger(&self) {
        if !self.engine.services().await.contains_key(&self.stranger()) {
            self.engine.create(&stranger(&self.stranger())).await;
        }
    }

    /// Where the files of this world are.
    pub(super) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    pub(super) fn database(&self) -> PathBuf {
        self.home.path().join("ledger.db")
    }

    /// Commits the stack that is written in short, for both environments.
    pub(super) fn push(&mut self, short: &str) {
        let mut files = stack::files(short);
        files.insert("env/.env.preprod".to_owned(), "LAB=1\n".to_owned());
        files.insert("env/.env.prod".to_owned(), "LAB=1\n".to_owned());
        let gone = self.known_files.iter().filter(|known| !files.contains_key(*known));
        let mut changes: Vec<(&str, Option<&str>)> = gone.map(|path| (path.as_str(), None)).collect();
        changes.extend(files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))));
        self.source.commit(short, &changes);
        self.known_files = files.into_keys().collect();
        if let Some(process) = &self.process {
            process.manager.look_now();
        }
    }

    /// Starts a process, unless one runs.
    pub(super) async fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        let life = Life::new(&self.holds, &self.full);
        let store = Arc::new(open(&self.database()).await);
        let ledger = Arc::new(MortalLedger::new(Arc::<Store>::clone(&store), life.clone(), self.recorder.clone()));
        let swarm = Arc::new(MortalSwarm { inner: self.swarm(), life: life.clone(), recorder: self.recorder.clone() });
        let ports = Ports {
            source: Arc::<FakeSource>::clone(&self.source),
            swarm,
            elsewhere: std::collections::BTreeMap::new(),
            ledger: Arc::<MortalLedger>::clone(&ledger),
            clock: Arc::<Wall>::clone(&self.wall),
        };
        let stop = CancellationToken::new();
        let manager = Manager::new(ports, self.settings.clone(), stop.clone()).await.expect("the manager is made");
        let manager = Arc::new(manager);
        manager.start().await.expect("the manager starts");
        self.process = Some(Process { manager, ledger, store, life, stop });
    }

    fn swarm(&self) -> Arc<dyn Swarm> {
        let logins = Registries::in_directory(self.logins.path()).for_nodes();
        match (&self.simulator, &self.docker_host) {
            (Some(simulator), _) => {
                let simulator = simulator.clone();
                let swarm = DockerSwarm::within("the simulated Engine", Arc::new(move || simulator.connect()));
                Arc::new(swarm.with_registries(logins))
            }
            (None, Some(host)) => Arc::new(DockerSwarm::connect(host).unwrap().with_registries(logins)),
            (None, None) => unreachable!("a world has an Engine"),
        }
    }

    /// Ends the process as `kill -9` does.
    pub(super) async fn crash(&mut self) {
        let Some(process) = self.process.take() else { return };
        process.life.end();
        process.ledger.close();
        // What the dead process was in the middle of lets go of the file once it has noticed its death.
        for _ in 0..1_000 {
            if Arc::strong_count(&process.store) == 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.holds.clear();
    }

    /// Ends the process as SIGTERM does.
    pub(super) async fn stop(&mut self) {
        let Some(process) = self.process.take() else { return };
        process.stop.cancel();
        process.manager.stop().await;
        {
            let _busy = Busy::begin();
            process.store.close().await;
        }
        process.life.end();
        process.ledger.close();
    }

    pub(super) fn runs(&self) -> bool {
        self.process.is_some()
    }

    pub(super) fn manager(&self) -> Arc<Manager> {
        Arc::clone(&self.process.as_ref().expect("a process runs").manager)
    }

    /// An answer of the REST API.
    pub(super) async fn rest(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.page(path).await;
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// What a browser is told: by a whole router over the running process.
    pub(super) async fn page(&self, path: &str) -> (u16, Vec<u8>) {
        let process = self.process.as_ref().expect("a process runs");
        let answered = CancellationToken::new();
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        let keeper =
            Doorkeeper::new(Arc::clone(&process.store), Arc::new(SystemClock)).expect("passwords can be hashed");
        let parts = Parts {
            gate: Gate::new(Arc::new(keeper), AuthSettings::open(), listen).expect("a gate"),
            store: Arc::clone(&process.store),
            metrics: Arc::default(),
            webhooks: Webhooks::start(&process.manager, Some(canary::WEBHOOK.into()), answered.clone()),
            tasks: TaskTracker::new(),
            stop: answered.clone(),
            listen,
            told: Vec::new(),
        };
        let _busy = Busy::begin();
        let request = Request::get(path).header("host", "127.0.0.1:8080").body(Body::empty()).unwrap();
        let answer = router(Arc::clone(&process.manager), parts).oneshot(request).await.expect("the router answers");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("the answer ends").to_bytes();
        answered.cancel();
        (status, body.to_vec())
    }

    /// Lets time pass until something holds; looks at it every so often.
    pub(super) async fn until(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let every = if self.simulator.is_some() { 500 } else { 200 };
        // Longer than a deployment may take.
        let patience = if self.simulator.is_some() { PATIENCE } else { Duration::from_mins(6) };
        let began = tokio::time::Instant::now();
        while !holds(self).await {
            if began.elapsed() > patience {
                let live = self.process.as_ref().map(|process| format!("{:#?}", process.manager.live().borrow()));
                panic!("it never came: {what}; {}", live.unwrap_or_else(|| "no process runs".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(every)).await;
        }
    }

    /// Waits until a deployment is over, in the ledger and on the pages.
    pub(super) async fn ended(&self, id: i64) {
        self.until(&format!("the end of deployment {id}"), async |rig: &Self| {
            let Some(process) = &rig.process else { return false };
            let shown = process.manager.deployment(DeploymentId(id)).await;
            shown.is_ok_and(|shown| {
                shown.deployment.ended.is_some() && shown.progress.is_none_or(|progress| progress.status.is_final())
            })
        })
        .await;
        // The permit is given back right after.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    /// Waits until a deployment has been accepted.
    pub(super) async fn begun(&self, id: i64) {
        self.until(&format!("the beginning of deployment {id}"), async |rig: &Self| {
            rig.manager().deployment(DeploymentId(id)).await.is_ok()
        })
        .await;
    }
}

/// Opens the database. The file of a process that was killed is let go by the kernel in its own time.
async fn open(path: &std::path::Path) -> Store {
    let _busy = Busy::begin();
    for _ in 0..500 {
        match Store::open(path).await {
            Ok(store) => return store,
            Err(OpenError::InUse { .. }) => std::thread::sleep(Duration::from_millis(2)),
            Err(error) => panic!("{error}"),
        }
        tokio::task::yield_now().await;
    }
    panic!("{} is never let go", path.display());
}

/// A directory without a disk behind it, where there is one: thousands of flushes cost time.
fn memory_disk() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    if shm.is_dir() { shm } else { std::env::temp_dir() }
}

pub(super) fn name(environment: &str) -> EnvironmentName {
    environment.parse().unwrap()
}

fn settings(prefix: &str, terms: &Terms) -> Settings {
    let environment = |stage: &str, mode, from: Option<&str>| Environment {
        name: name(stage),
        mode,
        stack: format!("{prefix}-{stage}").parse().unwrap(),
        env_file: format!("env/.env.{stage}").parse().unwrap(),
        stack_files: vec!["stack.yml".parse().unwrap()],
        promotes_from: from.map(name),
        on_failure: terms.on_failure,
        on_drift: terms.on_drift,
        allow_rewind: false,
    };
    let environments =
        vec![environment("preprod", Mode::Auto, None), environment("prod", Mode::Manual, Some("preprod"))];
    Settings {
        pipeline: Pipeline::new(environments).unwrap(),
        poll_interval: Duration::from_mins(1),
        health_interval: terms.health,
        deployment_timeout: terms.timeout,
        stability: terms.stability,
        bind_base: None,
        demo: None,
    }
}
