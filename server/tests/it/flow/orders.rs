//! What a person orders besides promotion, from the REST API to the Swarm.

use std::time::Duration;

use release_manager::pipeline::OnFailure;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Process, Scene};
use crate::engines;

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_goes_back_while_the_source_is_down_on_the_simulator() {
    let engine = engines::simulated().await;
    rollback(&Scene::new(engine.host(), "back").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_goes_back_while_the_source_is_down_on_docker() {
    let Some(host) = engines::docker().await else { return };
    let scene = Scene::new(host, "back").await;
    scene.run(rollback(&scene)).await;
}

async fn rollback(scene: &Scene) {
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let files = [("motd.txt", "another\n"), ("env/.env.preprod", "WEB_VERSION=2\nWORKER_VERSION=1\n")];
    scene.github.push("Update web and its config", &files);
    process.until_running("preprod", &json!({"web": "2", "worker": "1"})).await;
    scene.github.rename_branch("elsewhere");
    process.until("the source is down", |live| live.source.problem.is_some()).await;

    let first = row(&process, "web", "1").await;
    let plan = process.get(&format!("/api/rollback/preprod?deployment_history_id={first}")).await;
    assert_eq!((&plan["holds"], &plan["plan"]["blockers"]), (&json!(true), &json!([])), "{plan}");
    let services = plan["plan"]["services"].as_array().unwrap();
    let actions: Vec<&Value> = services.iter().map(|service| &service["action"]).collect();
    assert_eq!(actions, [&json!("update"), &Value::Null], "web goes back and worker stays: {plan}");
    refused(&process, &first).await;
    let order = json!({
        "deployment_history_id": first, "confirm": true, "plan_hash": plan["plan"]["plan_hash"],
    });
    let (status, accepted) = process.post("/api/rollback/preprod", &order).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let keys: Vec<&String> = accepted.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["deployment_id", "started_at", "status"]);
    assert_eq!(accepted["status"], json!("in_progress"));
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let ended = process.get(&format!("/api/deploy/preprod/{}", accepted["deployment_id"])).await;
    assert_eq!(ended["status"], json!("success"), "{ended}");
    assert_eq!(ended["services_deployed"].as_array().unwrap().len(), 1, "worker was not touched: {ended}");

    restart(&process).await;
    scene.github.rename_branch("main");
    process.until("the source is back", |live| live.source.problem.is_none()).await;
    let held = process.get("/api/status").await["environments"]["preprod"]["hold"].clone();
    assert!(held["reason"].as_str().unwrap().starts_with("rolled back to deployment"), "{held}");
    let (status, refused) = process.post("/api/sync/preprod", &json!({})).await;
    assert_eq!((status, &refused["type"]), (StatusCode::CONFLICT, &json!("/problems/held")), "{refused}");
    let (status, resumed) = process.post("/api/environments/preprod/resume", &json!({})).await;
    assert_eq!((status, &resumed["hold"]), (StatusCode::OK, &Value::Null), "{resumed}");
    process.until_running("preprod", &json!({"web": "2", "worker": "1"})).await;
    process.stop().await;
}

/// The number of the row of history that tells of this version.
async fn row(process: &Process, service: &str, version: &str) -> Value {
    let history = process.get(&format!("/api/history?environment=preprod&service={service}")).await;
    let rows = history["deployments"].as_array().unwrap();
    rows.iter().find(|row| row["version"] == version).unwrap_or_else(|| panic!("{history}"))["id"].clone()
}

async fn refused(process: &Process, row: &Value) {
    for (order, status, slug) in [
        (json!({"deployment_history_id": row, "confirm": false}), 422, "not-confirmed"),
        (json!({"deployment_history_id": 999_999, "confirm": true}), 404, "not-found"),
        (json!({"confirm": true}), 422, "bad-request"),
        (json!({"deployment_history_id": row, "confirm": true, "plan_hash": "another"}), 409, "plan-changed"),
        (json!({"deployment_history_id": row, "confirm": true, "services": ["nobody"]}), 404, "not-found"),
    ] {
        let (found, problem) = process.post("/api/rollback/preprod", &order).await;
        assert_eq!(
            (found.as_u16(), &problem["type"]),
            (status, &json!(format!("/problems/{slug}"))),
            "{order} {problem}"
        );
    }
    let (found, problem) =
        process.post("/api/rollback/prod", &json!({"deployment_history_id": row, "confirm": true})).await;
    assert_eq!(found, StatusCode::NOT_FOUND, "a row of another environment: {problem}");
}

async fn restart(process: &Process) {
    let (status, accepted) = process.post("/api/restart/preprod/worker", &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let id = accepted["deployment_id"].as_i64().unwrap();
    process
        .until("the restart", |live| {
            live.environments.values().any(|environment| {
                environment.deployment.as_ref().is_some_and(|last| last.id.0 == id && last.status.is_final())
            })
        })
        .await;
    let history = process.get("/api/history?environment=preprod&service=worker&limit=1").await;
    let row = &history["deployments"][0];
    assert_eq!((&row["status"], &row["version"]), (&json!("success"), &json!("1")), "{history}");
    let (status, nobody) = process.post("/api/restart/preprod/nobody", &json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_version_is_taken_back_as_a_whole_on_the_simulator() {
    let engine = engines::simulated().await;
    on_failure(&Scene::new(engine.host(), "undo").await, "1-crash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_version_is_taken_back_as_a_whole_on_docker() {
    let Some(host) = engines::docker().await else { return };
    let scene = Scene::new(host, "undo").await;
    scene.run(on_failure(&scene, "crash")).await;
}

async fn on_failure(scene: &Scene, bad: &str) {
    let process = scene.start_with(OnFailure::Rollback).await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let before = scene.images().await;
    scene.push("2", bad);
    process
        .until("the return", |live| {
            let problem = live.environments.values().find_map(|known| known.problem.as_ref());
            let last = live.environments.values().find_map(|known| known.deployment.as_ref());
            problem.is_some_and(|known| known.message.contains("did not succeed"))
                && last.is_some_and(|last| last.status.as_str() == "success")
        })
        .await;
    assert_eq!(scene.images().await, before, "both services are as they were");
    let states = process.get("/api/environments").await;
    assert_eq!(states["preprod"]["services"], json!({"web": "1", "worker": "1"}));
    let history = process.get("/api/history?environment=preprod&service=worker").await;
    let told: Vec<(&str, &str)> = history["deployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["version"].as_str().unwrap(), row["status"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("1", "success"), (bad, "failed"), ("1", "success")], "the failure stays in history");
    let deployments = history["total"].clone();
    process.stop().await;
    let process = scene.start_with(OnFailure::Rollback).await;
    process.until("the source is asked again", |live| live.source.checked_at.is_some()).await;
    process
        .until("the failed revision is not tried again", |live| {
            live.environments.values().any(|known| known.problem.is_some())
        })
        .await;
    assert_eq!(process.get("/api/history?environment=preprod&service=worker").await["total"], deployments);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_environment_says_who_holds_it_and_why() {
    let engine = engines::simulated().await;
    let scene = Scene::new(engine.host(), "held").await;
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    for wrong in [json!({"reason": "  "}), json!({"reason": "two\nlines"}), json!({})] {
        let (status, problem) = process.post("/api/environments/preprod/hold", &wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    }
    let (status, answer) = process.post("/api/environments/preprod/hold", &json!({"reason": "moving house"})).await;
    assert_eq!((status, &answer["hold"]["by"]), (StatusCode::OK, &json!("manual")), "{answer}");
    process.stop().await;
    let process = scene.start().await;
    let hold = process.get("/api/status").await["environments"]["preprod"]["hold"].clone();
    assert_eq!(hold, answer["hold"], "also after a restart");
    let page = process.answer("/").await.text().await.unwrap();
    assert!(page.contains("moving house"), "the dashboard says so");
    scene.push("2", "1");
    process
        .until("the push is seen", |live| live.source.head.as_ref().is_some_and(|head| head.subject() == "Update to 2"))
        .await;
    let (_, refused) = process.post("/api/retry/preprod", &json!({})).await;
    assert_eq!((&refused["type"], &refused["hold"]), (&json!("/problems/held"), &hold), "{refused}");
    process.post("/api/environments/preprod/resume", &json!({})).await;
    process.until_running("preprod", &json!({"web": "2", "worker": "1"})).await;
    let (status, nothing) = process.post("/api/environments/preprod/resume", &json!({})).await;
    assert_eq!((status, &nothing["type"]), (StatusCode::CONFLICT, &json!("/problems/not-held")));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_deployment_is_put_back_if_that_is_wanted() {
    let engine = engines::simulated().await;
    let scene = Scene::new(engine.host(), "cancel").await;
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let before = scene.images().await;
    scene.push("2-slow", "2");
    process.until("it runs", |live| running(live).is_some()).await;
    let id = running(&process.manager.live().borrow()).unwrap();
    let (status, asked) = process.post(&format!("/api/deploy/cancel/{id}"), &json!({"go_back": true})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{asked}");
    process
        .until("the end", |live| {
            live.environments.values().any(|environment| {
                environment.deployment.as_ref().is_some_and(|last| last.id.0 >= id && last.status.is_final())
            }) && running(live).is_none()
        })
        .await;
    let cancelled = process.get(&format!("/api/deploy/preprod/{id}")).await;
    assert_eq!(cancelled["status"], json!("cancelled"), "{cancelled}");
    // Where something had been written, a deployment of its own puts it back; that one begins when this has ended.
    let mut live = process.manager.live();
    let put_back = async {
        while scene.images().await != before || running(&live.borrow_and_update()).is_some() {
            let _ = tokio::time::timeout(Duration::from_secs(1), live.changed()).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), put_back).await.expect("everything is put back");
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    assert_eq!(scene.images().await, before);
    process.stop().await;
}

fn running(live: &release_manager::live::Live) -> Option<i64> {
    let last = live.environments.values().filter_map(|environment| environment.deployment.as_ref());
    last.filter(|last| !last.status.is_final()).map(|last| last.id.0).next()
}
