//! How a person stops a rollout.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::names::Actor;
use crate::ports::JournalEntry;

/// Stops one rollout at the next safe point; optionally what it has written is then put back. Clones are one switch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switch {
    off: CancellationToken,
    back: CancellationToken,
    /// Who has used it last.
    by: Arc<Mutex<Option<Actor>>>,
}

impl Switch {
    /// The switch of a rollout that an earlier process has begun, as its journal left it.
    pub(crate) fn of(journal: &[JournalEntry]) -> Self {
        let switch = Self::default();
        for entry in journal {
            if let JournalEntry::CancelRequested { by, go_back } = entry {
                switch.turn_off(by.clone(), *go_back);
            }
        }
        switch
    }

    /// Nothing more is written.
    pub(crate) fn turn_off(&self, by: Actor, go_back: bool) {
        *self.by.lock().unwrap_or_else(PoisonError::into_inner) = Some(by);
        self.off.cancel();
        if go_back {
            self.back.cancel();
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.off.is_cancelled()
    }

    /// Who stopped it.
    pub(super) fn by(&self) -> Option<Actor> {
        self.by.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether what was written is to be put back.
    pub(super) fn goes_back(&self) -> bool {
        self.back.is_cancelled()
    }

    /// Waits until what was written is to be put back.
    pub(super) async fn to_go_back(&self) {
        self.back.cancelled().await;
    }
}
