//! What a simulator is told at its start.

use std::{collections::BTreeMap, path::PathBuf};

use crate::behaviour::ImageRule;

/// How a simulator starts. The default is one ready manager, every image known, and tasks that run within a few hundred
/// milliseconds.
#[derive(Debug, Clone)]
pub struct Options {
    /// The nodes. The first one is the one that answers.
    pub nodes: Vec<NodeOptions>,
    /// How much faster than life everything happens, delays and monitor times of specs included.
    pub speed: f64,
    /// What containers of some images do. A later rule wins over an earlier one.
    pub images: Vec<ImageRule>,
    /// Whether `/distribution` can reach a registry.
    pub registry: Registry,
    /// How many tasks of a slot are kept.
    pub task_history_limit: usize,
    /// With a seed two runs give the same identifiers to the same objects, so that a run can be repeated exactly.
    pub seed: Option<u64>,
    /// Where services, networks, secrets and configs are kept between runs. Without it nothing is.
    pub state_file: Option<PathBuf>,
}

/// What `/distribution` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// A digest for every image that is not missing.
    Online,
    /// An error, as without a network.
    Offline,
}

/// A node.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// Its host name.
    pub hostname: String,
    /// Whether it is a manager. The first node always is.
    pub manager: bool,
    /// `Spec.Labels`, which constraints call `node.labels.…`.
    pub labels: BTreeMap<String, String>,
    /// `Description.Engine.Labels`, which constraints call `engine.labels.…`.
    pub engine_labels: BTreeMap<String, String>,
    /// Its CPUs, in billionths.
    pub nano_cpus: i64,
    /// Its memory, in bytes.
    pub memory_bytes: i64,
}

impl NodeOptions {
    /// A node of 8 CPUs and 32 GiB.
    pub fn new(hostname: impl Into<String>, manager: bool) -> Self {
        Self {
            hostname: hostname.into(),
            manager,
            labels: BTreeMap::new(),
            engine_labels: BTreeMap::new(),
            nano_cpus: 8_000_000_000,
            memory_bytes: 32 << 30,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: vec![NodeOptions::new("swarm-1", true)],
            speed: 1.0,
            images: Vec::new(),
            registry: Registry::Online,
            task_history_limit: 5,
            seed: None,
            state_file: None,
        }
    }
}
