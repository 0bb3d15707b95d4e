use std::time::Duration;

use serde_json::{Value, json};

use super::testkit::{observation, two, with_mode};
use super::*;
use crate::engine::{DEPLOYMENT_LABEL, Observation};
use crate::plan::stamped;

const CAP: Duration = Duration::from_mins(5);

/// One thing that is seen again and again, once a second, up to a moment.
struct Until {
    second: u64,
    seen: Seen,
}

enum Seen {
    /// The Engine answers.
    Look(Box<Observation>),
    /// It does not.
    Blind,
    /// Nobody looks.
    Nothing,
}

/// What is written, and what was there before.
struct Case {
    target: Target,
    spec: Value,
}

impl Case {
    /// An update of two replicas from `app:1` to `app:2`.
    fn update() -> Self {
        Self::of(&two("app:2"), Some(two("app:1")))
    }

    fn creation(spec: &Value) -> Self {
        Self::of(spec, None)
    }

    fn of(spec: &Value, prior: Option<Value>) -> Self {
        let stamped = stamped(spec, DeploymentId(9));
        let is_update = prior.is_some();
        let target = Target {
            full_name: "home_web".to_owned(),
            deployment: DeploymentId(9),
            spec: Some(stamped.clone()),
            prior,
            service_id: is_update.then(|| "svc".to_owned()),
            version_before: is_update.then_some(10),
            tasks_before: ["a1", "a2"].map(str::to_owned).into(),
            job_iteration_before: None,
            update_before: None,
        };
        Self { target, spec: stamped }
    }

    /// Our spec is live.
    fn ours(&self, second: u64, update: &str, tasks: &str) -> Until {
        Self::look(second, &self.spec, update, tasks)
    }

    /// The spec from before is live.
    fn prior(&self, second: u64, update: &str, tasks: &str) -> Until {
        Self::look(second, self.target.prior.as_ref().unwrap(), update, tasks)
    }

    fn look(second: u64, spec: &Value, update: &str, tasks: &str) -> Until {
        Until { second, seen: Seen::Look(Box::new(observation(spec.clone(), update, tasks))) }
    }

    #[track_caller]
    fn check(&self, steps: &[Until], expected: &str) -> Judgement {
        let judgement = self.run(steps);
        assert_eq!(describe(&judgement), expected, "{judgement:?}");
        judgement
    }

    #[track_caller]
    fn check_message(&self, steps: &[Until], expected: &str, parts: &[&str]) {
        let judgement = self.check(steps, expected);
        let Judgement::Over { verdict, .. } = judgement else { panic!("{judgement:?} is not over") };
        let message = verdict.error_message().unwrap();
        for part in parts {
            assert!(message.contains(part), "`{message}` does not say `{part}`");
        }
    }

    fn run(&self, steps: &[Until]) -> Judgement {
        let timing = self.target.spec.as_ref().map_or_else(
            || Timing::for_removal(&two("app:1"), CAP),
            |spec| Timing::for_spec(spec, Duration::from_secs(20), 2, CAP),
        );
        let mut watch = Watch::new(self.target.clone(), timing, Duration::ZERO);
        let mut judgement = None;
        let mut second = 0;
        for step in steps {
            while second <= step.second {
                let at = Duration::from_secs(second);
                second += 1;
                let judged = match &step.seen {
                    Seen::Look(seen) => watch.see(at, Ok(seen)),
                    Seen::Blind => watch.see(at, Err("no answer")),
                    Seen::Nothing => continue,
                };
                if matches!(judged, Judgement::Over { .. }) {
                    return judged;
                }
                judgement = Some(judged);
            }
        }
        judgement.unwrap()
    }
}

fn blind(second: u64) -> Until {
    Until { second, seen: Seen::Blind }
}

fn nothing(second: u64) -> Until {
    Until { second, seen: Seen::Nothing }
}

fn describe(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Going { phase, running, desired, .. } => {
            let word = match phase {
                ServicePhase::Verifying { stable_seconds, of_seconds } => {
                    format!("verifying {stable_seconds}/{of_seconds}")
                }
                other => format!("{other:?}").to_lowercase(),
            };
            format!("{word}, {running} of {desired}")
        }
        Judgement::Over { verdict, .. } => match verdict {
            Verdict::Succeeded { stable_seconds, warning } => {
                format!("succeeded {stable_seconds}{}", if warning.is_some() { " with a warning" } else { "" })
            }
            Verdict::Failed { reason, .. } => format!("failed {reason:?}"),
            Verdict::RolledBack { .. } => "rolled back".to_owned(),
            Verdict::Superseded { .. } => "superseded".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        },
    }
}

const OLD: &str = "~a1:1@n1 running/running; ~a2:2@n2 running/running";
const HALF: &str = "~a1:1@n1 shutdown/shutdown; ~a2:2@n2 running/running; b1:1@n1 running/running";
const FULL: &str =
    "~a1:1@n1 shutdown/shutdown; ~a2:2@n2 shutdown/shutdown; b1:1@n1 running/running; b2:2@n2 running/running";
const FAILING: &str =
    "~a2:2@n2 running/running; b1:1@n1 shutdown/failed !task: non-zero exit (3) #3; c1:1@n1 ready/ready";

// Row 0

#[test]
fn a_short_silence_of_the_engine_keeps_the_proof_and_a_long_one_does_not() {
    let case = Case::update();
    case.check(&[case.ours(2, "updating", HALF), blind(3)], "observing, 1 of 2");
    case.check(&[case.ours(10, "completed", FULL), blind(13), case.ours(20, "completed", FULL)], "succeeded 20");
    case.check(
        &[case.ours(15, "completed", FULL), blind(25), case.ours(30, "completed", FULL)],
        "verifying 4/20, 2 of 2",
    );
    case.check(
        &[case.ours(15, "completed", FULL), nothing(25), case.ours(30, "completed", FULL)],
        "verifying 4/20, 2 of 2",
    );
}

#[test]
fn only_time_ends_a_silence() {
    let case = Case::update();
    case.check(&[blind(299)], "observing, 0 of 0");
    case.check_message(&[blind(300)], "failed Unknown", &["could not be asked (no answer)"]);
}

// Rows 1 to 3

#[test]
fn a_service_that_is_gone_was_removed() {
    let case = Case::update();
    let mut gone = case.ours(5, "", "");
    let Seen::Look(seen) = &mut gone.seen else { panic!("no look") };
    seen.services.clear();
    case.check(&[case.ours(2, "updating", HALF), gone], "removed");
}

#[test]
fn a_service_that_is_gone_for_a_moment_only_is_judged_by_what_is_there_then() {
    let case = Case::update();
    let mut gone = case.ours(3, "", "");
    let Seen::Look(seen) = &mut gone.seen else { panic!("no look") };
    seen.services.clear();
    let mut anew = case.ours(4, "", FULL);
    let Seen::Look(seen) = &mut anew.seen else { panic!("no look") };
    seen.services.get_mut("home_web").unwrap().id = "other".to_owned();
    case.check(&[case.ours(2, "updating", HALF), gone, anew], "superseded");
}

#[test]
fn a_service_that_was_just_made_may_not_be_seen_yet() {
    let case = Case::creation(&two("app:2"));
    let empty = |second| Until { second, seen: Seen::Look(Box::default()) };
    case.check(&[empty(29)], "submitting, 0 of 0");
    case.check(&[empty(30)], "removed");
    case.check(&[empty(2), case.ours(3, "", FULL), empty(6)], "removed");
}

#[test]
fn a_service_of_another_id_is_another_service() {
    let case = Case::update();
    let mut other = case.ours(0, "", FULL);
    let Seen::Look(seen) = &mut other.seen else { panic!("no look") };
    seen.services.get_mut("home_web").unwrap().id = "new".to_owned();
    case.check_message(&[other], "superseded", &["created anew by somebody else"]);
}

#[test]
fn an_old_version_number_is_an_old_answer() {
    let case = Case::update();
    let mut stale = case.prior(5, "", OLD);
    let Seen::Look(seen) = &mut stale.seen else { panic!("no look") };
    seen.services.get_mut("home_web").unwrap().version = 10;
    case.check(&[stale], "submitting, 0 of 0");
}

// Rows 4 to 6

#[test]
fn a_failed_way_back_is_a_failure() {
    let case = Case::update();
    case.check_message(
        &[
            case.ours(3, "updating", FAILING),
            case.prior(4, "rollback_paused", "a3:1@n1 shutdown/rejected !No such image"),
        ],
        "failed RollbackFailed",
        &["way back failed too", "exit code 3"],
    );
}

#[test]
fn swarms_own_way_back_must_prove_itself_too() {
    let case = Case::update();
    let back = "~b1:1@n1 shutdown/failed !task: non-zero exit (3) #3; a3:1@n1 running/running; a2:2@n2 running/running";
    let coming =
        "~b1:1@n1 shutdown/failed !task: non-zero exit (3) #3; a3:1@n1 running/pending; a2:2@n2 running/running";
    case.check(&[case.prior(3, "rollback_started", coming)], "updating, 1 of 2");
    case.check(&[case.prior(9, "rollback_completed", coming)], "updating, 1 of 2");
    case.check(
        &[case.prior(3, "rollback_started", coming), case.prior(9, "rollback_completed", back)],
        "verifying 5/20, 2 of 2",
    );
    let all = [
        case.ours(2, "updating", FAILING),
        case.prior(3, "rollback_started", coming),
        case.prior(60, "rollback_completed", back),
    ];
    case.check_message(&all, "rolled back", &["message of rollback_started", "exit code 3"]);
    let Judgement::Over { evidence, .. } = case.run(&all) else { panic!("not over") };
    assert!(evidence.old_tasks_serve);
    assert_eq!(evidence.tasks, "2/2 running");
}

#[test]
fn both_versions_can_be_bad() {
    let case = Case::update();
    let both = "~b1:1@n1 shutdown/failed; a3:1@n1 shutdown/failed; a4:1@n1 shutdown/failed; a5:1@n1 shutdown/failed; a6:1@n1 ready/ready";
    let steps = [case.ours(1, "updating", FAILING), case.prior(4, "rollback_completed", both)];
    case.check_message(&steps, "failed CrashLoop", &["earlier version"]);
}

#[test]
fn whatever_is_not_ours_is_somebody_elses() {
    let case = Case::update();
    let relabelled = |label: &str, image: &str| {
        let mut spec = case.spec.clone();
        spec["Labels"][DEPLOYMENT_LABEL] = json!(label);
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
        Case::look(1, &spec, "updating", FULL)
    };
    case.check_message(&[relabelled("10", "app:3")], "superseded", &["deployment 10 has changed"]);
    case.check_message(&[relabelled("9", "app:3")], "superseded", &["TaskTemplate.ContainerSpec.Image"]);
    case.check_message(&[case.prior(1, "", OLD)], "superseded", &["put back the spec from before"]);
    case.check(&[case.prior(1, "completed", OLD)], "superseded");
    let foreign = two("app:7");
    case.check(&[Case::look(1, &foreign, "rollback_completed", OLD)], "superseded");
}

#[test]
fn networks_by_id_and_members_of_newer_engines_do_not_make_it_somebody_elses() {
    let mut spec = two("app:2");
    spec["TaskTemplate"]["Networks"] = json!([{"Target": "home_default", "Aliases": ["web"]}]);
    spec["TaskTemplate"]["ContainerSpec"]["Healthcheck"] = json!({"Test": ["CMD", "x"], "StartInterval": 5});
    let case = Case::creation(&spec);
    let mut live = case.spec.clone();
    live["TaskTemplate"]["Networks"][0]["Target"] = json!(crate::plan::testkit::id_of("home_default"));
    live["TaskTemplate"]["ContainerSpec"]["Healthcheck"] = json!({"Test": ["CMD", "x"]});
    case.check(&[Case::look(3, &live, "", FULL)], "verifying 3/20, 2 of 2");
    live["TaskTemplate"]["Networks"][0]["Aliases"] = json!(["other"]);
    case.check(&[Case::look(3, &live, "", FULL)], "superseded");
}

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
    let first_look = |watch: Watch| {
        let Seen::Look(seen) = case.ours(1, "updating", dead).seen else { panic!("a look") };
        let mut watch = watch;
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
