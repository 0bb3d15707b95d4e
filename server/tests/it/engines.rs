//! Engines for whole flows: a simulated one of the test's own, or the real one that `TEST_DOCKER_HOST` names.

use release_manager::names::StackName;
use release_manager::ports::Swarm;
use server::swarm::DockerSwarm;
use simulator::{Options, Simulator};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A simulated Engine. It ends when it is dropped.
pub(crate) struct Simulated {
    home: TempDir,
    _stop: DropGuard,
}

impl Simulated {
    /// Its `DOCKER_HOST`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.home.path().join("engine.sock").display())
    }
}

/// Starts a simulated Engine.
pub(crate) async fn simulated() -> Simulated {
    let home = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let simulator = Simulator::new(Options::default());
    let listening = simulator.listen(home.path().join("engine.sock")).await.unwrap();
    tokio::spawn(listening.run(stop.clone()));
    Simulated { home, _stop: stop.drop_guard() }
}

/// The address of the real Engine, if there is one to test against. Its Swarm must be marked as one for tests.
pub(crate) async fn docker() -> Option<String> {
    let host = std::env::var("TEST_DOCKER_HOST").ok().filter(|host| !host.is_empty())?;
    let any: StackName = "any".parse().unwrap();
    let nodes = DockerSwarm::connect(&host).unwrap().live(&any).await.unwrap().nodes;
    let marked = |labels: &std::collections::BTreeMap<String, String>| {
        labels.get("release-manager.test").is_some_and(|value| value == "true")
    };
    assert!(nodes.iter().any(|node| marked(&node.labels)), "the Swarm at {host} is not marked as one for tests");
    Some(host)
}
