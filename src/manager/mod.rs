//! The questions and orders that pages, programs and the poller have.
//!
//! It decides when something is deployed, never how: that is `plan`, `rollout` and `judge`.

mod back;
mod board;
mod brought;
mod closely;
mod commits;
mod compare;
mod desire;
mod discreet;
mod drift;
mod error;
mod followed;
mod hold;
mod lead;
mod lifecycle;
mod logs;
mod owed;
mod own;
mod pins;
mod probation;
mod proven;
mod queries;
mod readiness;
mod restart;
mod retry;
mod rollback;
mod service;
mod supervise;
mod sync;
#[cfg(test)]
mod tests;
mod told;
mod watch;
mod watcher;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedMutexGuard, watch as channel};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use desire::rehearse;
pub use error::ManagerError;
pub use logs::MOST_LINES;
pub use pins::{Resolved, resolve_images};
pub use readiness::{Condition, Readiness};

use crate::live::Live;
use crate::names::{DeploymentId, EnvironmentName, StackName};
use crate::pipeline::{Environment, Pipeline};
use crate::ports::{Clock, Ledger, Source, Swarm};
use crate::rollout::Switch;
use crate::views::DemoNote;
use board::Board;
use discreet::Discretion;
use watcher::Watcher;

/// The world, as the manager reaches it.
#[derive(Clone)]
pub struct Ports {
    /// What should run.
    pub source: Arc<dyn Source>,
    /// What does run.
    pub swarm: Arc<dyn Swarm>,
    /// The Swarms of the stacks that run elsewhere.
    pub elsewhere: BTreeMap<StackName, Arc<dyn Swarm>>,
    /// What was done.
    pub ledger: Arc<dyn Ledger>,
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// The Swarm in which a stack runs.
    pub fn swarm_of(&self, stack: &StackName) -> &Arc<dyn Swarm> {
        self.elsewhere.get(stack).unwrap_or(&self.swarm)
    }

    /// Every Swarm, once; first the one that most stacks run in.
    pub(crate) fn swarms(&self) -> Vec<Arc<dyn Swarm>> {
        let mut swarms = vec![Arc::clone(&self.swarm)];
        for swarm in self.elsewhere.values() {
            if !swarms.iter().any(|known| Arc::ptr_eq(known, swarm)) {
                swarms.push(Arc::clone(swarm));
            }
        }
        swarms
    }
}

/// What the manager is told at its start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The environments.
    pub pipeline: Pipeline,
    /// How often the source is asked for its newest revision.
    pub poll_interval: Duration,
    /// How often health is looked at when the Engine tells of no change.
    pub health_interval: Duration,
    /// How long a deployment may take at most.
    pub deployment_timeout: Duration,
    /// How long a service must stand without a change to have succeeded.
    pub stability: Duration,
    /// Where relative bind mounts lead to on the nodes; `None` refuses them.
    pub bind_base: Option<String>,
    /// What to say on every page of a demonstration.
    pub demo: Option<DemoNote>,
}

/// The right to change one environment's stack. There is one; whoever holds it is the deployment in progress.
pub(crate) struct Permit {
    environment: EnvironmentName,
    _held: OwnedMutexGuard<()>,
}

impl Permit {
    /// The environment that may be changed.
    pub(crate) fn environment(&self) -> &EnvironmentName {
        &self.environment
    }
}

/// Everything that can be asked and ordered. Cheap to clone.
#[derive(Clone)]
pub struct Manager {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) board: Board,
    pub(crate) watcher: Watcher,
    /// Takes out of what others say what services are given.
    discretion: Discretion,
    /// One gate per environment: its permit.
    gates: BTreeMap<EnvironmentName, Arc<tokio::sync::Mutex<()>>>,
    /// The running deployments' cancel switches.
    cancels: Mutex<BTreeMap<DeploymentId, Switch>>,
    /// Wakes the poller: a webhook, a person, or the end of a deployment.
    look_now: Notify,
    /// What is wrong with each Engine that cannot be used.
    engines: Mutex<BTreeMap<usize, String>>,
    /// Grows with every change that an Engine tells of.
    pub(crate) pulse: channel::Sender<u64>,
    /// What the poller concluded last for each environment, so that an unchanged source costs nothing more.
    examined: Mutex<BTreeMap<EnvironmentName, sync::Examined>>,
    /// The commits that somebody wanted to see.
    commits: tokio::sync::Mutex<commits::Asked>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Manager {
    /// Takes up what the ledger knows, but starts nothing: that is [`Manager::start`].
    pub async fn new(mut ports: Ports, settings: Settings, stop: CancellationToken) -> Result<Self, ManagerError> {
        let discretion = Discretion::default();
        discretion.before_all(&mut ports);
        for environment in settings.pipeline.environments() {
            discretion.remember(ports.ledger.as_ref(), &environment.name).await?;
        }
        let head = ports.ledger.head().await?;
        let board = Board::new(&settings.pipeline, ports.source.as_ref(), head);
        let gates =
            settings.pipeline.environments().iter().map(|environment| (environment.name.clone(), Arc::default()));
        let inner = Inner {
            board,
            watcher: Watcher::new(&settings.pipeline),
            discretion,
            gates: gates.collect(),
            cancels: Mutex::default(),
            look_now: Notify::new(),
            engines: Mutex::default(),
            pulse: channel::Sender::new(0),
            examined: Mutex::default(),
            commits: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            stop,
            ports,
            settings,
        };
        inner.show_holds().await?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What moves, now and from now on.
    pub fn live(&self) -> channel::Receiver<Arc<Live>> {
        self.inner.board.subscribe()
    }

    /// Says on every page why nothing is written into the database any more, or that it is again.
    pub fn say_of_database(&self, problem: Option<String>) {
        self.inner.board.database_problem(problem, self.inner.ports.clock.now());
    }

    /// Asks the source at once instead of at the next interval. Never says what to deploy.
    pub fn look_now(&self) {
        self.inner.look_now.notify_one();
    }
}

impl Inner {
    pub(crate) fn environment(&self, name: &EnvironmentName) -> Result<&Environment, ManagerError> {
        self.settings.pipeline.get(name).ok_or_else(|| ManagerError::UnknownEnvironment(name.clone()))
    }

    /// The permit of an environment, or who holds it.
    fn permit(&self, name: &EnvironmentName) -> Result<Permit, ManagerError> {
        let gate = self.gates.get(name).ok_or_else(|| ManagerError::UnknownEnvironment(name.clone()))?;
        if self.stop.is_cancelled() {
            return Err(ManagerError::Stopping);
        }
        self.may_lead(name)?;
        match Arc::clone(gate).try_lock_owned() {
            Ok(held) => Ok(Permit { environment: name.clone(), _held: held }),
            Err(_) => Err(self.board.running(name).map_or(ManagerError::Preparing(name.clone()), ManagerError::Busy)),
        }
    }

    fn cancels(&self) -> std::sync::MutexGuard<'_, BTreeMap<DeploymentId, Switch>> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
