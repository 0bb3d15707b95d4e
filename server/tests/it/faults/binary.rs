//! The real program, killed by the kernel: SIGKILL while the Engine holds one of its calls, before the work is done and
//! after it.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use simulator::{Fault, Trouble};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::oracle::{Database, Oracle};
use super::rig::{Rig, Terms};
use super::{show, stack};
use crate::fake_github::FakeGitHub;

/// How long one deployment may take, from the push.
const PATIENCE: Duration = Duration::from_secs(90);

/// A repository, an Engine behind a socket, and the program.
struct Scene {
    rig: Rig,
    github: FakeGitHub,
    socket: std::path::PathBuf,
    port: u16,
    _engine: tokio_util::sync::DropGuard,
}

impl Scene {
    async fn new() -> Self {
        let rig = Rig::simulated(&Terms::default());
        let socket = rig.home().join("engine.sock");
        let stop = CancellationToken::new();
        let listening = rig.simulator().listen(&socket).await.unwrap();
        tokio::spawn(listening.run(stop.clone()));
        let github = FakeGitHub::start().await;
        // Free a moment ago; whoever takes it meanwhile makes the test fail loudly.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        Self { rig, github, socket, port, _engine: stop.drop_guard() }
    }

    fn start(&self) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.rig.home().join("log")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_release-manager"))
            .arg("serve")
            .env_clear()
            .env("GITHUB_REPO", "me/homelab")
            .env("GITHUB_API_URL", self.github.url().as_str())
            .env("GITHUB_TOKEN", crate::fake_github::TOKEN)
            .env("STACK_FILE", "stack.yml")
            .env("STACK_NAME", "lab")
            .env("DOCKER_HOST", format!("unix://{}", self.socket.display()))
            .env("DATABASE_PATH", self.rig.database())
            .env("POLL_INTERVAL_SECONDS", "2")
            .env("STABILITY_SECONDS", "1")
            .env("HEALTH_CHECK_INTERVAL_SECONDS", "1")
            .env("WEB_PORT", self.port.to_string())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts")
    }

    fn push(&self, short: &str) {
        let mut files = stack::files(short);
        files.insert("env/.env.preprod".to_owned(), "LAB=1\n".to_owned());
        files.insert("env/.env.prod".to_owned(), "LAB=1\n".to_owned());
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        self.github.push(short, &files);
    }

    /// Waits until a deployment is over, as an SQL shell sees it.
    async fn ended(&self, id: i64) {
        let waiting = async {
            loop {
                if self.rig.database().exists() {
                    let database = Database::open(&self.rig).await;
                    let closed = database.texts("select attempt from seals order by position").await;
                    if closed.contains(&id.to_string()) {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let log = std::fs::read_to_string(self.rig.home().join("log")).unwrap_or_default();
            panic!("deployment {id} never ended; the log:\n{log}");
        }
    }
}

/// Kills the program at the n-th call of a kind during one deployment after the other, each time before and after the
/// work is done.
async fn killed_at(calls: &[(&str, &str, u32)]) {
    let scene = Scene::new().await;
    let mut oracle = Oracle::new(&scene.rig).await;
    scene.push("db app:2; web app:2 after=db config=motd:0");
    let mut program = scene.start();
    scene.ended(1).await;
    let mut id = 1;
    for (method, path, after) in calls {
        for trouble in [Trouble::Hang, Trouble::Swallow] {
            id += 1;
            let version = 1 + id % 2;
            let mut met = scene.rig.simulator().faults_met();
            met.mark_unchanged();
            scene.rig.simulator().inject(Fault::next(method, path, trouble.clone()).after(*after));
            scene.push(&format!("db app:{version}; web app:{version} after=db config=motd:{id}"));
            let reached = tokio::time::timeout(PATIENCE, met.changed()).await.is_ok();
            assert!(reached, "{method} {path} {after} never came");
            // The call is held; for a write that is done the world goes on meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            program.start_kill().expect("it can be killed");
            program.wait().await.expect("it is dead");
            scene.rig.simulator().clear_faults();
            program = scene.start();
            scene.ended(id).await;
            oracle.at_end(&scene.rig, id).await;
            let record = show::record(&scene.rig).await;
            let last = record.lines().last().unwrap_or_default();
            let before = 1 + (id - 1) % 2;
            let expected =
                format!("{id} preprod sync success: db {before}>{version} succeeded, web {before}>{version} succeeded");
            assert_eq!(last, expected, "killed at {method} {path} {after} {trouble:?}");
        }
    }
    oracle.at_rest(&scene.rig).await;
    program.start_kill().expect("it can be killed");
    no_secret_is_left(&scene);
}

/// NL-6: the token is in no file that the program has left, its log among them.
fn no_secret_is_left(scene: &Scene) {
    for file in std::fs::read_dir(scene.rig.home()).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let token = crate::fake_github::TOKEN.as_bytes();
        let found = bytes.windows(token.len()).any(|window| window == token);
        assert!(!found, "NL-6: the token stands in {}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_is_killed_at_each_write() {
    killed_at(&[("POST", "/configs/create", 0), ("POST", "/update", 0), ("POST", "/update", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make faults"]
async fn the_program_is_killed_at_each_call() {
    let mut calls = vec![("POST", "/configs/create", 0), ("POST", "/update", 0), ("POST", "/update", 1)];
    calls.extend((0..12).map(|after| ("GET", "/services", after)));
    calls.extend((0..8).map(|after| ("GET", "/tasks", after)));
    killed_at(&calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_program_on_the_same_database_ends_and_starts_once_the_first_is_dead() {
    let scene = Scene::new().await;
    scene.push("web app:1");
    let mut first = scene.start();
    scene.ended(1).await;
    let number = first.id().expect("it runs");
    let ended = tokio::time::timeout(PATIENCE, scene.start().wait()).await.expect("it does not stay").unwrap();
    let log = std::fs::read_to_string(scene.rig.home().join("log")).unwrap();
    assert_eq!(ended.code(), Some(75), "{log}");
    assert!(log.contains(&format!("is in use by process {number}")), "it names the other one: {log}");
    first.kill().await.unwrap();
    let _second = scene.start();
    scene.push("web app:2");
    scene.ended(2).await;
    let record = show::record(&scene.rig).await;
    assert!(record.ends_with("2 preprod sync success: web 1>2 succeeded\n"), "{record}");
}
