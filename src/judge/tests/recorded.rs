//! What a real Engine showed, seen by the judge again. The files under `recorded/` were written by
//! `RM_RECORD=src/judge/tests/recorded make battery`, each for a case of that name: every look at the service from the
//! write to the verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;
use crate::deployment::Verdict;
use crate::engine::{LiveService, Node, Task};

#[derive(Deserialize)]
struct Recording {
    settings: Settings,
    networks: BTreeMap<String, String>,
    target: Target,
    verdict: Verdict,
    /// Services, specs, tasks and nodes; looks name them by number.
    parts: Vec<Value>,
    looks: Vec<Glance>,
}

/// In seconds.
#[derive(Deserialize)]
struct Settings {
    stability: u64,
    timeout: u64,
}

/// One look: when, in milliseconds after the write, and what it showed.
#[derive(Deserialize)]
struct Glance {
    at: u64,
    /// Why nothing could be seen.
    blind: Option<String>,
    service: Option<usize>,
    #[serde(default)]
    tasks: Vec<usize>,
    /// For each task, whether the Engine counts it as current.
    #[serde(default)]
    current: Vec<u8>,
    #[serde(default)]
    nodes: Vec<usize>,
}

impl Recording {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn observation(&self, glance: &Glance) -> Observation {
        let part = |number: &usize| self.parts[*number].clone();
        let tasks: Vec<Task> =
            glance.tasks.iter().map(|number| serde_json::from_value(part(number)).unwrap()).collect();
        let is_current = |(task, current): (&Task, &u8)| (*current == 1).then(|| task.id.clone());
        let service = glance.service.map(|number| {
            let mut service = part(&number);
            let spec = usize::try_from(service["spec"].as_u64().unwrap()).unwrap();
            service["spec"] = part(&spec);
            let service: LiveService = serde_json::from_value(service).unwrap();
            (self.target.full_name.clone(), service)
        });
        let nodes = glance.nodes.iter().map(|number| serde_json::from_value::<Node>(part(number)).unwrap());
        Observation {
            services: service.into_iter().collect(),
            up_to_date: tasks.iter().zip(&glance.current).filter_map(is_current).collect(),
            tasks,
            nodes: nodes.collect(),
        }
    }

    /// What the judge says at last, and how many looks it needed.
    fn judge(&self) -> (Judgement, usize) {
        let (stability, cap) =
            (Duration::from_secs(self.settings.stability), Duration::from_secs(self.settings.timeout));
        let nodes = self.looks.iter().map(|glance| glance.nodes.len()).max().unwrap_or(1);
        let timing = match (&self.target.spec, &self.target.prior) {
            (Some(spec), _) => Timing::for_spec(spec, stability, nodes, cap),
            (None, prior) => Timing::for_removal(prior.as_ref().unwrap(), cap),
        };
        let watch = Watch::new(self.target.clone(), timing, Duration::ZERO);
        let mut watch = watch.with_networks(self.networks.clone());
        let mut last = None;
        for (number, glance) in self.looks.iter().enumerate() {
            let at = Duration::from_millis(glance.at);
            let judgement = match &glance.blind {
                Some(why) => watch.see(at, Err(why)),
                None => watch.see(at, Ok(&self.observation(glance))),
            };
            if matches!(judgement, Judgement::Over { .. }) {
                return (judgement, number + 1);
            }
            last = Some(judgement);
        }
        (last.expect("there were looks"), self.looks.len())
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/judge/tests/recorded")
}

/// The rows of the rule, each with what a real Engine showed for it and the verdict that is true of that.
const ROWS: &[(&str, &str, &str)] = &[
    ("0", "quorum_lost_for_50_s_in_an_update", "succeeded"),
    ("1", "a_service_that_somebody_removes_is_not_made_again", "removed"),
    ("2", "a_service_that_is_made_anew_is_not_ours", "superseded"),
    ("4", "a_rollback_that_fails_too_is_told_as_such", "failed RollbackFailed"),
    ("5", "an_update_that_exits_at_once_is_rolled_back", "rolled back"),
    ("6", "somebody_elses_image_is_noticed_under_our_label", "superseded"),
    ("7", "a_new_service_that_exits_at_once_is_a_crash_loop", "failed CrashLoop"),
    ("7", "an_update_that_exits_after_it_was_monitored_is_a_crash_loop", "failed CrashLoop"),
    ("8", "a_service_that_no_node_may_run_any_more_fails", "failed Unschedulable"),
    ("9", "node_lost_in_an_update", "failed Stalled"),
    ("9", "node_lost_in_an_update_of_all_tasks_at_once", "succeeded with a warning"),
    ("10", "an_update_that_is_never_healthy_is_paused", "failed Paused"),
    ("10", "node_drained_while_its_new_task_is_monitored", "failed Paused"),
    ("11", "node_drained_in_an_update", "succeeded"),
    ("12", "an_update_that_stands_succeeds", "succeeded"),
    ("12", "one_restart_and_then_it_stands", "succeeded"),
    ("12", "a_one_shot_that_ends_well_is_completed", "completed"),
    ("J", "a_job_that_ends_well_is_completed", "completed"),
    ("J", "a_job_that_fails_has_failed", "failed JobFailed"),
];

#[test]
fn what_a_real_engine_showed_is_judged_as_it_was_then() {
    for (row, case, expected) in ROWS {
        let recording = Recording::read(&directory().join(format!("{case}.json")));
        let (judgement, looks) = recording.judge();
        let said = describe(&judgement);
        let words = said.split(' ').filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ");
        assert_eq!(words, *expected, "row {row}, {case}: {judgement:?}");
        // Others look too while the log of a failed task is asked for and the verdict is written down.
        let late = recording.looks[looks - 1..].iter().map(|glance| glance.at - recording.looks[looks - 1].at).max();
        assert!(late < Some(10_000), "row {row}, {case}: judged {late:?} ms before the last look");
        let Judgement::Over { verdict, .. } = judgement else { panic!("{case}: not over") };
        let then = recording.verdict.error_message();
        assert_eq!(verdict.error_message(), then, "row {row}, {case}: says something else than then");
    }
}

#[test]
fn every_recording_belongs_to_a_row() {
    for file in std::fs::read_dir(directory()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let case = name.strip_suffix(".json").unwrap_or(&name);
        assert!(ROWS.iter().any(|(_, known, _)| *known == case), "{name} is in no row");
    }
}
