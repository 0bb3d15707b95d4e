//! Tasks that end, are not taken, stand still or stay.

use super::*;

// Row 7

/// One look at slot 1 for each generation of its tasks, the newest of which has just failed.
fn crashes(case: &Case, update: &str, times: u64) -> Vec<Until> {
    (1..=times)
        .map(|time| {
            case.ours(
                time * 3,
                update,
                &format!("x{time}:1@n1 shutdown/failed !task: non-zero exit (3) #3; b2:2@n2 running/running"),
            )
        })
        .collect()
}

#[test]
fn three_ends_in_a_slot_are_a_crash_loop_even_if_the_list_forgets_them() {
    let case = Case::update();
    case.check(&crashes(&case, "", 2), "updating, 1 of 2");
    case.check_message(&crashes(&case, "completed", 3), "failed CrashLoop", &["3 times", "exit code 3", "on node n1"]);
    let Judgement::Over { evidence, .. } = case.run(&crashes(&case, "updating", 3)) else { panic!("not over") };
    assert_eq!(evidence.failing_task.unwrap().task, "x1");
    assert_eq!(evidence.tasks, "1/2 running");
}

#[test]
fn a_good_end_is_a_crash_where_tasks_are_to_stay() {
    let done = "b1:1@n1 shutdown/complete; c1:1@n1 shutdown/complete; d1:1@n1 shutdown/complete";
    let case = Case::creation(&two("app:2"));
    case.check(&[case.ours(1, "", done)], "failed CrashLoop");
}

#[test]
fn a_slot_that_swarm_gives_up_is_not_waited_for() {
    let policy = |policy: Value| {
        let mut spec = two("app:2");
        spec["TaskTemplate"]["RestartPolicy"] = policy;
        Case::creation(&spec)
    };
    let never = policy(json!({"Condition": "none"}));
    never.check(&crashes(&never, "", 1), "failed CrashLoop");
    let once = policy(json!({"Condition": "on-failure", "MaxAttempts": 1}));
    once.check(&crashes(&once, "", 1), "updating, 1 of 2");
    once.check(&crashes(&once, "", 2), "failed CrashLoop");
}

#[test]
fn ends_that_are_nobodys_fault_do_not_count() {
    let case = Case::update();
    let dead = "b1:1@n1 shutdown/failed; c1:1@n1 shutdown/failed; d1:1@n1 shutdown/failed; e1:1@n1 ready/ready";
    case.check(&[case.ours(1, "updating", HALF), nothing(10), case.ours(11, "updating", dead)], "updating, 0 of 2");
    let lost = "b1:1@n3 shutdown/orphaned; c1:1@n3 shutdown/failed; d1:1@n3 shutdown/failed; e1:1@n1 ready/ready";
    case.check(&[case.ours(1, "updating", lost)], "updating, 0 of 2");
    let before = "a1:1@n1 shutdown/failed; a2:1@n1 shutdown/failed; b1:1@n1 shutdown/failed; e1:1@n1 ready/ready";
    case.check(&[case.ours(1, "updating", before)], "updating, 0 of 2");
}

// Row 8

#[test]
fn a_task_that_no_node_takes_fails_after_the_grace() {
    let case = Case::update();
    let pending =
        "b1:1@n1 running/running; b2:2@- running/pending !no suitable node (insufficient resources on 1 node)";
    case.check(&[case.ours(29, "updating", pending)], "updating, 1 of 2");
    case.check_message(
        &[case.ours(30, "updating", pending)],
        "failed Unschedulable",
        &["no suitable node (insufficient resources on 1 node)", "add a node"],
    );
    let placed = "b1:1@n1 running/running; b2:2@n2 running/running";
    case.check(
        &[case.ours(29, "", pending), case.ours(30, "", placed), case.ours(40, "", pending)],
        "updating, 1 of 2",
    );
}

#[test]
fn a_global_service_needs_a_node() {
    let case = Case::creation(&with_mode("app:2", &json!({"Global": {}})));
    case.check(&[case.ours(29, "", "")], "updating, 0 of 0");
    case.check_message(&[case.ours(30, "", "")], "failed Unschedulable", &["no node may run this global service"]);
    let everywhere = "b1:-@n1 running/running; b2:-@n2 running/running";
    case.check(&[case.ours(20, "", everywhere)], "succeeded 20");
}

// Row 9

#[test]
fn an_updater_that_stands_still_has_stalled() {
    let case = Case::update();
    case.check(&[case.ours(59, "updating", HALF)], "updating, 1 of 2");
    case.check_message(&[case.ours(60, "updating", HALF)], "failed Stalled", &["1/2 running", "(n3)"]);
    case.check(&[case.ours(30, "updating", OLD), case.ours(80, "updating", HALF)], "updating, 1 of 2");
    case.check(&[case.ours(59, "updating", FULL)], "updating, 2 of 2");
    case.check(&[case.ours(60, "updating", FULL)], "succeeded 60 with a warning");
}

#[test]
fn a_slow_download_is_no_standstill() {
    let case = Case::update();
    let slow = "~a1:1@n1 shutdown/shutdown; ~a2:2@n2 running/running; b1:1@n1 running/preparing";
    case.check(&[case.ours(200, "updating", slow)], "updating, 0 of 2");
    case.check_message(&[case.ours(300, "updating", slow)], "failed Deadline", &["0/2 running"]);
}

// Row 10

#[test]
fn a_paused_update_has_failed_unless_every_task_runs() {
    let case = Case::update();
    let judged = case.check(&[case.ours(2, "updating", FAILING), case.ours(3, "paused", FAILING)], "failed Paused");
    let Judgement::Over { evidence, verdict } = judged else { panic!("not over") };
    assert!(verdict.error_message().unwrap().contains("message of paused"));
    assert!(evidence.old_tasks_serve);
    let task = evidence.failing_task.unwrap();
    assert_eq!((task.node.as_deref(), task.state.as_str(), task.exit_code), (Some("n1"), "failed", Some(3)));
    case.check(&[case.ours(20, "paused", FULL)], "succeeded 20 with a warning");
}

// Rows 11 and 12

#[test]
fn the_same_tasks_must_run_for_the_whole_window() {
    let case = Case::update();
    case.check(&[case.ours(5, "", OLD)], "updating, 0 of 2");
    case.check(&[case.ours(5, "completed", HALF)], "updating, 1 of 2");
    case.check(&[case.ours(19, "completed", FULL)], "verifying 19/20, 2 of 2");
    case.check(&[case.ours(20, "completed", FULL)], "succeeded 20");
    case.check(&[case.ours(20, "", FULL)], "succeeded 20");
    let replaced = FULL.replace("b2", "c2");
    case.check(&[case.ours(15, "completed", FULL), case.ours(25, "completed", &replaced)], "verifying 9/20, 2 of 2");
    case.check(
        &[case.ours(15, "completed", FULL), case.ours(16, "completed", HALF), case.ours(25, "completed", FULL)],
        "verifying 8/20, 2 of 2",
    );
}

#[test]
fn completed_with_nothing_running_is_no_success() {
    let case = Case::update();
    let none = "b1:1@n1 shutdown/failed; c1:1@n1 ready/ready; b2:2@n2 shutdown/failed; c2:2@n2 ready/ready";
    case.check(&[case.ours(60, "completed", none)], "updating, 0 of 2");
}

#[test]
fn what_is_left_of_others_is_waited_for() {
    let case = Case::update();
    for rest in
        ["~a1:1@n1 running/running", "~a1:1@n1 shutdown/running", "a3:3@n1 remove/running", "~a1:1@- running/pending"]
    {
        case.check(
            &[case.ours(60, "completed", &format!("b1:1@n1 running/running; b2:2@n2 running/running; {rest}"))],
            "updating, 2 of 2",
        );
    }
    let lost = "~a1:1@n3 shutdown/running; b1:1@n1 running/running; b2:2@n2 running/running";
    case.check(&[case.ours(20, "completed", lost)], "succeeded 20");
}

#[test]
fn a_task_on_a_node_that_is_gone_does_not_run() {
    let case = Case::update();
    case.check(&[case.ours(60, "completed", "b1:1@n1 running/running; b2:2@n3 running/running")], "updating, 1 of 2");
    case.check(&[case.ours(60, "completed", "b1:1@n1 running/running; b2:1@n2 running/running")], "updating, 1 of 2");
}

#[test]
fn no_replicas_are_reached_when_nothing_runs() {
    let case = Case::of(&with_mode("app:1", &json!({"Replicated": {"Replicas": 0}})), Some(two("app:1")));
    case.check(&[case.ours(60, "", "a1:1@n1 remove/running")], "updating, 0 of 0");
    case.check(&[case.ours(20, "", "a1:1@n1 remove/shutdown")], "succeeded 20");
}

#[test]
fn a_one_shot_is_done_when_it_has_ended_well() {
    let mut spec = two("app:2");
    spec["TaskTemplate"]["RestartPolicy"] = json!({"Condition": "on-failure"});
    let case = Case::creation(&spec);
    case.check(&[case.ours(5, "", "b1:1@n1 shutdown/complete; b2:2@n2 running/running")], "verifying 5/20, 1 of 2");
    case.check(&[case.ours(5, "", "b1:1@n1 shutdown/complete; b2:2@n2 shutdown/complete")], "completed");
}
