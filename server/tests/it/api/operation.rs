//! For whoever runs Release Manager.

use std::sync::Arc;
use std::time::Duration;

use release_manager::manager::Manager;
use serde_json::json;
use server::soundness::{self, Schedule};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tokio_util::sync::CancellationToken;

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_while_engine_and_database_answer() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let ready = world.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["ready"]), (200, &json!(true)), "{}", ready.text());
    assert_eq!(ready.json()["source"], json!({ "ok": true, "needed": false }));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_it_is_alive_and_not_ready_and_says_why() {
    let world = World::without_engine().await;
    let mut live = world.manager.live();
    live.wait_for(|live| live.engine_problem.is_some()).await.unwrap();
    let ready = world.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.header("content-type")), (503, "application/json"));
    let why = ready.json()["engine"]["problem"].as_str().unwrap().to_owned();
    assert!(why.contains("/nowhere/docker.sock"), "{why}");
    assert_eq!(ready.json()["database"]["ok"], true);
    assert_eq!(world.get("/healthz").await.text(), "ok\n");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_is_found_while_it_runs_ends_all_writing_and_names_the_newest_backup() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let backups = tempfile::tempdir().unwrap();
    for name in ["release-manager-20251030T000000Z.db", "release-manager-20251031T000000Z.db"] {
        std::fs::write(backups.path().join(name), "").unwrap();
    }
    let mut shell = SqliteConnectOptions::new().filename(world.database()).connect().await.unwrap();
    let tamper = "drop trigger attempts_stay_what_they_were; drop trigger closed_attempts_never_change;
        update attempts set actor = 'eve' where id = 1";
    sqlx::raw_sql(tamper).execute(&mut shell).await.unwrap();

    let schedule = Schedule { first: Duration::ZERO, ..Schedule::default() };
    let directory = Some(backups.path().to_owned());
    let (store, manager) = (Arc::clone(&world.store), Manager::clone(&world.manager));
    soundness::watch(store, manager, directory, schedule, CancellationToken::new()).await;

    let shown = world.get("/api/status").await.json()["database_problem"]["message"].as_str().unwrap().to_owned();
    let newest = backups.path().join("release-manager-20251031T000000Z.db");
    assert!(shown.contains("deployment 1 ") && shown.contains(&newest.display().to_string()), "{shown}");
    let ready = world.get("/readyz").await;
    assert_eq!(ready.status.as_u16(), 503);
    assert!(ready.json()["database"]["problem"].as_str().unwrap().contains(&shown), "{}", ready.text());
    let order = world.post("/api/environments/preprod/hold", &json!({ "reason": "to see" })).await;
    assert!(order.status.is_server_error(), "{}", order.text());
    world.stop().await;
}

/// The value of the line that begins so.
#[track_caller]
fn number(metrics: &str, line: &str) -> f64 {
    let found = metrics.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no `{line}` in {metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_tell_what_happens() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    world.get("/api/nothing/at/all").await;
    let stream = world.open("/api/events").await;
    let answer = world.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    let check = |line: &str, expected: f64| assert!((number(text, line) - expected).abs() < f64::EPSILON, "{line}");
    check("release_manager_services{environment=\"preprod\",health=\"healthy\"}", 2.0);
    check("release_manager_services{environment=\"prod\",health=\"healthy\"}", 0.0);
    check("release_manager_deployments_total{environment=\"preprod\",status=\"success\"}", 1.0);
    check("release_manager_engine_problem", 0.0);
    check("release_manager_event_viewers", 1.0);
    check("release_manager_source_rate_limit_left", -1.0);
    check("release_manager_http_requests_total{method=\"GET\",route=\"/api/{*rest}\",status=\"404\"}", 1.0);
    assert!(
        number(text, "release_manager_deployment_seconds_total{environment=\"preprod\",status=\"success\"}") >= 1.0
    );
    assert!(number(text, "release_manager_database_bytes") > 4096.0);
    assert!(number(text, "process_resident_memory_bytes") > 0.0);
    assert!(number(text, "release_manager_source_checked_timestamp") > 1.7e9);
    drop(stream);
    let text = world.get("/metrics").await;
    assert!(number(text.text(), "release_manager_event_viewers").abs() < f64::EPSILON, "whoever leaves is not counted");
    world.stop().await;
}
