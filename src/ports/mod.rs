//! What the core needs of the world: a source, a Swarm, a ledger, a clock, and who is told.

mod audience;
mod ledger;
mod source;
mod swarm;

use std::collections::BTreeMap;

pub use audience::Audience;
pub use ledger::{
    Current, DeployedRelease, JournalEntry, Latest, Ledger, LedgerError, NewDeployment, OpenDeployment, Proved,
    ReleaseFilter, Standing, Stood, Tried, Unproved,
};
pub use source::{Lineage, Source, SourceError};
pub use swarm::{Identity, ImagePresence, Pin, Swarm, SwarmError};

use crate::names::RepoPath;
use crate::time::Timestamp;

/// An error of an adapter, for the log.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Wall-clock time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The content of the files that a stack file names, by path.
pub type Files = BTreeMap<RepoPath, Vec<u8>>;
