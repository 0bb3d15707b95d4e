//! The adapter of the Swarm: one contract for a real Engine and the simulated one, and what only a made-up Engine says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends by a panic")]

mod contract;
mod fake;
mod specs;
mod tls;
mod wire;
mod world;
