//! The board: the one place where what moves is written down for whoever watches.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::health::EnvironmentHealth;
use crate::live::{Live, LiveEnvironment, Problem, Progress, SourceState};
use crate::names::{DeploymentId, EnvironmentName};
use crate::pipeline::Pipeline;
use crate::ports::Source;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::watched::Watched;

/// Publishes [`Live`]; a change that changes nothing wakes nobody.
pub(crate) struct Board {
    live: watch::Sender<Arc<Live>>,
}

impl Board {
    pub(crate) fn new(pipeline: &Pipeline, source: &dyn Source, head: Option<Revision>) -> Self {
        let environment = LiveEnvironment {
            health: EnvironmentHealth { checked_at: None, services: BTreeMap::new() },
            deployment: None,
            problem: None,
            hold: None,
            watched: Watched::default(),
        };
        let environments = pipeline.environments().iter().map(|known| (known.name.clone(), environment.clone()));
        let source = SourceState {
            name: source.name(),
            branch: source.branch(),
            head,
            checked_at: None,
            problem: None,
            commit_url: source.commit_url(),
        };
        let live = Live {
            generation: 0,
            tried_at: None,
            source,
            engine_problem: None,
            database_problem: None,
            environments: environments.collect(),
        };
        Self { live: watch::Sender::new(Arc::new(live)) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    /// The deployment in progress in an environment.
    pub(crate) fn running(&self, name: &EnvironmentName) -> Option<DeploymentId> {
        let live = self.live.borrow();
        let progress = live.environments.get(name)?.deployment.as_ref()?;
        (!progress.status.is_final()).then_some(progress.id)
    }

    /// How far a deployment is, if this process has seen it.
    pub(crate) fn progress(&self, id: DeploymentId) -> Option<Progress> {
        let live = self.live.borrow();
        live.environments
            .values()
            .filter_map(|environment| environment.deployment.as_ref())
            .find(|p| p.id == id)
            .cloned()
    }

    pub(crate) fn source(&self, change: impl FnOnce(&mut SourceState)) {
        self.change(|live| change(&mut live.source));
    }

    pub(crate) fn environment(&self, name: &EnvironmentName, change: impl FnOnce(&mut LiveEnvironment)) {
        self.change(|live| {
            if let Some(environment) = live.environments.get_mut(name) {
                change(environment);
            }
        });
    }

    /// Changes the deployment that runs in an environment.
    pub(crate) fn deployment(&self, name: &EnvironmentName, change: impl FnOnce(&mut Progress)) {
        self.environment(name, |environment| {
            if let Some(progress) = environment.deployment.as_mut() {
                change(progress);
            }
        });
    }

    /// Says what is wrong with an environment, or that nothing is; the same words keep their beginning.
    pub(crate) fn problem(&self, name: &EnvironmentName, message: Option<String>, now: Timestamp) {
        self.environment(name, |environment| environment.problem = renewed(environment.problem.take(), message, now));
    }

    pub(crate) fn source_problem(&self, message: Option<String>, now: Timestamp) {
        self.source(|source| source.problem = renewed(source.problem.take(), message, now));
    }

    /// Returns whether this is news.
    pub(crate) fn engine_problem(&self, message: Option<String>, now: Timestamp) -> bool {
        let before = self.live.borrow().engine_problem.clone();
        let after = renewed(before.clone(), message, now);
        let news = before != after;
        self.change(|live| live.engine_problem = after);
        news
    }

    pub(crate) fn database_problem(&self, message: Option<String>, now: Timestamp) {
        self.change(|live| live.database_problem = renewed(live.database_problem.take(), message, now));
    }

    /// Tells pages that history or what is current has changed.
    pub(crate) fn changed(&self) {
        self.change(|live| live.generation += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Live)) {
        self.live.send_if_modified(|live| {
            let mut next = Live::clone(live);
            change(&mut next);
            let modified = next != **live;
            if modified {
                *live = Arc::new(next);
            }
            modified
        });
    }
}

fn renewed(before: Option<Problem>, message: Option<String>, now: Timestamp) -> Option<Problem> {
    let message = message?;
    let since = before.filter(|before| before.message == message).map_or(now, |before| before.since);
    Some(Problem { since, message })
}
