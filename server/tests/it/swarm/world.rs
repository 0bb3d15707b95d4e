//! A Swarm for one test: simulated, or the real one that `TEST_DOCKER_HOST` names.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use release_manager::engine::{LiveObject, LiveService, NAMESPACE_LABEL, Observation, Task, Write};
use release_manager::names::StackName;
use release_manager::ports::{Swarm, SwarmError};
use server::swarm::DockerSwarm;
use simulator::{Options, Simulator};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// How long a condition may take to come about. A real Engine on a busy machine is slow.
pub(super) const LIMIT: Duration = Duration::from_mins(1);
/// The label of the nodes of Swarms that tests may write to.
const TEST_LABEL: &str = "release-manager.test";

/// A Swarm, and a stack in it that belongs to one test.
pub(super) struct World {
    pub(super) swarm: DockerSwarm,
    pub(super) stack: StackName,
    pub(super) host: String,
    /// Connects once more.
    connect: std::sync::Arc<dyn Fn() -> DockerSwarm + Send + Sync>,
}

/// The real Engine to test against, if there is one.
pub(super) fn docker_host() -> Option<String> {
    std::env::var("TEST_DOCKER_HOST").ok().filter(|host| !host.is_empty())
}

impl World {
    fn new(host: String, test: &str) -> Self {
        let address = host.clone();
        Self::over(host, std::sync::Arc::new(move || DockerSwarm::connect(&address).unwrap()), test)
    }

    fn over(host: String, connect: std::sync::Arc<dyn Fn() -> DockerSwarm + Send + Sync>, test: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (test, std::process::id()).hash(&mut hasher);
        let stack = format!("t{:012x}", hasher.finish() & 0xffff_ffff_ffff).parse().unwrap();
        Self { swarm: connect(), stack, host, connect }
    }

    /// Runs a test against the real Engine; without one, does nothing.
    pub(super) async fn docker(test: &str, body: impl AsyncFnOnce(&Self)) {
        let Some(host) = docker_host() else { return };
        let world = Self::new(host, test);
        let nodes = world.swarm.live(&world.stack).await.unwrap().nodes;
        assert!(
            nodes.iter().any(|node| node.labels.get(TEST_LABEL).is_some_and(|value| value == "true")),
            "the Swarm at {} is not for tests: none of its nodes has the label {TEST_LABEL}=true",
            world.host
        );
        world.run(body).await;
    }

    /// A second stack in the same Swarm. Whoever asks for it cleans it.
    pub(super) fn neighbour(world: &Self) -> Self {
        let connect = std::sync::Arc::clone(&world.connect);
        Self::over(world.host.clone(), connect, &format!("the neighbour of {}", world.stack))
    }

    /// Runs a test against a simulated Engine of its own.
    pub(super) async fn simulated(test: &str, body: impl AsyncFnOnce(&Self)) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("docker.sock");
        let shutdown = CancellationToken::new();
        let engine = Simulator::new(Options::default()).listen(&socket).await.unwrap();
        let engine = tokio::spawn(engine.run(shutdown.clone()));
        Self::new(format!("unix://{}", socket.display()), test).run(body).await;
        shutdown.cancel();
        engine.await.unwrap().unwrap();
    }

    /// Runs a test against a simulated Engine within the process, on a clock that does not wait.
    pub(super) async fn within(test: &str, body: impl AsyncFnOnce(&Self)) {
        let (simulator, shutdown) = (Simulator::new(Options::default()), CancellationToken::new());
        let (engine, stopped) = (simulator.clone(), shutdown.clone());
        let running = tokio::spawn(async move { engine.run(stopped).await });
        let host = "within the process".to_owned();
        let connect = move || {
            let simulator = simulator.clone();
            DockerSwarm::within("within the process", std::sync::Arc::new(move || simulator.connect()))
        };
        Self::over(host, std::sync::Arc::new(connect), test).run(body).await;
        shutdown.cancel();
        running.await.unwrap();
    }

    async fn run(self, body: impl AsyncFnOnce(&Self)) {
        let result = AssertUnwindSafe(body(&self)).catch_unwind().await;
        self.clean().await;
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.stack)
    }

    pub(super) fn stack(&self) -> &str {
        self.stack.as_str()
    }

    pub(super) async fn apply(&self, write: Write) -> String {
        self.swarm.apply(&write).await.unwrap()
    }

    pub(super) async fn refused(&self, write: Write) -> SwarmError {
        self.swarm.apply(&write).await.expect_err("this write is to be refused")
    }

    /// The service as it is now.
    pub(super) async fn service(&self, name: &str) -> LiveService {
        let live = self.swarm.live(&self.stack).await.unwrap();
        live.services[&self.name(name)].clone()
    }

    /// Looks until the stack is as wanted: woken by changes, and now and then without, as not every change wakes.
    pub(super) async fn until(&self, what: &str, wanted: impl Fn(&Observation) -> bool) -> Observation {
        let deadline = Instant::now() + LIMIT;
        let mut changes = self.swarm.changes().await.unwrap();
        loop {
            let seen = match self.swarm.observe(&self.stack).await {
                Ok(seen) if wanted(&seen) => return seen,
                // A stack that does not hold still is one to look at again.
                seen @ (Ok(_) | Err(SwarmError::Unreadable { .. })) => seen,
                Err(error) => panic!("while waiting that {what}: {error}"),
            };
            assert!(Instant::now() < deadline, "it did not come about that {what}: {seen:#?}");
            let _ = timeout(Duration::from_millis(200), changes.next()).await;
        }
    }

    /// Looks until one task of the service is as wanted, and returns it.
    pub(super) async fn until_task(&self, what: &str, wanted: impl Fn(&Task) -> bool) -> Task {
        let seen = self.until(what, |seen| seen.tasks.iter().any(&wanted)).await;
        seen.tasks.into_iter().find(wanted).unwrap()
    }

    /// Looks until every service of the stack has a running task that matches its spec.
    pub(super) async fn until_running(&self) -> Observation {
        self.until("every service runs", |seen| {
            let runs = |task: &Task| seen.up_to_date.contains(&task.id) && task.state == "running";
            let is_up =
                |service: &LiveService| seen.tasks.iter().any(|task| task.service_id == service.id && runs(task));
            !seen.services.is_empty() && seen.services.values().all(is_up)
        })
        .await
    }

    /// Removes what belongs to the test. The Engine holds on to networks until the last task has ended.
    pub(super) async fn clean(&self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let live = self.swarm.live(&self.stack).await.unwrap();
            let mut writes: Vec<Write> =
                live.services.values().map(|service| Write::RemoveService { id: service.id.clone() }).collect();
            let mut remove = |objects: &std::collections::BTreeMap<String, LiveObject>, write: fn(String) -> Write| {
                let is_ours = |object: &&LiveObject| {
                    object.labels.get(NAMESPACE_LABEL).is_some_and(|stack| stack == self.stack.as_str())
                };
                writes.extend(objects.values().filter(is_ours).map(|object| write(object.id.clone())));
            };
            remove(&live.secrets, |id| Write::RemoveSecret { id });
            remove(&live.configs, |id| Write::RemoveConfig { id });
            remove(&live.networks, |id| Write::RemoveNetwork { id });
            if writes.is_empty() {
                return;
            }
            let mut last = None;
            for write in writes {
                last = self.swarm.apply(&write).await.err().or(last);
            }
            assert!(Instant::now() < deadline, "{} cannot be removed: {last:?}", self.stack);
            if last.is_some() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
