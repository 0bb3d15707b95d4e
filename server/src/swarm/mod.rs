//! The Swarm behind a Docker Engine's API.
//!
//! Specs pass through as the Engine's own JSON, so that no member is lost that this code does not know; see
//! `docs/decisions/0003-lossless-specs.md`. Nothing here decides: a write that is in doubt is reported as such and not
//! repeated.

mod changes;
mod client;
mod errors;
mod follow;
mod host;
mod lease;
mod line;
mod list;
mod live;
mod logs;
mod observe;
mod own;
mod pin;
mod presence;
mod read;
mod registries;
mod tls;
mod wire;
mod within;
mod write;

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::stream::BoxStream;
use release_manager::engine::{LiveStack, Observation, Write, names_by_id};
use release_manager::lease::{Lease, SeenLease};
use release_manager::logs::LogLine;
use release_manager::names::StackName;
use release_manager::ports::{Identity, ImagePresence, Pin, Swarm, SwarmError};
use release_manager::time::Timestamp;
use serde_json::Value;

use client::{Client, READ};
pub use host::InvalidDockerHost;
pub use list::{ServiceRow, StackRow, TaskRow};
pub use registries::{Registries, RegistryError};
pub use tls::{EngineTls, EngineTlsError};
pub use within::Dial;

/// The Swarm whose manager is at `DOCKER_HOST`.
pub struct DockerSwarm {
    client: Client,
    registries: Option<Registries>,
    own: own::Own,
}

impl DockerSwarm {
    /// Takes `unix:///path/to/docker.sock` or `tcp://host:port`. Nothing is sent before the first question, so that an
    /// Engine that is down is an error then, and comes back without a restart of ours.
    pub fn connect(host: &str) -> Result<Self, InvalidDockerHost> {
        Ok(Self { client: Client::new(host, None)?, registries: None, own: own::Own::look() })
    }

    /// Takes `tcp://host:port`, and what proves both ends to each other.
    pub fn connect_tls(host: &str, tls: EngineTls) -> Result<Self, InvalidDockerHost> {
        Ok(Self { client: Client::new(host, Some(tls))?, registries: None, own: own::Own::look() })
    }

    /// The same Swarm, with credentials for registries.
    #[must_use]
    pub fn with_registries(self, registries: Registries) -> Self {
        Self { registries: Some(registries), ..self }
    }

    /// Talks to a simulated Engine in this very process, under a name for messages: everything above the connection is
    /// as with a real one, and no operating system lies between, so that a paused clock drives both sides.
    pub fn within(name: &str, dial: Dial) -> Self {
        Self { client: Client::within(name, dial), registries: None, own: own::Own::look() }
    }
}

impl DockerSwarm {
    /// The Engine's clock, as it tells it.
    pub async fn clock(&self) -> Result<Option<Timestamp>, SwarmError> {
        let info = self.client.get("/info", &[]).await?;
        Ok(read::text(&info, "/SystemTime").and_then(|time| time.parse().ok()))
    }
}

#[async_trait]
impl Swarm for DockerSwarm {
    async fn check(&self) -> Result<String, SwarmError> {
        let info = self.client.get("/info", &[]).await?;
        if let Some(detail) = why_no_manager(&info) {
            return Err(SwarmError::NotManager { host: self.client.host().to_owned(), detail });
        }
        let engine = read::text(&info, "/ServerVersion").unwrap_or("of an unknown version");
        let api = self.client.ask(READ, |docker| async move { Ok(docker.client_version()) }).await?;
        Ok(format!("Docker {engine} (API {api}) at {}", self.client.host()))
    }

    async fn live(&self, stack: &StackName) -> Result<LiveStack, SwarmError> {
        Box::pin(live::live(&self.client, stack)).await
    }

    async fn network_names(&self, _: &StackName) -> Result<BTreeMap<String, String>, SwarmError> {
        Ok(names_by_id(&live::networks(&self.client).await?))
    }

    async fn observe(&self, stack: &StackName) -> Result<Observation, SwarmError> {
        observe::observe(&self.client, stack).await
    }

    async fn apply(&self, write: &Write) -> Result<String, SwarmError> {
        write::apply(&self.client, self.registries.as_ref(), write).await
    }

    async fn pin(&self, image: &str) -> Result<Pin, SwarmError> {
        pin::pin(&self.client, self.registries.as_ref(), image).await
    }

    async fn find_image(&self, image: &str) -> Result<ImagePresence, SwarmError> {
        presence::presence(&self.client, self.registries.as_ref(), image).await
    }

    async fn logs(&self, task: &str, lines: u32) -> Result<Vec<String>, SwarmError> {
        logs::logs(&self.client, task, lines).await
    }

    async fn changes(&self) -> Result<BoxStream<'static, ()>, SwarmError> {
        changes::changes(&self.client).await
    }

    async fn service_logs(
        &self,
        service: &str,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogLine, SwarmError>>, SwarmError> {
        follow::service_logs(&self.client, service, tail, follow).await
    }

    async fn identity(&self) -> Result<Identity, SwarmError> {
        self.own.identity(&self.client).await
    }

    async fn lease(&self, stack: &StackName) -> Result<Option<SeenLease>, SwarmError> {
        lease::read(&self.client, stack).await
    }

    async fn put_lease(&self, stack: &StackName, lease: &Lease, before: Option<&SeenLease>) -> Result<(), SwarmError> {
        lease::put(&self.client, stack, lease, before).await
    }
}

/// The Engine answers pings and calls itself a manager also when its managers have lost their majority: only
/// `Swarm.Error` tells.
fn why_no_manager(info: &Value) -> Option<String> {
    let error = read::text(info, "/Swarm/Error");
    let state = read::text(info, "/Swarm/LocalNodeState").unwrap_or("inactive");
    let is_manager = info.pointer("/Swarm/ControlAvailable").and_then(Value::as_bool).unwrap_or(false);
    match (state, error) {
        ("active", None) if is_manager => None,
        ("active", Some(error)) if is_manager => {
            Some(format!("{error}: bring back managers until most of them are reachable"))
        }
        ("active", _) => {
            Some("it is a worker: name a manager in DOCKER_HOST, or promote it with `docker node promote`".to_owned())
        }
        ("locked", _) => Some("its Swarm is locked: run `docker swarm unlock` there".to_owned()),
        ("inactive", _) => {
            Some("it is in no Swarm: run `docker swarm init` there, or name a manager in DOCKER_HOST".to_owned())
        }
        (state, error) => {
            Some(format!("its Swarm is {state}: {}", error.unwrap_or("wait, or look at the Engine's log")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::why_no_manager;

    #[track_caller]
    fn check(swarm: &serde_json::Value, expected: Option<&str>) {
        let found = why_no_manager(&json!({ "Swarm": swarm }));
        match (found.as_deref(), expected) {
            (None, None) => (),
            (Some(found), Some(expected)) if found.contains(expected) => (),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn only_a_manager_of_a_swarm_that_can_decide_will_do() {
        check(&json!({"LocalNodeState": "active", "ControlAvailable": true, "Error": ""}), None);
        check(
            &json!({"LocalNodeState": "active", "ControlAvailable": true, "Error": "no leader"}),
            Some("no leader: bring"),
        );
        check(&json!({"LocalNodeState": "active", "ControlAvailable": false}), Some("docker node promote"));
        check(&json!({"LocalNodeState": "inactive"}), Some("docker swarm init"));
        check(&json!({"LocalNodeState": "locked", "Error": "locked"}), Some("docker swarm unlock"));
        check(&json!({"LocalNodeState": "pending"}), Some("is pending"));
        check(&json!({}), Some("docker swarm init"));
    }
}
