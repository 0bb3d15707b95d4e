//! Promotion: what the environment before has proved is brought here, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::desire::{self, Desired};
use super::error::sentences;
use super::{Inner, Manager, ManagerError};
use crate::deployment::Cause;
use crate::diff::{Finding, diff};
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::Environment;
use crate::plan::{self, Action, ActionKind, Plan};
use crate::ports::{Current, NewDeployment};
use crate::release::{Release, ServiceVersion};
use crate::revision::Revision;
use crate::stack::Stack;
use crate::views::{Comparison, PlannedAction};

type Versions = BTreeMap<ServiceName, ServiceVersion>;

/// Both sides of a promotion.
struct Sides {
    origin: EnvironmentName,
    proven: Versions,
    revision: Option<Revision>,
    target: Option<Current>,
}

/// A promotion that could be started as it is.
struct Candidate {
    release: Release,
    stack: Stack,
    plan: Plan,
    content_hash: String,
}

impl Sides {
    fn running(&self) -> Versions {
        self.target.as_ref().map(|target| target.release.services.clone()).unwrap_or_default()
    }

    /// The comparison before any plan is made.
    fn comparison(&self, to: &EnvironmentName) -> Comparison {
        let running = self.target.as_ref().and_then(|target| target.release.revision.as_ref());
        Comparison {
            from: self.origin.clone(),
            to: to.clone(),
            changes: diff(&self.running(), &self.proven),
            from_sha: running.map(|revision| revision.sha.clone()),
            to_sha: self.revision.as_ref().map(|revision| revision.sha.clone()),
            actions: BTreeMap::new(),
            blockers: Vec::new(),
            warnings: Vec::new(),
            plan_hash: None,
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
            Ok(candidate) => show(&mut comparison, &candidate.plan),
            Err(error @ (ManagerError::UnknownService(_) | ManagerError::Ledger(_))) => return Err(error),
            Err(error) => comparison.blockers.push(Finding { service: None, message: error.to_string() }),
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
        inner.adopt(environment).await?;
        let sides = inner.sides(environment).await?;
        let candidate = inner.candidate(environment, &sides, services.as_ref()).await?;
        if seen.is_some_and(|seen| seen != candidate.plan.hash()) {
            let mut comparison = sides.comparison(target);
            show(&mut comparison, &candidate.plan);
            return Err(ManagerError::Stale(Box::new(comparison)));
        }
        if !candidate.plan.blockers.is_empty() {
            return Err(ManagerError::Blocked(candidate.plan.blockers));
        }
        if !candidate.plan.has_writes() {
            return Err(ManagerError::UpToDate);
        }
        let new = NewDeployment {
            environment: target.clone(),
            cause: Cause::Promotion { from: sides.origin },
            actor,
            release: candidate.release,
            stack: candidate.stack,
            plan: candidate.plan,
            content_hash: candidate.content_hash,
            started_at: inner.ports.clock.now(),
        };
        inner.begin(permit, new).await
    }
}

impl Inner {
    async fn sides(&self, environment: &Environment) -> Result<Sides, ManagerError> {
        let origin =
            environment.promotes_from.clone().ok_or_else(|| ManagerError::NoOrigin(environment.name.clone()))?;
        let before = self.ports.ledger.current(&origin).await?;
        let target = self.ports.ledger.current(&environment.name).await?;
        let (proven, revision) =
            before.map(|current| (current.release.services, current.release.revision)).unwrap_or_default();
        Ok(Sides { origin, proven, revision, target })
    }

    async fn candidate(
        &self,
        environment: &Environment,
        sides: &Sides,
        services: Option<&BTreeSet<ServiceName>>,
    ) -> Result<Candidate, ManagerError> {
        let running = sides.running();
        let known = |service: &ServiceName| running.contains_key(service) || sides.proven.contains_key(service);
        if let Some(unknown) = services.into_iter().flatten().find(|service| !known(service)) {
            return Err(ManagerError::UnknownService(unknown.clone()));
        }
        let Some(revision) = &sides.revision else {
            return Err(ManagerError::NothingToPromote(sides.origin.clone()));
        };
        let desired = self.desire(environment, revision).await?;
        let scope: BTreeSet<ServiceName> = running
            .keys()
            .chain(sides.proven.keys())
            .filter(|service| services.is_none_or(|chosen| chosen.contains(*service)))
            // What the files want but the environment before has not proved stays as it is here.
            .filter(|service| sides.proven.contains_key(*service) || !desired.versions.contains_key(*service))
            .cloned()
            .collect();
        let (stack, versions) = promoted(desired, &sides.proven, &scope);
        let live = self.ports.swarm.live(&environment.stack).await?;
        let plan = plan::plan(&stack, &live, Some(&scope));
        let content_hash = desire::content_hash(&stack);
        let kept = sides.target.as_ref().and_then(|target| target.stack.as_ref());
        Ok(Candidate {
            release: Release { revision: Some(revision.clone()), services: merged(&running, versions, &scope) },
            stack: with_kept(stack, kept, &scope),
            plan,
            content_hash,
        })
    }
}

/// The desired stack cut down to the promoted services, with the proven versions in their images.
fn promoted(desired: Desired, proven: &Versions, scope: &BTreeSet<ServiceName>) -> (Stack, Versions) {
    let mut stack = desired.stack;
    stack.services.retain(|service, _| scope.contains(service));
    let mut images = BTreeMap::new();
    let mut versions = Versions::new();
    for (service, own) in desired.versions.into_iter().filter(|(service, _)| scope.contains(service)) {
        let Some(proven) = proven.get(&service) else { continue };
        let image = desire::with_version(&own.image, proven);
        if let Some(version) = ServiceVersion::of_image(&image) {
            images.insert(service.clone(), image);
            versions.insert(service, version);
        }
    }
    (plan::with_images(&stack, &images), versions)
}

/// What runs once the services in scope have what they are to get.
fn merged(running: &Versions, promoted: Versions, scope: &BTreeSet<ServiceName>) -> Versions {
    let kept = running.iter().filter(|(service, _)| !scope.contains(*service));
    kept.map(|(service, version)| (service.clone(), version.clone())).chain(promoted).collect()
}

/// The stack for the record: what is promoted, and what stays as it was rendered before.
fn with_kept(mut stack: Stack, kept: Option<&Stack>, scope: &BTreeSet<ServiceName>) -> Stack {
    for (service, before) in kept.into_iter().flat_map(|kept| &kept.services) {
        if !scope.contains(service) {
            stack.services.insert(service.clone(), before.clone());
        }
    }
    stack
}

/// Puts a plan into a comparison, and says where the specs differ although the versions do not.
fn show(comparison: &mut Comparison, plan: &Plan) {
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
