//! A service spec as the orchestrator reads it. The JSON stays the truth; this is a view of the parts that matter.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

/// A service spec.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ServiceSpec {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) task_template: TaskTemplate,
    pub(crate) mode: ModeSpec,
    pub(crate) update_config: Option<UpdateConfig>,
    pub(crate) rollback_config: Option<UpdateConfig>,
    pub(crate) endpoint_spec: Option<EndpointSpec>,
}

/// What a task is made from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TaskTemplate {
    pub(crate) container_spec: ContainerSpec,
    pub(crate) resources: Resources,
    pub(crate) restart_policy: RestartPolicy,
    pub(crate) placement: Placement,
    pub(crate) networks: Vec<NetworkRef>,
}

/// The container of a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ContainerSpec {
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) healthcheck: Option<Healthcheck>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) secrets: Vec<SecretRef>,
    pub(crate) configs: Vec<ConfigRef>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Healthcheck {
    pub(crate) test: Vec<String>,
    interval: u64,
    start_period: u64,
    retries: u64,
}

impl Healthcheck {
    /// Whether it is one at all: `NONE` turns the image's own off.
    pub(crate) fn is_on(&self) -> bool {
        self.test.first().is_some_and(|kind| kind != "NONE")
    }

    /// How long a container that never gets healthy is given.
    pub(crate) fn patience(&self) -> Duration {
        let interval = if self.interval == 0 { 30_000_000_000 } else { self.interval };
        let retries = if self.retries == 0 { 3 } else { self.retries };
        Duration::from_nanos(self.start_period.saturating_add(interval.saturating_mul(retries)))
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Mount {
    #[serde(rename = "Type")]
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) target: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SecretRef {
    #[serde(rename = "SecretID")]
    pub(crate) id: String,
    #[serde(rename = "SecretName")]
    pub(crate) name: String,
    #[serde(rename = "File")]
    pub(crate) file: Option<RefFile>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigRef {
    #[serde(rename = "ConfigID")]
    pub(crate) id: String,
    #[serde(rename = "ConfigName")]
    pub(crate) name: String,
    #[serde(rename = "File")]
    pub(crate) file: Option<RefFile>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RefFile {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Resources {
    pub(crate) limits: Amounts,
    pub(crate) reservations: Amounts,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Amounts {
    #[serde(rename = "NanoCPUs")]
    pub(crate) nano_cpus: i64,
    #[serde(rename = "MemoryBytes")]
    pub(crate) memory_bytes: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RestartPolicy {
    pub(crate) condition: String,
    delay: Option<u64>,
    pub(crate) max_attempts: u64,
    window: u64,
}

impl RestartPolicy {
    /// The pause before a restart; swarmkit's default is 5 s.
    pub(crate) fn delay(&self) -> Duration {
        self.delay.map_or(Duration::from_secs(5), Duration::from_nanos)
    }

    /// The window in which attempts are counted, if they are not counted for ever.
    pub(crate) fn window(&self) -> Option<Duration> {
        (self.window > 0).then(|| Duration::from_nanos(self.window))
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Placement {
    pub(crate) constraints: Vec<String>,
    pub(crate) max_replicas: u64,
    pub(crate) platforms: Vec<Platform>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Platform {
    #[serde(rename = "Architecture")]
    pub(crate) architecture: String,
    #[serde(rename = "OS")]
    pub(crate) os: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NetworkRef {
    pub(crate) target: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ModeSpec {
    replicated: Option<Replicated>,
    global: Option<Value>,
    replicated_job: Option<ReplicatedJob>,
    global_job: Option<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Replicated {
    replicas: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ReplicatedJob {
    max_concurrent: Option<u64>,
    total_completions: Option<u64>,
}

/// How many tasks a service has, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Replicated { replicas: u64 },
    Global,
    ReplicatedJob { concurrent: u64, total: u64 },
    GlobalJob,
}

impl Mode {
    /// Whether its tasks run to an end.
    pub(crate) fn is_job(self) -> bool {
        matches!(self, Self::ReplicatedJob { .. } | Self::GlobalJob)
    }
}

impl ModeSpec {
    /// How many modes are named; one is right, none means replicated.
    pub(crate) fn named(&self) -> usize {
        [self.replicated.is_some(), self.global.is_some(), self.replicated_job.is_some(), self.global_job.is_some()]
            .into_iter()
            .filter(|named| *named)
            .count()
    }

    /// The mode, with the Engine's defaults.
    pub(crate) fn mode(&self) -> Mode {
        if self.global.is_some() {
            Mode::Global
        } else if self.global_job.is_some() {
            Mode::GlobalJob
        } else if let Some(job) = &self.replicated_job {
            Mode::ReplicatedJob {
                concurrent: job.max_concurrent.unwrap_or(1),
                total: job.total_completions.unwrap_or(1),
            }
        } else {
            Mode::Replicated { replicas: self.replicated.as_ref().and_then(|mode| mode.replicas).unwrap_or(1) }
        }
    }
}

/// How an update goes through the slots.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct UpdateConfig {
    pub(crate) parallelism: u64,
    delay: u64,
    pub(crate) failure_action: String,
    monitor: u64,
    pub(crate) max_failure_ratio: f64,
    pub(crate) order: String,
}

impl Default for UpdateConfig {
    fn default() -> Self {
        Self {
            parallelism: 0,
            delay: 0,
            failure_action: "pause".to_owned(),
            monitor: 0,
            max_failure_ratio: 0.0,
            order: "stop-first".to_owned(),
        }
    }
}

impl UpdateConfig {
    /// What holds when a spec says nothing: one at a time.
    pub(crate) fn unsaid() -> Self {
        Self { parallelism: 1, ..Self::default() }
    }

    /// The pause after each slot.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay)
    }

    /// How long a task is watched for failure after its start.
    pub(crate) fn monitor(&self) -> Duration {
        if self.monitor == 0 { Duration::from_secs(5) } else { Duration::from_nanos(self.monitor) }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct EndpointSpec {
    pub(crate) mode: String,
    pub(crate) ports: Vec<Port>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(clippy::struct_field_names, reason = "the Engine's names")]
pub(crate) struct Port {
    pub(crate) protocol: String,
    pub(crate) target_port: u64,
    pub(crate) published_port: u64,
    pub(crate) publish_mode: String,
}

impl ServiceSpec {
    /// The published ports.
    pub(crate) fn ports(&self) -> &[Port] {
        self.endpoint_spec.as_ref().map_or(&[], |endpoint| &endpoint.ports)
    }

    /// The ports published on every node.
    pub(crate) fn ingress_ports(&self) -> impl Iterator<Item = &Port> {
        self.ports().iter().filter(|port| port.publish_mode != "host" && port.published_port != 0)
    }
}
