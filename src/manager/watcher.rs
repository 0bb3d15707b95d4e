//! What the manager remembers of what it watches. Everything in here can be lost with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;

use super::closely::Heard;
use super::logs::VIEWERS;
use super::probation::OnProbation;
use super::supervise::Fault;
use crate::health::{ServiceDetails, Tracker};
use crate::lease::Keeper;
use crate::names::{EnvironmentName, ServiceName};
use crate::pipeline::Pipeline;
use crate::ports::Identity;

/// A map that is locked for moments only.
type Shared<T> = Mutex<BTreeMap<EnvironmentName, T>>;

/// What is remembered, environment by environment.
pub(crate) struct Watcher {
    /// Who this process is, once the Swarm could be asked.
    pub(super) identity: OnceCell<Identity>,
    /// The name of the database, if it is one.
    pub(super) database: OnceCell<Option<String>>,
    /// The beginning of the clock that leases are judged by.
    pub(super) started: Instant,
    /// One for each environment. Held while the lease is read and written.
    pub(super) keepers: BTreeMap<EnvironmentName, tokio::sync::Mutex<Keeper>>,
    /// When the lease was last found to be ours.
    led_at: Shared<Instant>,
    trackers: Shared<Tracker>,
    details: Shared<BTreeMap<ServiceName, ServiceDetails>>,
    probation: Shared<BTreeMap<ServiceName, OnProbation>>,
    /// The drifts that were healed once.
    healed: Shared<BTreeSet<String>>,
    /// What failed last by a mistake of ours.
    fault: Mutex<Option<Fault>>,
    /// What tasks that failed have written last.
    pub(super) heard: Heard,
    /// One permit for each log that is followed.
    pub(super) viewers: Arc<Semaphore>,
}

impl Watcher {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        let keepers = pipeline.environments().iter().map(|known| (known.name.clone(), tokio::sync::Mutex::default()));
        Self {
            identity: OnceCell::new(),
            database: OnceCell::new(),
            started: Instant::now(),
            keepers: keepers.collect(),
            led_at: Mutex::default(),
            trackers: Mutex::default(),
            details: Mutex::default(),
            probation: Mutex::default(),
            healed: Mutex::default(),
            fault: Mutex::default(),
            heard: Heard::default(),
            viewers: Arc::new(Semaphore::new(VIEWERS)),
        }
    }

    pub(super) fn led_at(&self) -> MutexGuard<'_, BTreeMap<EnvironmentName, Instant>> {
        held(&self.led_at)
    }

    pub(super) fn trackers(&self) -> MutexGuard<'_, BTreeMap<EnvironmentName, Tracker>> {
        held(&self.trackers)
    }

    pub(super) fn details(&self) -> MutexGuard<'_, BTreeMap<EnvironmentName, BTreeMap<ServiceName, ServiceDetails>>> {
        held(&self.details)
    }

    pub(super) fn probation(&self) -> MutexGuard<'_, BTreeMap<EnvironmentName, BTreeMap<ServiceName, OnProbation>>> {
        held(&self.probation)
    }

    pub(super) fn fault(&self) -> MutexGuard<'_, Option<Fault>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn healed(&self) -> MutexGuard<'_, BTreeMap<EnvironmentName, BTreeSet<String>>> {
        held(&self.healed)
    }
}

fn held<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
