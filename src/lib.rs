//! The core of Release Manager: what it knows and how it decides. It touches nothing: no socket, file, process
//! environment, clock or SQL. What it needs of the world it asks of the [`ports`].
//!
//! Without the feature `engine` only the vocabulary is built, for the browser.

pub mod access;
pub mod deployment;
pub mod diff;
pub mod health;
pub mod hold;
pub mod live;
pub mod logs;
pub mod names;
pub mod pipeline;
pub mod release;
pub mod revision;
pub mod time;
pub mod views;
pub mod watched;

#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "engine")]
pub mod env_file;
#[cfg(feature = "engine")]
pub mod hidden;
#[cfg(feature = "engine")]
pub mod insights;
#[cfg(feature = "engine")]
pub mod judge;
#[cfg(feature = "engine")]
pub mod lease;
#[cfg(feature = "engine")]
pub mod manager;
#[cfg(feature = "engine")]
pub mod notice;
#[cfg(feature = "engine")]
pub mod plan;
#[cfg(feature = "engine")]
pub mod ports;
#[cfg(feature = "engine")]
pub mod rollout;
#[cfg(feature = "engine")]
pub mod stack;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
