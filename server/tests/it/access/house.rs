//! A server with a login, and visitors to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use release_manager::access::throttle::Allowance;
use release_manager::access::{Accounts, Grant, NewToken, NewUser, Principal, Role, Scope};
use release_manager::manager::{Manager, Ports, Settings};
use release_manager::testing::{FakeSource, FakeSwarm, TestClock};
use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use server::auth::{Auth, AuthSettings, Doorkeeper};
use server::config::default_pipeline;
use server::http::{Gate, Parts, Webhooks, router};
use server::store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) const PASSWORD: &str = "correct horse battery";

/// A server, a clock that only tests move, and a database of its own.
pub(super) struct House {
    pub(super) clock: Arc<TestClock>,
    pub(super) store: Arc<Store>,
    pub(super) keeper: Arc<Doorkeeper>,
    /// It knows a Swarm, but has not begun to watch it.
    pub(super) manager: Arc<Manager>,
    pub(super) swarm: Arc<FakeSwarm>,
    pub(super) router: axum::Router,
    pub(super) home: TempDir,
    pub(super) tasks: TaskTracker,
    base: String,
    client: Client,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Settings with a login, as on a network, for tests that ask a lot.
pub(super) fn patient() -> AuthSettings {
    let all = Allowance { burst: 1_000_000, per_second: 1_000_000 };
    AuthSettings { auth: Auth::Login, reads: all, writes: all, ..AuthSettings::open() }
}

impl House {
    pub(super) async fn new() -> Self {
        Self::with(patient()).await
    }

    pub(super) async fn with(settings: AuthSettings) -> Self {
        // Only this client needs a default; a second start finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let home = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&home.path().join("release-manager.db")).await.unwrap());
        let (clock, stop) = (Arc::new(TestClock::default()), CancellationToken::new());
        let swarm = Arc::new(FakeSwarm::default());
        let ports = Ports {
            source: Arc::new(FakeSource::default()),
            swarm: Arc::<FakeSwarm>::clone(&swarm),
            elsewhere: std::collections::BTreeMap::new(),
            ledger: Arc::<Store>::clone(&store),
            clock: Arc::<TestClock>::clone(&clock),
        };
        let manager = Arc::new(Manager::new(ports, manager_settings(), stop.clone()).await.unwrap());
        let keeper = Arc::new(Doorkeeper::new(Arc::clone(&store), Arc::<TestClock>::clone(&clock)).unwrap());
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let tasks = TaskTracker::new();
        let surface = Parts {
            gate: Gate::new(Arc::clone(&keeper), settings, address).unwrap(),
            store: Arc::clone(&store),
            metrics: Arc::default(),
            webhooks: Webhooks::start(&manager, Some("s3cret".to_owned().into()), stop.clone()),
            tasks: tasks.clone(),
            stop: stop.clone(),
            listen: address,
            told: Vec::new(),
        };
        let router = router(Arc::clone(&manager), surface);
        let serving = tokio::spawn(server::http::serve(listener, router.clone(), stop.clone()));
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let base = format!("http://{address}");
        Self { clock, store, keeper, manager, swarm, router, home, tasks, base, client, stop, serving }
    }

    pub(super) async fn user(&self, name: &str, grant: Grant) {
        let password = Some(PASSWORD.to_owned());
        self.keeper.add_user(NewUser { name: name.parse().unwrap(), grant, password }).await.unwrap();
    }

    pub(super) async fn token(&self, name: &str, grant: Grant) -> String {
        let new = NewToken { name: name.parse().unwrap(), grant, expires_at: None };
        self.keeper.create_token(&Principal::anybody(), new).await.unwrap().secret
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A change, as a browser sends it from a page of ours.
    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).header("sec-fetch-site", "same-origin")
    }

    /// Sends the form of the login.
    pub(super) async fn log_in(&self, name: &str, password: &str, cookies: &str) -> Response {
        let body = format!("name={name}&password={}", password.replace(' ', "+"));
        let form = self.post("/login").header("content-type", "application/x-www-form-urlencoded").body(body);
        form.header(COOKIE, cookies).send().await.unwrap()
    }

    /// Logs in and returns what the browser sends from then on.
    pub(super) async fn session(&self, name: &str) -> String {
        let answer = self.log_in(name, PASSWORD, "").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        cookies(answer.headers())
    }

    /// Who the cookies open the door for.
    pub(super) async fn who(&self, cookies: &str) -> StatusCode {
        self.get("/api/me").header(COOKIE, cookies).send().await.unwrap().status()
    }

    pub(super) async fn close(self) {
        self.stop.cancel();
        drop(self.client);
        self.serving.await.unwrap().unwrap();
        self.store.close().await;
    }
}

/// What a browser sends back of the cookies that it was given.
pub(super) fn cookies(headers: &HeaderMap) -> String {
    let given = headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
    given.collect::<Vec<_>>().join("; ")
}

pub(super) fn everywhere(role: Role) -> Grant {
    Grant::everywhere(role)
}

pub(super) fn only(environment: &str) -> Grant {
    Grant::new(Role::Deployer, Scope::of([environment.parse().unwrap()])).unwrap()
}

fn manager_settings() -> Settings {
    Settings {
        pipeline: default_pipeline(&["stack.yml".parse().unwrap()], "lab").unwrap(),
        poll_interval: Duration::from_mins(1),
        health_interval: Duration::from_mins(1),
        deployment_timeout: Duration::from_mins(1),
        stability: Duration::from_secs(1),
        bind_base: None,
        demo: None,
    }
}
