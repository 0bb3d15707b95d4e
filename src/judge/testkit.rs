//! Observations written down in short.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::{LiveService, Observation, Task, UpdateStatus};
use crate::plan::testkit::node;
use crate::time::Timestamp;

/// When the tests of health look.
pub(crate) const NOW: i64 = 1_700_000_000_000;

/// Reads tasks such as `~a1:1@n1 shutdown/shutdown; b1:1@n1 running/pending !no suitable node #3 ^10`: `~` marks what is
/// not of the current spec, then id, slot (`-` for none) and node, desired and real state, error, exit code, seconds
/// in that state and, with `*`, the iteration of a job.
pub(crate) fn tasks(text: &str) -> (Vec<Task>, BTreeSet<String>) {
    let mut up_to_date = BTreeSet::new();
    let tasks = text.split(';').map(str::trim).filter(|line| !line.is_empty()).map(|line| {
        let (line, is_old) = line.strip_prefix('~').map_or((line, false), |line| (line, true));
        let (line, ago) = mark(line, " ^");
        let (line, code) = mark(line, " #");
        let (line, iteration) = mark(line, " *");
        let (line, error) = line.split_once(" !").map_or((line, None), |(line, error)| (line, Some(error)));
        let (place, states) = line.split_once(' ').unwrap();
        let (id, place) = place.split_once(':').unwrap();
        let (slot, node) = place.split_once('@').unwrap();
        let (desired, state) = states.trim().split_once('/').unwrap();
        if !is_old {
            up_to_date.insert(id.to_owned());
        }
        let ago = ago.unwrap_or(3600);
        Task {
            id: id.to_owned(),
            service_id: "svc".to_owned(),
            slot: slot.parse().ok(),
            node_id: (node != "-").then(|| format!("id-of-{node}")),
            desired_state: desired.to_owned(),
            state: state.to_owned(),
            state_since: Some(Timestamp::from_millis(NOW - ago * 1000).to_string()),
            message: String::new(),
            error: error.map(str::to_owned),
            exit_code: code,
            job_iteration: iteration.map(|iteration| u64::try_from(iteration).unwrap()),
        }
    });
    (tasks.collect(), up_to_date)
}

fn mark<'a>(line: &'a str, sign: &str) -> (&'a str, Option<i64>) {
    match line.rsplit_once(sign) {
        Some((line, number)) => (line.trim_end(), Some(number.parse().unwrap())),
        None => (line, None),
    }
}

/// A look at the service `home_web`: nodes n1 and n2 answer, n3 does not.
pub(crate) fn observation(spec: Value, update: &str, text: &str) -> Observation {
    let (tasks, up_to_date) = tasks(text);
    let status = UpdateStatus { state: update.to_owned(), started_at: None, message: format!("message of {update}") };
    let service = LiveService {
        id: "svc".to_owned(),
        version: 11,
        spec,
        update: (!update.is_empty()).then_some(status),
        job_iteration: None,
        desired_tasks: 0,
    };
    let mut down = node("n3");
    down.state = "down".to_owned();
    Observation {
        services: [("home_web".to_owned(), service)].into(),
        tasks,
        up_to_date,
        nodes: vec![node("n1"), node("n2"), down],
    }
}

/// The spec of a service with two replicas.
pub(crate) fn two(image: &str) -> Value {
    with_mode(image, &json!({"Replicated": {"Replicas": 2}}))
}

pub(crate) fn with_mode(image: &str, mode: &Value) -> Value {
    let mut spec = crate::plan::testkit::spec("web", image);
    spec["Mode"] = mode.clone();
    spec
}
