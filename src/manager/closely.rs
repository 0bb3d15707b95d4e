//! A close look at services that do not run as they should: the last words of the task that failed.
//!
//! What a task that has ended has written never changes: the Engine is asked for it once, and not again for every page
//! that is drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::{Inner, Manager};
use crate::health::{HealthStatus, ServiceDetails};
use crate::names::ServiceName;
use crate::pipeline::Environment;
use crate::time::Timestamp;
use crate::views::{CloseLook, CloseLooks, LastWords};

/// How many lines are shown.
const LINES: u32 = 20;
/// A page waits no longer for the lines of a task.
const PATIENCE: Duration = Duration::from_secs(2);
/// After that a task whose lines could not be read is asked for them again.
const AGAIN: Duration = Duration::from_secs(30);
/// The lines of so many services of an environment are asked for at most: where everything fails, the Engine has other
/// things to do.
const MOST: usize = 12;

/// What the Engine has said of the lines of a task, and when.
#[derive(Debug, Clone)]
struct Answer {
    lines: Result<Vec<String>, String>,
    at: Instant,
}

/// The answers, by the id of the task.
#[derive(Debug, Default)]
pub(super) struct Heard {
    answers: Mutex<BTreeMap<String, Answer>>,
}

impl Heard {
    fn answers(&self) -> MutexGuard<'_, BTreeMap<String, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, task: &str, now: Instant) -> Option<Result<Vec<String>, String>> {
        let known = self.answers().get(task).cloned()?;
        (known.lines.is_ok() || now.duration_since(known.at) < AGAIN).then_some(known.lines)
    }
}

impl Manager {
    /// Every service of every environment with its tasks, as they were seen last; where one does not run as it should,
    /// with the last lines of its newest task that failed.
    pub async fn close_looks(&self) -> CloseLooks {
        let inner = &self.inner;
        let mut looks = BTreeMap::new();
        let mut known = BTreeSet::new();
        for environment in inner.settings.pipeline.environments() {
            let details = self.details(&environment.name);
            known.extend(details.values().flat_map(ended).map(|(_, task)| task));
            let failing = inner.failing(environment, &details);
            let (asked, left) = failing.split_at(failing.len().min(MOST));
            let asked = asked.iter().map(|(service, task)| inner.last_words(environment, service, task));
            let mut words: BTreeMap<ServiceName, LastWords> = join_all(asked).await.into_iter().collect();
            words.extend(left.iter().map(|(service, task)| (service.clone(), not_asked(task))));
            let looked = details.into_iter().map(|(service, details)| {
                let last_words = words.remove(&service);
                (service, CloseLook { details, last_words })
            });
            looks.insert(environment.name.clone(), looked.collect());
        }
        // The Engine has forgotten the others.
        inner.watcher.heard.answers().retain(|task, _| known.contains(task));
        CloseLooks(looks)
    }
}

impl Inner {
    /// The services that do not run as they should, each with its newest task that ended.
    fn failing(
        &self,
        environment: &Environment,
        details: &BTreeMap<ServiceName, ServiceDetails>,
    ) -> Vec<(ServiceName, String)> {
        let live = self.board.subscribe();
        let live = live.borrow();
        let Some(known) = live.environments.get(&environment.name) else { return Vec::new() };
        let ails = |status| matches!(status, HealthStatus::Unhealthy | HealthStatus::Progressing);
        let ailing = known.health.services.iter().filter(|(_, health)| ails(health.status));
        let newest = ailing.filter_map(|(service, _)| {
            let (_, task) = details.get(service).into_iter().flat_map(ended).max()?;
            Some((service.clone(), task))
        });
        newest.collect()
    }

    async fn last_words(
        &self,
        environment: &Environment,
        service: &ServiceName,
        task: &str,
    ) -> (ServiceName, LastWords) {
        let heard = &self.watcher.heard;
        let lines = if let Some(known) = heard.of(task, Instant::now()) {
            known
        } else {
            let asked = self.ports.swarm_of(&environment.stack).logs(task, LINES);
            let lines = match tokio::time::timeout(PATIENCE, asked).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err(format!("its node did not answer within {} s", PATIENCE.as_secs())),
            };
            let answer = Answer { lines: lines.clone(), at: Instant::now() };
            heard.answers().insert(task.to_owned(), answer);
            lines
        };
        (service.clone(), LastWords { task: task.to_owned(), lines })
    }
}

fn not_asked(task: &str) -> LastWords {
    let why = format!("the tasks of {MOST} other services have failed too: read them on the page of the service");
    LastWords { task: task.to_owned(), lines: Err(why) }
}

/// The tasks that failed, or that ended although they should run, each with when that was.
fn ended(details: &ServiceDetails) -> impl Iterator<Item = (Option<Timestamp>, String)> {
    let failed = details.last_errors.iter().map(|end| (end.at, end.task.task.clone()));
    let complete = details.tasks.iter().filter(|task| task.state == "complete");
    failed.chain(complete.map(|task| (task.since, task.id.clone())))
}
