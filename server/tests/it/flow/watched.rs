//! What is watched besides deployments, from end to end: drift, who leads, logs.

use futures::StreamExt;
use release_manager::engine::Write;
use release_manager::names::StackName;
use release_manager::pipeline::OnFailure;
use release_manager::ports::Swarm;
use release_manager::watched::Lead;
use reqwest::StatusCode;
use serde_json::json;
use server::swarm::DockerSwarm;

use super::Scene;
use super::process::Process;
use crate::engines;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_hand_is_drift_and_nothing_else_is_on_the_simulator() {
    let engine = engines::simulated().await;
    drift(&Scene::new(engine.host(), "drift").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_hand_is_drift_and_nothing_else_is_on_docker() {
    let Some(host) = engines::docker().await else { return };
    let scene = Scene::new(host, "drift").await;
    scene.run(drift(&scene)).await;
}

async fn drift(scene: &Scene) {
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let drifted = |process: &Process| {
        let live = process.manager.live().borrow().clone();
        live.environments[&"preprod".parse().unwrap()].watched.drift.clone()
    };
    process
        .until("it was compared", |live| {
            live.environments[&"preprod".parse().unwrap()].watched.drift.checked_at.is_some()
        })
        .await;
    assert!(drifted(&process).services.is_empty(), "what was just deployed is no drift: {:?}", drifted(&process));

    let swarm = DockerSwarm::connect(&scene.docker_host).unwrap();
    let stack: StackName = format!("{}-preprod", scene.stack).parse().unwrap();
    let live = swarm.live(&stack).await.unwrap();
    let worker = &live.services[&stack.scope(&"worker".parse().unwrap())];
    let mut spec = worker.spec.clone();
    spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["TOKEN=canary"]);
    swarm.apply(&Write::UpdateService { id: worker.id.clone(), version: worker.version, spec }).await.unwrap();
    process
        .until("drift", |live| !live.environments[&"preprod".parse().unwrap()].watched.drift.services.is_empty())
        .await;
    let told = process.get("/api/drift").await;
    assert_eq!(told["preprod"]["on_drift"], json!("report"));
    assert_eq!(
        told["preprod"]["services"],
        json!({"worker": {"kind": "changed", "fields": [
            {"field": "TaskTemplate.ContainerSpec.Env[TOKEN]", "from": "(hidden)", "to": null},
        ]}})
    );
    assert_eq!(told["prod"]["services"], json!({}));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_release_manager_on_the_same_swarm_only_reads_and_says_who_leads() {
    let engine = engines::simulated().await;
    let scene = Scene::new(engine.host(), "two").await;
    let first = scene.start().await;
    first.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let database = scene.home.path().join("another.db");
    let (github, keep) = (scene.github.settings(), OnFailure::Keep);
    let second = Process::start(&database, &scene.docker_host, github, &scene.stack, keep).await;
    second
        .until("the second follows", |live| {
            live.environments.values().all(|known| matches!(known.watched.lead, Lead::Other { .. }))
        })
        .await;
    let (status, refused) = second.post("/api/deploy/prod", &json!({"confirm": true})).await;
    assert_eq!((status, &refused["type"]), (StatusCode::CONFLICT, &json!("/problems/read-only")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("leads `prod`"), "{refused}");
    let page = second.answer("/").await.text().await.unwrap();
    assert!(page.contains("Another Release Manager leads"), "the page says so too");
    let (status, _) = first.post("/api/deploy/prod", &json!({"confirm": true})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "the first leads on");
    second.stop().await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_line_by_line_on_docker() {
    let Some(host) = engines::docker().await else { return };
    let scene = Scene::new(host, "logs").await;
    scene.run(followed(&scene)).await;
}

async fn followed(scene: &Scene) {
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let answer = process.answer("/api/logs/preprod/web?tail=10&follow=true").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.bytes_stream();
    let mut text = String::new();
    let first = async {
        while !text.contains("serving 1") {
            text.push_str(&String::from_utf8_lossy(&body.next().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), first).await.expect("the first line comes at once");
    assert!(text.contains("event: line") && text.contains("\"kind\":\"line\""), "{text}");
    // The stream ends with the process, and says so.
    let (rest, ()) = tokio::join!(body.collect::<Vec<_>>(), process.stop());
    let rest: Vec<u8> = rest.into_iter().filter_map(Result::ok).flatten().collect();
    assert!(String::from_utf8_lossy(&rest).contains("event: ended"), "{:?}", String::from_utf8_lossy(&rest));
}
