//! What people with an SQL shell see, and what the schema does not let them do.

use std::collections::BTreeMap;

use release_manager::health::{EnvironmentHealth, HealthStatus, ServiceHealth};
use release_manager::ports::Ledger;
use release_manager::time::Timestamp;
use sqlx::{Column, Row, SqliteConnection};

use super::samples::{
    Scratch, crashed, deploy, deployment, environment, outcomes, release, run, second, service, shell,
};

async fn columns(shell: &mut SqliteConnection, query: &'static str) -> String {
    let row = sqlx::query(query).fetch_one(shell).await.unwrap();
    row.columns().iter().map(Column::name).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn the_tables_of_the_design_can_be_queried_by_their_names_and_columns() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1"), second(90)).await;
    record(&store, &[("web", HealthStatus::Healthy)], 1).await;
    let mut shell = shell(&scratch).await;
    for (query, expected) in [
        ("select * from deployments", "id environment service_name version commit_sha deployed_at deployed_by"),
        (
            "select * from deployment_history",
            "id environment service_name version commit_sha status deployed_by error_message started_at completed_at \
             duration_seconds",
        ),
        (
            "select * from service_health",
            "id environment service_name status replicas_running replicas_desired last_checked error_message",
        ),
    ] {
        assert_eq!(columns(&mut shell, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_runs_can_be_queried() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    store.adopt(&environment("prod"), &release(None, "db=1 web=1"), second(0)).await.unwrap();
    deploy(&store, &deployment("prod", 'a', "web=2 | db=1"), second(90)).await;
    let rows: Vec<(i64, String, String, Option<String>, String, String)> = sqlx::query_as(
        "select id, service_name, version, commit_sha, deployed_at, deployed_by from deployments order by service_name",
    )
    .fetch_all(&mut shell(&scratch).await)
    .await
    .unwrap();
    let at = rows.iter().map(|row| row.4.parse::<Timestamp>().unwrap()).collect::<Vec<_>>();
    assert_eq!(at, [second(0), second(90)]);
    let rows: Vec<_> = rows.iter().map(|row| (row.0, row.1.as_str(), row.2.as_str(), row.5.as_str())).collect();
    assert_eq!(rows, [(-1, "db", "1", "system"), (1, "web", "2", "system")]);
}

#[tokio::test]
async fn history_can_be_queried() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let id = store.begin(&deployment("prod", 'a', "web=1")).await.unwrap();
    let end = Timestamp::from_millis(second(90).as_millis() + 7);
    store.finish(id, &outcomes(&[("web", "1", crashed())]), end).await.unwrap();
    let row: (String, String, String, String, f64) = sqlx::query_as(
        "select status, error_message, started_at, completed_at, duration_seconds from deployment_history",
    )
    .fetch_one(&mut shell(&scratch).await)
    .await
    .unwrap();
    assert_eq!((row.0.as_str(), row.1.as_str()), ("failed", "it ends with exit code 1"));
    assert_eq!((row.2.parse(), row.3.parse()), (Ok(second(0)), Ok(end)));
    assert!((row.4 - 90.007).abs() < 1e-9, "{}", row.4);
}

#[tokio::test]
async fn history_cannot_be_changed_with_a_shell() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
    store.begin(&deployment("prod", 'b', "web=2")).await.unwrap();
    for (statement, words) in [
        ("delete from history", "append-only"),
        ("delete from attempts where id = 1", "append-only"),
        ("delete from seals", "append-only"),
        ("delete from stacks", "kept for rollbacks"),
        ("update stacks set content = '{}'", "never change"),
        ("update history set status = 'failed', error_message = 'x' where attempt = 1", "append-only"),
        ("update history set version = '3' where attempt = 2", "never changes"),
        ("update attempts set error_message = 'x' where id = 1", "append-only"),
        ("insert into aftermath (attempt, service, at, what) values (2, 'web', 0, '{}')", "only what has succeeded"),
        ("update instance set name = hex(randomblob(16))", "keeps its name"),
        ("delete from instance", "keeps its name"),
        ("update attempts set actor = 'eve' where id = 2", "never changes"),
        ("insert into journal (attempt, at, entry) values (1, 0, '{}')", "is over"),
        ("update attempts set status = 'success', ended_at = 0 where id = 2", "ended_at >= started_at"),
        ("update attempts set status = 'success' where id = 2", "CHECK constraint failed"),
        ("update history set status = 'success', completed_at = started_at where attempt = 2", "CHECK constraint failed"),
        ("insert into service_health values (1, 'prod', 'web', 'fine', 1, 1, '', null)", "CHECK constraint failed"),
        (
            "insert into attempts (environment, actor, cause, content_hash, started_at, stack, release, plan)
            select environment, actor, cause, content_hash, started_at, stack, release, plan from attempts where id = 2",
            "UNIQUE constraint failed",
        ),
    ] {
        let error = run(&scratch, statement).await.unwrap_err().to_string();
        assert!(error.contains(words), "{statement}: {error}");
    }
    store.verify().await.unwrap();
}

#[tokio::test]
async fn the_same_stack_is_stored_once() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    for digit in ['a', 'b', 'c'] {
        deploy(&store, &deployment("prod", digit, "web=1"), second(1)).await;
    }
    let stacks: i64 =
        sqlx::query_scalar("select count(*) from stacks").fetch_one(&mut shell(&scratch).await).await.unwrap();
    assert_eq!(stacks, 1);
}

async fn record(ledger: &dyn Ledger, services: &[(&str, HealthStatus)], checked_at: i64) {
    let services = services.iter().map(|(name, status)| {
        let health = ServiceHealth {
            status: *status,
            running: 1,
            desired: 2,
            error: None,
            running_since: None,
            image: "app:1".to_owned(),
            restarts: 0,
            unreachable: 0,
        };
        (service(name), health)
    });
    let services: BTreeMap<_, _> = services.collect();
    let health = EnvironmentHealth { checked_at: Some(second(checked_at)), services };
    ledger.record_health(&environment("prod"), &health).await.unwrap();
}

/// The rows of `service_health` as `service status`, and a number that changes with every commit of somebody else.
async fn stored_health(shell: &mut SqliteConnection) -> (Vec<String>, i64) {
    let rows = sqlx::query_scalar("select service_name || ' ' || status from service_health order by service_name")
        .fetch_all(&mut *shell)
        .await
        .unwrap();
    (rows, sqlx::query_scalar("pragma data_version").fetch_one(shell).await.unwrap())
}

#[tokio::test]
async fn health_is_written_when_it_changes_and_otherwise_every_five_minutes() {
    use HealthStatus::{Healthy, Unhealthy};
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let mut shell = shell(&scratch).await;
    record(&store, &[("db", Healthy), ("web", Unhealthy)], 0).await;
    let (rows, first) = stored_health(&mut shell).await;
    assert_eq!(rows, ["db healthy", "web unhealthy"]);
    record(&store, &[("db", Healthy), ("web", Unhealthy)], 299).await;
    assert_eq!(stored_health(&mut shell).await.1, first);
    record(&store, &[("db", Healthy), ("web", Unhealthy)], 300).await;
    let (_, second) = stored_health(&mut shell).await;
    assert_ne!(second, first);
    record(&store, &[("db", Healthy), ("web", Healthy)], 301).await;
    let (rows, third) = stored_health(&mut shell).await;
    assert_eq!(rows, ["db healthy", "web healthy"]);
    assert_ne!(third, second);
}

#[tokio::test]
async fn the_health_of_a_service_that_is_gone_is_forgotten() {
    use HealthStatus::Healthy;
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let mut shell = shell(&scratch).await;
    record(&store, &[("db", Healthy), ("web", Healthy)], 0).await;
    record(&store, &[("web", Healthy)], 1).await;
    assert_eq!(stored_health(&mut shell).await.0, ["web healthy"]);
    record(&store, &[], 2).await;
    assert_eq!(stored_health(&mut shell).await.0, [""; 0]);
}

#[tokio::test]
async fn health_that_was_never_looked_at_is_not_recorded() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    record(&store, &[("web", HealthStatus::Healthy)], 0).await;
    let unseen = EnvironmentHealth { checked_at: None, services: BTreeMap::new() };
    store.record_health(&environment("prod"), &unseen).await.unwrap();
    assert_eq!(stored_health(&mut shell(&scratch).await).await.0, ["web healthy"]);
}
