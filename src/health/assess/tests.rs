use serde_json::{Value, json};

use super::*;
use crate::judge::testkit::{NOW, observation, two, with_mode};

fn health(spec: Value, update: &str, tasks: &str, adjust: impl Fn(&mut Observation)) -> ServiceHealth {
    let mut seen = observation(spec, update, tasks);
    adjust(&mut seen);
    let stack = "home".parse().unwrap();
    judge_stack(&stack, &seen, Timestamp::from_millis(NOW)).remove(&"web".parse().unwrap()).unwrap()
}

#[track_caller]
fn check_health(found: &ServiceHealth, expected: &str) {
    let error = found.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    assert_eq!(format!("{} {}/{}{error}", found.status.as_str(), found.running, found.desired), expected);
}

/// A service of two replicas.
#[track_caller]
fn check(update: &str, tasks: &str, expected: &str) {
    check_health(&health(two("app:1"), update, tasks, |_| ()), expected);
}

#[track_caller]
fn check_mode(mode: &Value, tasks: &str, expected: &str) {
    check_health(&health(with_mode("app:1", mode), "", tasks, |_| ()), expected);
}

#[test]
fn every_task_must_run_on_a_node_that_answers() {
    check("", "a1:1@n1 running/running; a2:2@n2 running/running", "healthy 2/2");
    check("", "a1:1@n1 running/running; a2:1@n2 running/running", "unhealthy 1/2");
    check("", "a1:1@n1 running/running; a2:2@n3 running/running", "unknown 1/2: 1 on unreachable node: n3");
    check("", "a1:1@n1 running/running; a2:2@n3 shutdown/running; a3:2@n2 running/running", "healthy 2/2");
}

#[test]
fn a_task_on_a_node_that_does_not_answer_is_neither_healthy_nor_unhealthy() {
    let three = || with_mode("app:1", &json!({"Replicated": {"Replicas": 3}}));
    // As the Engine shows it after a node has died: 4 of 3 are running.
    let tasks = "a:1@n1 running/running; b:2@n2 running/running; c:3@n3 shutdown/running; d:3@n1 running/running";
    let found = health(three(), "", tasks, |_| ());
    check_health(&found, "healthy 3/3");
    assert_eq!(found.unreachable, 1, "the fourth is told apart");
    let found = health(three(), "", "a:1@n1 running/running; b:2@n2 running/running; c:3@n3 running/running", |_| ());
    check_health(&found, "unknown 2/3: 1 on unreachable node: n3");
    let nobody = "a:1@n1 running/running; b:2@n2 running/running; c:3@n3 shutdown/running; \
                  d:3@- running/pending !no suitable node (x)";
    check_health(&health(three(), "", nobody, |_| ()), "unhealthy 2/3: no suitable node (x)");
}

#[test]
fn tasks_on_their_way_are_progress() {
    check("", "", "progressing 0/2");
    check("", "a1:1@n1 running/running; a2:2@n2 running/preparing", "progressing 1/2");
    check("updating", "~a1:1@n1 running/running; ~a2:2@n2 running/running", "progressing 2/2");
    check("rollback_started", "a1:1@n1 running/running; a2:2@n2 running/starting", "progressing 1/2");
    check("completed", "a1:1@n1 running/running; a2:2@n2 running/running", "healthy 2/2");
    check("rollback_completed", "a1:1@n1 running/running; a2:2@n2 running/running", "healthy 2/2");
}

#[test]
fn a_task_that_failed_and_has_no_running_successor_is_told() {
    let failed = "a1:1@n1 running/running; a2:2@n2 shutdown/failed !task: non-zero exit (1) ^9; a3:2@n2 ready/ready ^9";
    check("", failed, "unhealthy 1/2: task: non-zero exit (1)");
    check("updating", failed, "unhealthy 1/2: task: non-zero exit (1)");
    check("paused", failed, "unhealthy 1/2: task: non-zero exit (1)");
    check("paused", "a1:1@n1 running/running", "unhealthy 1/2: message of paused");
    check("rollback_paused", "a1:1@n1 running/running", "unhealthy 1/2: message of rollback_paused");
    check(
        "",
        "a1:1@n1 running/running; a2:2@n2 shutdown/failed !old ^90; a3:2@n2 shutdown/failed !new ^9; a4:2@n2 ready/ready",
        "unhealthy 1/2: new",
    );
    check(
        "updating",
        "a1:1@n1 running/running; a2:2@- running/pending !no suitable node (x)",
        "unhealthy 1/2: no suitable node (x)",
    );
}

#[test]
fn a_task_that_has_only_just_started_again_is_not_yet_healthy() {
    let failed = "a1:1@n1 running/running; a2:2@n2 shutdown/failed !boom ^15";
    check("", &format!("{failed}; a3:2@n2 running/running ^2"), "progressing 2/2: boom");
    check("", &format!("{failed}; a3:2@n2 running/running ^25"), "healthy 2/2");
    let more = format!("{failed}; b2:2@n2 shutdown/failed !boom ^30; c2:2@n2 shutdown/failed !boom ^45");
    check("", &format!("{more}; a3:2@n2 running/running ^2"), "unhealthy 2/2: boom");
    check("", "a1:1@n1 running/running; a2:2@n2 running/running ^2", "healthy 2/2");
}

#[test]
fn no_replicas_are_healthy_without_tasks() {
    let none = json!({"Replicated": {"Replicas": 0}});
    check_mode(&none, "", "healthy 0/0");
    check_mode(&none, "a1:1@n1 shutdown/shutdown; a2:2@n1 shutdown/failed !x", "healthy 0/0");
}

#[test]
fn a_global_service_runs_on_every_node_that_may_run_it() {
    let spec = || with_mode("app:1", &json!({"Global": {}}));
    let wanted =
        |count: u64| move |seen: &mut Observation| seen.services.get_mut("home_web").unwrap().desired_tasks = count;
    let both = "a1:-@n1 running/running; a2:-@n2 running/running";
    check_health(&health(spec(), "", both, wanted(2)), "healthy 2/2");
    check_health(&health(spec(), "", "a1:-@n1 running/running", wanted(2)), "unhealthy 1/2");
    check_health(
        &health(spec(), "", "", wanted(0)),
        "unhealthy 0/0: no node may run it: check its constraints and the nodes",
    );
}

#[test]
fn a_job_is_healthy_once_it_has_ended_well() {
    let job = json!({"ReplicatedJob": {"TotalCompletions": 2}});
    check_mode(&job, "a1:-@n1 complete/complete; a2:1@n1 complete/complete", "healthy 2/2");
    check_mode(&job, "a1:-@n1 complete/complete; a2:1@n1 complete/preparing", "progressing 1/2");
    check_mode(&job, "a1:-@n1 complete/complete; a2:1@n1 shutdown/failed !boom", "unhealthy 1/2: boom");
}

#[test]
fn a_one_shot_that_ended_well_fills_its_place() {
    let mut spec = two("app:1");
    spec["TaskTemplate"]["RestartPolicy"] = json!({"Condition": "on-failure"});
    let of = |tasks: &str| health(spec.clone(), "", tasks, |_| ());
    check_health(&of("a1:1@n1 shutdown/complete; a2:2@n2 running/running"), "healthy 2/2");
    check_health(&of("a1:1@n1 shutdown/failed !boom; a2:2@n2 running/running"), "unhealthy 1/2: boom");
}

#[test]
fn image_and_age_are_told_and_other_stacks_are_not() {
    let found = health(two("app:1"), "", "a1:1@n1 running/running ^60; a2:2@n2 running/running ^90", |_| ());
    assert_eq!(found.image, "app:1");
    assert_eq!(found.running_since, Some(Timestamp::from_millis(NOW - 90_000)));
    let seen = observation(two("app:1"), "", "");
    assert!(judge_stack(&"hom".parse().unwrap(), &seen, Timestamp::from_millis(NOW)).is_empty());
}
