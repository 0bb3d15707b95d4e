//! Leading: the lease over each stack is read every few seconds, and before anything is written.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::told::{News, Told};
use super::{Inner, ManagerError};
use crate::lease::{Holder, LOOK_EVERY, SeenLease, Step};
use crate::names::EnvironmentName;
use crate::pipeline::Environment;
use crate::ports::SwarmError;
use crate::watched::Lead;

/// A lease that was ours so lately still is: nobody takes one over in less than [`crate::lease::TERM`].
const FRESH: Duration = Duration::from_secs(2);
/// How often the lease is read again when somebody else was faster to write it.
const TRIES: u32 = 3;

/// Looks at the lease of one environment for as long as the process lives.
pub(super) async fn follow_lead(inner: Arc<Inner>, environment: Environment) {
    let mut told = Told::default();
    loop {
        match told.hear(&inner.look_at_lead(&environment).await) {
            News::Trouble(error) => warn!(environment = %environment.name, error, "The lease cannot be read"),
            News::Over => info!(environment = %environment.name, "The lease is read again"),
            News::None => (),
        }
        tokio::select! {
            () = inner.stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => (),
        }
    }
}

impl Inner {
    /// Refuses where another Release Manager is known to lead.
    pub(super) fn may_lead(&self, name: &EnvironmentName) -> Result<(), ManagerError> {
        let live = self.board.subscribe();
        let live = live.borrow();
        match live.environments.get(name).map(|known| &known.watched.lead) {
            Some(Lead::Other { place, .. }) => {
                Err(ManagerError::NotLeading { environment: name.clone(), place: place.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Makes sure that this process leads, now.
    pub(crate) async fn must_lead(&self, environment: &Environment) -> Result<(), ManagerError> {
        let led_at = self.watcher.led_at().get(&environment.name).copied();
        if led_at.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        match self.look_at_lead(environment).await? {
            Lead::Other { place, .. } => Err(ManagerError::NotLeading { environment: environment.name.clone(), place }),
            Lead::Ours | Lead::Unknown => Ok(()),
        }
    }

    /// Reads the lease, writes it if that is to be done, and shows what follows.
    pub(super) async fn look_at_lead(&self, environment: &Environment) -> Result<Lead, ManagerError> {
        let Some(me) = self.me().await? else { return Ok(Lead::Unknown) };
        let Some(keeper) = self.watcher.keepers.get(&environment.name) else {
            return Err(ManagerError::UnknownEnvironment(environment.name.clone()));
        };
        let mut keeper = keeper.lock().await;
        let mut tries = 0;
        let lead = loop {
            let seen = self.ports.swarm_of(&environment.stack).lease(&environment.stack).await?;
            let (lease, takes) = match keeper.see(&me, seen.as_ref(), self.watcher.started.elapsed()) {
                Step::Lead => break Lead::Ours,
                Step::Follow => break self.other(seen.as_ref()),
                Step::Take(lease) => (lease, true),
                Step::Challenge(lease) => (lease, false),
            };
            tries += 1;
            match self.ports.swarm_of(&environment.stack).put_lease(&environment.stack, &lease, seen.as_ref()).await {
                Ok(()) if takes => {
                    keeper.took();
                    break Lead::Ours;
                }
                Ok(()) => break self.other(seen.as_ref()),
                Err(SwarmError::OutOfSequence | SwarmError::NameTaken(_)) if tries < TRIES => (),
                Err(error) => return Err(error.into()),
            }
        };
        drop(keeper);
        self.show_lead(environment, lead.clone());
        Ok(lead)
    }

    fn other(&self, seen: Option<&SeenLease>) -> Lead {
        let since = self.ports.clock.now();
        seen.map_or(Lead::Unknown, |seen| Lead::Other { place: seen.lease.holder.place.clone(), since })
    }

    fn show_lead(&self, environment: &Environment, lead: Lead) {
        let name = &environment.name;
        match &lead {
            Lead::Ours => drop(self.watcher.led_at().insert(name.clone(), tokio::time::Instant::now())),
            Lead::Other { .. } | Lead::Unknown => drop(self.watcher.led_at().remove(name)),
        }
        let before = self.board.subscribe().borrow().environments.get(name).map(|known| known.watched.lead.clone());
        let same = match (&before, &lead) {
            (Some(Lead::Other { place: before, .. }), Lead::Other { place, .. }) => before == place,
            (Some(before), lead) => before == lead,
            (None, _) => false,
        };
        if same {
            return;
        }
        match &lead {
            Lead::Ours => info!(environment = %name, stack = %environment.stack, "Leading"),
            Lead::Other { place, .. } => {
                warn!(environment = %name, stack = %environment.stack, "{place} leads: nothing is written from here");
            }
            Lead::Unknown => (),
        }
        let leads = lead == Lead::Ours;
        self.board.environment(name, |known| known.watched.lead = lead);
        if leads {
            // What was held back while somebody else led.
            self.look_now.notify_one();
        }
    }

    /// This process, as leases name it; `None` where it takes none.
    async fn me(&self) -> Result<Option<Holder>, ManagerError> {
        let database = self.watcher.database.get_or_try_init(|| self.ports.ledger.instance()).await?;
        let Some(database) = database.clone() else { return Ok(None) };
        let identity = self.watcher.identity.get_or_try_init(|| self.ports.swarm.identity()).await?;
        Ok(Some(Holder { database, process: identity.process.clone(), place: identity.place.clone() }))
    }
}
