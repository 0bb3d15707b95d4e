//! What survives a restart: services, networks, secrets and configs, in one JSON file that is replaced as a whole.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, sync::Mutex};

use crate::{
    clock::NEVER,
    error::Refusal,
    spec::Mode,
    state::{
        World,
        datum::Datum,
        network::Network,
        service::{JobStatus, Service, Spec, UpdateState, UpdateStatus},
        task::{Container, State, Step},
    },
};

/// Where the state file is, and who may write it.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: Option<PathBuf>,
    writing: Mutex<()>,
}

/// The content of the state file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    index: u64,
    /// The cluster's and the nodes' ids, so that constraints and clients find the same swarm again.
    cluster: String,
    nodes: Vec<String>,
    networks: Vec<Network>,
    data: Vec<Datum>,
    services: Vec<KeptService>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptService {
    id: String,
    version: u64,
    created: String,
    updated: String,
    spec: Value,
    previous: Option<Value>,
    update: Option<KeptUpdate>,
    job: Option<(u64, String)>,
    ports: Vec<Value>,
    virtual_ips: Vec<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptUpdate {
    state: String,
    started: String,
    completed: Option<String>,
    message: String,
}

impl Keeper {
    /// Keeps in this file, or not at all.
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, writing: Mutex::new(()) }
    }

    /// Whether nothing is kept.
    pub(crate) fn is_off(&self) -> bool {
        self.path.is_none()
    }

    /// What was kept; nothing if there is no file yet.
    pub(crate) async fn load(&self) -> io::Result<Option<Kept>> {
        let Some(path) = &self.path else { return Ok(None) };
        let bytes = match tokio::fs::read(path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let unreadable = |error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is not a state file: {error}", path.display()))
        };
        serde_json::from_slice(&bytes).map(Some).map_err(unreadable)
    }

    /// Writes what `take` gives, if anything. Writers wait for each other, and the last one takes the latest.
    pub(crate) async fn save(&self, take: impl FnOnce() -> Option<Kept>) {
        let Some(path) = &self.path else { return };
        let _turn = self.writing.lock().await;
        let Some(kept) = take() else { return };
        if let Err(error) = replace(path, &kept).await {
            tracing::error!(%error, path = %path.display(), "Could not keep the simulated swarm");
        }
    }
}

async fn replace(path: &Path, kept: &Kept) -> io::Result<()> {
    let bytes = serde_json::to_vec(kept)?;
    let beside = path.with_extension("new");
    let mut file = tokio::fs::File::create(&beside).await?;
    file.write_all(&bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&beside, path).await
}

impl World {
    /// What is to be kept.
    pub(crate) fn keep(&self) -> Kept {
        Kept {
            index: self.index,
            cluster: self.cluster.clone(),
            nodes: self.nodes.iter().map(|node| node.id.clone()).collect(),
            networks: self.networks.values().cloned().collect(),
            data: self.data.values().cloned().collect(),
            services: self.services.values().map(KeptService::of).collect(),
        }
    }

    /// Takes up what was kept. The tasks of the services run at once.
    pub(crate) fn restore(&mut self, kept: Kept) {
        self.index = self.index.max(kept.index);
        self.cluster = kept.cluster;
        for (node, id) in self.nodes.iter_mut().zip(kept.nodes) {
            node.id = id;
        }
        self.networks = kept.networks.into_iter().map(|network| (network.id.clone(), network)).collect();
        self.data = kept.data.into_iter().map(|datum| (datum.id.clone(), datum)).collect();
        for service in kept.services {
            let id = service.id.clone();
            match service.restore() {
                Ok(service) => {
                    self.services.insert(id.clone(), service);
                    self.dirty.insert(id);
                }
                Err(error) => tracing::error!(%error, service.id = id, "Could not take up a kept service"),
            }
        }
        self.settle();
        self.run_at_once();
    }

    /// Takes new tasks to where they would be by now if nothing had stopped.
    fn run_at_once(&mut self) {
        loop {
            let tasks: Vec<String> = self
                .tasks()
                .filter(|task| task.status.state < State::Running && task.status.error.is_none())
                .filter(|task| task.next.as_ref().is_some_and(|(at, step)| *at != NEVER && *step == Step::Advance))
                .filter(|task| {
                    let behaviour = self.behaviour(task);
                    !behaviour.missing && (behaviour.exit.is_none() || task.iteration.is_some())
                })
                .map(|task| task.id.clone())
                .collect();
            if tasks.is_empty() {
                return;
            }
            for id in tasks {
                self.finish_at_once(&id);
            }
            self.settle();
        }
    }

    fn finish_at_once(&mut self, id: &str) {
        if self.task(id).is_some_and(|task| task.iteration.is_some()) {
            self.change_task(id, |task, at| {
                task.enter(State::Complete, at);
                task.status.container = Some(Container::default());
                task.next = None;
            });
            return;
        }
        let now = self.now;
        self.plan_task(id, |task| task.next = Some((now, Step::Advance)));
    }
}

impl KeptService {
    fn of(service: &Service) -> Self {
        Self {
            id: service.id.clone(),
            version: service.version,
            created: service.created.clone(),
            updated: service.updated.clone(),
            spec: Value::clone(&service.spec.json),
            previous: service.previous.as_ref().map(|spec| Value::clone(&spec.json)),
            update: service.update.as_ref().map(|update| KeptUpdate {
                state: update.state.word().to_owned(),
                started: update.started.clone(),
                completed: update.completed.clone(),
                message: update.message.clone(),
            }),
            job: service.job.as_ref().map(|job| (job.iteration, job.last_execution.clone())),
            ports: service.ports.clone(),
            virtual_ips: service.virtual_ips.clone(),
        }
    }

    fn restore(self) -> Result<Service, Refusal> {
        let spec = Spec::new(self.spec, self.version)?;
        let is_job = matches!(spec.mode(), Mode::ReplicatedJob { .. } | Mode::GlobalJob);
        let update = self.update.and_then(|update| {
            Some(UpdateStatus {
                state: UpdateState::of_word(&update.state)?,
                started: update.started,
                completed: update.completed,
                message: update.message,
            })
        });
        Ok(Service {
            id: self.id,
            version: self.version,
            created: self.created,
            updated: self.updated,
            previous: self.previous.map(|previous| Spec::new(previous, 0)).transpose()?,
            spec,
            update,
            job: self.job.filter(|_| is_job).map(|(iteration, last_execution)| JobStatus { iteration, last_execution }),
            ports: self.ports,
            virtual_ips: self.virtual_ips,
            allocate_at: None,
            updater: None,
            restarts: std::collections::BTreeMap::new(),
        })
    }
}
