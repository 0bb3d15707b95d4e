//! The real program, with a repository and a simulated Engine of its own.

use std::net::TcpListener;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::engines::{self, Simulated};
use crate::fake_github::{FakeGitHub, TOKEN};

/// How long a test waits for something to come true.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A repository of one service, in the files of both environments.
pub(crate) const HOMELAB: [(&str, &str); 3] = [
    ("docker-swarm-stack.yml", "services: {web: {image: 'app:${WEB_VERSION}'}}\n"),
    ("env/.env.preprod", "WEB_VERSION=1\n"),
    ("env/.env.prod", "WEB_VERSION=1\n"),
];

/// A client that follows nobody anywhere.
pub(crate) fn client() -> Client {
    // Only this client needs a default; a second start finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).build().unwrap()
}

/// The program, and what it works with. It ends with the test.
pub(crate) struct Program {
    pub(crate) home: TempDir,
    pub(crate) github: FakeGitHub,
    pub(crate) base: String,
    child: Child,
    _engine: Simulated,
}

impl Program {
    /// Starts it in a directory, with these files in the repository and these settings besides those that it needs.
    pub(crate) async fn start(home: TempDir, files: &[(&str, &str)], settings: &[(&str, &str)]) -> Self {
        let (github, engine) = (FakeGitHub::start().await, engines::simulated().await);
        github.push("Start the homelab", files);
        // Free a moment ago; whoever takes it meanwhile makes the test fail loudly.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_release-manager"))
            .arg("serve")
            .env_clear()
            .env("GITHUB_REPO", "me/homelab")
            .env("GITHUB_API_URL", github.url().as_str())
            .env("GITHUB_TOKEN", TOKEN)
            .env("DOCKER_HOST", engine.host())
            .env("DATABASE_PATH", home.path().join("release-manager.db"))
            .env("POLL_INTERVAL_SECONDS", "2")
            .env("STABILITY_SECONDS", "1")
            .env("WEB_HOST", "127.0.0.1")
            .env("WEB_PORT", port.to_string())
            .envs(settings.iter().copied())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        Self { home, github, base: format!("http://127.0.0.1:{port}"), child, _engine: engine }
    }

    /// Waits until it listens.
    pub(crate) async fn listening(&self) {
        let client = client();
        let waiting = async {
            while client.get(format!("{}/healthz", self.base)).send().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(came, "it does not listen:\n{}", self.log());
    }

    /// Waits until the answer to a question is as wanted.
    pub(crate) async fn until(&self, what: &str, ask: impl AsyncFn() -> Response, wanted: impl Fn(&str) -> bool) {
        let waiting = async {
            while !wanted(&ask().await.text().await.unwrap()) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(came, "never came: {what}\n{}", self.log());
    }

    /// Everything that it has written so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// Sends it a signal.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    /// Tells it to end, as a Swarm does, and waits for that.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("-TERM").await;
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }
}
