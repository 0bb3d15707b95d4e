//! Writes down what the judge is given by a real Engine, for the tests of the judge to play again. On where `RM_RECORD`
//! names a directory; `RM_RECORD=src/judge/tests/recorded make battery` makes those anew that lie there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use release_manager::deployment::Verdict;
use release_manager::engine::{LiveStack, Observation};
use release_manager::judge::Target;
use release_manager::names::{DeploymentId, StackName};
use release_manager::ports::{JournalEntry, SwarmError};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

/// What is seen of every service that is written, until it has its verdict.
pub(super) struct Recorder {
    directory: PathBuf,
    stability: Duration,
    timeout: Duration,
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    networks: BTreeMap<String, String>,
    watched: Vec<Watched>,
}

/// One service in one deployment.
struct Watched {
    target: Target,
    networks: BTreeMap<String, String>,
    started: u128,
    /// When there was a look, and what it showed or why it showed nothing.
    looks: Vec<(u128, Result<Observation, String>)>,
    verdict: Option<Verdict>,
}

impl Recorder {
    pub(super) fn new(stability: Duration, timeout: Duration) -> Option<Arc<Self>> {
        let directory = PathBuf::from(std::env::var_os("RM_RECORD").filter(|directory| !directory.is_empty())?);
        // Tests run in the directory of their package.
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory);
        Some(Arc::new(Self { directory, stability, timeout, began: Instant::now(), kept: Mutex::default() }))
    }

    pub(super) fn live(&self, live: &LiveStack) {
        self.kept.lock().unwrap().networks.extend(live.network_names());
    }

    pub(super) fn entry(&self, id: DeploymentId, entry: &JournalEntry) {
        let mut kept = self.kept.lock().unwrap();
        let started = self.began.elapsed().as_millis();
        match entry {
            JournalEntry::Intent { target: Some(target), .. } => {
                let networks = kept.networks.clone();
                // A write that is tried again is watched from then on.
                let is_it =
                    |watched: &Watched| watched.target.deployment == id && watched.target.full_name == target.full_name;
                kept.watched.retain(|watched| !is_it(watched));
                let (target, looks) = (target.clone(), Vec::new());
                kept.watched.push(Watched { target, networks, started, looks, verdict: None });
            }
            JournalEntry::Judged { service, outcome } => {
                let suffix = format!("_{service}");
                let is_it = |watched: &&mut Watched| {
                    watched.target.deployment == id && watched.target.full_name.ends_with(&suffix)
                };
                if let Some(watched) = kept.watched.iter_mut().find(is_it) {
                    watched.verdict = Some(outcome.verdict.clone());
                }
            }
            _ => (),
        }
    }

    pub(super) fn seen(&self, stack: &StackName, seen: &Result<Observation, SwarmError>) {
        let at = self.began.elapsed().as_millis();
        let of_stack = format!("{stack}_");
        let mut kept = self.kept.lock().unwrap();
        for watched in kept.watched.iter_mut().filter(|watched| watched.verdict.is_none()) {
            if watched.target.full_name.starts_with(&of_stack) {
                let seen =
                    seen.as_ref().map(|seen| only(seen, &watched.target)).map_err(|why| without_path(&why.to_string()));
                watched.looks.push((at, seen));
            }
        }
    }

    /// Writes down the last service that was judged, under the name of the case.
    pub(super) fn write(&self, case: &str) {
        let kept = self.kept.lock().unwrap();
        let Some(watched) = kept.watched.iter().rev().find(|watched| watched.verdict.is_some()) else { return };
        std::fs::create_dir_all(&self.directory).unwrap();
        let path = self.directory.join(format!("{case}.json"));
        std::fs::write(path, self.text(watched)).unwrap();
    }

    /// One line for each part, so that a difference can be read. What several looks show alike stands there once.
    fn text(&self, watched: &Watched) -> String {
        let mut parts = Parts::default();
        let looks: Vec<String> =
            watched.looks.iter().map(|(at, seen)| parts.look(at - watched.started, seen)).collect();
        let seconds = |time: Duration| time.as_secs();
        let head = json!({"stability": seconds(self.stability), "timeout": seconds(self.timeout)});
        let lines = |lines: &[String]| lines.join(",\n  ");
        format!(
            "{{\n\"settings\": {head},\n\"networks\": {},\n\"target\": {},\n\"verdict\": {},\n\"parts\": [\n  {}\n],\n\
             \"looks\": [\n  {}\n]\n}}\n",
            json!(watched.networks),
            json!(watched.target),
            json!(watched.verdict),
            lines(&parts.0),
            lines(&looks),
        )
    }
}

/// A problem, without the path of a socket that was there for one test only.
fn without_path(problem: &str) -> String {
    let words =
        problem.split(' ').map(|word| if word.starts_with("unix://") { "unix:///var/run/docker.sock" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What concerns one service.
fn only(seen: &Observation, target: &Target) -> Observation {
    let mut seen = seen.clone();
    seen.services.retain(|name, _| *name == target.full_name);
    let live = seen.services.values().next().map(|service| service.id.clone());
    let id = target.service_id.clone().or_else(|| live.clone());
    seen.tasks.retain(|task| Some(&task.service_id) == id.as_ref() || Some(&task.service_id) == live.as_ref());
    seen.up_to_date.retain(|id| seen.tasks.iter().any(|task| task.id == *id));
    seen
}

/// Values, each once.
#[derive(Default)]
struct Parts(Vec<String>);

impl Parts {
    fn number(&mut self, value: &impl Serialize) -> usize {
        let text = serde_json::to_string(value).unwrap();
        self.0.iter().position(|known| *known == text).unwrap_or_else(|| {
            self.0.push(text);
            self.0.len() - 1
        })
    }

    fn look(&mut self, at: u128, seen: &Result<Observation, String>) -> String {
        let look = match seen {
            Err(why) => json!({"at": at, "blind": why}),
            Ok(seen) => {
                let service = seen.services.values().next().map(|service| {
                    let mut service = json!(service);
                    service["spec"] = json!(self.number(&service["spec"]));
                    self.number(&service)
                });
                let tasks: Vec<usize> = seen.tasks.iter().map(|task| self.number(task)).collect();
                let nodes: Vec<usize> = seen.nodes.iter().map(|node| self.number(node)).collect();
                let is_current: Vec<Value> =
                    seen.tasks.iter().map(|task| json!(u8::from(seen.up_to_date.contains(&task.id)))).collect();
                json!({"at": at, "service": service, "tasks": tasks, "current": is_current, "nodes": nodes})
            }
        };
        look.to_string()
    }
}
