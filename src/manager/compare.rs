//! Promotion: what the environment before has proved is brought here, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::desire::{self, Desired};
use super::error::sentences;
use super::owed::Owed;
use super::proven::Proven;
use super::{Inner, Manager, ManagerError};
use crate::deployment::Cause;
use crate::diff::{Finding, diff};
use crate::engine::Pinned;
use crate::health::Tracker;
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::Environment;
use crate::plan::{self, Action, ActionKind, Part, Plan, compose};
use crate::ports::NewDeployment;
use crate::release::{Release, ServiceVersion};
use crate::revision::Revision;
use crate::stack::Stack;
use crate::time::Timestamp;
use crate::views::{Comparison, PlannedAction};
use crate::watched::Soak;

type Versions = BTreeMap<ServiceName, ServiceVersion>;

/// Both sides of a promotion.
struct Sides {
    origin: EnvironmentName,
    from: Option<Proven>,
    target: Option<Proven>,
    soak: BTreeMap<ServiceName, Soak>,
}

/// A deployment that could be started as it is.
pub(super) struct Candidate {
    pub(super) release: Release,
    pub(super) stack: Stack,
    pub(super) plan: Plan,
    pub(super) content_hash: String,
}

impl Candidate {
    /// Refuses what cannot work, and what would do nothing.
    pub(super) fn worth_doing(self) -> Result<Self, ManagerError> {
        if !self.plan.blockers.is_empty() {
            return Err(ManagerError::Blocked(self.plan.blockers));
        }
        if self.plan.has_work() { Ok(self) } else { Err(ManagerError::UpToDate) }
    }

    /// The deployment of it, to be begun.
    pub(super) fn deployment(
        self,
        environment: &EnvironmentName,
        cause: Cause,
        actor: Actor,
        started_at: Timestamp,
    ) -> NewDeployment {
        let Self { release, stack, plan, content_hash } = self;
        NewDeployment { environment: environment.clone(), cause, actor, release, stack, plan, content_hash, started_at }
    }
}

impl Sides {
    fn running(&self) -> Versions {
        self.target.as_ref().map(|target| target.release.services.clone()).unwrap_or_default()
    }

    fn proven(&self) -> Versions {
        self.from.as_ref().map(|from| from.release.services.clone()).unwrap_or_default()
    }

    fn revision(&self) -> Option<&Revision> {
        self.from.as_ref().and_then(|from| from.release.revision.as_ref())
    }

    /// The revision at which the environment before has proved a service.
    fn revision_of(&self, service: &ServiceName) -> Option<&Revision> {
        self.from.as_ref().and_then(|from| from.release.revision_of(service)).or_else(|| self.revision())
    }

    /// The comparison before any plan is made.
    fn comparison(&self, to: &EnvironmentName) -> Comparison {
        let running = self.target.as_ref().and_then(|target| target.release.revision.as_ref());
        Comparison {
            from: self.origin.clone(),
            to: to.clone(),
            changes: diff(&self.running(), &self.proven()),
            from_sha: running.map(|revision| revision.sha.clone()),
            to_sha: self.revision().map(|revision| revision.sha.clone()),
            commits_from: None,
            commits_to: None,
            actions: BTreeMap::new(),
            blockers: Vec::new(),
            warnings: Vec::new(),
            plan_hash: None,
            soak: self.soak.clone(),
        }
    }
}

impl Manager {
    /// What a promotion of these services (`None`: all) to `target` would do. Where no plan can be made the blockers
    /// say why.
    pub async fn compare(
        &self,
        target: &EnvironmentName,
        services: Option<&BTreeSet<ServiceName>>,
    ) -> Result<Comparison, ManagerError> {
        let environment = self.inner.environment(target)?;
        let sides = self.inner.sides(environment).await?;
        let mut comparison = sides.comparison(target);
        match self.inner.candidate(environment, &sides, services).await {
            Ok(candidate) => sides.show(&mut comparison, &candidate.plan),
            Err(error @ (ManagerError::UnknownService(_) | ManagerError::Ledger(_))) => return Err(error),
            Err(error) => comparison.blockers.push(Finding { service: None, message: error.to_string() }),
        }
        if let Err(held) = self.inner.not_held(target) {
            comparison.blockers.push(Finding { service: None, message: held.to_string() });
        }
        if let Some(id) = self.inner.board.running(target) {
            let message =
                format!("deployment {id} is under way in {target}: what it brings counts once it has succeeded");
            comparison.warnings.push(Finding { service: None, message });
        }
        Ok(comparison)
    }

    /// Promotes these services (`None`: all) to `target`. With `seen`, only if the plan is still the one of that hash.
    pub async fn promote(
        &self,
        actor: Actor,
        target: &EnvironmentName,
        services: Option<BTreeSet<ServiceName>>,
        seen: Option<&str>,
    ) -> Result<DeploymentId, ManagerError> {
        let inner = &self.inner;
        let environment = inner.environment(target)?;
        let permit = inner.permit(target)?;
        inner.not_held(target)?;
        inner.adopt(environment).await?;
        let sides = inner.sides(environment).await?;
        let mut candidate = inner.candidate(environment, &sides, services.as_ref()).await?;
        if seen.is_some_and(|seen| seen != candidate.plan.hash()) {
            let mut comparison = sides.comparison(target);
            sides.show(&mut comparison, &candidate.plan);
            return Err(ManagerError::Stale(Box::new(comparison)));
        }
        // Only now: a page that shows the plan does not wait for registries.
        inner.check_images(environment, &mut candidate.plan).await?;
        let candidate = candidate.worth_doing()?;
        let new = candidate.deployment(target, Cause::Promotion { from: sides.origin }, actor, inner.ports.clock.now());
        inner.begin(permit, new).await
    }
}

impl Inner {
    async fn sides(&self, environment: &Environment) -> Result<Sides, ManagerError> {
        let origin =
            environment.promotes_from.clone().ok_or_else(|| ManagerError::NoOrigin(environment.name.clone()))?;
        let from = self.proven(self.environment(&origin)?, None).await?;
        let target = self.proven(environment, None).await?;
        let soak = self.watcher.trackers().get(&origin).map(Tracker::soak).unwrap_or_default();
        Ok(Sides { origin, from, target, soak })
    }

    async fn candidate(
        &self,
        environment: &Environment,
        sides: &Sides,
        services: Option<&BTreeSet<ServiceName>>,
    ) -> Result<Candidate, ManagerError> {
        let (Some(from), Some(revision)) = (&sides.from, sides.revision()) else {
            sides.must_know(services, &Versions::new())?;
            return Err(ManagerError::NothingToPromote(sides.origin.clone()));
        };
        let newest = self.desire(environment, revision).await?;
        sides.must_know(services, &newest.versions)?;
        let scope = sides.scope(services, &newest.versions);
        let owed = sides.owed(services, &newest.versions);
        let desired = self.desired_at_each(environment, sides, newest, &scope).await?;
        let parts: Vec<Part<'_>> = desired
            .iter()
            .map(|(desired, services)| Part { stack: &desired.stack, services: services.clone() })
            .collect();
        let (stack, versions) = promoted(&compose(&environment.stack, &parts), from);
        let live = self.ports.swarm_of(&environment.stack).live(&environment.stack).await?;
        let mut plan = plan::plan(&stack, &live, Some(&scope));
        if services.is_none() {
            plan::prune(&mut plan, &desired.iter().map(|(desired, _)| &desired.stack).collect::<Vec<_>>(), &live);
        }
        self.add_owed(environment, &live, &mut plan, Owed::All).await?;
        self.add_gone(environment, &stack, &live, &mut plan, Some(&scope)).await?;
        plan.warnings.extend(without_digest(&plan, sides));
        plan.warnings.extend(owed.into_iter().map(|service| Finding {
            message: format!("{} has not seen it succeed yet, so it is left as it is here", sides.origin),
            service: Some(service),
        }));
        let content_hash = desire::content_hash(&stack)?;
        let release = Release::mixed(Some(revision.clone()), sides.merged(versions, &scope));
        let kept = sides.target.as_ref().map(|target| target.without(&scope));
        let whole: Vec<Part<'_>> = [Part { stack: &stack, services: scope.clone() }].into_iter().chain(kept).collect();
        Ok(Candidate { release, stack: compose(&environment.stack, &whole), plan, content_hash })
    }

    /// The environment's own rendering at every revision at which the one before has proved a service of the scope, with
    /// those services; first that of the newest.
    async fn desired_at_each(
        &self,
        environment: &Environment,
        sides: &Sides,
        newest: Desired,
        scope: &BTreeSet<ServiceName>,
    ) -> Result<Vec<(Desired, BTreeSet<ServiceName>)>, ManagerError> {
        let mut older: BTreeMap<_, (&Revision, BTreeSet<ServiceName>)> = BTreeMap::new();
        let mut of_newest = BTreeSet::new();
        for service in scope {
            match sides.revision_of(service) {
                Some(revision) if revision.sha != newest.revision.sha => {
                    let (_, services) = older.entry(&revision.sha).or_insert_with(|| (revision, BTreeSet::new()));
                    services.insert(service.clone());
                }
                _ => {
                    of_newest.insert(service.clone());
                }
            }
        }
        let older = try_join_all(older.into_values().map(async |(revision, services)| {
            Ok::<_, ManagerError>((self.desire(environment, revision).await?, services))
        }))
        .await?;
        Ok([(newest, of_newest)].into_iter().chain(older).collect())
    }
}

impl Sides {
    /// Puts a plan into a comparison, with the revisions between which its services were changed.
    fn show(&self, comparison: &mut Comparison, plan: &Plan) {
        show(comparison, plan);
        let changed = comparison.changed();
        // They are compared with each other only, and only to tell people where to begin to read.
        let of_target = changed.iter().filter_map(|service| self.target.as_ref()?.release.revision_of(service));
        let oldest = of_target.min_by_key(|revision| revision.committed_at);
        let of_origin = changed.iter().filter_map(|service| self.revision_of(service));
        let newest = of_origin.max_by_key(|revision| revision.committed_at);
        comparison.commits_from = oldest.map(|revision| revision.sha.clone());
        comparison.commits_to = newest.map(|revision| revision.sha.clone());
    }

    /// Nobody can choose what neither side runs and the files do not want.
    fn must_know(&self, services: Option<&BTreeSet<ServiceName>>, wanted: &Versions) -> Result<(), ManagerError> {
        let (running, proven) = (self.running(), self.proven());
        let is_known = |service: &&ServiceName| {
            [&running, &proven, wanted].into_iter().any(|versions| versions.contains_key(*service))
        };
        match services.into_iter().flatten().find(|service| !is_known(service)) {
            Some(unknown) => Err(ManagerError::UnknownService(unknown.clone())),
            None => Ok(()),
        }
    }

    /// What a promotion of these services is about.
    fn scope(&self, services: Option<&BTreeSet<ServiceName>>, wanted: &Versions) -> BTreeSet<ServiceName> {
        let owed = self.owed(services, wanted);
        let both = self.running().into_keys().chain(self.proven().into_keys());
        both.filter(|service| services.is_none_or(|chosen| chosen.contains(service)) && !owed.contains(service))
            .collect()
    }

    /// What the files want of these services but the environment before has not proved: it stays as it is.
    fn owed(&self, services: Option<&BTreeSet<ServiceName>>, wanted: &Versions) -> BTreeSet<ServiceName> {
        let proven = self.proven();
        let chosen = wanted.keys().filter(|service| services.is_none_or(|chosen| chosen.contains(*service)));
        chosen.filter(|service| !proven.contains_key(*service)).cloned().collect()
    }

    /// What runs once the services in scope have what they are to get, each with its revision.
    fn merged(
        &self,
        promoted: Versions,
        scope: &BTreeSet<ServiceName>,
    ) -> Vec<(ServiceName, (ServiceVersion, Option<Revision>))> {
        let kept = self.target.iter().flat_map(|target| {
            let kept = target.release.services.iter().filter(|(service, _)| !scope.contains(*service));
            kept.map(|(service, version)| {
                (service.clone(), (version.clone(), target.release.revision_of(service).cloned()))
            })
        });
        let promoted = promoted.into_iter().map(|(service, version)| {
            let revision = self.revision_of(&service).cloned();
            (service, (version, revision))
        });
        kept.chain(promoted).collect()
    }
}

/// The stack with the proven versions in its images, and with the platforms that were found for them.
fn promoted(stack: &Stack, proven: &Proven) -> (Stack, Versions) {
    let mut pins = BTreeMap::new();
    let mut versions = Versions::new();
    for (service, rendered) in &stack.services {
        let Some(version) = proven.release.services.get(service) else { continue };
        let image = desire::with_version(plan::image_of(&rendered.spec).unwrap_or_default(), version);
        if let Some(version) = ServiceVersion::of_image(&image) {
            let known = proven.stack.services.get(service).and_then(|known| plan::pinned_in(&known.spec));
            let known = known.filter(|known| known.image == image);
            pins.insert(service.clone(), known.unwrap_or_else(|| Pinned { image, platforms: Vec::new() }));
            versions.insert(service.clone(), version);
        }
    }
    (plan::with_pins(stack, &pins), versions)
}

/// One warning for all services whose very image cannot be promoted, only the tag.
fn without_digest(plan: &Plan, sides: &Sides) -> Option<Finding> {
    let written = plan.actions.iter().filter_map(|action| {
        let image = plan::image_of(action.write.as_ref()?.service_spec()?)?;
        Some((action.kind.service()?, image))
    });
    let loose: Vec<String> =
        written.filter(|(_, image)| !image.contains('@')).map(|(service, _)| service.to_string()).collect();
    (!loose.is_empty()).then(|| Finding {
        service: None,
        message: format!(
            "no registry has given a digest when {} was deployed, so what stands under the same tag by now is promoted: {}",
            sides.origin,
            loose.join(", ")
        ),
    })
}

/// Puts a plan into a comparison, and says where the specs differ although the versions do not.
pub(super) fn show(comparison: &mut Comparison, plan: &Plan) {
    comparison.plan_hash = Some(plan.hash());
    comparison.blockers.clone_from(&plan.blockers);
    comparison.warnings.clone_from(&plan.warnings);
    comparison.actions = plan.actions.iter().filter_map(shown).collect();
}

fn shown(action: &Action) -> Option<(ServiceName, PlannedAction)> {
    let (service, verb, fields) = match &action.kind {
        ActionKind::CreateService { service, .. } => (service, "create", Vec::new()),
        ActionKind::UpdateService { service, changes, .. } => (service, "update", changes.clone()),
        ActionKind::RemoveService { service, .. } => (service, "remove", Vec::new()),
        ActionKind::WatchService { service, .. } => (service, "watch", Vec::new()),
        ActionKind::CreateObject { .. }
        | ActionKind::LabelObject { .. }
        | ActionKind::RemoveObject { .. }
        | ActionKind::LeaveService { .. } => {
            return None;
        }
    };
    Some((service.clone(), PlannedAction { verb: verb.to_owned(), reason: action.reason.clone(), fields }))
}

/// Why a plan cannot be carried out, as one sentence.
pub(crate) fn blocked(plan: &Plan) -> Option<String> {
    (!plan.blockers.is_empty()).then(|| sentences(&plan.blockers))
}
