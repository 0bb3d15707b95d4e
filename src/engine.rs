//! What is seen of a Docker Engine in swarm mode, as far as decisions need it.
//!
//! Specs stay JSON in the Engine API's own form: a typed copy would lose what it does not know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The label by which `docker stack` finds the objects of a stack.
pub const NAMESPACE_LABEL: &str = "com.docker.stack.namespace";
/// The label in which `docker stack deploy` keeps the image as it stands in the stack file.
pub const IMAGE_LABEL: &str = "com.docker.stack.image";
/// The service label that says which deployment wrote the live spec. On the service, never on its containers: there it
/// would restart every task.
pub const DEPLOYMENT_LABEL: &str = "release-manager.deployment";
/// The label of secrets and configs that says what is inside: hex SHA-256 of the data, cut to 16 digits.
pub const CONTENT_LABEL: &str = "release-manager.content";

/// A service as the Engine shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveService {
    /// The Engine's id; another one means that it was created anew.
    pub id: String,
    /// `Version.Index`, which every write must name.
    pub version: u64,
    /// `Spec`, as the Engine keeps it.
    pub spec: Value,
    /// `UpdateStatus`, if an update ever began.
    pub update: Option<UpdateStatus>,
    /// `JobStatus.JobIteration.Index` of a job.
    pub job_iteration: Option<u64>,
    /// `ServiceStatus.DesiredTasks`: for a global service the nodes that may run it.
    pub desired_tasks: u64,
}

/// `UpdateStatus` of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateStatus {
    /// `updating`, `paused`, `completed`, `rollback_started`, `rollback_paused`, `rollback_completed`, or a later word.
    pub state: String,
    /// `StartedAt` as the Engine wrote it.
    pub started_at: Option<String>,
    /// The Engine's sentence.
    pub message: String,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The Engine's id.
    pub id: String,
    /// The id of its service.
    pub service_id: String,
    /// Its slot; absent for global services and jobs.
    pub slot: Option<u64>,
    /// The id of its node, once it has one.
    pub node_id: Option<String>,
    /// `DesiredState`: running, ready, shutdown, complete, remove.
    pub desired_state: String,
    /// `Status.State`: new … running, complete, shutdown, failed, rejected, orphaned.
    pub state: String,
    /// `Status.Timestamp` as the Engine wrote it.
    pub state_since: Option<String>,
    /// `Status.Message`.
    pub message: String,
    /// `Status.Err`.
    pub error: Option<String>,
    /// The exit code of its container, once that has ended.
    pub exit_code: Option<i64>,
    /// `JobIteration.Index` of a job's task.
    pub job_iteration: Option<u64>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The Engine's id.
    pub id: String,
    /// Its host name.
    pub hostname: String,
    /// `worker` or `manager`.
    pub role: String,
    /// `ready`, `down`, `unknown`, `disconnected`.
    pub state: String,
    /// `active`, `pause`, `drain`.
    pub availability: String,
    /// `Spec.Labels`: constraints call them `node.labels.…`.
    pub labels: BTreeMap<String, String>,
    /// `Description.Engine.Labels`: constraints call them `engine.labels.…`.
    pub engine_labels: BTreeMap<String, String>,
    /// `Description.Platform.OS`.
    pub os: String,
    /// `Description.Platform.Architecture`, as the Engine writes it (`x86_64`).
    pub architecture: String,
    /// `Description.Resources.NanoCPUs`.
    pub nano_cpus: i64,
    /// `Description.Resources.MemoryBytes`.
    pub memory_bytes: i64,
}

impl Node {
    /// Whether its tasks can be believed to run.
    pub fn is_ready(&self) -> bool {
        self.state == "ready"
    }
}

/// One look at a stack: its services, their tasks, and the nodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The services that carry the stack's label, by full name.
    pub services: BTreeMap<String, LiveService>,
    /// All their tasks that the Engine still keeps, and those that removed services have left.
    pub tasks: Vec<Task>,
    /// The ids of the tasks that the Engine itself counts as matching the current spec of their service (the
    /// undocumented filter `_up-to-date`, which the docker command uses).
    pub up_to_date: BTreeSet<String>,
    /// All nodes.
    pub nodes: Vec<Node>,
}

/// A network, secret or config as the Engine shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveObject {
    /// The Engine's id.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// For a network its scope (`swarm`, `local`); for secrets and configs `swarm`.
    pub scope: String,
    /// `Version.Index` of a secret or config; 0 for networks.
    #[serde(default)]
    pub version: u64,
    /// `CreatedAt` as the Engine wrote it; `None` for networks.
    #[serde(default)]
    pub created_at: Option<String>,
    /// For a config its data, base64 as the Engine sends it. The Engine never shows a secret's.
    pub data: Option<String>,
}

/// Everything that a plan is made against.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveStack {
    /// The services that carry the stack's label, by full name.
    pub services: BTreeMap<String, LiveService>,
    /// The full names of services outside the stack, with the ingress ports that they publish (`8080/tcp`).
    pub others: BTreeMap<String, Vec<String>>,
    /// The ports of their nodes (`mode: host`) that services outside the stack take, by full name.
    #[serde(default)]
    pub others_on_nodes: BTreeMap<String, Vec<String>>,
    /// All networks that services can use, by name.
    pub networks: BTreeMap<String, LiveObject>,
    /// All secrets, by name.
    pub secrets: BTreeMap<String, LiveObject>,
    /// All configs, by name.
    pub configs: BTreeMap<String, LiveObject>,
    /// All nodes.
    pub nodes: Vec<Node>,
}

impl LiveStack {
    /// The names of networks by their ids.
    pub fn network_names(&self) -> BTreeMap<String, String> {
        names_by_id(&self.networks)
    }
}

/// Names by ids.
pub fn names_by_id(objects: &BTreeMap<String, LiveObject>) -> BTreeMap<String, String> {
    objects.iter().map(|(name, object)| (object.id.clone(), name.clone())).collect()
}

/// An image with the digest that a registry gave for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// `app:1@sha256:…`.
    pub image: String,
    /// What it can run on; empty where the registry did not say.
    pub platforms: Vec<Platform>,
}

/// What an image can run on. The names are those of the Engine API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Platform {
    /// `amd64`; empty for `arm`, whose variants the Engine does not tell apart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// `linux`.
    #[serde(default, rename = "OS", skip_serializing_if = "String::is_empty")]
    pub os: String,
}

/// One write to the Engine. Networks, secrets and configs are named in service specs by name; the adapter puts in the
/// ids that the Engine wants (`SecretID`, `ConfigID`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum Write {
    /// `POST /networks/create`.
    CreateNetwork {
        /// The body.
        spec: Value,
    },
    /// `POST /secrets/create`.
    CreateSecret {
        /// The body, data in base64.
        spec: Value,
    },
    /// `POST /configs/create`.
    CreateConfig {
        /// The body, data in base64.
        spec: Value,
    },
    /// `POST /secrets/{id}/update?version=…`: new labels. The Engine changes nothing else, and wants the same data.
    LabelSecret {
        /// The secret.
        id: String,
        /// The `Version.Index` that the plan was made against.
        version: u64,
        /// The body.
        spec: Value,
    },
    /// `POST /configs/{id}/update?version=…`, in the same way.
    LabelConfig {
        /// The config.
        id: String,
        /// The `Version.Index` that the plan was made against.
        version: u64,
        /// The body.
        spec: Value,
    },
    /// `POST /services/create`.
    CreateService {
        /// The body.
        spec: Value,
    },
    /// `POST /services/{id}/update?version=…`.
    UpdateService {
        /// The service.
        id: String,
        /// The `Version.Index` that the plan was made against.
        version: u64,
        /// The body.
        spec: Value,
    },
    /// `DELETE /services/{id}`.
    RemoveService {
        /// The service.
        id: String,
    },
    /// `DELETE /networks/{id}`.
    RemoveNetwork {
        /// The network.
        id: String,
    },
    /// `DELETE /secrets/{id}`.
    RemoveSecret {
        /// The secret.
        id: String,
    },
    /// `DELETE /configs/{id}`.
    RemoveConfig {
        /// The config.
        id: String,
    },
}

impl Write {
    /// The spec of a service that is made or changed.
    pub fn service_spec(&self) -> Option<&Value> {
        match self {
            Self::CreateService { spec } | Self::UpdateService { spec, .. } => Some(spec),
            _ => None,
        }
    }
}
