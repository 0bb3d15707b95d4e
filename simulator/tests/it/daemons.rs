//! Daemons that freeze and die, and connections within the process, on a clock that does not wait.

use std::time::Duration;

use serde_json::Value;
use simulator::{Daemon, Fault, NodeOptions, NodeState, Options, Simulator, Trouble};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::web;

/// A simulator that is driven, and answers within the process.
fn start(options: Options) -> (Simulator, DropGuard) {
    let (simulator, stop) = (Simulator::new(options), CancellationToken::new());
    let (driven, stopped) = (simulator.clone(), stop.clone());
    tokio::spawn(async move { driven.run(stopped).await });
    (simulator, stop.drop_guard())
}

/// One call; nothing where the connection ends without an answer.
async fn call(simulator: &Simulator, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = simulator.connect().ok()?;
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.0\r\nHost: d\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

async fn create(simulator: &Simulator, replicas: u64) {
    let answer = call(simulator, "POST", "/services/create", &web("app:1", replicas).to_string()).await;
    assert!(answer.is_some_and(|(status, _)| status == 201));
}

fn states(simulator: &Simulator) -> Vec<String> {
    simulator.tasks("web").iter().map(|task| task["Status"]["State"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn within_the_process_no_time_passes_while_a_call_is_answered() {
    let (simulator, _run) = start(Options::default());
    let before = Instant::now();
    create(&simulator, 1).await;
    assert_eq!(call(&simulator, "GET", "/services/web", "").await.map(|(status, _)| status), Some(200));
    assert_eq!(before.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(states(&simulator), ["running"]);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_daemon_answers_when_it_goes_on_and_nothing_has_moved_meanwhile() {
    let (simulator, _run) = start(Options::default());
    create(&simulator, 1).await;
    simulator.set_daemon(Daemon::Frozen);
    let before = states(&simulator);
    assert!(timeout(Duration::from_mins(1), call(&simulator, "GET", "/_ping", "")).await.is_err());
    assert_eq!(states(&simulator), before);
    let (answer, ()) = tokio::join!(call(&simulator, "GET", "/_ping", ""), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        simulator.set_daemon(Daemon::Up);
    });
    assert_eq!(answer.map(|(status, _)| status), Some(200));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(states(&simulator), ["running"]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_daemon_takes_its_connections_and_containers_with_it() {
    let (simulator, _run) = start(Options::default());
    create(&simulator, 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let listening = call(&simulator, "GET", "/events", "");
    let (cut, ()) = tokio::join!(listening, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        simulator.set_daemon(Daemon::Gone);
    });
    assert!(cut.is_none_or(|(_, events)| events.is_empty()));
    assert!(simulator.connect().is_err());
    simulator.set_daemon(Daemon::Up);
    let tasks = simulator.tasks("web");
    let died = |task: &&Value| task["Status"]["Err"] == "task: non-zero exit (143)";
    assert_eq!(tasks.iter().filter(died).count(), 2, "{tasks:#?}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(states(&simulator).iter().filter(|state| *state == "running").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_is_given_tasks_until_it_is_noticed_and_an_update_waits_for_them_for_ever() {
    let nodes = ["swarm-1", "swarm-2"].map(|name| NodeOptions::new(name, name == "swarm-1"));
    let (simulator, _run) = start(Options { nodes: nodes.into(), ..Options::default() });
    create(&simulator, 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(simulator.set_node_state("swarm-2", NodeState::Lost));
    let mut spec = web("app:2", 2);
    spec["UpdateConfig"]["Parallelism"] = 0.into();
    let service = simulator.service("web").unwrap_or_default();
    let path = format!("/services/web/update?version={}", service["Version"]["Index"]);
    let answer = call(&simulator, "POST", &path, &spec.to_string()).await;
    assert!(answer.is_some_and(|(status, _)| status == 200));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(runs(&simulator, "app:2"), 1, "{:#?}", simulator.tasks("web"));
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(runs(&simulator, "app:2"), 2, "{:#?}", simulator.tasks("web"));
    assert_eq!(simulator.service("web").unwrap_or_default()["UpdateStatus"]["State"], "updating");
}

/// How many tasks of an image run and should.
fn runs(simulator: &Simulator, image: &str) -> usize {
    let is_up = |task: &&Value| task["DesiredState"] == "running" && task["Status"]["State"] == "running";
    let of_image = |task: &&Value| task["Spec"]["ContainerSpec"]["Image"] == image;
    simulator.tasks("web").iter().filter(is_up).filter(of_image).count()
}

#[tokio::test(start_paused = true)]
async fn what_is_done_late_is_done_although_nobody_waits() {
    let (simulator, _run) = start(Options::default());
    simulator.inject(Fault::next("POST", "/services/create", Trouble::Late(40_000)));
    let body = web("app:1", 1).to_string();
    let gave_up = timeout(Duration::from_secs(30), call(&simulator, "POST", "/services/create", &body)).await;
    assert!(gave_up.is_err() && simulator.service("web").is_none());
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert!(simulator.service("web").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_swallowed_is_done_and_what_is_refused_may_be_done() {
    let (simulator, _run) = start(Options::default());
    let mut met = simulator.faults_met();
    met.mark_unchanged();
    simulator.inject(Fault::next("POST", "/services/create", Trouble::Swallow));
    let body = web("app:1", 1).to_string();
    let swallowed = timeout(Duration::from_mins(1), call(&simulator, "POST", "/services/create", &body)).await;
    assert!(swallowed.is_err() && simulator.service("web").is_some() && met.has_changed().is_ok_and(|met| met));
    let refusal = Trouble::DoneButRefused { status: 500, message: "no".to_owned() };
    simulator.inject(Fault::next("DELETE", "/services", refusal));
    let refused = call(&simulator, "DELETE", "/services/web", "").await;
    assert_eq!(refused, Some((500, "{\"message\":\"no\"}\n".to_owned())));
    assert!(simulator.service("web").is_none());
    simulator.inject(Fault::next("GET", "/services", Trouble::Garbled));
    assert_eq!(call(&simulator, "GET", "/services", "").await, Some((200, "<html>".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_names() {
    let mut seen = Vec::new();
    for seed in [Some(7), Some(7), Some(8)] {
        let (simulator, _run) = start(Options { seed, ..Options::default() });
        create(&simulator, 1).await;
        seen.push(simulator.service("web").unwrap_or_default()["ID"].clone());
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
}
