//! Jobs, removals, and what becomes of time.

use super::*;

// Row J

fn job(policy: Value) -> Case {
    let mut spec = with_mode("app:2", &json!({"ReplicatedJob": {"TotalCompletions": 2}}));
    spec["TaskTemplate"]["RestartPolicy"] = policy;
    Case::of(&spec, Some(spec.clone()))
}

fn iteration(mut step: Until, iteration: u64) -> Until {
    let Seen::Look(seen) = &mut step.seen else { panic!("no look") };
    seen.services.get_mut("home_web").unwrap().job_iteration = Some(iteration);
    step
}

#[test]
fn a_job_is_done_when_every_task_of_this_iteration_has_ended_well() {
    let case = job(json!({"Condition": "none"}));
    let earlier = "e1:0@n1 complete/complete *0; e2:1@n1 complete/complete *0";
    case.check(&[case.ours(5, "", earlier)], "submitting, 0 of 2");
    let half = format!("{earlier}; b1:-@n1 complete/complete *1; b2:1@n1 complete/running *1");
    case.check(&[iteration(case.ours(5, "", &half), 1)], "updating, 2 of 2");
    let done = format!("{earlier}; b1:-@n1 complete/complete *1; b2:1@n1 complete/complete *1");
    case.check(&[iteration(case.ours(5, "", &done), 1)], "completed");
}

#[test]
fn a_job_that_is_given_up_has_failed() {
    let case = job(json!({"Condition": "none", "Delay": 3_000_000_000_u64}));
    let failed = "b1:-@n1 complete/complete *1; b2:1@n1 shutdown/failed !task: non-zero exit (1) #1 *1";
    let failed = failed.replace(" #1 *1", " *1 #1");
    case.check(&[iteration(case.ours(4, "", &failed), 1)], "updating, 1 of 2");
    case.check_message(
        &[iteration(case.ours(5, "", &failed), 1)],
        "failed JobFailed",
        &["1/2 running or complete", "exit code 1"],
    );
}

#[test]
fn a_job_that_is_tried_again_blindly_has_failed_after_three_times() {
    let thrice =
        "b1:-@n1 shutdown/failed *1; c1:-@n1 shutdown/failed *1; d1:-@n1 shutdown/failed *1; e1:-@n1 complete/ready *1";
    let case = job(json!({"Condition": "any"}));
    case.check(&[iteration(case.ours(1, "", thrice), 1)], "failed JobFailed");
    let patient = job(json!({"Condition": "on-failure"}));
    patient.check(&[iteration(patient.ours(100, "", thrice), 1)], "updating, 0 of 2");
}

#[test]
fn a_global_job_is_done_when_every_node_that_may_run_it_has() {
    let case = Case::creation(&with_mode("app:2", &json!({"GlobalJob": {}})));
    case.check(&[case.ours(5, "", "b1:-@n1 complete/complete")], "updating, 1 of 2");
    case.check(&[case.ours(5, "", "b1:-@n1 complete/complete; b2:-@n2 complete/complete")], "completed");
}

// Row D and removals

#[test]
fn time_runs_out_in_any_state() {
    let case = Case::update();
    let starting = "~a2:2@n2 running/running; b1:1@n1 running/starting";
    let judged = case.check(&[case.ours(400, "completed", starting)], "failed Deadline");
    let Judgement::Over { evidence, .. } = judged else { panic!("not over") };
    assert!(evidence.old_tasks_serve);
}

#[test]
fn a_removed_service_is_gone_with_its_tasks() {
    let mut case = Case::update();
    case.target.spec = None;
    let gone = |second, tasks: &str| {
        let mut step = case.prior(second, "", tasks);
        if let Seen::Look(seen) = &mut step.seen {
            seen.services.clear();
        }
        step
    };
    case.check(&[case.prior(2, "", OLD)], "submitting, 2 of 0");
    case.check(&[gone(2, "a1:1@n1 remove/running; a2:2@n3 remove/running")], "updating, 1 of 0");
    case.check(&[gone(2, "a1:1@n1 remove/shutdown; a2:2@n3 remove/running")], "pruned");
    case.check(&[case.prior(300, "", OLD)], "failed Deadline");
    case.target.service_id = Some("another".to_owned());
    case.check(&[case.prior(1, "", OLD)], "superseded");
}

// Times

#[test]
fn times_follow_from_the_spec() {
    let seconds = |seconds: u64| json!(seconds * 1_000_000_000);
    let of = |spec: &Value| Timing::for_spec(spec, Duration::from_secs(20), 3, Duration::from_hours(1));
    let plain = of(&two("app:1"));
    assert_eq!((plain.stability.as_secs(), plain.deadline.as_secs(), plain.crash_budget), (20, 300, 3));
    assert_eq!((plain.stall.as_secs(), plain.pending_grace.as_secs(), plain.gap.as_secs()), (60, 30, 5));

    let mut slow = with_mode("app:1", &json!({"Replicated": {"Replicas": 10}}));
    slow["UpdateConfig"] = json!({"Parallelism": 2, "Monitor": seconds(30), "Delay": seconds(40)});
    slow["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] = seconds(60);
    slow["TaskTemplate"]["ContainerSpec"]["Healthcheck"] = json!({"Test": ["CMD", "x"], "Interval": seconds(10), "Timeout": seconds(5), "Retries": 2, "StartPeriod": seconds(20)});
    let slow_times = of(&slow);
    assert_eq!(slow_times.stability.as_secs(), 30);
    assert_eq!(slow_times.deadline.as_secs(), 5 * (60 + 20 + 30 + 40 + 30) + 30);
    assert_eq!((slow_times.stall.as_secs(), slow_times.pending_grace.as_secs()), (140, 70));
    assert_eq!(Timing::for_spec(&slow, Duration::ZERO, 3, CAP).deadline, CAP);

    let mut everywhere = slow;
    everywhere["Mode"] = json!({"Global": {}});
    everywhere["UpdateConfig"]["Parallelism"] = json!(1);
    assert_eq!(of(&everywhere).deadline.as_secs(), 3 * 180 + 30);
}

#[test]
fn a_long_error_is_cut() {
    let case = Case::update();
    let long = format!("b1:1@n1 shutdown/failed !{}", "x".repeat(5_000));
    let Judgement::Over { evidence, .. } = case.run(&[case.ours(1, "paused", &long)]) else { panic!("not over") };
    assert_eq!(evidence.failing_task.unwrap().error.unwrap().len(), 2_000);
}

#[test]
fn a_watch_can_be_taken_up_from_what_was_stored() {
    let case = Case::update();
    let stored = serde_json::to_string(&case.target).unwrap();
    assert_eq!(serde_json::from_str::<Target>(&stored).unwrap(), case.target);
    let dead = "b1:1@n1 shutdown/failed; c1:1@n1 shutdown/failed; d1:1@n1 shutdown/failed; e1:1@n1 running/running; b2:2@n2 running/running";
    case.check(&[nothing(70), case.ours(90, "completed", dead)], "verifying 19/20, 2 of 2");
}

#[test]
fn what_ended_before_another_process_took_the_watch_up_does_not_count() {
    let case = Case::update();
    let dead = "b1:1@n1 shutdown/failed; c1:1@n1 shutdown/failed; d1:1@n1 shutdown/failed; e1:1@n1 ready/ready";
    let first_look = |mut watch: Watch| {
        let Seen::Look(seen) = case.ours(1, "updating", dead).seen else { panic!("a look") };
        describe(&watch.see(Duration::from_secs(1), Ok(&seen)))
    };
    let timing = Timing::for_spec(&case.spec, Duration::from_secs(20), 2, CAP);
    let watch = Watch::new(case.target.clone(), timing, Duration::ZERO);
    assert_eq!(first_look(watch.clone()), "failed CrashLoop");
    assert_eq!(first_look(watch.after_a_gap()), "updating, 0 of 2");
}

#[test]
fn after_success_each_later_end_is_told_once() {
    let case = Case::update();
    let timing = Timing::for_spec(&case.spec, Duration::from_secs(20), 2, CAP);
    let mut watch = Watch::new(case.target.clone(), timing, Duration::ZERO);
    let crashed = FULL.replace("b1:1@n1 running/running", "b1:1@n1 shutdown/failed !boom; c1:1@n1 running/running");
    let mut see = |second, text: Option<&str>| {
        let seen = text.map(|text| observation(case.spec.clone(), "completed", text));
        let at = Duration::from_secs(second);
        watch.relapse(at, seen.as_ref().ok_or("no answer")).map(|task| task.task)
    };
    assert_eq!(see(10, Some(FULL)), None);
    assert_eq!(see(40, Some(&crashed)).as_deref(), Some("b1"));
    assert_eq!(see(70, Some(&crashed)), None);
    assert_eq!(see(80, None), None);
    let again = crashed.replace("c1:1@n1 running/running", "c1:1@n1 shutdown/failed");
    assert_eq!(see(90, Some(&again)), None, "it may have been the Engine's own restart");
}
