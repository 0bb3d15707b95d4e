use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use release_manager::names::Actor;
use serde::Serialize;

use super::super::{Read, read};
use super::*;

#[track_caller]
fn check<T: Serialize + Read + PartialEq + Debug>(value: T) {
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(read::<T>(&json), Some(value), "{json}");
}

fn name<T: std::str::FromStr>(text: &str) -> T {
    text.parse().ok().unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_123)
}

fn task() -> TaskEvidence {
    TaskEvidence {
        task: "t".to_owned(),
        node: Some("n".to_owned()),
        state: "failed".to_owned(),
        error: None,
        exit_code: Some(-1),
    }
}

fn after() -> After {
    After { at: at(), task: task(), log_lines: vec!["a \"b\"\n".to_owned()] }
}

fn verdicts() -> Vec<Verdict> {
    let message = || "why".to_owned();
    let reasons = [
        FailureReason::CrashLoop,
        FailureReason::Unschedulable,
        FailureReason::Paused,
        FailureReason::Stalled,
        FailureReason::Deadline,
        FailureReason::Unknown,
        FailureReason::RollbackFailed,
        FailureReason::JobFailed,
        FailureReason::Refused,
    ];
    let mut verdicts: Vec<_> = reasons.map(|reason| Verdict::Failed { reason, message: message() }).into();
    verdicts.extend([
        Verdict::Succeeded { stable_seconds: 3, warning: Some(message()) },
        Verdict::Succeeded { stable_seconds: 3, warning: None },
        Verdict::Completed,
        Verdict::Pruned,
        Verdict::RolledBack { message: message() },
        Verdict::Superseded { message: message() },
        Verdict::Removed,
        Verdict::Cancelled { written: true },
    ]);
    verdicts
}

fn causes() -> Vec<Cause> {
    vec![
        Cause::Sync,
        Cause::Promotion { from: name("preprod") },
        Cause::Rollback { to: DeploymentId(7) },
        Cause::CommandLine,
        Cause::Retry { of: DeploymentId(7) },
        Cause::Restart { service: name("web") },
        Cause::Return { from: DeploymentId(7) },
        Cause::Heal { drift: "d".to_owned() },
    ]
}

fn revision() -> Revision {
    Revision { sha: name(&"a".repeat(40)), author: "Ada".to_owned(), committed_at: at(), message: "ä\n\nb".to_owned() }
}

fn field_change() -> FieldChange {
    FieldChange { field: "Image".to_owned(), from: None, to: Some("web:2".to_owned()) }
}

fn evidence() -> Evidence {
    Evidence {
        failing_task: Some(task()),
        log_lines: vec!["x".to_owned()],
        old_tasks_serve: true,
        tasks: "1/2".to_owned(),
        digest_before: Some(name(&format!("sha256:{}", "b".repeat(64)))),
        digest_after: None,
        hint: Some("look".to_owned()),
    }
}

fn progress() -> Progress {
    let phases = [
        ServicePhase::Waiting,
        ServicePhase::Submitting,
        ServicePhase::Updating,
        ServicePhase::Verifying { stable_seconds: 1, of_seconds: 3 },
        ServicePhase::Observing,
        ServicePhase::Done { verdict: Verdict::Completed },
    ];
    let services = phases.into_iter().enumerate().map(|(index, phase)| {
        let service =
            ServiceProgress { from: None, to: Some(name("1.2")), phase, running: 1, desired: 2, message: None };
        (name(&format!("s{index}")), service)
    });
    let states =
        [StepState::Completed, StepState::Failed, StepState::InProgress, StepState::Pending, StepState::Pending];
    Progress {
        id: DeploymentId(7),
        environment: name("prod"),
        cause: Cause::Sync,
        actor: Actor::Token(name("ci")),
        started_at: at(),
        status: Status::InProgress,
        steps: Step::ALL.into_iter().zip(states).collect(),
        services: services.collect(),
        error: Some("why".to_owned()),
    }
}

fn comparison() -> Comparison {
    let action = PlannedAction { verb: "update".to_owned(), reason: "image".to_owned(), fields: vec![field_change()] };
    let finding = Finding { service: Some(name("web")), message: "m".to_owned() };
    let changes = [ChangeType::NoChange, ChangeType::VersionBump, ChangeType::NewService, ChangeType::RemovedService];
    let change = |change_type| ServiceChange { service: name("web"), from: Some(name("1")), to: None, change_type };
    let soak =
        Soak { image: "web:1".to_owned(), since: at(), restarts: 1, failed_tasks: 2, last_failure: Some(task()) };
    Comparison {
        from: name("preprod"),
        to: name("prod"),
        changes: changes.map(change).into(),
        from_sha: Some(name(&"a".repeat(40))),
        commits_from: Some(name(&"c".repeat(40))),
        commits_to: None,
        to_sha: None,
        actions: BTreeMap::from([(name("web"), action)]),
        blockers: vec![finding.clone()],
        warnings: vec![Finding { service: None, ..finding }],
        plan_hash: Some("h".to_owned()),
        soak: BTreeMap::from([(name("web"), soak)]),
    }
}

fn health() -> EnvironmentHealth {
    let statuses = [HealthStatus::Healthy, HealthStatus::Unhealthy, HealthStatus::Progressing, HealthStatus::Unknown];
    let services = statuses.into_iter().enumerate().map(|(index, status)| {
        let health = ServiceHealth {
            status,
            running: 1,
            desired: 2,
            error: Some("e".to_owned()),
            running_since: Some(at()),
            image: "web:1".to_owned(),
            restarts: 3,
            unreachable: 4,
        };
        (name(&format!("s{index}")), health)
    });
    EnvironmentHealth { checked_at: Some(at()), services: services.collect() }
}

fn watched() -> Watched {
    let drifts = [ServiceDrift::Changed { fields: vec![field_change()] }, ServiceDrift::Missing, ServiceDrift::Foreign];
    let services = drifts.into_iter().enumerate().map(|(index, drift)| (name(&format!("s{index}")), drift));
    let probation = Probation { deployment: DeploymentId(7), until: at(), after: Some(after()) };
    Watched {
        lead: Lead::Other { place: "there".to_owned(), since: at() },
        drift: Drift { checked_at: Some(at()), services: services.collect(), not_healed: Some("why".to_owned()) },
        probation: BTreeMap::from([(name("web"), probation)]),
    }
}

#[test]
fn words_and_kinds_read_back() {
    verdicts().into_iter().for_each(check);
    causes().into_iter().for_each(check);
    Status::ALL.into_iter().for_each(check);
    [Lead::Unknown, Lead::Ours].into_iter().for_each(check);
    for actor in [Actor::System, Actor::Person("ada".to_owned()), Actor::Token(name("ci"))] {
        check(actor);
    }
}

#[test]
fn the_live_state_reads_back() {
    let problem = Problem { since: at(), message: "m".to_owned() };
    let hold =
        Hold { by: Actor::System, since: at(), reason: name("moving house"), newer_than: Some(name(&"a".repeat(40))) };
    let environment = LiveEnvironment {
        health: health(),
        deployment: Some(progress()),
        problem: Some(problem.clone()),
        examined: Some(Examined { revision: Some(revision().sha), passing: true, tried: Some(DeploymentId(7)) }),
        hold: Some(hold),
        watched: watched(),
    };
    check(Live {
        generation: 9,
        source: SourceState {
            name: "home/lab".to_owned(),
            branch: "main".to_owned(),
            head: Some(revision()),
            checked_at: Some(at()),
            tried_at: Some(at()),
            problem: None,
            commit_url: Some("https://example.org/".to_owned()),
        },
        engine_problem: Some(problem.clone()),
        database_problem: Some(problem),
        environments: BTreeMap::from([(name("prod"), environment)]),
    });
}

#[test]
fn an_overview_reads_back() {
    let version = ServiceVersion { version: name("1"), image: "web:1".to_owned() };
    let mut release = Release::new(Some(revision()), BTreeMap::from([(name("web"), version)]));
    for elsewhere in [BTreeMap::new(), BTreeMap::from([(name("web"), None)])] {
        release.elsewhere = elsewhere;
        for mode in [Mode::Auto, Mode::Manual] {
            check(Overview {
                environments: vec![EnvironmentView {
                    name: name("prod"),
                    mode,
                    stack: name("home_prod"),
                    promotes_from: Some(name("preprod")),
                    release: Some(release.clone()),
                    deployed_at: Some(at()),
                    deployed_by: Some(Actor::System),
                    newer: BTreeSet::from([name("web")]),
                }],
                poll_seconds: 60,
                demo: Some(DemoNote { repository: "/r".to_owned(), engine: "e".to_owned() }),
            });
        }
    }
}

#[test]
fn a_comparison_and_a_refusal_read_back() {
    check::<Result<Comparison, RpcError>>(Ok(comparison()));
    let kinds = [
        RpcErrorKind::NotFound,
        RpcErrorKind::Busy { id: DeploymentId(7) },
        RpcErrorKind::Stale,
        RpcErrorKind::UpToDate,
        RpcErrorKind::Blocked,
        RpcErrorKind::Invalid,
        RpcErrorKind::LoggedOut,
        RpcErrorKind::Forbidden,
        RpcErrorKind::Unavailable,
        RpcErrorKind::Internal,
    ];
    for kind in kinds {
        check::<Result<Comparison, RpcError>>(Err(RpcError::new(kind, "why")));
    }
    let here = RpcError { environment: Some(name("prod")), ..RpcError::new(RpcErrorKind::Blocked, "why") };
    check::<Result<Comparison, RpcError>>(Err(here));
}

#[test]
fn a_deployment_reads_back() {
    let outcome = |verdict| ServiceOutcome { version: name("2"), from: Some(name("1")), verdict, evidence: evidence() };
    let services =
        verdicts().into_iter().enumerate().map(|(index, verdict)| (name(&format!("s{index}")), outcome(verdict)));
    let deployment = Deployment {
        id: DeploymentId(7),
        environment: name("prod"),
        cause: Cause::Sync,
        actor: Actor::System,
        commit_sha: Some(name(&"a".repeat(40))),
        started_at: at(),
        ended: Some((at(), Outcome { status: Status::Failed, error_message: None, services: services.collect() })),
        notes: vec!["n".to_owned()],
    };
    let row = HistoryRow {
        id: 1,
        deployment: DeploymentId(7),
        environment: name("prod"),
        service: name("web"),
        version: name("2"),
        from: None,
        commit_sha: None,
        status: Status::Success,
        actor: Actor::System,
        verdict: Some(Verdict::Completed),
        evidence: Some(evidence()),
        started_at: at(),
        completed_at: Some(at()),
        after: Some(after()),
    };
    check(DeploymentView { deployment, rows: vec![row], progress: Some(progress()) });
}

#[test]
fn a_moment_reads_back() {
    for millis in
        [0, 1, 250, 86_399_999, 951_782_400_000, 951_868_799_990, 1_709_164_800_000, 1_735_689_599_100, -1_000]
    {
        check(Timestamp::from_millis(millis));
    }
    for day in 0..1500 {
        check(Timestamp::from_millis(1_700_000_000_123 + day * 86_400_000));
    }
    assert_eq!(read::<Timestamp>(r#""yesterday""#), None);
    assert_eq!(read::<Timestamp>(r#""2025-10-31T10:30:00""#), None);
}

#[test]
fn what_is_something_else_is_not_read() {
    assert_eq!(read::<RpcError>("<html>502"), None);
    assert_eq!(read::<RpcError>(r#"{"kind":"odd","message":"m"}"#), None);
    assert_eq!(read::<Problem>(r#"{"message":"m"}"#), None);
    assert_eq!(read::<u64>("-1"), None);
    assert_eq!(read::<EnvironmentName>(r#""<b>""#), None);
}
