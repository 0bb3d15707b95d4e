//! The rule, row by row: what a case is, then who has written, and what Swarm took back.

mod ends;
mod recorded;
mod tasks;

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
    let both = "~b1:1@n1 shutdown/failed; a3:1@n1 shutdown/rejected !No such image; a4:1@n1 shutdown/failed; a5:1@n1 shutdown/failed; a6:1@n1 ready/ready";
    let steps = [case.ours(1, "updating", FAILING), case.prior(4, "rollback_completed", both)];
    case.check_message(&steps, "failed CrashLoop", &["earlier version", "No such image"]);
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
