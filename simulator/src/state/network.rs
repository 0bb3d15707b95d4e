//! Networks, predefined ones included.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A network.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the API shows most of them as they are")]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created: String,
    /// Whether the swarm knows it, or only this node.
    pub(crate) swarm: bool,
    pub(crate) driver: String,
    pub(crate) ingress: bool,
    pub(crate) internal: bool,
    pub(crate) attachable: bool,
    /// `null`, or what was asked for.
    pub(crate) labels: Value,
    pub(crate) options: Value,
    pub(crate) ipam: Value,
    /// One of the Engine's own. A predefined swarm network is not listed.
    pub(crate) predefined: bool,
    pub(crate) listed: bool,
    /// The first three parts of its addresses.
    pub(crate) subnet: String,
    /// The last part of the address given out last.
    pub(crate) last_address: u32,
}

impl Network {
    /// `Scope`.
    pub(crate) fn scope(&self) -> &'static str {
        if self.swarm { "swarm" } else { "local" }
    }

    /// The next free address in it.
    pub(crate) fn next_address(&mut self) -> String {
        self.last_address += 1;
        format!("{}.{}/24", self.subnet, self.last_address % 250 + 2)
    }

    /// As list and inspect show it. Once a task runs on the answering node the node's own view is shown.
    pub(crate) fn json(&self, containers: Option<Map<String, Value>>) -> Value {
        let is_node_view = !self.swarm || containers.is_some();
        let filled = |value: &Value| if is_node_view && value.is_null() { json!({}) } else { value.clone() };
        let mut network = json!({
            "Name": self.name,
            "Id": self.id,
            "Created": self.created,
            "Scope": self.scope(),
            "Driver": self.driver,
            "EnableIPv6": false,
            "IPAM": self.ipam,
            "Internal": self.internal,
            "Attachable": self.attachable,
            "Ingress": self.ingress,
            "ConfigFrom": { "Network": "" },
            "ConfigOnly": false,
            "Containers": if self.swarm { Value::Null } else { json!({}) },
            "Options": filled(&self.options),
            "Labels": filled(&self.labels),
        });
        if let Some(containers) = containers {
            network["Containers"] = Value::Object(containers);
            network["Peers"] = json!([{ "Name": "simulator", "IP": "127.0.0.1" }]);
        }
        network
    }
}
