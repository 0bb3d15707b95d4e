//! A Docker Engine in swarm mode that pretends to run containers. It speaks the Engine's own HTTP API (1.41, as Docker
//! 20.10 does) over a unix socket, so that a real client can be used against it in demonstrations, contract tests and
//! fault tests.
//!
//! What it decides lives in `orchestrate`, over the store in `state`; `api` turns calls into reads and writes of the
//! store; `server` owns the socket and `faults` what goes wrong on it. Time is tokio's, so a paused clock drives
//! everything; between two events nothing runs.

mod api;
mod behaviour;
mod clock;
mod error;
mod faults;
mod ids;
mod image;
mod options;
mod orchestrate;
mod persist;
mod schema;
mod script;
mod server;
mod simulator;
mod spec;
mod state;

pub use behaviour::{Behaviour, Exit, Health, ImageRule, LogLine};
pub use faults::{Fault, Trouble};
pub use options::{NodeOptions, Options, Registry};
pub use server::Listening;
pub use simulator::{AcceptedWrite, Daemon, Simulator, SwarmTrouble};
pub use state::node::{Availability, NodeState};
