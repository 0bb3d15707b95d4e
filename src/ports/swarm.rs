//! What runs.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::engine::{LiveStack, Observation, Pinned, Write};
use crate::lease::{Lease, SeenLease};
use crate::logs::LogLine;
use crate::names::StackName;

/// The Swarm, through its Engine's API.
#[async_trait]
pub trait Swarm: Send + Sync {
    /// Where the Engine is and which it is, in words for people: `Docker 20.10.24 (API 1.41) at unix:///…`. An error
    /// where it is no manager of a Swarm that can decide.
    async fn check(&self) -> Result<String, SwarmError>;

    /// Everything that a plan for the stack is made against.
    async fn live(&self, stack: &StackName) -> Result<LiveStack, SwarmError>;

    /// The names of the networks that services of the stack may use, by id: live specs show the ids.
    async fn network_names(&self, stack: &StackName) -> Result<BTreeMap<String, String>, SwarmError> {
        Ok(self.live(stack).await?.network_names())
    }

    /// One consistent look at the stack's services and their tasks.
    async fn observe(&self, stack: &StackName) -> Result<Observation, SwarmError>;

    /// Writes. Only a rollout calls this. Returns the id of what was created or changed.
    async fn apply(&self, write: &Write) -> Result<String, SwarmError>;

    /// The digest that a registry gives for the image, and what the image runs on. [`SwarmError::NotFound`] where its
    /// registry says that there is no such image and the manager has none either.
    async fn pin(&self, image: &str) -> Result<Pin, SwarmError>;

    /// Whether there is such an image for the Swarm to get: on the Engine itself, else in its registry.
    async fn find_image(&self, image: &str) -> Result<ImagePresence, SwarmError>;

    /// The last log lines of a task, oldest first; at most `lines`.
    async fn logs(&self, task: &str, lines: u32) -> Result<Vec<String>, SwarmError>;

    /// Wakes whoever watches: one item for each change that the Engine tells of. Ends when the connection does.
    async fn changes(&self) -> Result<BoxStream<'static, ()>, SwarmError>;

    /// The lines that a service's tasks write: the last `tail` of each task, and with `follow` every later one. `service`
    /// is an id or a full name. A stream that is not read holds the Engine back; nothing is kept for it.
    async fn service_logs(
        &self,
        service: &str,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogLine, SwarmError>>, SwarmError>;

    /// Who this process is, as the Swarm sees it.
    async fn identity(&self) -> Result<Identity, SwarmError>;

    /// The lease over a stack, if anybody ever took it.
    async fn lease(&self, stack: &StackName) -> Result<Option<SeenLease>, SwarmError>;

    /// Writes the lease over a stack in place of the one that was read. `OutOfSequence` or `NameTaken` where somebody
    /// else was faster. The one write besides [`Swarm::apply`]: it changes nothing that runs.
    async fn put_lease(&self, stack: &StackName, lease: &Lease, before: Option<&SeenLease>) -> Result<(), SwarmError>;
}

/// Who this process is, as the Swarm sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Where it runs, in words for people: `service lab_release-manager`, `process 7 on host nas`.
    pub place: String,
    /// Another one at each start.
    pub process: String,
    /// The full name of the service that it is a task of; `None` where it is none.
    pub service: Option<String>,
}

/// What is known of the content behind the name of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// A registry has said.
    To(Pinned),
    /// No registry has it: it was made on the Engine.
    Local,
    /// Nobody could say, and why: the registry is out of reach, or wants a login.
    Unknown(String),
}

impl Pin {
    /// The image with its digest, where a registry has said.
    pub fn pinned(self) -> Option<Pinned> {
        match self {
            Self::To(pinned) => Some(pinned),
            Self::Local | Self::Unknown(_) => None,
        }
    }
}

/// Whether an image can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagePresence {
    /// It is there.
    Found,
    /// Its registry says that there is none.
    Missing,
    /// Nobody could say, and why: the registry is out of reach, or wants a login.
    Unknown(String),
}

/// Why the Swarm did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// No connection.
    #[error("the Docker Engine at {host} cannot be reached ({detail}): check DOCKER_HOST and that the Engine runs")]
    Unreachable {
        /// `DOCKER_HOST`.
        host: String,
        /// The kind of trouble.
        detail: String,
    },
    /// No answer in time: a write may or may not have been done.
    #[error("the Docker Engine at {host} did not answer within {} s", after.as_secs())]
    TimedOut {
        /// `DOCKER_HOST`.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// An Engine that is no manager of a working Swarm.
    #[error("the Docker Engine at {host} is no Swarm manager that can decide: {detail}")]
    NotManager {
        /// `DOCKER_HOST`.
        host: String,
        /// The Engine's own words, and what to do.
        detail: String,
    },
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// A name that is taken.
    #[error("{0}")]
    NameTaken(String),
    /// Somebody has written since the version that was named.
    #[error("somebody else has changed the service meanwhile")]
    OutOfSequence,
    /// The credentials for a registry cannot be used: which, and what to do.
    #[error("{0}")]
    Credentials(String),
    /// The Engine refuses the request for what it says.
    #[error("the Docker Engine refused: {0}")]
    Refused(String),
    /// An answer that cannot be read.
    #[error("the Docker Engine at {host} gave an answer that cannot be read: {detail}")]
    Unreadable {
        /// `DOCKER_HOST`.
        host: String,
        /// Where and why.
        detail: String,
    },
}

impl SwarmError {
    /// Whether a write that ended so may have been done all the same.
    pub fn is_doubtful(&self) -> bool {
        // A Swarm without a leader says that it is no manager; it may have taken the write before it lost the leader.
        matches!(
            self,
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Unreadable { .. } | Self::NotManager { .. }
        )
    }
}
