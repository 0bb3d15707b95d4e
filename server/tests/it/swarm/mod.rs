//! The adapter of the Swarm: the contract with a real Engine, and what only a made-up Engine says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

mod contract;
mod fake;
mod specs;
mod wire;
mod world;
