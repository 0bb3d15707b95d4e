//! Who is told, for people to look at: nothing of it is secret.

use std::sync::Arc;

use async_trait::async_trait;
use release_manager::notice::{Queue, Told};
use release_manager::ports::{Audience, LedgerError};

use super::target::{Channel, Target};
use crate::store::Store;

/// The configured targets, and the queue that they are told from.
pub struct Addressees {
    store: Arc<Store>,
    told: Vec<Told>,
}

impl Addressees {
    /// Knows these.
    pub fn new(store: Arc<Store>, told: Vec<Told>) -> Self {
        Self { store, told }
    }
}

#[async_trait]
impl Audience for Addressees {
    async fn told(&self) -> Result<Vec<Told>, LedgerError> {
        let mut told = self.told.clone();
        for place in &mut told {
            place.queue = self.store.notice_queue(&place.name).await?;
        }
        Ok(told)
    }
}

impl Target {
    /// The target without how it is reached.
    pub fn told(&self) -> Told {
        Told {
            name: self.name.clone(),
            kind: self.channel.kind(),
            environments: self.environments.clone(),
            events: self.events.clone(),
            queue: Queue::default(),
        }
    }
}

impl Channel {
    /// Its `kind` in the configuration.
    fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Ntfy { .. } => "ntfy",
            Self::Discord { .. } => "discord",
            Self::Slack { .. } => "slack",
            Self::Telegram { .. } => "telegram",
            Self::Email(_) => "email",
            Self::CommitStatus { .. } => "commit_status",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testkit::target;

    #[test]
    fn who_is_told_is_shown_without_what_is_secret() {
        let channel = Channel::Webhook {
            url: "https://example.org/hook/hunter2".to_owned().into(),
            secret: Some("hunter3".to_owned().into()),
        };
        let told = target(channel).told();
        assert_eq!((told.name.as_str(), told.kind), ("test", "webhook"));
        let text = format!("{told:?}");
        assert!(!text.contains("hunter") && !text.contains("example.org"), "{text}");
    }
}
