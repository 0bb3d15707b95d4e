//! The adapters of Release Manager (git hosts, Docker, SQLite, HTTP) and its command line.

pub mod auth;
pub mod backups;
pub mod cli;
pub mod config;
pub mod demo;
pub mod http;
pub mod metrics;
pub mod notify;
pub mod soundness;
pub mod source;
mod standard_webhooks;
pub mod store;
pub mod swarm;
pub mod telemetry;

use release_manager::ports::Clock;
use release_manager::time::Timestamp;

/// The machine's own clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
