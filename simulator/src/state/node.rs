//! Nodes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{clock::Moment, options::NodeOptions};

/// Whether a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It answers.
    Ready,
    /// It answers no more, and the managers have not noticed yet: it is still given tasks, which never start. They notice
    /// after some seconds, and then it is [`NodeState::Down`].
    Lost,
    /// It does not: its tasks are replaced, and nobody knows whether they still run.
    Down,
}

/// What a node may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// For anything.
    Active,
    /// No new tasks.
    Pause,
    /// No tasks at all.
    Drain,
}

impl Availability {
    /// The Engine's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pause => "pause",
            Self::Drain => "drain",
        }
    }

    /// The availability of that word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Pause, Self::Drain].into_iter().find(|availability| availability.word() == word)
    }
}

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) created: String,
    pub(crate) updated: String,
    pub(crate) hostname: String,
    pub(crate) manager: bool,
    pub(crate) leader: bool,
    pub(crate) address: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) engine_labels: BTreeMap<String, String>,
    pub(crate) nano_cpus: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) state: NodeState,
    /// When the managers notice that it is lost.
    pub(crate) noticed_at: Option<Moment>,
    pub(crate) availability: Availability,
}

impl Node {
    /// A ready node; the first one leads.
    pub(crate) fn new(id: String, position: usize, options: &NodeOptions, at: &str) -> Self {
        let address = if position == 0 { "127.0.0.1".to_owned() } else { format!("10.77.0.{}", position + 1) };
        Self {
            id,
            version: 9,
            created: at.to_owned(),
            updated: at.to_owned(),
            hostname: options.hostname.clone(),
            manager: options.manager || position == 0,
            leader: position == 0,
            address,
            labels: options.labels.clone(),
            engine_labels: options.engine_labels.clone(),
            nano_cpus: options.nano_cpus,
            memory_bytes: options.memory_bytes,
            state: NodeState::Ready,
            noticed_at: None,
            availability: Availability::Active,
        }
    }

    /// `Spec.Role`.
    pub(crate) fn role(&self) -> &'static str {
        if self.manager { "manager" } else { "worker" }
    }

    /// Whether it takes new tasks.
    pub(crate) fn takes_tasks(&self) -> bool {
        self.state != NodeState::Down && self.availability == Availability::Active
    }

    /// Whether its tasks may stay where they are.
    pub(crate) fn keeps_tasks(&self) -> bool {
        self.state != NodeState::Down && self.availability != Availability::Drain
    }

    /// As `GET /nodes` shows it.
    pub(crate) fn json(&self) -> Value {
        let mut engine = json!({ "EngineVersion": crate::api::ENGINE_VERSION, "Plugins": plugins() });
        if !self.engine_labels.is_empty() {
            engine["Labels"] = json!(self.engine_labels);
        }
        let mut status = match self.state {
            NodeState::Ready | NodeState::Lost => json!({ "State": "ready" }),
            NodeState::Down => json!({ "State": "down", "Message": "heartbeat failure" }),
        };
        status["Addr"] = json!(self.address);
        let mut node = json!({
            "ID": self.id,
            "Version": { "Index": self.version },
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "Spec": { "Labels": self.labels, "Role": self.role(), "Availability": self.availability.word() },
            "Description": {
                "Hostname": self.hostname,
                "Platform": { "Architecture": "x86_64", "OS": "linux" },
                "Resources": { "NanoCPUs": self.nano_cpus, "MemoryBytes": self.memory_bytes },
                "Engine": engine,
            },
            "Status": status,
        });
        if self.manager {
            let reachable = self.state != NodeState::Down;
            node["ManagerStatus"] = json!({
                "Reachability": if reachable { "reachable" } else { "unreachable" },
                "Addr": format!("{}:2377", self.address),
            });
            if self.leader {
                node["ManagerStatus"]["Leader"] = json!(true);
            }
        }
        node
    }
}

fn plugins() -> Value {
    let names =
        [("Log", "json-file"), ("Log", "local"), ("Network", "bridge"), ("Network", "host"), ("Network", "overlay")];
    let mut plugins: Vec<Value> = names.iter().map(|(kind, name)| json!({ "Type": kind, "Name": name })).collect();
    plugins.push(json!({ "Type": "Volume", "Name": "local" }));
    Value::Array(plugins)
}
