//! After success the watch goes on for a while. What comes then is noted beside the deployment; history stays as it was
//! written.

use std::collections::BTreeMap;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::Inner;
use crate::deployment::TaskEvidence;
use crate::engine::{DEPLOYMENT_LABEL, Observation};
use crate::judge::{Timing, Watch, label};
use crate::names::{DeploymentId, EnvironmentName, ServiceName};
use crate::pipeline::Environment;
use crate::ports::{LedgerError, Proved};
use crate::time::Timestamp;
use crate::watched::{After, Probation};

/// How many log lines of a task that ended are kept.
const LOG_LINES: u32 = 50;
/// For so long a success that did not last is shown after a restart of the process; history tells of it for ever.
const SHOWN_SECONDS: f64 = 86_400.0;

/// A service whose success is watched on.
pub(crate) struct OnProbation {
    deployment: DeploymentId,
    until: Timestamp,
    watch: Watch,
    /// The beginning of the watch's own clock.
    began: Instant,
    after: Option<After>,
    /// Whether the ledger knows of it.
    stored: bool,
}

impl OnProbation {
    fn shown(&self) -> Probation {
        Probation { deployment: self.deployment, until: self.until, after: self.after.clone() }
    }
}

impl Inner {
    /// Goes on watching a service that has just succeeded, with the very watch that gave the verdict.
    pub(crate) fn keep_watching(
        &self,
        environment: &EnvironmentName,
        deployment: DeploymentId,
        service: ServiceName,
        watch: Watch,
        began: Instant,
    ) {
        let Ok(known) = self.environment(environment) else { return };
        let until = self.ports.clock.now().plus(known.probation());
        let kept = OnProbation { deployment, until, watch, began, after: None, stored: false };
        self.watcher.probation().entry(environment.clone()).or_default().insert(service, kept);
        self.show_probation(environment);
    }

    /// Goes on watching what an earlier process has seen succeed in a deployment that this one has closed.
    pub(super) async fn watch_on(&self, name: &EnvironmentName) {
        let Ok(environment) = self.environment(name) else { return };
        if let Err(error) = self.resume_watching(environment).await {
            warn!(%error, environment = %name, "What an earlier process has seen succeed is not watched on");
        }
    }

    /// Takes up what an earlier process was still watching.
    pub(super) async fn resume_watching(&self, environment: &Environment) -> Result<(), LedgerError> {
        let now = self.ports.clock.now();
        for proved in self.ports.ledger.proved(&environment.name).await? {
            let until = proved.at.plus(environment.probation());
            let shown = proved.after.is_some() && now.seconds_since(proved.at) < SHOWN_SECONDS;
            if until > now || shown {
                self.resume_one(environment, proved, until).await?;
            }
        }
        self.show_probation(&environment.name);
        Ok(())
    }

    async fn resume_one(&self, environment: &Environment, proved: Proved, until: Timestamp) -> Result<(), LedgerError> {
        let full_name = environment.stack.scope(&proved.service);
        let Some(target) = self.ports.ledger.target(proved.deployment, &full_name).await? else { return Ok(()) };
        let Some(spec) = target.spec.clone() else { return Ok(()) };
        let settings = &self.settings;
        let timing = Timing::for_spec(&spec, settings.stability, 1, settings.deployment_timeout);
        let kept = OnProbation {
            deployment: proved.deployment,
            until,
            watch: Watch::resumed(target, timing),
            began: Instant::now(),
            stored: proved.after.is_some(),
            after: proved.after,
        };
        let mut all = self.watcher.probation();
        // A deployment that was taken up may have come before us.
        all.entry(environment.name.clone()).or_default().entry(proved.service).or_insert(kept);
        Ok(())
    }

    /// Takes a look into account.
    pub(super) async fn look_after_success(
        &self,
        environment: &Environment,
        seen: Result<&Observation, &str>,
        now: Timestamp,
    ) {
        for (service, task) in self.relapses(environment, seen, now) {
            let log_lines = match self.ports.swarm_of(&environment.stack).logs(&task.task, LOG_LINES).await {
                Ok(lines) => lines,
                Err(error) => {
                    debug!(%error, task = task.task, "The log of a task that ended cannot be read");
                    Vec::new()
                }
            };
            let after = After { at: now, task, log_lines };
            warn!(environment = %environment.name, %service, "{}", after.message());
            if let Some(kept) = self.watcher.probation().entry(environment.name.clone()).or_default().get_mut(&service)
            {
                kept.after = Some(after);
            }
        }
        self.store_after(environment).await;
        self.show_probation(&environment.name);
    }

    /// What has ended since; services that another deployment has written, and those that have stood their time, leave.
    fn relapses(
        &self,
        environment: &Environment,
        seen: Result<&Observation, &str>,
        now: Timestamp,
    ) -> Vec<(ServiceName, TaskEvidence)> {
        let mut all = self.watcher.probation();
        let Some(kept) = all.get_mut(&environment.name) else { return Vec::new() };
        if let Ok(seen) = seen {
            kept.retain(|service, kept| {
                let live = seen.services.get(&environment.stack.scope(service));
                let written = kept.watch.target().spec.as_ref();
                live.is_some_and(|live| {
                    label(&live.spec, DEPLOYMENT_LABEL) == written.and_then(|spec| label(spec, DEPLOYMENT_LABEL))
                })
            });
        }
        kept.retain(|_, kept| kept.after.is_some() || kept.until > now);
        let watched = kept.iter_mut().filter(|(_, kept)| kept.after.is_none());
        watched
            .filter_map(|(service, kept)| {
                let ended = kept.watch.relapse(kept.began.elapsed(), seen)?;
                Some((service.clone(), ended))
            })
            .collect()
    }

    /// Notes what the ledger does not know yet. What cannot be stored now is stored at a later look.
    async fn store_after(&self, environment: &Environment) {
        let open: Vec<(ServiceName, DeploymentId, After)> = {
            let all = self.watcher.probation();
            let kept = all.get(&environment.name).into_iter().flatten().filter(|(_, kept)| !kept.stored);
            kept.filter_map(|(service, kept)| Some((service.clone(), kept.deployment, kept.after.clone()?))).collect()
        };
        for (service, deployment, after) in open {
            if let Err(error) = self.ports.ledger.note_after(deployment, &service, &after).await {
                warn!(%error, deployment.id = deployment.0, %service, "What came after a success cannot be stored yet");
                continue;
            }
            if let Some(kept) = self.watcher.probation().entry(environment.name.clone()).or_default().get_mut(&service)
            {
                kept.stored = true;
            }
            self.board.changed();
        }
    }

    fn show_probation(&self, environment: &EnvironmentName) {
        let shown: BTreeMap<ServiceName, Probation> = {
            let all = self.watcher.probation();
            all.get(environment).into_iter().flatten().map(|(name, kept)| (name.clone(), kept.shown())).collect()
        };
        self.board.environment(environment, |known| known.watched.probation = shown);
    }

    /// Whether the environment is looked at more closely than its interval says.
    pub(super) fn is_on_probation(&self, environment: &EnvironmentName) -> bool {
        let all = self.watcher.probation();
        all.get(environment).is_some_and(|kept| kept.values().any(|kept| kept.after.is_none()))
    }
}
