//! What success has proved of an environment, rendered as it was: service by service, as a deployment may have succeeded
//! for some services only, or have been for some only.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::{Inner, ManagerError};
use crate::names::{DeploymentId, ServiceName};
use crate::pipeline::Environment;
use crate::plan::{self, Part, compose};
use crate::ports::{LedgerError, Standing};
use crate::release::Release;
use crate::stack::Stack;

/// What an environment runs as far as success has proved it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Proven {
    /// Every service with its version and the revision that it was rendered at.
    pub(crate) release: Release,
    /// Every service as it was rendered; those that were only adopted are missing.
    pub(crate) stack: Stack,
}

impl Proven {
    /// Its services as a part of another stack, but for these.
    pub(crate) fn without(&self, others: &BTreeSet<ServiceName>) -> Part<'_> {
        let services = self.stack.services.keys().filter(|service| !others.contains(*service)).cloned().collect();
        Part { stack: &self.stack, services }
    }
}

impl Inner {
    /// What success has proved of an environment, or had proved before a deployment; `None` while nothing is known.
    pub(crate) async fn proven(
        &self,
        environment: &Environment,
        before: Option<DeploymentId>,
    ) -> Result<Option<Proven>, ManagerError> {
        let Some(standing) = self.ports.ledger.standing(&environment.name, before).await? else { return Ok(None) };
        let tellers = standing.services.values().filter_map(|stood| stood.told_by);
        let mut told: BTreeMap<DeploymentId, (Release, Stack)> = BTreeMap::new();
        for id in tellers.chain(standing.success) {
            if let Entry::Vacant(place) = told.entry(id) {
                place.insert(self.ports.ledger.release_of(id).await?.ok_or_else(|| gone(id))?);
            }
        }
        // The newest revision that wants the same stands for the one that was deployed.
        if let Some((id, noted)) = standing.success.zip(standing.noted.clone())
            && let Some((release, _)) = told.get_mut(&id)
        {
            release.revision = Some(noted);
        }
        let newest = told.values().next_back();
        let revision = newest.and_then(|(release, _)| release.revision.clone());
        let services = standing.services.iter().map(|(name, stood)| {
            let teller = stood.told_by.and_then(|id| told.get(&id));
            let own = teller.and_then(|(release, _)| release.revision_of(name).cloned());
            (name.clone(), (stood.version.clone(), own))
        });
        let parts: Vec<Part<'_>> = told
            .iter()
            .rev()
            .map(|(id, (_, stack))| {
                let of_this = standing.services.iter().filter(|(_, stood)| stood.told_by == Some(*id));
                Part { stack, services: of_this.map(|(name, _)| name.clone()).collect() }
            })
            .collect();
        let stack = standing.pinned(&compose(&environment.stack, &parts));
        Ok(Some(Proven { release: Release::mixed(revision, services), stack }))
    }
}

impl Standing {
    /// The stack with the images that success has proved: a deployment that left a service alone may have stored it by
    /// its tag only.
    pub(super) fn pinned(&self, stack: &Stack) -> Stack {
        let proven = stack.services.iter().filter_map(|(name, rendered)| {
            let image = &self.services.get(name)?.version.image;
            plan::is_pin_of(image, plan::image_of(&rendered.spec)?).then(|| (name.clone(), image.clone()))
        });
        plan::with_images(stack, &proven.collect())
    }
}

fn gone(id: DeploymentId) -> LedgerError {
    let detail = format!("deployment {id} is told of, but its release is not there: restore the newest good backup");
    LedgerError::Failed { source: detail.clone().into(), detail }
}
