//! Log lines that history and the live state keep: they are for who may read logs there, by every door.

use std::collections::BTreeSet;

use release_manager::access::{Grant, Role};
use release_manager::deployment::{Evidence, Outcome, TaskEvidence};
use release_manager::judge::Target;
use release_manager::names::DeploymentId;
use release_manager::ports::{JournalEntry, Ledger};
use release_manager::time::Timestamp;
use release_manager::watched::After;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::house::{House, everywhere, only};
use super::matrix::{concrete, paths};
use crate::store::samples::{crashed, deployment, outcomes, second, succeeded};

const LINE: &str = "CANARY: connecting with password hunter2";

fn after(at: Timestamp) -> After {
    let task =
        TaskEvidence { task: "t1".to_owned(), node: None, state: "failed".to_owned(), error: None, exit_code: Some(1) };
    After { at, task, log_lines: vec![LINE.to_owned()] }
}

fn target(id: DeploymentId) -> Target {
    Target {
        full_name: "lab-preprod_web".to_owned(),
        deployment: id,
        spec: Some(json!({"Name": "lab-preprod_web", "Mode": {"Replicated": {"Replicas": 1}}})),
        prior: None,
        service_id: None,
        version_before: None,
        tasks_before: BTreeSet::new(),
        job_iteration_before: None,
        update_before: None,
    }
}

/// Deployment 1 brought `web` to preprod, where it lost a task later; deployment 2 saw `db` crash. Both kept log lines,
/// and the live state shows those of `web`.
async fn with_log_lines() -> House {
    let house = House::new().await;
    let ledger: &dyn Ledger = house.store.as_ref();
    let first = ledger.begin(&deployment("preprod", 'a', "web=1")).await.unwrap();
    let intent = JournalEntry::Intent { action: 0, target: Some(target(first)) };
    ledger.journal(first, &intent, second(1)).await.unwrap();
    ledger.finish(first, &outcomes(&[("web", "1", succeeded())]), second(2)).await.unwrap();
    ledger.note_after(first, &"web".parse().unwrap(), &after(second(3))).await.unwrap();

    let second_one = ledger.begin(&deployment("preprod", 'b', "db=2")).await.unwrap();
    let mut failed = outcomes(&[("db", "2", crashed())]).services;
    for service in failed.values_mut() {
        service.evidence = Evidence { log_lines: vec![LINE.to_owned()], ..Evidence::default() };
    }
    ledger.finish(second_one, &Outcome::of_services(failed), second(4)).await.unwrap();

    // A Swarm that says nothing changes nothing of what is shown.
    house.swarm.set_unreachable(true);
    house.manager.start().await.unwrap();
    let mut live = house.manager.live();
    let shown = live.wait_for(|live| format!("{live:?}").contains(LINE));
    tokio::time::timeout(std::time::Duration::from_mins(1), shown).await.expect("the live state has it").unwrap();
    house
}

/// The places where somebody who may read logs finds them.
const PLACES: &[(&str, &str)] = &[
    ("/api/deployments/2", "application/json"),
    ("/api/events", "text/event-stream"),
    ("/rpc/deployment?id=1", "application/json"),
    ("/rpc/deployment?id=2", "application/json"),
    ("/rpc/history?filter[limit]=50&filter[offset]=0", "application/json"),
    ("/deployments/2", "text/html"),
    ("/", "text/html"),
];

/// What is answered; of a stream what comes first.
async fn read(house: &House, path: &str, accept: &str, token: &str) -> (StatusCode, String) {
    let mut answer = house.get(path).bearer_auth(token).header("accept", accept).send().await.unwrap();
    let status = answer.status();
    let is_stream = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    if !is_stream {
        return (status, answer.text().await.unwrap());
    }
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        let Some(chunk) = answer.chunk().await.unwrap() else { break };
        text.extend_from_slice(&chunk);
    }
    (status, String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_go_to_who_may_read_logs_there_and_to_nobody_else() {
    let house = with_log_lines().await;
    let roles: [(&str, Grant, bool); 5] = [
        ("viewer", everywhere(Role::Viewer), false),
        ("of-prod", only("prod"), false),
        ("of-preprod", only("preprod"), true),
        ("deployer", everywhere(Role::Deployer), true),
        ("admin", everywhere(Role::Admin), true),
    ];
    for (name, grant, sees) in roles {
        let token = house.token(name, grant).await;
        for (path, accept) in PLACES {
            let (status, text) = read(&house, path, accept, &token).await;
            assert_eq!(status, StatusCode::OK, "{path} as {name}: {text}");
            assert_eq!(text.contains("CANARY"), sees, "{path} as {name}");
        }
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_gives_a_viewer_a_log_line() {
    let house = with_log_lines().await;
    let token = house.token("viewer", everywhere(Role::Viewer)).await;
    let mut looked = 0;
    for path in paths(&house) {
        for id in ["1", "2"] {
            let mut path = concrete(&path, "preprod", id);
            if path.starts_with("/rpc/") {
                path = format!("{path}?id={id}&filter[limit]=50&filter[offset]=0&service=web&span=month");
            }
            for accept in ["application/json", "text/html"] {
                let (status, text) = read(&house, &path, accept, &token).await;
                assert!(!text.contains("CANARY"), "{path} as a viewer");
                looked += usize::from(status == StatusCode::OK);
            }
        }
    }
    let export = "/api/history/export?format=json";
    let (_, text) = read(&house, export, "application/json", &token).await;
    assert!(text.contains("\"db\"") && !text.contains("CANARY"), "{text}");
    assert!(looked > 60, "only {looked} answers were looked at");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_reader_gets_another_role() {
    let house = with_log_lines().await;
    house.user("ada", everywhere(Role::Deployer)).await;
    let session = house.session("ada").await;
    let mut stream = house.get("/api/events").header("cookie", &session).send().await.unwrap();
    assert!(String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()).contains("CANARY"));
    let admin = house.token("admin", everywhere(Role::Admin)).await;
    let demoted = house.request(Method::PATCH, "/api/users/ada").bearer_auth(admin).json(&json!({"role": "viewer"}));
    assert!(demoted.send().await.unwrap().status().is_success());
    let rest = async {
        while let Some(chunk) = stream.chunk().await.unwrap() {
            drop(chunk);
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), rest).await.expect("the stream ends");
    house.close().await;
}
