//! Taking away what nothing needs any more, once everything else has succeeded.

use super::{Interrupted, Rollout};
use crate::plan::ActionKind;
use crate::ports::{JournalEntry, SwarmError};

/// How often a removal is tried: the Engine lets go of networks only when the last task that used them has ended.
const TRIES: u32 = 10;

impl Rollout<'_> {
    /// Removes what the plan found to be left over. What is still in use stays: the next plan finds it again.
    pub(super) async fn clean_up(&self) -> Result<(), Interrupted> {
        for number in self.numbers(|kind| matches!(kind, ActionKind::RemoveObject { .. })) {
            self.remove_object(number).await?;
        }
        Ok(())
    }

    async fn remove_object(&self, number: usize) -> Result<(), Interrupted> {
        let Some(write) = &self.actions[number].write else { return Ok(()) };
        if self.journal.done.contains(&number) {
            return Ok(());
        }
        self.journal(&JournalEntry::Intent { action: number, target: None }).await?;
        for _ in 0..TRIES {
            match self.send(write).await {
                Ok(_) | Err(SwarmError::NotFound(_)) => {
                    let done = JournalEntry::Done { action: number, id: String::new() };
                    return Ok(self.journal(&done).await?);
                }
                Err(error) => tracing::debug!(%error, "What is left over cannot be removed yet"),
            }
            if self.switch.is_off() || self.is_late() {
                break;
            }
            self.pause().await?;
        }
        if let ActionKind::RemoveObject { object, name } = &self.actions[number].kind {
            tracing::info!("The {object} {name} is still in use and stays until the next deployment");
        }
        Ok(())
    }
}
