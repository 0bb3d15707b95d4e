//! Holds: nothing new is brought to an environment until it is resumed.

use tracing::{info, warn};

use super::{Inner, Manager, ManagerError};
use crate::hold::Hold;
use crate::names::{Actor, CommitSha, DeploymentId, EnvironmentName, HoldReason, InvalidName};
use crate::pipeline::{Environment, Mode};

impl Manager {
    /// Holds an environment: neither a sync nor a promotion brings anything new to it. What runs keeps running, and may
    /// be rolled back and restarted. A hold that is there already is replaced.
    pub async fn hold(&self, actor: Actor, target: &EnvironmentName, reason: HoldReason) -> Result<Hold, ManagerError> {
        let inner = &self.inner;
        inner.environment(target)?;
        let hold = Hold { by: actor, since: inner.ports.clock.now(), reason, newer_than: None };
        inner.put_under(target, hold.clone()).await?;
        Ok(hold)
    }

    /// Ends the hold of an environment; the newest revision is then looked at again.
    pub async fn resume(&self, actor: Actor, target: &EnvironmentName) -> Result<(), ManagerError> {
        let inner = &self.inner;
        inner.environment(target)?;
        if !inner.end_hold(target, &actor).await? {
            return Err(ManagerError::NotHeld(target.clone()));
        }
        inner.look_now.notify_one();
        Ok(())
    }
}

impl Inner {
    /// Shows what is held, as the ledger knows it.
    pub(super) async fn show_holds(&self) -> Result<(), ManagerError> {
        for (name, hold) in self.ports.ledger.holds().await? {
            self.board.environment(&name, |environment| environment.hold = Some(hold));
        }
        Ok(())
    }

    /// The hold that an environment is under.
    pub(super) fn held(&self, name: &EnvironmentName) -> Option<Hold> {
        self.board.subscribe().borrow().environments.get(name).and_then(|environment| environment.hold.clone())
    }

    /// Refuses while an environment is held.
    pub(super) fn not_held(&self, name: &EnvironmentName) -> Result<(), ManagerError> {
        self.held(name).map_or(Ok(()), |hold| Err(ManagerError::Held(name.clone(), Box::new(hold))))
    }

    /// Whether nothing may be brought to an environment although the source is at this revision. A hold that ends with
    /// it is ended.
    pub(super) async fn holds_back(&self, name: &EnvironmentName, head: &CommitSha) -> bool {
        match self.held(name) {
            None => false,
            Some(hold) if hold.ends_with(head) => match self.end_hold(name, &Actor::System).await {
                Ok(_) => false,
                Err(error) => {
                    warn!(%error, environment = %name, "Could not end the hold");
                    true
                }
            },
            Some(_) => true,
        }
    }

    /// Holds an environment that follows the source until that has something newer than now; a person's own hold stays.
    /// Returns the new hold, if there is one.
    pub(super) async fn hold_for_rollback(
        &self,
        environment: &Environment,
        actor: &Actor,
        to: DeploymentId,
    ) -> Result<Option<Hold>, ManagerError> {
        let by_person = self.held(&environment.name).is_some_and(|hold| hold.newer_than.is_none());
        if environment.mode != Mode::Auto || by_person {
            return Ok(None);
        }
        let reason: HoldReason = format!("rolled back to deployment {to}")
            .parse()
            .map_err(|error: InvalidName| ManagerError::Internal(error.to_string()))?;
        let newer_than = self.board.subscribe().borrow().source.head.as_ref().map(|head| head.sha.clone());
        let hold = Hold { by: actor.clone(), since: self.ports.clock.now(), reason, newer_than };
        self.put_under(&environment.name, hold.clone()).await?;
        Ok(Some(hold))
    }

    /// Takes back the hold for a rollback that was not begun, unless a person has decided otherwise meanwhile.
    pub(super) async fn take_back(&self, name: &EnvironmentName, hold: Option<Hold>, before: Option<Hold>) {
        if hold.is_none() || self.held(name) != hold {
            return;
        }
        let restored = match before {
            Some(before) => self.put_under(name, before).await,
            None => self.end_hold(name, &Actor::System).await.map(drop),
        };
        if let Err(error) = restored {
            warn!(%error, environment = %name, "The hold for a rollback that did not begin could not be taken back");
        }
    }

    async fn put_under(&self, name: &EnvironmentName, hold: Hold) -> Result<(), ManagerError> {
        self.ports.ledger.hold(name, &hold).await?;
        info!(environment = %name, by = %hold.by, reason = hold.reason.as_str(), "Held");
        self.board.environment(name, |environment| environment.hold = Some(hold));
        Ok(())
    }

    async fn end_hold(&self, name: &EnvironmentName, by: &Actor) -> Result<bool, ManagerError> {
        let was_held = self.ports.ledger.resume(name, by, self.ports.clock.now()).await?;
        if was_held {
            info!(environment = %name, %by, "Resumed");
        }
        self.examined().remove(name);
        self.board.environment(name, |environment| environment.hold = None);
        Ok(was_held)
    }
}
