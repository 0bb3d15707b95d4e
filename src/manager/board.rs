//! The board: the one place where what moves is written down for whoever watches.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::health::EnvironmentHealth;
use crate::live::{Examined, Live, LiveEnvironment, Problem, Progress, SourceState};
use crate::names::{DeploymentId, EnvironmentName};
use crate::pipeline::{Mode, Pipeline};
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
            examined: None,
            hold: None,
            watched: Watched::default(),
        };
        let environments = pipeline.environments().iter().map(|known| {
            // Nothing is brought by itself where a person promotes: there is nothing to wait for.
            let examined = (known.mode == Mode::Manual).then(Examined::default);
            (known.name.clone(), LiveEnvironment { examined, ..environment.clone() })
        });
        let source = SourceState {
            name: source.name(),
            branch: source.branch(),
            head,
            checked_at: None,
            tried_at: None,
            problem: None,
            commit_url: source.commit_url(),
        };
        let live = Live {
            generation: 0,
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

    /// Says what came of a look at a revision for an environment. What passes by itself keeps its beginning, whatever it
    /// is called from look to look.
    pub(crate) fn examined(&self, name: &EnvironmentName, examined: Examined, message: Option<String>, now: Timestamp) {
        self.environment(name, |environment| {
            let goes_on = environment.examined.as_ref().is_some_and(|before| before.passing && examined.passing);
            let how = if goes_on { lasting } else { renewed };
            environment.problem = how(environment.problem.take(), message, now);
            environment.examined = Some(examined);
        });
    }

    pub(crate) fn source_problem(&self, message: Option<String>, now: Timestamp) {
        self.source(|source| source.problem = lasting(source.problem.take(), message, now));
    }

    /// Returns whether this is news.
    pub(crate) fn engine_problem(&self, message: Option<String>, now: Timestamp) -> bool {
        let before = self.live.borrow().engine_problem.clone();
        let after = lasting(before.clone(), message, now);
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

/// The trouble of something that is away: it goes on until it is well, in whatever words.
fn lasting(before: Option<Problem>, message: Option<String>, now: Timestamp) -> Option<Problem> {
    let message = message?;
    Some(Problem { since: before.map_or(now, |before| before.since), message })
}

/// The trouble of something that is wrong: other words are another trouble.
fn renewed(before: Option<Problem>, message: Option<String>, now: Timestamp) -> Option<Problem> {
    let message = message?;
    let since = before.filter(|before| before.message == message).map_or(now, |before| before.since);
    Some(Problem { since, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_away_keeps_its_beginning_in_whatever_words_until_it_is_well() {
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let told = |since, message: &str| Some(Problem { since: at(since), message: message.to_owned() });
        let mut problem = None;
        for second in 1..=3 {
            problem = lasting(problem, Some(format!("no requests for {second} s")), at(second));
        }
        assert_eq!(problem, told(1, "no requests for 3 s"));
        problem = lasting(problem, None, at(4));
        assert_eq!(lasting(problem, Some("away".to_owned()), at(5)), told(5, "away"));
        assert_eq!(renewed(told(1, "line 3"), Some("line 4".to_owned()), at(6)), told(6, "line 4"));
    }
}
