//! A directory with stack files, an Engine, and the program.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use release_manager::engine::LiveStack;
use release_manager::names::StackName;
use release_manager::ports::Swarm;
use server::swarm::DockerSwarm;
use simulator::{Behaviour, ImageRule, Options, Simulator};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engines;

/// What a run of the program left.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// One test's files and its Engine.
pub(super) struct Scene {
    pub(super) home: TempDir,
    pub(super) host: String,
    pub(super) stack: String,
    _engine: Option<DropGuard>,
}

impl Scene {
    /// No Engine: for what needs none.
    pub(super) fn without_engine() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, host: "unix:///nowhere/docker.sock".to_owned(), stack: "shop".to_owned(), _engine: None }
    }

    /// A simulated Engine of its own, where containers of `app:slow` take a minute to start.
    pub(super) async fn simulated() -> Self {
        let home = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let behaviour = Behaviour { start_ms: 60_000, ..Behaviour::default() };
        let slow = ImageRule { image: "app:slow".to_owned(), behaviour };
        let simulator = Simulator::new(Options { images: vec![slow], ..Options::default() });
        let socket = home.path().join("engine.sock");
        let listening = simulator.listen(&socket).await.unwrap();
        tokio::spawn(listening.run(stop.clone()));
        let host = format!("unix://{}", socket.display());
        Self { home, host, stack: "shop".to_owned(), _engine: Some(stop.drop_guard()) }
    }

    /// The real Engine, if there is one. Whoever asks for it takes the stack out with [`Scene::run`].
    pub(super) async fn docker(test: &str) -> Option<Self> {
        let host = engines::docker().await?;
        let home = tempfile::tempdir().unwrap();
        let stack = format!("cli-{test}-{}", std::process::id());
        Some(Self { home, host, stack, _engine: None })
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.home.path().join(name), text).unwrap();
    }

    /// A run of the program in the directory, with nothing in its environment but the Engine.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_release-manager"));
        command.arg("stack").args(arguments).current_dir(self.home.path()).env_clear();
        command.env("DOCKER_HOST", &self.host).env("HOME", self.home.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(super) async fn ran(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        Ran::new(&output)
    }

    /// Runs the program to its end, and insists on the exit code.
    #[track_caller]
    pub(super) fn expect(&self, arguments: &[&str], code: i32) -> impl Future<Output = Ran> {
        let caller = std::panic::Location::caller();
        async move {
            let ran = self.ran(arguments).await;
            assert_eq!(ran.code, code, "{caller}: {arguments:?}\n{}\n{}", ran.out, ran.err);
            ran
        }
    }

    /// Deploys the files, with a proof that does not take long.
    #[track_caller]
    pub(super) fn deploy(&self, switches: &[&str], code: i32) -> impl Future<Output = Ran> {
        let caller = std::panic::Location::caller();
        async move {
            let mut arguments = vec!["deploy", "--stability", "1", "--timeout", "100"];
            arguments.extend(switches);
            arguments.push(&self.stack);
            let ran = self.ran(&arguments).await;
            assert_eq!(ran.code, code, "{caller}: {arguments:?}\n{}\n{}", ran.out, ran.err);
            ran
        }
    }

    /// What is live of the stack.
    pub(super) async fn live(&self) -> LiveStack {
        let stack: StackName = self.stack.parse().unwrap();
        DockerSwarm::connect(&self.host).unwrap().live(&stack).await.unwrap()
    }

    /// `Version.Index` of every live service: the same numbers prove that nothing was written.
    pub(super) async fn versions(&self) -> Vec<(String, u64)> {
        self.live().await.services.into_iter().map(|(name, service)| (name, service.version)).collect()
    }

    /// The image of a service, as it is live.
    pub(super) async fn image(&self, service: &str) -> String {
        let live = self.live().await;
        let spec = &live.services[&format!("{}_{service}", self.stack)].spec;
        spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap().to_owned()
    }

    /// Runs a test to its end, good or bad, and takes the stack out.
    pub(super) async fn run(self, body: impl AsyncFnOnce(&Self)) {
        use futures::FutureExt;
        let ended = std::panic::AssertUnwindSafe(body(&self)).catch_unwind().await;
        let removed = self.ran(&["rm", "--timeout", "60", &self.stack]).await;
        match ended {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => assert_eq!(removed.code, 0, "{removed:?}"),
        }
    }

    /// Starts the program and reads its output up to a line with these words.
    pub(super) fn started(&self, arguments: &[&str], until: &str) -> Started {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut read = String::new();
        while !read.contains(until) {
            let count = out.read_line(&mut read).unwrap();
            if count == 0 {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("`{until}` did not come: {read}{err}");
            }
        }
        Started { child, out, read }
    }

    pub(super) fn path(&self) -> &Path {
        self.home.path()
    }
}

/// A run of the program that is not over.
pub(super) struct Started {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    read: String,
}

impl Started {
    /// Sends a signal, `INT` or `TERM`, and waits for the end.
    pub(super) fn signalled(mut self, signal: &str) -> Ran {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        assert!(sent.success());
        self.out.read_to_string(&mut self.read).unwrap();
        let mut ran = Ran::new(&self.child.wait_with_output().unwrap());
        ran.out = self.read;
        ran
    }
}
