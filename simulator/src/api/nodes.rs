//! `/nodes`.

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    response::IntoResponse,
};
use serde_json::{Value, json};

use crate::{
    api::{Answer, App, Query1, body, filters::Filters, ok, version},
    error::Refusal,
    state::{
        World,
        node::{Availability, Node},
    },
};

impl World {
    /// A node by id, host name, `self`, or the beginning of an id.
    pub(super) fn find_node_by(&self, name: &str) -> Result<&Node, Refusal> {
        let mut nodes = self.nodes.iter();
        if name == "self" {
            return nodes.next().ok_or_else(|| Refusal::not_found("node", name));
        }
        self.node(name)
            .or_else(|| nodes.find(|node| node.hostname == name))
            .or_else(|| self.nodes.iter().find(|node| node.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found("node", name))
    }
}

pub(super) async fn list(State(shared): App, Query(query): Query1) -> Answer {
    let filters = Filters::read(&query)?.only(&["id", "label", "name", "role", "membership", "node.label"])?;
    shared.with(|world| {
        let shown = world.nodes.iter().filter(|node| {
            filters.begins("id", &node.id)
                && filters.begins("name", &node.hostname)
                && filters.passes("role", |role| role == node.role())
                && filters.passes("membership", |membership| membership == "accepted")
                && filters.labels(&json!(node.engine_labels))
        });
        ok(&Value::Array(shown.map(Node::json).collect()))
    })
}

pub(super) async fn inspect(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.with(|world| ok(&world.find_node_by(&id)?.json()))
}

pub(super) async fn update(State(shared): App, Path(id): Path<String>, Query(query): Query1, bytes: Bytes) -> Answer {
    let spec = body(&bytes)?;
    let version = version(&query, "node")?;
    shared.with(|world| {
        let node = world.find_node_by(&id)?;
        if node.version != version {
            return Err(Refusal::out_of_sequence().into());
        }
        let id = node.id.clone();
        let word = spec["Availability"].as_str().unwrap_or_default();
        let availability = Availability::of_word(&word.to_lowercase())
            .ok_or_else(|| Refusal::bad(format!("invalid Availability: {word:?}")))?;
        let labels = serde_json::from_value(spec["Labels"].clone()).unwrap_or_default();
        world.set_node(&id, |node| {
            node.availability = availability;
            node.labels = labels;
        });
        Ok(axum::http::StatusCode::OK.into_response())
    })
}
