//! Who is told of what happens.

use async_trait::async_trait;

use super::LedgerError;
use crate::notice::Told;

/// Knows who is told.
#[async_trait]
pub trait Audience: Send + Sync {
    /// Every place that is told, in the order of the configuration.
    async fn told(&self) -> Result<Vec<Told>, LedgerError>;
}
