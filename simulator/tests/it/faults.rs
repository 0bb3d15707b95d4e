//! Calls that go wrong, streams that are cut, and what survives a restart.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Fault, Options, Trouble};

use crate::client::{Rig, web};

#[tokio::test(start_paused = true)]
async fn a_lost_answer_leaves_the_write_done() {
    let rig = Rig::start(Options::default()).await;
    rig.simulator.inject(Fault::next("POST", "/services/create", Trouble::LoseAnswer));
    assert_eq!(rig.raw("POST", "/v1.41/services/create", &web("app:1", 1).to_string()).await, None);
    assert!(rig.simulator.service("web").is_some());
    let writes = rig.simulator.accepted_writes();
    assert_eq!(writes.len(), 1);
    assert_eq!((writes[0].method.as_str(), writes[0].path.as_str()), ("POST", "/services/create"));
}

#[tokio::test(start_paused = true)]
async fn a_reset_or_a_refusal_leaves_it_undone() {
    let rig = Rig::start(Options::default()).await;
    let spec = web("app:1", 1).to_string();
    rig.simulator.inject(Fault::next("POST", "/services/create", Trouble::Reset));
    rig.simulator.inject(Fault::next(
        "POST",
        "/services/create",
        Trouble::Refuse { status: 500, message: "out of order".into() },
    ));
    assert_eq!(rig.raw("POST", "/services/create", &spec).await, None);
    let refused = rig.raw("POST", "/services/create", &spec).await.expect("there is an answer");
    assert_eq!(refused, (500, "{\"message\":\"out of order\"}\n".to_owned()));
    assert!(rig.simulator.service("web").is_none());
    rig.simulator.inject(Fault::next("GET", "/services", Trouble::Hang));
    let hangs = tokio::time::timeout(Duration::from_mins(1), rig.raw("GET", "/services", "")).await;
    assert!(hangs.is_err());
    assert_eq!(rig.simulator.accepted_writes(), []);
}

#[tokio::test(start_paused = true)]
async fn events_are_told_from_memory_and_live_until_they_are_cut() {
    let rig = Rig::start(Options::default()).await;
    rig.create(&web("app:1", 1)).await;
    let filters = "%7B%22type%22%3A%5B%22service%22%5D%7D";
    let path = format!("/events?since=1&filters={filters}");
    let (streamed, ()) = tokio::join!(rig.raw("GET", &path, ""), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(rig.call("DELETE", "/services/web", &Value::Null).await.0, 200);
        rig.simulator.cut_event_streams();
    });
    let (_, lines) = streamed.expect("there is an answer");
    let events: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let actions: Vec<&Value> = events.iter().filter(|event| event.is_object()).map(|event| &event["Action"]).collect();
    assert_eq!(actions, ["create", "remove"]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_task_is_replaced_and_its_log_tells_of_it() {
    let rig = Rig::start(Options::default()).await;
    rig.create(&web("app:1", 1)).await;
    rig.runs("web", &["app:1"]).await;
    let id = rig.simulator.tasks("web")[0]["ID"].as_str().unwrap_or_default().to_owned();
    assert!(rig.simulator.kill_task(&id, 137));
    rig.runs("web", &["app:1"]).await;
    let tasks = rig.simulator.tasks("web");
    assert_eq!(tasks[0]["Status"]["Err"], "task: non-zero exit (137)");
    let (status, log) =
        rig.raw("GET", &format!("/tasks/{id}/logs?stdout=1&stderr=1&tail=2"), "").await.expect("answers");
    assert_eq!(status, 200);
    assert!(log.contains("fatal: cannot go on"), "{log}");
    assert_eq!(rig.raw("GET", &format!("/tasks/{id}/logs"), "").await.map(|answer| answer.0), Some(400));
}

#[tokio::test]
async fn a_restart_finds_everything_again_and_running() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let options = || Options { state_file: Some(directory.path().join("state.json")), ..Options::default() };
    let before = {
        let rig = Rig::start(options()).await;
        rig.call("POST", "/networks/create", &json!({ "Name": "net", "Driver": "overlay" })).await;
        rig.call("POST", "/configs/create", &json!({ "Name": "conf", "Data": "aGVsbG8=" })).await;
        rig.create(&web("app:1", 2)).await;
        rig.get("/services/web").await
    };
    let rig = Rig::start(options()).await;
    let after = rig.get("/services/web").await;
    assert_eq!((&after["ID"], &after["Spec"], &after["Version"]), (&before["ID"], &before["Spec"], &before["Version"]));
    assert_eq!(rig.running("web"), ["app:1", "app:1"]);
    assert_eq!(rig.get("/configs/conf").await["Spec"]["Data"], "aGVsbG8=");
    assert_eq!(rig.get("/networks/net").await["Scope"], "swarm");
    assert!(rig.get("/services/web").await.get("UpdateStatus").is_none());
}
