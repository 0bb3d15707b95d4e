//! What `/events` tells: a short memory and everyone who listens.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::broadcast;

/// How many events are remembered for `since`.
const MEMORY: usize = 1024;

/// An event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) action: &'static str,
    pub(crate) id: String,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) scope: &'static str,
    pub(crate) at: OffsetDateTime,
}

impl Event {
    /// As the Engine writes it.
    pub(crate) fn json(&self) -> Value {
        let nanos = i64::try_from(self.at.unix_timestamp_nanos()).unwrap_or(i64::MAX);
        let mut event = json!({
            "Type": self.kind,
            "Action": self.action,
            "Actor": { "ID": self.id, "Attributes": self.attributes },
            "scope": self.scope,
            "time": self.at.unix_timestamp(),
            "timeNano": nanos,
        });
        if self.kind == "container" {
            event["status"] = json!(self.action);
            event["id"] = json!(self.id);
        }
        event
    }
}

/// The events so far and the listeners.
#[derive(Debug)]
pub(crate) struct Events {
    memory: VecDeque<Event>,
    /// `None` tells listeners that their stream has been cut.
    listeners: broadcast::Sender<Option<Event>>,
}

impl Events {
    /// No events, no listeners.
    pub(crate) fn new() -> Self {
        Self { memory: VecDeque::new(), listeners: broadcast::channel(MEMORY).0 }
    }

    /// Tells an event.
    pub(crate) fn tell(&mut self, event: Event) {
        if self.memory.len() == MEMORY {
            self.memory.pop_front();
        }
        self.memory.push_back(event.clone());
        // Nobody listens: nothing is lost, the memory has it.
        let _ = self.listeners.send(Some(event));
    }

    /// Ends all streams.
    pub(crate) fn cut(&self) {
        let _ = self.listeners.send(None);
    }

    /// Everything remembered, and everything from now on.
    pub(crate) fn subscribe(&self) -> (Vec<Event>, broadcast::Receiver<Option<Event>>) {
        (self.memory.iter().cloned().collect(), self.listeners.subscribe())
    }
}
