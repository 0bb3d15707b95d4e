//! Integration tests: real `SQLite`, real router, real sockets.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

mod access;
mod api;
mod ending;
mod engines;
mod fake_github;
mod faults;
mod flow;
mod notify;
mod own;
mod parity;
mod planted;
mod program;
mod proofs;
mod source;
mod stack;
mod store;
mod swarm;
mod traces;
