//! What success has proved of an environment, rendered as it was: service by service, as a deployment may have succeeded
//! for some services only, or have been for some only.

use std::collections::{BTreeMap, BTreeSet};

use super::{Inner, ManagerError};
use crate::names::{DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::Environment;
use crate::plan::{self, Part, compose};
use crate::ports::{LedgerError, ReleaseFilter, Standing};
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
        let mut told: BTreeMap<DeploymentId, (Release, Stack)> = BTreeMap::new();
        for id in standing.tellers() {
            told.insert(id, self.ports.ledger.release_of(id).await?.ok_or_else(|| gone(id))?);
        }
        let release = standing.release(|id| told.get(&id).map(|(release, _)| release));
        let parts: Vec<Part<'_>> = told
            .iter()
            .rev()
            .map(|(id, (_, stack))| {
                let of_this = standing.services.iter().filter(|(_, stood)| stood.told_by == Some(*id));
                Part { stack, services: of_this.map(|(name, _)| name.clone()).collect() }
            })
            .collect();
        let stack = standing.pinned(&compose(&environment.stack, &parts));
        Ok(Some(Proven { release, stack }))
    }

    /// The release of [`Inner::proven`] alone: it costs no rendered stack.
    pub(super) async fn proven_release(&self, name: &EnvironmentName) -> Result<Option<Release>, ManagerError> {
        let ledger = &self.ports.ledger;
        let Some(standing) = ledger.standing(name, None).await? else { return Ok(None) };
        let mut told: BTreeMap<DeploymentId, Release> = BTreeMap::new();
        for id in standing.tellers() {
            let filter =
                ReleaseFilter { environment: None, before: Some(DeploymentId(id.0.saturating_add(1))), limit: 1 };
            let found = ledger.releases(&filter).await?.pop().filter(|found| found.deployment == id);
            told.insert(id, found.ok_or_else(|| gone(id))?.release);
        }
        Ok(Some(standing.release(|id| told.get(&id))))
    }
}

impl Standing {
    /// The deployments that tell how something was rendered, or at which revision.
    fn tellers(&self) -> BTreeSet<DeploymentId> {
        self.services.values().filter_map(|stood| stood.told_by).chain(self.success).collect()
    }

    /// Every service with the revision at which it was proved, as the deployments that tell of them know it.
    fn release<'a>(&self, told: impl Fn(DeploymentId) -> Option<&'a Release>) -> Release {
        // The newest revision that wants the same stands for the one that was deployed.
        let noted = |id: DeploymentId| self.noted.as_ref().filter(|_| self.success == Some(id));
        let revision_of = |id| noted(id).or_else(|| told(id)?.revision.as_ref()).cloned();
        let services = self.services.iter().map(|(name, stood)| {
            let own = stood.told_by.and_then(|id| match told(id)?.elsewhere.get(name) {
                Some(own) => own.clone(),
                None => revision_of(id),
            });
            (name.clone(), (stood.version.clone(), own))
        });
        Release::mixed(self.tellers().last().copied().and_then(revision_of), services)
    }

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
