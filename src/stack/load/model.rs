//! A stack file after loading: defaults not yet filled in, so that files can be merged.

use std::collections::BTreeMap;

use crate::names::RepoPath;
use crate::stack::findings::{Place, Placed};

/// Strings by name.
pub(crate) type Strings = BTreeMap<String, String>;

/// One stack file, or several merged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) networks: BTreeMap<String, Network>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) secrets: BTreeMap<String, FileObject>,
    pub(crate) configs: BTreeMap<String, FileObject>,
}

/// A service. Empty strings and `None` mean that the file says nothing.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) place: Place,
    pub(crate) image: Option<Placed<Image>>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) hostname: String,
    /// `None`: the variable is named but has no value.
    pub(crate) environment: BTreeMap<String, Option<String>>,
    pub(crate) working_dir: String,
    pub(crate) user: String,
    pub(crate) stop_signal: String,
    pub(crate) isolation: String,
    pub(crate) restart: Option<Placed<String>>,
    pub(crate) stop_grace_period: Option<i64>,
    pub(crate) tty: bool,
    pub(crate) stdin_open: bool,
    pub(crate) read_only: bool,
    pub(crate) init: Option<bool>,
    pub(crate) extra_hosts: Vec<String>,
    pub(crate) dns: Vec<String>,
    pub(crate) dns_search: Vec<String>,
    pub(crate) healthcheck: Option<Healthcheck>,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) secrets: Vec<Reference>,
    pub(crate) configs: Vec<Reference>,
    pub(crate) credential_spec: Option<Placed<CredentialSpec>>,
    pub(crate) sysctls: Strings,
    pub(crate) labels: Strings,
    pub(crate) cap_add: Vec<String>,
    pub(crate) cap_drop: Vec<String>,
    pub(crate) ulimits: BTreeMap<String, Ulimit>,
    pub(crate) logging: Option<Logging>,
    pub(crate) networks: BTreeMap<String, Placed<Option<Attachment>>>,
    pub(crate) ports: Vec<Port>,
    pub(crate) depends_on: Vec<Placed<String>>,
    pub(crate) deploy: Deploy,
}

/// The image of a service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Image {
    Named(String),
    /// A variable in it is not set. That was reported.
    Broken,
}

impl Image {
    /// Whether the file says nothing by it.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Named(name) if name.is_empty())
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Healthcheck {
    pub(crate) test: Vec<String>,
    pub(crate) interval: Option<i64>,
    pub(crate) timeout: Option<i64>,
    pub(crate) start_period: Option<i64>,
    pub(crate) start_interval: Option<i64>,
    pub(crate) retries: Option<u64>,
    pub(crate) disable: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mount {
    pub(crate) place: Place,
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) read_only: bool,
    pub(crate) consistency: String,
    /// The propagation, if there are bind options at all.
    pub(crate) bind: Option<String>,
    pub(crate) volume: Option<VolumeOptions>,
    /// The size, if there are tmpfs options at all.
    pub(crate) tmpfs: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct VolumeOptions {
    pub(crate) no_copy: bool,
    pub(crate) subpath: String,
}

/// A secret or config that a service uses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    pub(crate) place: Place,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) uid: String,
    pub(crate) gid: String,
    pub(crate) mode: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CredentialSpec {
    pub(crate) config: String,
    pub(crate) file: String,
    pub(crate) registry: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ulimit {
    pub(crate) soft: i64,
    pub(crate) hard: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Logging {
    pub(crate) driver: String,
    /// `None`: the file has no options at all, which matters when files are merged.
    pub(crate) options: Option<Strings>,
}

/// How a service is attached to a network.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Attachment {
    pub(crate) aliases: Vec<String>,
    pub(crate) driver_opts: Strings,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) mode: String,
    pub(crate) protocol: String,
    pub(crate) target: u32,
    /// 0: the Engine chooses.
    pub(crate) published: u32,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Deploy {
    pub(crate) place: Option<Place>,
    pub(crate) mode: String,
    pub(crate) replicas: Option<u64>,
    pub(crate) labels: Strings,
    pub(crate) update: Option<Update>,
    pub(crate) rollback: Option<Update>,
    pub(crate) limits: Option<Limits>,
    pub(crate) reservations: Option<Reservations>,
    pub(crate) restart_policy: Option<RestartPolicy>,
    pub(crate) constraints: Vec<String>,
    /// What to spread over.
    pub(crate) preferences: Vec<String>,
    pub(crate) max_replicas: u64,
    pub(crate) endpoint_mode: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Update {
    pub(crate) parallelism: Option<u64>,
    pub(crate) delay: i64,
    pub(crate) failure_action: String,
    pub(crate) monitor: i64,
    pub(crate) max_failure_ratio: f64,
    pub(crate) order: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Limits {
    /// `None`: the file says nothing. A 0 of a later file replaces what an earlier one says.
    pub(crate) nano_cpus: Option<i64>,
    pub(crate) memory: i64,
    pub(crate) pids: i64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reservations {
    /// As in [`Limits`].
    pub(crate) nano_cpus: Option<i64>,
    pub(crate) memory: i64,
    /// Kind and amount.
    pub(crate) generic: Vec<(String, i64)>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RestartPolicy {
    pub(crate) condition: String,
    pub(crate) delay: Option<i64>,
    pub(crate) max_attempts: Option<u64>,
    pub(crate) window: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) name: Option<String>,
    pub(crate) external: bool,
    pub(crate) driver: String,
    pub(crate) driver_opts: Strings,
    pub(crate) ipam_driver: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) internal: bool,
    pub(crate) attachable: bool,
    pub(crate) labels: Strings,
}

#[derive(Debug, Clone)]
pub(crate) struct Volume {
    pub(crate) name: Option<String>,
    pub(crate) external: bool,
    pub(crate) driver: String,
    /// `None`: the key is not there. An empty mapping counts as a driver's options.
    pub(crate) driver_opts: Option<Strings>,
    pub(crate) labels: Strings,
}

/// A secret or config.
#[derive(Debug, Clone)]
pub(crate) struct FileObject {
    pub(crate) name: Option<String>,
    pub(crate) external: bool,
    /// Where its content comes from; `None` if it is external, has a driver, or was reported.
    pub(crate) file: Option<Placed<RepoPath>>,
    pub(crate) labels: Strings,
    pub(crate) driver: String,
    pub(crate) driver_opts: Strings,
    pub(crate) template_driver: String,
}
