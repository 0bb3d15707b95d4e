//! What becomes of services: updates, jobs, scaling, nodes.

use serde_json::{Value, json};
use simulator::{Availability, NodeOptions, NodeState, Options, Simulator};

use crate::client::{Rig, update_state, web};

/// Updates `web` (two replicas of `app:1`) to `image` and looks at what it comes to.
async fn check(image: &str, config: Value, expected_state: &str, expected_running: &[&str]) {
    let rig = Rig::start(Options::default()).await;
    let mut spec = web("app:1", 2);
    rig.create(&spec).await;
    rig.runs("web", &["app:1", "app:1"]).await;
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
    for (name, value) in config.as_object().expect("a config is an object") {
        spec["UpdateConfig"][name] = value.clone();
    }
    rig.update(&spec).await;
    rig.until(expected_state, |simulator| update_state(simulator) == expected_state).await;
    rig.runs("web", expected_running).await;
    let service = rig.simulator.service("web").expect("it is there");
    let is_old = expected_state.starts_with("rollback");
    assert_eq!(service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"], if is_old { "app:1" } else { image });
    assert_eq!(service.get("PreviousSpec").is_some(), !is_old, "{image} {config}");
    let is_complete = expected_state.ends_with("completed");
    assert_eq!(service["UpdateStatus"].get("CompletedAt").is_some(), is_complete, "{image} {config}");
}

#[tokio::test(start_paused = true)]
async fn an_update_ends_as_its_config_says() {
    check("app:2", json!({}), "completed", &["app:2", "app:2"]).await;
    check("app:2", json!({ "Order": "start-first", "Parallelism": 0 }), "completed", &["app:2", "app:2"]).await;
    check("app:2", json!({ "Delay": 3_000_000_000_u64 }), "completed", &["app:2", "app:2"]).await;
    check("app:2-missing", json!({}), "paused", &["app:1"]).await;
    check("app:2-crash", json!({ "Delay": 3_000_000_000_u64 }), "paused", &["app:1"]).await;
    check("app:2-unhealthy", json!({}), "paused", &["app:1"]).await;
    check("app:2-missing", json!({ "FailureAction": "continue" }), "completed", &[]).await;
    check("app:2-missing", json!({ "MaxFailureRatio": 1.0 }), "completed", &[]).await;
    check("app:2-missing", json!({ "FailureAction": "rollback" }), "rollback_completed", &["app:1", "app:1"]).await;
    check("app:2-crash", json!({ "FailureAction": "rollback" }), "rollback_completed", &["app:1", "app:1"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_to_something_that_fails_too_is_paused() {
    let rig = Rig::start(Options::default()).await;
    let mut spec = web("app:1", 1);
    spec["UpdateConfig"]["FailureAction"] = json!("rollback");
    rig.create(&spec).await;
    rig.runs("web", &["app:1"]).await;
    rig.simulator.set_behaviour("app:1", simulator::Behaviour::missing());
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("app:2-missing");
    rig.update(&spec).await;
    rig.until("the pause", |simulator| update_state(simulator) == "rollback_paused").await;
    let service = rig.simulator.service("web").expect("it is there");
    let message = service["UpdateStatus"]["Message"].as_str().unwrap_or_default();
    assert!(message.starts_with("update paused due to failure or early termination of task "), "{message}");
}

#[tokio::test(start_paused = true)]
async fn submitting_a_paused_spec_again_takes_the_last_good_replica_down() {
    let rig = Rig::start(Options::default()).await;
    rig.create(&web("app:1", 2)).await;
    rig.runs("web", &["app:1", "app:1"]).await;
    let bad = web("app:2-missing", 2);
    rig.update(&bad).await;
    rig.until("the pause", |simulator| update_state(simulator) == "paused").await;
    rig.runs("web", &["app:1"]).await;
    rig.update(&bad).await;
    rig.runs("web", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_changes_no_task_leaves_tasks_and_update_status_alone() {
    let rig = Rig::start(Options::default()).await;
    let mut spec = web("app:1", 2);
    rig.create(&spec).await;
    rig.runs("web", &["app:1", "app:1"]).await;
    let ids = |simulator: &Simulator| simulator.tasks("web").iter().map(|task| task["ID"].clone()).collect::<Vec<_>>();
    let before = ids(&rig.simulator);
    spec["Labels"] = json!({ "release-manager.deployment": "7" });
    rig.update(&spec).await;
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    assert_eq!(ids(&rig.simulator), before);
    assert_eq!(update_state(&rig.simulator), "");
    let current =
        rig.get("/tasks?filters=%7B%22service%22%3A%5B%22web%22%5D%2C%22_up-to-date%22%3A%5B%22true%22%5D%7D").await;
    assert_eq!(current.as_array().map(Vec::len), Some(2));
    spec["TaskTemplate"]["ForceUpdate"] = json!(1);
    rig.update(&spec).await;
    rig.until("the update", |simulator| update_state(simulator) == "completed").await;
    assert_eq!(ids(&rig.simulator).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn slots_follow_the_replicas() {
    let rig = Rig::start(Options::default()).await;
    rig.create(&web("app:1", 1)).await;
    rig.runs("web", &["app:1"]).await;
    rig.update(&web("app:1", 3)).await;
    rig.runs("web", &["app:1", "app:1", "app:1"]).await;
    rig.update(&web("app:1", 0)).await;
    rig.until("no task", |simulator| simulator.tasks("web").is_empty()).await;
    assert_eq!(rig.get("/services?status=true").await[0]["ServiceStatus"]["DesiredTasks"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_keeps_five_tasks_of_its_slot() {
    let rig = Rig::start(Options::default()).await;
    rig.create(&web("app:1-crash", 1)).await;
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    let tasks = rig.simulator.tasks("web");
    assert_eq!(tasks.len(), 5);
    assert_eq!(tasks[0]["Status"]["Err"], "task: non-zero exit (1)");
    assert_eq!(tasks[0]["Status"]["ContainerStatus"]["ExitCode"], 1);
    assert_eq!(update_state(&rig.simulator), "");
}

#[tokio::test(start_paused = true)]
async fn restarts_end_with_the_attempts() {
    let rig = Rig::start(Options::default()).await;
    let mut spec = web("app:1-crash", 1);
    spec["TaskTemplate"]["RestartPolicy"]["MaxAttempts"] = json!(2);
    rig.create(&spec).await;
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    let states: Vec<Value> = rig.simulator.tasks("web").iter().map(|task| task["DesiredState"].clone()).collect();
    assert_eq!(states, ["shutdown", "shutdown", "shutdown"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_once_for_every_write() {
    let rig = Rig::start(Options::default()).await;
    let job = json!({
        "Name": "migrate",
        "TaskTemplate": { "ContainerSpec": { "Image": "migrate:1" }, "RestartPolicy": { "Condition": "none" } },
        "Mode": { "ReplicatedJob": { "TotalCompletions": 2 } },
    });
    let completed = |simulator: &Simulator| {
        simulator.tasks("migrate").iter().filter(|task| task["Status"]["State"] == "complete").count()
    };
    rig.create(&job).await;
    rig.until("two completions", |simulator| completed(simulator) == 2).await;
    assert_eq!(rig.get("/services/migrate").await["JobStatus"]["JobIteration"], json!({}));
    rig.update(&job).await;
    rig.until("two more", |simulator| completed(simulator) == 4).await;
    assert_eq!(rig.get("/services/migrate").await["JobStatus"]["JobIteration"]["Index"], 1);
    let status = &rig.get("/services?status=true").await[0]["ServiceStatus"];
    assert_eq!(status["CompletedTasks"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_no_node_can_have_says_why() {
    for (place, value, why) in [
        (
            "/Placement",
            json!({ "Constraints": ["node.labels.disk == ssd"] }),
            "scheduling constraints not satisfied on 1 node",
        ),
        (
            "/Resources",
            json!({ "Reservations": { "NanoCPUs": 99_000_000_000_u64 } }),
            "insufficient resources on 1 node",
        ),
        (
            "/Placement",
            json!({ "Platforms": [{ "Architecture": "arm64", "OS": "linux" }] }),
            "unsupported platform on 1 node",
        ),
    ] {
        let rig = Rig::start(Options::default()).await;
        let mut spec = web("app:1", 1);
        spec["TaskTemplate"][&place[1..]] = value;
        rig.create(&spec).await;
        let expected = json!(format!("no suitable node ({why})"));
        rig.until(why, |simulator| simulator.tasks("web").iter().any(|task| task["Status"]["Err"] == expected)).await;
        assert_eq!(rig.simulator.tasks("web")[0]["Status"]["State"], "pending");
    }
}

fn three_nodes() -> Options {
    let nodes = ["one", "two", "three"].map(|name| NodeOptions::new(name, name == "one"));
    Options { nodes: nodes.into(), ..Options::default() }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_down_leaves_a_task_that_claims_to_run() {
    let rig = Rig::start(three_nodes()).await;
    rig.create(&web("app:1", 3)).await;
    rig.runs("web", &["app:1", "app:1", "app:1"]).await;
    assert!(rig.simulator.set_node_state("two", NodeState::Down));
    rig.until("four running tasks", |simulator| {
        simulator.tasks("web").iter().filter(|task| task["Status"]["State"] == "running").count() == 4
    })
    .await;
    assert_eq!(rig.get("/services?status=true").await[0]["ServiceStatus"]["RunningTasks"], 4);
    assert!(rig.simulator.set_node_state("two", NodeState::Ready));
    rig.until("the end of the fourth", |simulator| {
        simulator.tasks("web").iter().filter(|task| task["Status"]["State"] == "running").count() == 3
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_global_service_follows_the_nodes() {
    let rig = Rig::start(three_nodes()).await;
    let mut spec = web("app:1", 1);
    spec["Mode"] = json!({ "Global": {} });
    rig.create(&spec).await;
    rig.runs("web", &["app:1", "app:1", "app:1"]).await;
    assert!(rig.simulator.set_node_availability("three", Availability::Drain));
    rig.runs("web", &["app:1", "app:1"]).await;
    assert!(rig.simulator.set_node_availability("three", Availability::Active));
    rig.runs("web", &["app:1", "app:1", "app:1"]).await;
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("app:2");
    rig.update(&spec).await;
    rig.runs("web", &["app:2", "app:2", "app:2"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_service_takes_its_tasks_along() {
    let rig = Rig::start(Options::default()).await;
    let mut spec = web("app:1", 2);
    spec["Labels"] = json!({ "com.docker.stack.namespace": "lab" });
    rig.create(&spec).await;
    rig.runs("web", &["app:1", "app:1"]).await;
    assert_eq!(rig.call("DELETE", "/services/web", &Value::Null).await.0, 200);
    assert!(rig.running("web").is_empty());
    let of_stack = rig.get("/tasks?filters=%7B%22label%22%3A%5B%22com.docker.stack.namespace%3Dlab%22%5D%7D").await;
    assert_eq!(of_stack.as_array().map(Vec::len), Some(2), "they are still found by the labels of their service");
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(rig.get("/tasks").await, json!([]));
}
