//! What every ledger promises.

use std::collections::BTreeMap;

use release_manager::deployment::{Cause, CauseKind, HistoryFilter, Outcome, Status, TaskEvidence, Verdict};
use release_manager::health::{EnvironmentHealth, HealthStatus, ServiceHealth, SoakRecord};
use release_manager::judge::Target;
use release_manager::names::{Actor, DeploymentId};
use release_manager::ports::{JournalEntry, Latest, Ledger, LedgerError, NewDeployment, ReleaseFilter};
use release_manager::testing::FakeLedger;
use release_manager::watched::{After, Soak};

use super::orders::{
    a_hold_keeps_out_what_is_new_and_nothing_else, a_hold_lasts_until_it_is_ended_and_one_replaces_the_other,
    a_revision_that_changes_nothing_is_noted, the_newest_try_from_the_source_is_known,
    what_success_has_proved_is_told_service_by_service, what_was_accepted_can_be_read_when_it_is_over,
    what_was_written_without_success_is_unproved,
};
use super::samples::{
    Scratch, crashed, deploy, deployment, environment, outcome, outcomes, release, revision, second, service, succeeded,
};

/// Runs each sentence against the fake and against SQLite.
macro_rules! promises {
    ($($name:ident)*) => {
        mod fake {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::FakeLedger::default()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let scratch = super::Scratch::new();
                let store = scratch.open().await;
                super::$name(&store).await;
                store.verify().await.unwrap();
            })*
        }
    };
}

promises! {
    releases_come_newest_first_page_by_page
    a_revision_that_changes_nothing_is_noted
    a_hold_keeps_out_what_is_new_and_nothing_else
    a_deployment_is_kept_whole_until_it_is_over
    a_second_deployment_of_an_environment_is_refused_with_the_number_of_the_first
    environments_do_not_wait_for_each_other
    numbers_rise_and_are_never_given_twice
    a_deployment_is_closed_once
    nothing_is_added_to_what_is_over_or_never_was
    every_service_that_a_plan_writes_has_a_row_from_the_start
    a_verdict_completes_its_row_at_once
    the_first_verdict_stands
    a_service_that_is_judged_without_being_planned_gets_a_row
    what_was_not_judged_is_no_success
    a_refused_deployment_tells_why
    a_plan_that_writes_what_the_release_lacks_is_refused
    a_clock_that_is_set_back_gives_no_end_before_the_start
    nothing_is_known_of_a_new_environment
    what_was_running_before_is_adopted_once
    nothing_is_adopted_into_an_environment_with_history
    a_stack_without_services_is_not_adopted
    success_makes_current_and_failure_does_not
    a_service_that_succeeds_in_a_failed_deployment_is_current
    a_service_that_was_taken_out_is_not_current
    a_deployment_adds_to_what_was_adopted
    what_is_current_comes_with_revision_stack_time_and_person
    the_latest_deployment_is_known_with_its_content
    history_is_newest_first_with_names_rising_within_a_deployment
    history_is_filtered_and_paged
    history_is_found_by_status_cause_actor_and_time
    insights_are_drawn_from_every_deployment_since_a_moment
    a_row_of_history_leads_to_its_release
    the_newest_revision_is_remembered
    health_can_be_recorded_again_and_again
    what_was_accepted_can_be_read_when_it_is_over
    what_success_has_proved_is_told_service_by_service
    the_newest_try_from_the_source_is_known
    what_was_written_without_success_is_unproved
    a_hold_lasts_until_it_is_ended_and_one_replaces_the_other
    what_came_after_a_success_stands_beside_it_and_the_first_stays
    each_running_service_knows_the_success_that_brought_it
    what_was_watched_of_a_service_can_be_found_again
    how_versions_have_stood_is_replaced_as_a_whole
    a_ledger_has_a_name_that_stays
}

async fn a_deployment_is_kept_whole_until_it_is_over(ledger: &dyn Ledger) {
    let new = deployment("prod", 'a', "web=1 db=2");
    let id = ledger.begin(&new).await.unwrap();
    let target = Target {
        full_name: "home_web".to_owned(),
        deployment: id,
        spec: Some(serde_json::json!({"Name": "home_web"})),
        prior: None,
        service_id: None,
        version_before: Some(7),
        tasks_before: ["task".to_owned()].into(),
        job_iteration_before: None,
        update_before: None,
    };
    let entries = [
        JournalEntry::Intent { action: 0, target: Some(target) },
        JournalEntry::Done { action: 0, id: "abc".to_owned() },
        JournalEntry::CancelRequested { by: Actor::Person("ada".to_owned()), go_back: false },
        JournalEntry::Judged { service: service("web"), outcome: outcome("1", succeeded()) },
    ];
    for entry in &entries {
        ledger.journal(id, entry, second(1)).await.unwrap();
    }
    let open = ledger.unfinished().await.unwrap();
    assert_eq!((open.len(), open[0].id), (1, id));
    assert_eq!(open[0].new, new);
    assert_eq!(open[0].journal, entries);
    assert_eq!(ledger.deployment(id).await.unwrap().unwrap().ended, None);

    let verdicts = outcomes(&[("web", "1", succeeded()), ("db", "2", crashed())]);
    ledger.finish(id, &verdicts, second(9)).await.unwrap();
    assert_eq!(ledger.unfinished().await.unwrap(), []);
    let deployment = ledger.deployment(id).await.unwrap().unwrap();
    assert_eq!((deployment.cause, deployment.actor, deployment.started_at), (new.cause, new.actor, new.started_at));
    assert_eq!(deployment.commit_sha, new.release.revision.map(|revision| revision.sha));
    assert_eq!(deployment.ended, Some((second(9), verdicts)));
}

async fn a_second_deployment_of_an_environment_is_refused_with_the_number_of_the_first(ledger: &dyn Ledger) {
    let id = ledger.begin(&deployment("prod", 'a', "web=1")).await.unwrap();
    let refused = ledger.begin(&deployment("prod", 'b', "web=2")).await;
    assert!(matches!(refused, Err(LedgerError::Busy(running)) if running == id), "{refused:?}");
    ledger.finish(id, &outcomes(&[("web", "1", succeeded())]), second(1)).await.unwrap();
    ledger.begin(&deployment("prod", 'b', "web=2")).await.unwrap();
}

async fn environments_do_not_wait_for_each_other(ledger: &dyn Ledger) {
    let one = ledger.begin(&deployment("preprod", 'a', "web=1")).await.unwrap();
    let other = ledger.begin(&deployment("prod", 'a', "web=1")).await.unwrap();
    let open: Vec<DeploymentId> = ledger.unfinished().await.unwrap().iter().map(|open| open.id).collect();
    assert_eq!(open, [one, other]);
    // Closed in the other order than begun.
    for id in [other, one] {
        ledger.finish(id, &outcomes(&[("web", "1", succeeded())]), second(1)).await.unwrap();
    }
}

async fn numbers_rise_and_are_never_given_twice(ledger: &dyn Ledger) {
    let mut numbers = Vec::new();
    for digit in ['a', 'b', 'c'] {
        numbers.push(deploy(ledger, &deployment("prod", digit, "web=1"), second(1)).await);
    }
    assert_eq!(numbers, [1, 2, 3]);
}

async fn a_deployment_is_closed_once(ledger: &dyn Ledger) {
    let id = DeploymentId(deploy(ledger, &deployment("prod", 'a', "web=1"), second(1)).await);
    let again = ledger.finish(id, &Outcome::refused("no".to_owned()), second(2)).await.unwrap_err();
    assert!(matches!(again, LedgerError::Over(DeploymentId(1))), "{again}");
    assert_eq!(ledger.deployment(id).await.unwrap().unwrap().status(), Status::Success);
}

async fn nothing_is_added_to_what_is_over_or_never_was(ledger: &dyn Ledger) {
    let id = DeploymentId(deploy(ledger, &deployment("prod", 'a', "web=1"), second(1)).await);
    let entry = JournalEntry::Intent { action: 0, target: None };
    let late = ledger.journal(id, &entry, second(2)).await.unwrap_err();
    assert!(matches!(late, LedgerError::Over(DeploymentId(1))), "{late}");
    let lost = ledger.journal(DeploymentId(7), &entry, second(2)).await.unwrap_err();
    assert!(lost.to_string().contains("there is no deployment 7"), "{lost}");
    assert_eq!(ledger.deployment(DeploymentId(7)).await.unwrap(), None);
    assert_eq!(ledger.release_of(DeploymentId(-1)).await.unwrap(), None);
}

/// The rows of history as `service version status`, newest first.
async fn rows(ledger: &dyn Ledger) -> Vec<String> {
    let page = ledger.history(&HistoryFilter { limit: 100, ..HistoryFilter::default() }).await.unwrap();
    assert_eq!(page.total, page.rows.len() as u64);
    page.rows.iter().map(|row| format!("{} {} {}", row.service, row.version, row.status.as_str())).collect()
}

async fn every_service_that_a_plan_writes_has_a_row_from_the_start(ledger: &dyn Ledger) {
    ledger.begin(&deployment("prod", 'a', "web=1 db=2 | left=3 -old=4")).await.unwrap();
    assert_eq!(rows(ledger).await, ["db 2 in_progress", "old 4 in_progress", "web 1 in_progress"]);
}

async fn a_verdict_completes_its_row_at_once(ledger: &dyn Ledger) {
    let id = ledger.begin(&deployment("prod", 'a', "db=2 web=1")).await.unwrap();
    let judged = outcome("1", crashed());
    let entry = JournalEntry::Judged { service: service("web"), outcome: judged.clone() };
    ledger.journal(id, &entry, second(5)).await.unwrap();
    assert_eq!(rows(ledger).await, ["db 2 in_progress", "web 1 failed"]);
    let page = ledger.history(&HistoryFilter { limit: 2, ..HistoryFilter::default() }).await.unwrap();
    let row = &page.rows[1];
    assert_eq!((row.completed_at, row.started_at), (Some(second(5)), second(0)));
    assert_eq!((row.verdict.clone(), row.evidence.clone()), (Some(judged.verdict), Some(judged.evidence)));
    assert_eq!((page.rows[0].completed_at, page.rows[0].verdict.clone()), (None, None));
}

async fn the_first_verdict_stands(ledger: &dyn Ledger) {
    let id = ledger.begin(&deployment("prod", 'a', "web=1")).await.unwrap();
    for verdict in [crashed(), succeeded()] {
        let entry = JournalEntry::Judged { service: service("web"), outcome: outcome("1", verdict) };
        ledger.journal(id, &entry, second(5)).await.unwrap();
    }
    ledger.finish(id, &outcomes(&[("web", "1", succeeded())]), second(6)).await.unwrap();
    assert_eq!(rows(ledger).await, ["web 1 failed"]);
}

async fn a_service_that_is_judged_without_being_planned_gets_a_row(ledger: &dyn Ledger) {
    let id = ledger.begin(&deployment("prod", 'a', "web=1 | db=2")).await.unwrap();
    let verdicts = outcomes(&[("web", "1", succeeded()), ("db", "2", succeeded())]);
    ledger.finish(id, &verdicts, second(6)).await.unwrap();
    assert_eq!(rows(ledger).await, ["db 2 success", "web 1 success"]);
    let current = ledger.current(&environment("prod")).await.unwrap().unwrap();
    assert_eq!(current.release, release(Some(revision('a')), "db=2 web=1"));
}

async fn what_was_not_judged_is_no_success(ledger: &dyn Ledger) {
    let id = ledger.begin(&deployment("prod", 'a', "db=2 web=1")).await.unwrap();
    ledger.finish(id, &outcomes(&[("web", "1", succeeded())]), second(6)).await.unwrap();
    assert_eq!(rows(ledger).await, ["db 2 failed", "web 1 success"]);
}

async fn a_refused_deployment_tells_why(ledger: &dyn Ledger) {
    let id = ledger.begin(&deployment("prod", 'a', "web=1")).await.unwrap();
    let refused = Outcome::refused("no node has the label".to_owned());
    ledger.finish(id, &refused, second(1)).await.unwrap();
    assert_eq!(ledger.deployment(id).await.unwrap().unwrap().ended, Some((second(1), refused)));
    assert_eq!(rows(ledger).await, ["web 1 failed"]);
    assert_eq!(ledger.current(&environment("prod")).await.unwrap(), None);
}

async fn a_plan_that_writes_what_the_release_lacks_is_refused(ledger: &dyn Ledger) {
    let mut new = deployment("prod", 'a', "web=1");
    new.release.services.clear();
    let refused = ledger.begin(&new).await.unwrap_err();
    assert!(refused.to_string().contains("writes service `web`"), "{refused}");
    assert_eq!(ledger.unfinished().await.unwrap(), []);
}

async fn a_clock_that_is_set_back_gives_no_end_before_the_start(ledger: &dyn Ledger) {
    let id = deploy(ledger, &deployment("prod", 'a', "web=1"), second(-3600)).await;
    let (ended, _) = ledger.deployment(DeploymentId(id)).await.unwrap().unwrap().ended.unwrap();
    assert_eq!(ended, second(0));
    let page = ledger.history(&HistoryFilter { limit: 1, ..HistoryFilter::default() }).await.unwrap();
    assert_eq!(page.rows[0].completed_at, Some(second(0)));
}

async fn nothing_is_known_of_a_new_environment(ledger: &dyn Ledger) {
    assert_eq!(ledger.current(&environment("prod")).await.unwrap(), None);
    assert_eq!(ledger.latest(&environment("prod")).await.unwrap(), None);
    assert_eq!(ledger.head().await.unwrap(), None);
    assert_eq!(rows(ledger).await, [""; 0]);
    assert_eq!(ledger.history_row(1).await.unwrap(), None);
}

async fn what_was_running_before_is_adopted_once(ledger: &dyn Ledger) {
    let prod = environment("prod");
    ledger.adopt(&prod, &release(None, "web=1 db=2"), second(0)).await.unwrap();
    ledger.adopt(&prod, &release(None, "web=9"), second(5)).await.unwrap();
    let current = ledger.current(&prod).await.unwrap().unwrap();
    assert_eq!(current.release, release(None, "web=1 db=2"));
    assert_eq!((current.deployed_at, current.deployed_by, current.stack), (second(0), Actor::System, None));
    assert_eq!(ledger.current(&environment("preprod")).await.unwrap(), None);
    assert_eq!(rows(ledger).await, [""; 0]);
}

async fn nothing_is_adopted_into_an_environment_with_history(ledger: &dyn Ledger) {
    let prod = environment("prod");
    let id = ledger.begin(&deployment("prod", 'a', "web=1")).await.unwrap();
    ledger.finish(id, &Outcome::refused("no".to_owned()), second(1)).await.unwrap();
    ledger.adopt(&prod, &release(None, "web=9"), second(5)).await.unwrap();
    assert_eq!(ledger.current(&prod).await.unwrap(), None);
}

async fn a_stack_without_services_is_not_adopted(ledger: &dyn Ledger) {
    let prod = environment("prod");
    ledger.adopt(&prod, &release(None, ""), second(0)).await.unwrap();
    assert_eq!(ledger.current(&prod).await.unwrap(), None);
    ledger.adopt(&prod, &release(None, "web=1"), second(1)).await.unwrap();
    assert!(ledger.current(&prod).await.unwrap().is_some());
}

/// What `prod` runs, as `service=version`.
async fn current(ledger: &dyn Ledger) -> String {
    let current = ledger.current(&environment("prod")).await.unwrap().unwrap();
    let services = current.release.services.iter();
    services.map(|(service, version)| format!("{service}={}", version.version)).collect::<Vec<_>>().join(" ")
}

async fn success_makes_current_and_failure_does_not(ledger: &dyn Ledger) {
    deploy(ledger, &deployment("prod", 'a', "web=1"), second(1)).await;
    for verdict in [crashed(), Verdict::RolledBack { message: "back".to_owned() }, Verdict::Cancelled { written: true }]
    {
        let id = ledger.begin(&deployment("prod", 'b', "web=2")).await.unwrap();
        assert_eq!(current(ledger).await, "web=1");
        ledger.finish(id, &outcomes(&[("web", "2", verdict)]), second(2)).await.unwrap();
        assert_eq!(current(ledger).await, "web=1");
    }
    deploy(ledger, &deployment("prod", 'c', "web=3"), second(3)).await;
    assert_eq!(current(ledger).await, "web=3");
}

async fn a_service_that_succeeds_in_a_failed_deployment_is_current(ledger: &dyn Ledger) {
    deploy(ledger, &deployment("prod", 'a', "web=1 db=1"), second(1)).await;
    let id = ledger.begin(&deployment("prod", 'b', "web=2 db=2")).await.unwrap();
    let verdicts = outcomes(&[("web", "2", succeeded()), ("db", "2", crashed())]);
    ledger.finish(id, &verdicts, second(2)).await.unwrap();
    assert_eq!(current(ledger).await, "db=1 web=2");
    let current = ledger.current(&environment("prod")).await.unwrap().unwrap();
    assert_eq!(current.release.revision, Some(revision('a')));
}

async fn a_service_that_was_taken_out_is_not_current(ledger: &dyn Ledger) {
    ledger.adopt(&environment("prod"), &release(None, "old=1 older=1"), second(0)).await.unwrap();
    deploy(ledger, &deployment("prod", 'a', "web=1 | -old=1"), second(1)).await;
    assert_eq!(current(ledger).await, "older=1 web=1");
    deploy(ledger, &deployment("prod", 'b', "| -web=1 -older=1"), second(2)).await;
    assert_eq!(current(ledger).await, "");
    deploy(ledger, &deployment("prod", 'c', "old=2"), second(3)).await;
    assert_eq!(current(ledger).await, "old=2");
}

async fn a_deployment_adds_to_what_was_adopted(ledger: &dyn Ledger) {
    ledger.adopt(&environment("prod"), &release(None, "db=1 web=1"), second(0)).await.unwrap();
    deploy(ledger, &deployment("prod", 'a', "web=2 | db=1"), second(1)).await;
    assert_eq!(current(ledger).await, "db=1 web=2");
}

async fn what_is_current_comes_with_revision_stack_time_and_person(ledger: &dyn Ledger) {
    let first = deployment("prod", 'a', "db=1 web=1");
    deploy(ledger, &first, second(1)).await;
    let mut next = deployment("prod", 'b', "web=2 | db=1");
    next.actor = Actor::Person("ada".to_owned());
    deploy(ledger, &next, second(2)).await;
    let current = ledger.current(&environment("prod")).await.unwrap().unwrap();
    assert_eq!(current.release, next.release);
    assert_eq!((current.deployed_at, current.deployed_by), (second(2), next.actor));
    assert_eq!(current.stack, Some(next.stack));
}

async fn the_latest_deployment_is_known_with_its_content(ledger: &dyn Ledger) {
    let prod = environment("prod");
    deploy(ledger, &deployment("prod", 'a', "web=1"), second(1)).await;
    deploy(ledger, &deployment("preprod", 'c', "web=1"), second(1)).await;
    let id = ledger.begin(&deployment("prod", 'b', "web=2")).await.unwrap();
    let mut latest = Latest { id, content_hash: "content of b".to_owned(), status: Status::InProgress };
    assert_eq!(ledger.latest(&prod).await.unwrap().as_ref(), Some(&latest));
    ledger.finish(id, &outcomes(&[("web", "2", crashed())]), second(2)).await.unwrap();
    latest.status = Status::Failed;
    assert_eq!(ledger.latest(&prod).await.unwrap(), Some(latest));
}

async fn history_is_newest_first_with_names_rising_within_a_deployment(ledger: &dyn Ledger) {
    deploy(ledger, &deployment("prod", 'a', "web=1 db=1"), second(1)).await;
    deploy(ledger, &deployment("prod", 'b', "b=1 c=1 a=1"), second(2)).await;
    let expected = ["a 1 success", "b 1 success", "c 1 success", "db 1 success", "web 1 success"];
    assert_eq!(rows(ledger).await, expected);
}

async fn history_is_filtered_and_paged(ledger: &dyn Ledger) {
    deploy(ledger, &deployment("prod", 'a', "db=1 web=1"), second(1)).await;
    deploy(ledger, &deployment("preprod", 'a', "db=2 web=2"), second(1)).await;
    deploy(ledger, &deployment("prod", 'b', "db=3 web=3"), second(1)).await;
    let check = async |filter: &str, limit: u32, offset: u32, total: u64, expected: &[&str]| {
        let mut asked = HistoryFilter { limit, offset, ..HistoryFilter::default() };
        for word in filter.split_whitespace() {
            match word.split_once('=').unwrap() {
                ("environment", name) => asked.environment = Some(environment(name)),
                ("service", name) => asked.service = Some(service(name)),
                (_, number) => asked.deployment = Some(DeploymentId(number.parse().unwrap())),
            }
        }
        let page = ledger.history(&asked).await.unwrap();
        let rows: Vec<String> =
            page.rows.iter().map(|row| format!("{} {} {}", row.environment, row.service, row.version)).collect();
        assert_eq!((rows, page.total), (expected.iter().map(ToString::to_string).collect(), total), "{asked:?}");
    };
    check("", 2, 0, 6, &["prod db 3", "prod web 3"]).await;
    check("", 2, 4, 6, &["prod db 1", "prod web 1"]).await;
    check("", 100, 5, 6, &["prod web 1"]).await;
    check("", 100, 6, 6, &[]).await;
    check("", 0, 0, 6, &["prod db 3"]).await;
    check("environment=prod", 3, 1, 4, &["prod web 3", "prod db 1", "prod web 1"]).await;
    check("service=db", 9, 0, 3, &["prod db 3", "preprod db 2", "prod db 1"]).await;
    check("environment=prod service=web", 1, 1, 2, &["prod web 1"]).await;
    check("deployment=2", 9, 0, 2, &["preprod db 2", "preprod web 2"]).await;
    check("deployment=2 service=web", 9, 0, 1, &["preprod web 2"]).await;
    check("deployment=2 environment=prod", 9, 0, 0, &[]).await;
    check("environment=unknown", 9, 0, 0, &[]).await;
}

async fn history_is_found_by_status_cause_actor_and_time(ledger: &dyn Ledger) {
    let start = async |name: &str, services: &str, at: i64, actor: &str, cause: Cause| {
        let new = NewDeployment {
            started_at: second(at),
            actor: actor.to_owned().into(),
            cause,
            ..deployment(name, 'a', services)
        };
        ledger.begin(&new).await.unwrap()
    };
    let promotion = || Cause::Promotion { from: environment("preprod") };
    let first = start("preprod", "db=1 web=1", 1, "system", Cause::Sync).await;
    ledger.finish(first, &outcomes(&[("db", "1", succeeded()), ("web", "1", crashed())]), second(2)).await.unwrap();
    let second_one = start("prod", "web=1", 3, "ada", promotion()).await;
    ledger.finish(second_one, &outcomes(&[("web", "1", succeeded())]), second(4)).await.unwrap();
    start("prod", "web=2", 5, "ada", Cause::Rollback { to: first }).await;

    let check = async |asked: HistoryFilter, total: u64, more: bool, expected: &[&str]| {
        let page = ledger.history(&asked).await.unwrap();
        let rows: Vec<String> =
            page.rows.iter().map(|row| format!("{} {} {}", row.environment, row.service, row.version)).collect();
        assert_eq!((rows, page.total, page.more), (expected.iter().map(ToString::to_string).collect(), total, more));
        page.rows.last().map(|row| row.id)
    };
    let all = || HistoryFilter { limit: 9, ..HistoryFilter::default() };
    check(HistoryFilter { status: Some(Status::Failed), ..all() }, 1, false, &["preprod web 1"]).await;
    check(HistoryFilter { cause: Some(CauseKind::Rollback), ..all() }, 1, false, &["prod web 2"]).await;
    check(
        HistoryFilter { cause: Some(CauseKind::Sync), service: Some(service("db")), ..all() },
        1,
        false,
        &["preprod db 1"],
    )
    .await;
    check(HistoryFilter { actor: Some(Actor::System), ..all() }, 2, false, &["preprod db 1", "preprod web 1"]).await;
    check(HistoryFilter { since: Some(second(3)), ..all() }, 2, false, &["prod web 2", "prod web 1"]).await;
    check(HistoryFilter { until: Some(second(3)), ..all() }, 2, false, &["preprod db 1", "preprod web 1"]).await;
    let in_prod = HistoryFilter { environment: Some(environment("prod")), ..all() };
    check(HistoryFilter { actor: Some(Actor::System), ..in_prod.clone() }, 0, false, &[]).await;
    check(HistoryFilter { cause: Some(CauseKind::Sync), ..in_prod }, 0, false, &[]).await;
    let ada = HistoryFilter { actor: Some("ada".to_owned().into()), limit: 1, ..all() };
    let proved = HistoryFilter { service: Some(service("web")), status: Some(Status::Success), ..ada.clone() };
    check(proved, 1, false, &["prod web 1"]).await;
    let last = check(ada.clone(), 2, true, &["prod web 2"]).await;
    check(HistoryFilter { before: last, ..ada }, 2, false, &["prod web 1"]).await;
    let mut since = HistoryFilter { since: Some(second(1)), limit: 1, ..all() };
    for (row, more) in [("prod web 2", true), ("prod web 1", true), ("preprod db 1", true), ("preprod web 1", false)] {
        since.before = check(since.clone(), 4, more, &[row]).await;
    }
    let last = check(HistoryFilter { limit: 2, ..all() }, 4, true, &["prod web 2", "prod web 1"]).await;
    check(HistoryFilter { before: last, ..all() }, 4, false, &["preprod db 1", "preprod web 1"]).await;
}

async fn insights_are_drawn_from_every_deployment_since_a_moment(ledger: &dyn Ledger) {
    deploy(ledger, &NewDeployment { started_at: second(1), ..deployment("prod", 'a', "web=1") }, second(2)).await;
    let later = NewDeployment { started_at: second(9), ..deployment("preprod", 'b', "web=1") };
    ledger.begin(&later).await.unwrap();
    let facts = ledger.facts(second(1)).await.unwrap();
    assert_eq!(facts.len(), 2);
    assert_eq!((facts[0].status, facts[0].ended_at), (Status::Success, Some(second(2))));
    assert_eq!((facts[0].cause, facts[0].committed_at), (CauseKind::Sync, Some(revision('a').committed_at)));
    assert_eq!((facts[1].environment.as_str(), facts[1].ended_at), ("preprod", None));
    assert_eq!(ledger.facts(second(2)).await.unwrap().len(), 1);
}

async fn a_row_of_history_leads_to_its_release(ledger: &dyn Ledger) {
    let first = deployment("prod", 'a', "web=1");
    deploy(ledger, &first, second(1)).await;
    deploy(ledger, &deployment("prod", 'b', "web=2"), second(2)).await;
    let page = ledger.history(&HistoryFilter { limit: 9, ..HistoryFilter::default() }).await.unwrap();
    let (id, name, version) = ledger.history_row(page.rows[1].id).await.unwrap().unwrap();
    assert_eq!((id, name, version.as_str()), (DeploymentId(1), service("web"), "1"));
    assert_eq!(ledger.release_of(id).await.unwrap(), Some((first.release, first.stack)));
}

async fn the_newest_revision_is_remembered(ledger: &dyn Ledger) {
    for digit in ['a', 'b', 'b'] {
        ledger.remember_head(&revision(digit)).await.unwrap();
    }
    assert_eq!(ledger.head().await.unwrap(), Some(revision('b')));
}

async fn health_can_be_recorded_again_and_again(ledger: &dyn Ledger) {
    let health = ServiceHealth {
        status: HealthStatus::Healthy,
        running: 1,
        desired: 1,
        error: None,
        running_since: None,
        image: "app:1".to_owned(),
        restarts: 0,
        unreachable: 0,
    };
    for at in 0..3 {
        let services = BTreeMap::from([(service("web"), health.clone())]);
        let health = EnvironmentHealth { checked_at: Some(second(at)), services };
        ledger.record_health(&environment("prod"), &health).await.unwrap();
    }
}

async fn releases_come_newest_first_page_by_page(ledger: &impl Ledger) {
    deploy(ledger, &deployment("prod", 'a', "web=1"), second(1)).await;
    deploy(ledger, &deployment("preprod", 'b', "web=2"), second(2)).await;
    let open = ledger.begin(&deployment("prod", 'c', "web=3")).await.unwrap();
    let page = async |name: Option<&str>, before: Option<i64>, limit| {
        let filter = ReleaseFilter { environment: name.map(environment), before: before.map(DeploymentId), limit };
        ledger.releases(&filter).await.unwrap()
    };
    let numbers = async |name, before, limit| -> Vec<i64> {
        page(name, before, limit).await.iter().map(|known| known.deployment.0).collect()
    };
    assert_eq!(numbers(None, None, 9).await, [3, 2, 1]);
    assert_eq!(numbers(None, Some(3), 1).await, [2]);
    assert_eq!(numbers(Some("prod"), Some(3), 9).await, [1]);
    let newest = page(Some("prod"), None, 1).await.remove(0);
    assert_eq!((newest.deployment, newest.status, newest.ended_at), (open, Status::InProgress, None));
    assert_eq!(newest.release, release(Some(revision('c')), "web=3"));
    let first = page(None, Some(2), 1).await.remove(0);
    assert_eq!((first.status, first.ended_at), (Status::Success, Some(second(1))));
}

fn after(seconds: i64) -> After {
    let task = TaskEvidence {
        task: "t1".to_owned(),
        node: Some("n1".to_owned()),
        state: "failed".to_owned(),
        error: Some("task: non-zero exit (3)".to_owned()),
        exit_code: Some(3),
    };
    After { at: second(seconds), task, log_lines: vec!["going down".to_owned()] }
}

async fn what_came_after_a_success_stands_beside_it_and_the_first_stays(ledger: &dyn Ledger) {
    let id = DeploymentId(deploy(ledger, &deployment("prod", 'a', "web=1 db=1"), second(1)).await);
    ledger.note_after(id, &service("web"), &after(7)).await.unwrap();
    ledger.note_after(id, &service("web"), &after(9)).await.unwrap();
    let filter = HistoryFilter { deployment: Some(id), limit: 10, ..HistoryFilter::default() };
    let rows = ledger.history(&filter).await.unwrap().rows;
    let of = |name: &str| rows.iter().find(|row| row.service == service(name)).unwrap();
    assert_eq!((of("web").status, of("web").after.clone()), (Status::Success, Some(after(7))));
    assert_eq!(of("db").after, None);
    assert!(ledger.note_after(id, &service("other"), &after(7)).await.is_err(), "nothing of that name was deployed");
}

async fn each_running_service_knows_the_success_that_brought_it(ledger: &dyn Ledger) {
    ledger.adopt(&environment("prod"), &release(None, "old=1"), second(0)).await.unwrap();
    assert_eq!(ledger.proved(&environment("prod")).await.unwrap(), [], "nothing was proved of what was adopted");
    let first = DeploymentId(deploy(ledger, &deployment("prod", 'a', "web=1 db=1 | old=1"), second(1)).await);
    let second_id = DeploymentId(deploy(ledger, &deployment("prod", 'b', "web=2 | db=1 old=1"), second(5)).await);
    let failed = ledger.begin(&deployment("prod", 'c', "db=2")).await.unwrap();
    ledger.finish(failed, &outcomes(&[("db", "2", crashed())]), second(8)).await.unwrap();
    ledger.note_after(first, &service("db"), &after(7)).await.unwrap();
    let proved = ledger.proved(&environment("prod")).await.unwrap();
    let proved: Vec<_> = proved
        .iter()
        .map(|known| (known.service.as_str(), known.deployment, known.at, known.after.is_some()))
        .collect();
    assert_eq!(proved, [("db", first, second(1), true), ("web", second_id, second(5), false)]);
}

async fn what_was_watched_of_a_service_can_be_found_again(ledger: &dyn Ledger) {
    let id = ledger.begin(&deployment("prod", 'a', "web=1 db=1")).await.unwrap();
    let target = |name: &str| Target {
        full_name: format!("home_{name}"),
        deployment: id,
        spec: Some(serde_json::json!({"Name": format!("home_{name}")})),
        prior: None,
        service_id: None,
        version_before: None,
        tasks_before: [].into(),
        job_iteration_before: None,
        update_before: None,
    };
    for (action, name) in ["web", "db"].into_iter().enumerate() {
        let entry = JournalEntry::Intent { action, target: Some(target(name)) };
        ledger.journal(id, &entry, second(1)).await.unwrap();
    }
    ledger.journal(id, &JournalEntry::Intent { action: 2, target: None }, second(1)).await.unwrap();
    assert_eq!(ledger.target(id, "home_db").await.unwrap(), Some(target("db")));
    assert_eq!(ledger.target(id, "home_other").await.unwrap(), None);
}

async fn how_versions_have_stood_is_replaced_as_a_whole(ledger: &dyn Ledger) {
    let record = |restarts| SoakRecord {
        written_by: "7".to_owned(),
        soak: Soak {
            image: "app:1".to_owned(),
            since: second(0),
            restarts,
            failed_tasks: 0,
            last_failure: Some(after(1).task),
        },
        counted: ["t1".to_owned()].into(),
    };
    let first = BTreeMap::from([(service("web"), record(1)), (service("db"), record(0))]);
    ledger.record_soak(&environment("preprod"), &first).await.unwrap();
    let next = BTreeMap::from([(service("web"), record(2))]);
    ledger.record_soak(&environment("preprod"), &next).await.unwrap();
    ledger.record_soak(&environment("prod"), &first).await.unwrap();
    assert_eq!(ledger.soak(&environment("preprod")).await.unwrap(), next);
    assert_eq!(ledger.soak(&environment("prod")).await.unwrap(), first);
}

async fn a_ledger_has_a_name_that_stays(ledger: &dyn Ledger) {
    let name = ledger.instance().await.unwrap().unwrap();
    assert!(name.len() >= 16, "{name}");
    assert_eq!(ledger.instance().await.unwrap(), Some(name));
}
