//! Rollback: a release of history is restored as it was stored, with its rendered stack, digests, secrets and configs.
//! Neither the source nor a file is asked for anything.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::compare::{Candidate, show};
use super::desire::content_hash;
use super::owed::Owed;
use super::proven::Proven;
use super::{Inner, Manager, ManagerError};
use crate::deployment::{Cause, Deployment, Status};
use crate::diff::{Finding, diff};
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::{Environment, Mode};
use crate::plan::{self, ActionKind, Part, Plan, compose, short_name};
use crate::ports::ImagePresence;
use crate::release::{Release, ServiceVersion};
use crate::stack::Stack;
use crate::views::{Comparison, RollbackPlan};

const NOT_STORED: &str = "it ran then as it had been found, without having been deployed: how it was is not stored, so it \
                          stays as it is";
const NOT_PROVED_THEN: &str = "it did not work then: an earlier deployment had not seen it succeed, and this one left it alone. \
                               It stays as it is; to bring it back, choose a release that it succeeded in";

type Versions = BTreeMap<ServiceName, ServiceVersion>;

/// What is restored, and what stands now.
struct Restored {
    deployment: Deployment,
    release: Release,
    stack: Stack,
    /// The services that it had without having seen them succeed: it left alone what an earlier one had broken.
    unproved: BTreeSet<ServiceName>,
    now: Option<Proven>,
}

impl Manager {
    /// The deployment that a row of history belongs to.
    pub async fn deployment_of_row(&self, row: i64) -> Result<DeploymentId, ManagerError> {
        let found = self.inner.ports.ledger.history_row(row).await?;
        found.map(|(id, _, _)| id).ok_or(ManagerError::UnknownRow(row))
    }

    /// What a rollback of these services (`None`: all) to the release of deployment `to` would do. Where no plan can be
    /// made the blockers say why.
    pub async fn plan_rollback(
        &self,
        target: &EnvironmentName,
        to: DeploymentId,
        services: Option<&BTreeSet<ServiceName>>,
    ) -> Result<RollbackPlan, ManagerError> {
        let environment = self.inner.environment(target)?;
        let restored = self.inner.restored(environment, to, services).await?;
        let mut comparison = restored.comparison(environment, services);
        match self.inner.rollback(environment, &restored, services).await {
            Ok(candidate) => show(&mut comparison, &candidate.plan),
            Err(error @ (ManagerError::UnknownService(_) | ManagerError::Ledger(_))) => return Err(error),
            Err(error) => comparison.blockers.push(Finding { service: None, message: error.to_string() }),
        }
        let (started_at, holds) = (restored.deployment.started_at, environment.mode == Mode::Auto);
        Ok(RollbackPlan { to, started_at, holds, comparison })
    }

    /// Restores these services (`None`: all) as deployment `to` left them. With `seen`, only if the plan is still the one
    /// of that hash. An environment that follows the source is held until a newer revision comes.
    pub async fn roll_back(
        &self,
        actor: Actor,
        target: &EnvironmentName,
        to: DeploymentId,
        services: Option<BTreeSet<ServiceName>>,
        seen: Option<&str>,
    ) -> Result<DeploymentId, ManagerError> {
        let inner = &self.inner;
        let environment = inner.environment(target)?;
        let permit = inner.permit(target)?;
        let restored = inner.restored(environment, to, services.as_ref()).await?;
        let candidate = inner.rollback(environment, &restored, services.as_ref()).await?;
        if seen.is_some_and(|seen| seen != candidate.plan.hash()) {
            let mut comparison = restored.comparison(environment, services.as_ref());
            show(&mut comparison, &candidate.plan);
            return Err(ManagerError::Stale(Box::new(comparison)));
        }
        let candidate = candidate.worth_doing()?;
        let before = inner.held(target);
        let hold = inner.hold_for_rollback(environment, &actor, to).await?;
        let new = candidate.deployment(target, Cause::Rollback { to }, actor, inner.ports.clock.now());
        match inner.begin(permit, new).await {
            Ok(id) => Ok(id),
            Err(refused) => {
                inner.take_back(target, hold, before).await;
                Err(refused)
            }
        }
    }
}

impl Restored {
    fn running(&self) -> Versions {
        self.now.as_ref().map(|now| now.release.services.clone()).unwrap_or_default()
    }

    fn comparison(&self, environment: &Environment, services: Option<&BTreeSet<ServiceName>>) -> Comparison {
        let chosen =
            |name: &ServiceName| !self.unproved.contains(name) && services.is_none_or(|chosen| chosen.contains(name));
        let only = |versions: Versions| versions.into_iter().filter(|(name, _)| chosen(name)).collect::<Versions>();
        let now = self.now.as_ref().and_then(|now| now.release.revision.as_ref());
        Comparison {
            from: environment.name.clone(),
            to: environment.name.clone(),
            changes: diff(&only(self.running()), &only(self.release.services.clone())),
            commits_from: None,
            commits_to: None,
            from_sha: now.map(|revision| revision.sha.clone()),
            to_sha: self.release.revision.as_ref().map(|revision| revision.sha.clone()),
            actions: BTreeMap::new(),
            blockers: Vec::new(),
            warnings: Vec::new(),
            plan_hash: None,
            // What was proved before is no candidate that soaks.
            soak: BTreeMap::new(),
        }
    }

    /// Whether the deployment has proved a service, as a whole or for itself alone.
    fn has_proved(&self, service: &ServiceName) -> bool {
        if self.unproved.contains(service) {
            return false;
        }
        let Some((_, outcome)) = &self.deployment.ended else { return false };
        let own = outcome.services.get(service).map(|own| own.verdict.status());
        own.map_or(outcome.status == Status::Success, |own| own == Status::Success)
    }
}

impl Inner {
    async fn restored(
        &self,
        environment: &Environment,
        to: DeploymentId,
        services: Option<&BTreeSet<ServiceName>>,
    ) -> Result<Restored, ManagerError> {
        let ledger = &self.ports.ledger;
        let deployment = ledger.deployment(to).await?.ok_or(ManagerError::UnknownDeployment(to))?;
        if deployment.environment != environment.name {
            return Err(ManagerError::OtherEnvironment(to, deployment.environment));
        }
        let (release, stack) = ledger.release_of(to).await?.ok_or(ManagerError::UnknownDeployment(to))?;
        let then = ledger.standing(&environment.name, Some(DeploymentId(to.0 + 1))).await?.unwrap_or_default();
        let stood = |name: &ServiceName| then.services.get(name).is_some_and(|known| known.told_by == Some(to));
        let unproved = release.services.keys().filter(|name| !stood(name)).cloned().collect();
        let now = self.proven(environment, None).await?;
        let restored = Restored { deployment, release, stack: then.pinned(&stack), unproved, now };
        let is_proven = match services {
            None => restored.deployment.status() == Status::Success,
            Some(services) => services.iter().all(|service| restored.has_proved(service)),
        };
        if is_proven { Ok(restored) } else { Err(ManagerError::NotProved(to)) }
    }

    async fn rollback(
        &self,
        environment: &Environment,
        restored: &Restored,
        services: Option<&BTreeSet<ServiceName>>,
    ) -> Result<Candidate, ManagerError> {
        let running = restored.running();
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let live_names: BTreeSet<ServiceName> =
            live.services.keys().filter_map(|full_name| short_name(&environment.stack, full_name)).collect();
        let wanted = &restored.release.services;
        let known = |name: &ServiceName| wanted.contains_key(name) || live_names.contains(name);
        if let Some(unknown) = services.into_iter().flatten().find(|name| !known(name)) {
            return Err(ManagerError::UnknownService(unknown.clone()));
        }
        let everything = || wanted.keys().chain(running.keys()).chain(&live_names).cloned().collect();
        let asked: BTreeSet<ServiceName> = services.cloned().unwrap_or_else(everything);
        let (unproved, asked): (BTreeSet<_>, BTreeSet<_>) =
            asked.into_iter().partition(|name| restored.unproved.contains(name));
        // What ran then without having been deployed was never rendered: it can only be left as it is.
        let (unstored, scope): (BTreeSet<_>, BTreeSet<_>) = asked
            .into_iter()
            .partition(|name| wanted.contains_key(name) && !restored.stack.services.contains_key(name));
        let stack = compose(&environment.stack, &[Part { stack: &restored.stack, services: scope.clone() }]);
        let mut plan = plan::plan(&stack, &live, Some(&scope));
        self.add_owed(environment, &live, &mut plan, Owed::All).await?;
        self.add_gone(environment, &stack, &live, &mut plan, Some(&scope)).await?;
        note_left(&mut plan, unproved, NOT_PROVED_THEN, false);
        note_left(&mut plan, unstored, NOT_STORED, services.is_some());
        self.check_images(environment, &mut plan).await?;
        let content_hash = content_hash(&stack)?;
        let restored_services = wanted
            .iter()
            .filter(|(name, _)| scope.contains(*name))
            .map(|(name, version)| (name.clone(), (version.clone(), restored.release.revision_of(name).cloned())));
        let now = restored.now.as_ref();
        let kept = now.into_iter().flat_map(|now| {
            let kept = now.release.services.iter().filter(|(name, _)| !scope.contains(*name));
            kept.map(|(name, version)| (name.clone(), (version.clone(), now.release.revision_of(name).cloned())))
        });
        let release = Release::mixed(restored.release.revision.clone(), kept.chain(restored_services));
        let all: Vec<Part<'_>> = [Part { stack: &stack, services: scope.clone() }]
            .into_iter()
            .chain(now.map(|now| now.without(&scope)))
            .collect();
        Ok(Candidate { release, stack: compose(&environment.stack, &all), plan, content_hash })
    }

    /// Asks for every image that would be written: one that is gone forbids the deployment, as it would take the old tasks
    /// down for nothing.
    pub(super) async fn check_images(&self, environment: &Environment, plan: &mut Plan) -> Result<(), ManagerError> {
        let images: Vec<(ServiceName, String)> = plan
            .actions
            .iter()
            .filter(|action| matches!(action.kind, ActionKind::CreateService { .. } | ActionKind::UpdateService { .. }))
            .filter_map(|action| {
                let image = plan::image_of(action.write.as_ref()?.service_spec()?)?;
                Some((action.kind.service()?.clone(), image.to_owned()))
            })
            .collect();
        let swarm = self.ports.swarm_of(&environment.stack);
        let found = try_join_all(images.iter().map(|(_, image)| swarm.find_image(image))).await?;
        for ((service, image), presence) in images.into_iter().zip(found) {
            let service = Some(service);
            match presence {
                ImagePresence::Found => (),
                ImagePresence::Missing => {
                    let message =
                        format!("the image `{image}` is not there any more: push it again, or leave the service out");
                    plan.blockers.push(Finding { service, message });
                }
                ImagePresence::Unknown(why) => {
                    let message = format!("nobody could say whether the image `{image}` is still there: {why}");
                    plan.warnings.push(Finding { service, message });
                }
            }
        }
        plan.blockers.sort();
        plan.warnings.sort();
        Ok(())
    }
}

/// Says of services why they stay as they are: forbidding it where they were asked for.
fn note_left(plan: &mut Plan, services: BTreeSet<ServiceName>, why: &str, asked_for: bool) {
    for service in services {
        let finding = Finding { service: Some(service), message: why.to_owned() };
        if asked_for {
            plan.blockers.push(finding);
        } else {
            plan.warnings.push(finding);
        }
    }
}
