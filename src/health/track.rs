//! Following tasks from look to look: the Swarm keeps only the last few of a slot, what is remembered here is more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::ServiceHealth;
use crate::deployment::TaskEvidence;
use crate::engine::{DEPLOYMENT_LABEL, Observation, Task};
use crate::judge::{Look, is_failure, label};
use crate::names::{ServiceName, StackName};
use crate::plan::{image_of, short_name};
use crate::time::Timestamp;
use crate::watched::Soak;

/// How far back restarts are counted.
const HOUR_SECONDS: f64 = 3_600.0;
/// A service that restarts more often than that within the hour is in trouble, whatever the exact number is.
const MOST_ENDS: usize = 1_000;

/// What is known of a version while it runs, kept across restarts of this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoakRecord {
    /// The deployment that wrote the live spec, or its image where no deployment did: with another one it begins anew.
    pub written_by: String,
    /// What is counted.
    pub soak: Soak,
    /// The ended tasks that are counted and that the Swarm still lists.
    pub counted: BTreeSet<String>,
}

/// Follows the tasks of one environment.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    records: BTreeMap<ServiceName, SoakRecord>,
    /// When tasks ended, by service, oldest first.
    ends: BTreeMap<ServiceName, VecDeque<(String, Timestamp)>>,
}

impl Tracker {
    /// Goes on from what an earlier process knew.
    pub(crate) fn resume(records: BTreeMap<ServiceName, SoakRecord>) -> Self {
        Self { records, ends: BTreeMap::new() }
    }

    /// Takes a look into account. Returns whether the records say something else than before.
    pub(crate) fn see(&mut self, stack: &StackName, seen: &Observation, now: Timestamp) -> bool {
        let mut changed = false;
        let mut present = BTreeSet::new();
        for (full_name, service) in &seen.services {
            let Some(name) = short_name(stack, full_name) else { continue };
            changed |= self.follow(&name, &Look::new(service, seen), now);
            present.insert(name);
        }
        let gone = |name: &ServiceName| !present.contains(name);
        changed |= self.records.keys().any(gone);
        self.records.retain(|name, _| !gone(name));
        self.ends.retain(|name, _| !gone(name));
        changed
    }

    fn follow(&mut self, name: &ServiceName, look: &Look<'_>, now: Timestamp) -> bool {
        let image = image_of(&look.service.spec).unwrap_or_default();
        let written_by = label(&look.service.spec, DEPLOYMENT_LABEL).unwrap_or(image);
        let mut changed = false;
        if self.records.get(name).is_none_or(|record| record.written_by != written_by) {
            self.records.insert(name.clone(), SoakRecord::begun(written_by, image, now));
            changed = true;
        }
        let Some(record) = self.records.get_mut(name) else { return changed };
        let ends = self.ends.entry(name.clone()).or_default();
        for task in look.tasks.iter().filter(|task| has_ended(look, task)) {
            let at = since(task).unwrap_or(now);
            if !ends.iter().any(|(known, _)| *known == task.id) {
                ends.push_back((task.id.clone(), at));
            }
            changed |= look.is_current(task) && record.count(look, task);
        }
        ends.retain(|(_, at)| now.seconds_since(*at) < HOUR_SECONDS);
        let surplus = ends.len().saturating_sub(MOST_ENDS);
        ends.drain(..surplus);
        record.counted.retain(|id| look.tasks.iter().any(|task| task.id == *id));
        changed
    }

    /// Puts the restarts of the last hour into what is known of each service.
    pub(crate) fn complete(&self, services: &mut BTreeMap<ServiceName, ServiceHealth>) {
        for (name, service) in services {
            service.restarts = self.ends.get(name).map_or(0, |ends| u64::try_from(ends.len()).unwrap_or(u64::MAX));
        }
    }

    /// How every version has stood so far.
    pub(crate) fn soak(&self) -> BTreeMap<ServiceName, Soak> {
        self.records.iter().map(|(name, record)| (name.clone(), record.soak.clone())).collect()
    }

    /// What is to be kept for the next process.
    pub(crate) fn records(&self) -> &BTreeMap<ServiceName, SoakRecord> {
        &self.records
    }
}

impl SoakRecord {
    fn begun(written_by: &str, image: &str, now: Timestamp) -> Self {
        let soak = Soak {
            image: image.to_owned(),
            since: now,
            restarts: 0,
            failed_tasks: 0,
            last_failure: None::<TaskEvidence>,
        };
        Self { written_by: written_by.to_owned(), soak, counted: BTreeSet::new() }
    }

    /// Counts an ended task, once. Returns whether it was new.
    fn count(&mut self, look: &Look<'_>, task: &Task) -> bool {
        if !self.counted.insert(task.id.clone()) {
            return false;
        }
        self.soak.restarts += 1;
        // A node that went away takes its tasks with it: that tells nothing of the version.
        let is_own_fault = is_failure(&task.state) && (task.node_id.is_none() || look.is_on_ready_node(task));
        if is_own_fault {
            self.soak.failed_tasks += 1;
            self.soak.last_failure = Some(look.evidence(task));
        }
        true
    }
}

/// Whether a task ended by itself: it failed, or it completed although it should run on.
fn has_ended(look: &Look<'_>, task: &Task) -> bool {
    is_failure(&task.state) || task.state == "complete" && !look.may_complete()
}

fn since(task: &Task) -> Option<Timestamp> {
    task.state_since.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::judge::testkit::{NOW, observation, two};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(NOW + seconds * 1000)
    }

    /// Looks one after the other, each ten seconds later; returns restarts in the last hour, restarts and failed tasks.
    #[track_caller]
    fn check(looks: &[&str], expected: (u64, u64, u64)) -> Tracker {
        let stack = "home".parse().unwrap();
        let mut tracker = Tracker::default();
        for (look, seconds) in looks.iter().zip((0..).step_by(10)) {
            tracker.see(&stack, &observation(two("app:1"), "", look), at(seconds));
        }
        let soak = &tracker.soak()[&"web".parse().unwrap()];
        let ends = tracker.ends[&"web".parse().unwrap()].len() as u64;
        assert_eq!((ends, soak.restarts, soak.failed_tasks), expected);
        tracker
    }

    #[test]
    fn a_task_that_ends_is_counted_once_also_when_the_swarm_has_forgotten_it() {
        let first = "a1:1@n1 shutdown/failed !x #3 ^5; a2:1@n1 running/running ^1; b:2@n2 running/running";
        let second = "a2:1@n1 shutdown/failed !x #3 ^1; a3:1@n1 running/running ^1; b:2@n2 running/running";
        check(&[first, first, second, second], (2, 2, 2));
    }

    #[test]
    fn a_task_that_completes_although_it_should_run_on_is_a_restart_but_no_failure() {
        check(&["a1:1@n1 shutdown/complete ^5; a2:1@n1 running/running ^1; b:2@n2 running/running"], (1, 1, 0));
    }

    #[test]
    fn the_tasks_of_a_node_that_went_away_are_not_the_fault_of_the_version() {
        check(&["a1:1@n3 shutdown/orphaned ^5; a2:1@n1 running/running; b:2@n2 running/running"], (1, 1, 0));
    }

    #[test]
    fn what_ended_more_than_an_hour_ago_is_no_restart_of_the_last_hour() {
        check(&["a1:1@n1 shutdown/failed !x ^3700; a2:1@n1 running/running; b:2@n2 running/running"], (0, 1, 1));
    }

    #[test]
    fn tasks_of_an_earlier_spec_count_for_the_hour_but_not_for_the_version() {
        check(&["~a1:1@n1 shutdown/failed !x ^5; a2:1@n1 running/running; b:2@n2 running/running"], (1, 0, 0));
    }

    #[test]
    fn another_deployment_begins_anew_and_the_next_process_goes_on() {
        let crash = "a1:1@n1 shutdown/failed !x ^5; a2:1@n1 running/running; b:2@n2 running/running";
        let tracker = check(&[crash], (1, 1, 1));
        let mut next = Tracker::resume(tracker.records().clone());
        let stack = "home".parse().unwrap();
        assert!(!next.see(&stack, &observation(two("app:1"), "", crash), at(60)), "nothing is counted twice");
        let mut spec = two("app:1");
        spec["Labels"][DEPLOYMENT_LABEL] = json!("7");
        assert!(next.see(&stack, &observation(spec, "", "c:1@n1 running/running"), at(70)));
        let soak = &next.soak()[&"web".parse().unwrap()];
        assert_eq!((soak.since, soak.restarts), (at(70), 0));
    }
}
