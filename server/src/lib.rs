//! The adapters of Release Manager: git hosts, Docker, SQLite, HTTP.

pub mod demo;
pub mod source;
pub mod store;
pub mod swarm;
