//! Services.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use crate::{
    clock::Moment,
    error::Refusal,
    orchestrate::update::Updater,
    spec::{Mode, ServiceSpec},
    state::task::{Slot, Template, index},
};

/// One accepted spec, in all the forms that are needed of it.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) json: Arc<Value>,
    pub(crate) parsed: Arc<ServiceSpec>,
    pub(crate) template: Arc<Template>,
    /// swarmkit's `SpecVersion`: which write it came with.
    pub(crate) version: u64,
}

impl Spec {
    /// Takes a spec that has been normalised and checked.
    pub(crate) fn new(json: Value, version: u64) -> Result<Self, Refusal> {
        let parsed: ServiceSpec =
            serde_json::from_value(json.clone()).map_err(|error| Refusal::bad(format!("json: {error}")))?;
        let mut task = json["TaskTemplate"].clone();
        if let Some(task) = task.as_object_mut() {
            task.remove("Runtime");
        }
        let endpoint = json.get("EndpointSpec").cloned().unwrap_or(Value::Null);
        let template = Arc::new(Template { json: task, parsed: parsed.task_template.clone(), endpoint });
        Ok(Self { json: Arc::new(json), parsed: Arc::new(parsed), template, version })
    }

    /// How many tasks, and where.
    pub(crate) fn mode(&self) -> Mode {
        self.parsed.mode.mode()
    }
}

/// `UpdateStatus`.
#[derive(Debug, Clone)]
pub(crate) struct UpdateStatus {
    pub(crate) state: UpdateState,
    pub(crate) started: String,
    pub(crate) completed: Option<String>,
    pub(crate) message: String,
}

/// `UpdateStatus.State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpdateState {
    Updating,
    Paused,
    Completed,
    RollbackStarted,
    RollbackPaused,
    RollbackCompleted,
}

impl UpdateState {
    /// The Engine's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Updating => "updating",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::RollbackStarted => "rollback_started",
            Self::RollbackPaused => "rollback_paused",
            Self::RollbackCompleted => "rollback_completed",
        }
    }

    /// The state of that word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [
            Self::Updating,
            Self::Paused,
            Self::Completed,
            Self::RollbackStarted,
            Self::RollbackPaused,
            Self::RollbackCompleted,
        ]
        .into_iter()
        .find(|state| state.word() == word)
    }
}

/// `JobStatus`.
#[derive(Debug, Clone)]
pub(crate) struct JobStatus {
    pub(crate) iteration: u64,
    pub(crate) last_execution: String,
}

/// The restarts in one slot since the spec changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Restarts {
    pub(crate) spec_version: u64,
    pub(crate) at: Vec<Moment>,
}

/// A service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) created: String,
    pub(crate) updated: String,
    pub(crate) spec: Spec,
    pub(crate) previous: Option<Spec>,
    pub(crate) update: Option<UpdateStatus>,
    pub(crate) job: Option<JobStatus>,
    /// Published ports and virtual addresses, as the allocator gave them.
    pub(crate) ports: Vec<Value>,
    pub(crate) virtual_ips: Vec<Value>,
    /// When the allocator will have looked at the spec.
    pub(crate) allocate_at: Option<Moment>,
    pub(crate) updater: Option<Updater>,
    pub(crate) restarts: BTreeMap<Slot, Restarts>,
}

impl Service {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.spec.parsed.name
    }

    /// As inspect and list show it.
    pub(crate) fn json(&self) -> Value {
        let mut endpoint = json!({ "Spec": self.spec.json.get("EndpointSpec").cloned().unwrap_or_else(|| json!({})) });
        if !self.ports.is_empty() {
            endpoint["Ports"] = json!(self.ports);
        }
        if !self.virtual_ips.is_empty() {
            endpoint["VirtualIPs"] = json!(self.virtual_ips);
        }
        let mut service = Map::new();
        service.insert("ID".to_owned(), json!(self.id));
        service.insert("Version".to_owned(), json!({ "Index": self.version }));
        service.insert("CreatedAt".to_owned(), json!(self.created));
        service.insert("UpdatedAt".to_owned(), json!(self.updated));
        service.insert("Spec".to_owned(), Value::clone(&self.spec.json));
        service.insert("Endpoint".to_owned(), endpoint);
        if let Some(previous) = &self.previous {
            service.insert("PreviousSpec".to_owned(), Value::clone(&previous.json));
        }
        if let Some(update) = &self.update {
            service.insert("UpdateStatus".to_owned(), update.json());
        }
        if let Some(job) = &self.job {
            let status = json!({ "JobIteration": index(job.iteration), "LastExecution": job.last_execution });
            service.insert("JobStatus".to_owned(), status);
        }
        Value::Object(service)
    }
}

impl UpdateStatus {
    fn json(&self) -> Value {
        let mut status = json!({ "State": self.state.word(), "StartedAt": self.started, "Message": self.message });
        if let Some(completed) = &self.completed {
            status["CompletedAt"] = json!(completed);
        }
        status
    }
}
