//! Telling people: from the end of a deployment in a real database to a request at a real socket.

mod mail;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use release_manager::manager::{Manager, Ports, Settings};
use release_manager::notice::{Event, Queue};
use release_manager::ports::{Audience, Ledger};
use release_manager::testing::{FakeSource, FakeSwarm};
use serde_json::Value;
use server::SystemClock;
use server::config::default_pipeline;
use server::notify::{Addressees, Channel, Notifier, Target};
use server::store::{Delivery, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::store::samples::{crashed, deployment, outcomes, second, succeeded};

/// A place that is told: it answers with the statuses it was given, then with 200.
struct Receiver {
    url: String,
    got: mpsc::UnboundedReceiver<Value>,
}

type Answers = (Arc<Mutex<VecDeque<StatusCode>>>, mpsc::UnboundedSender<Value>);

impl Receiver {
    async fn start(answers: &[StatusCode]) -> Self {
        let (told, got) = mpsc::unbounded_channel();
        let state: Answers = (Arc::new(Mutex::new(answers.iter().copied().collect())), told);
        let app = Router::new().fallback(post(receive)).with_state(state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, got }
    }

    async fn next(&mut self) -> Value {
        tokio::time::timeout(Duration::from_secs(30), self.got.recv()).await.expect("nobody told").unwrap()
    }
}

async fn receive(State((answers, told)): State<Answers>, body: String) -> StatusCode {
    let status = answers.lock().unwrap().pop_front().unwrap_or(StatusCode::OK);
    told.send(serde_json::from_str(&body).unwrap()).unwrap();
    status
}

/// A database and a notifier over it.
struct Scene {
    home: TempDir,
    targets: Vec<Target>,
}

struct Running {
    store: Arc<Store>,
    stop: CancellationToken,
    work: JoinHandle<()>,
}

impl Scene {
    fn new(url: &str) -> Self {
        let channel = Channel::Webhook { url: url.to_owned().into(), secret: Some("secret".to_owned().into()) };
        let events = Some([Event::Failed, Event::Recovered].into());
        let targets = vec![Target { name: "hook".to_owned(), events, environments: None, channel }];
        Self { home: tempfile::tempdir().unwrap(), targets }
    }

    async fn start(&self) -> Running {
        let store = Arc::new(Store::open(&self.home.path().join("rm.db")).await.unwrap());
        let stop = CancellationToken::new();
        let ports = Ports {
            source: Arc::new(FakeSource::default()),
            swarm: Arc::new(FakeSwarm::default()),
            elsewhere: std::collections::BTreeMap::new(),
            ledger: Arc::<Store>::clone(&store),
            clock: Arc::new(SystemClock),
        };
        let settings = Settings {
            pipeline: default_pipeline(&["stack.yml".parse().unwrap()], "lab").unwrap(),
            poll_interval: Duration::from_mins(1),
            health_interval: Duration::from_secs(5),
            deployment_timeout: Duration::from_mins(5),
            stability: Duration::from_secs(20),
            bind_base: None,
            demo: None,
        };
        let manager = Manager::new(ports, settings, stop.clone()).await.unwrap();
        let public_url = Some("https://rm.example.org".to_owned());
        let notifier = Notifier::new(Arc::clone(&store), self.targets.clone(), public_url).unwrap();
        let work = tokio::spawn(notifier.run(manager, stop.clone()));
        Running { store, stop, work }
    }
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.work.await.unwrap();
        self.store.close().await;
    }
}

/// A deployment of prod that ends as told.
async fn deploy(store: &Store, digit: char, well: bool) {
    let id = store.begin(&deployment("prod", digit, "web=2")).await.unwrap();
    let verdict = if well { succeeded() } else { crashed() };
    store.finish(id, &outcomes(&[("web", "2", verdict)]), second(30)).await.unwrap();
}

#[tokio::test]
async fn a_target_that_does_not_answer_keeps_no_other_waiting() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::start(&[]).await;
    let mut scene = Scene::new(&format!("http://{}/hook", silent.local_addr().unwrap()));
    let channel = Channel::Webhook { url: receiver.url.clone().into(), secret: None };
    scene.targets.push(Target { name: "other".to_owned(), events: None, environments: None, channel });
    let running = scene.start().await;
    deploy(&running.store, 'a', false).await;
    running.stop().await;
    let running = scene.start().await;
    let asked = std::time::Instant::now();
    assert_eq!(receiver.next().await["type"], "release_manager.failed");
    assert!(asked.elapsed() < Duration::from_secs(10), "it does not wait until the other one is given up");
    running.stop().await;
    drop(silent);
}

#[tokio::test]
async fn trouble_that_was_told_is_not_said_to_be_over_by_a_process_that_has_not_looked_yet() {
    let mut receiver = Receiver::start(&[]).await;
    let mut scene = Scene::new(&receiver.url);
    scene.targets[0].events = None;
    let running = scene.start().await;
    let told = r#"{"told":[["source",{"since":"2025-10-31T10:30:00Z","message":"away"}],
        ["engine",{"since":"2025-10-31T10:30:00Z","message":"away"}]]}"#;
    running.store.tell(&[], None, &serde_json::from_str(told).unwrap(), second(1)).await.unwrap();
    running.stop().await;
    let running = scene.start().await;
    running.stop().await;
    let running = scene.start().await;
    deploy(&running.store, 'a', false).await;
    running.stop().await;
    let running = scene.start().await;
    assert_eq!(receiver.next().await["type"], "release_manager.failed", "nothing else comes before it");
    running.stop().await;
}

#[tokio::test]
async fn a_failure_and_the_recovery_are_told_once_each_across_restarts() {
    let mut receiver = Receiver::start(&[]).await;
    let scene = Scene::new(&receiver.url);
    let running = scene.start().await;
    // Before the notifier has seen it: it looks when it starts, and when something moves.
    deploy(&running.store, 'a', false).await;
    running.stop().await;
    let running = scene.start().await;
    let failed = receiver.next().await;
    assert_eq!(failed["type"], "release_manager.failed");
    assert_eq!(failed["data"]["url"], "https://rm.example.org/deployments/1");
    running.stop().await;
    let running = scene.start().await;
    deploy(&running.store, 'b', true).await;
    running.stop().await;
    let running = scene.start().await;
    assert_eq!(receiver.next().await["type"], "release_manager.recovered");
    running.stop().await;
    assert!(receiver.got.try_recv().is_err(), "nothing is told twice");
}

#[tokio::test]
async fn a_failure_that_repeats_itself_is_folded_and_each_commit_has_its_status_all_the_same() {
    let mut receiver = Receiver::start(&[]).await;
    let mut scene = Scene::new(&receiver.url);
    let repository = receiver.url.replace("/hook", "/repos/me/homelab");
    let channel = Channel::CommitStatus { repository, token: "token".to_owned().into() };
    scene.targets.push(Target { name: "status".to_owned(), events: None, environments: None, channel });
    let running = scene.start().await;
    for digit in ['a', 'b', 'c', 'd', 'e'] {
        deploy(&running.store, digit, false).await;
    }
    deploy(&running.store, 'f', true).await;
    running.stop().await;
    let running = scene.start().await;
    let (mut titles, mut states) = (Vec::new(), Vec::new());
    while titles.len() + states.len() < 4 + 6 {
        let got = receiver.next().await;
        match got["state"].as_str() {
            Some(state) => states.push(state.to_owned()),
            None => titles.push(got["data"]["title"].as_str().unwrap().to_owned()),
        }
    }
    running.stop().await;
    let expected =
        ["1 failed", "2 failed, failure 2 in a row", "4 failed, failure 4 in a row", "6 succeeded after 5 had not"];
    assert_eq!(titles, expected.map(|end| format!("prod: deployment {end}")));
    assert_eq!(states, ["failure", "failure", "failure", "failure", "failure", "success"]);
    assert!(receiver.got.try_recv().is_err());
}

#[tokio::test]
async fn a_place_that_is_down_is_tried_again_and_one_that_refuses_is_not() {
    let mut receiver = Receiver::start(&[StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY]).await;
    let scene = Scene::new(&receiver.url);
    let running = scene.start().await;
    deploy(&running.store, 'a', false).await;
    running.stop().await;
    let running = scene.start().await;
    receiver.next().await;
    running.stop().await;
    let running = scene.start().await;
    assert_eq!(running.store.next_notice("hook").await.unwrap(), None, "what was refused does not wait");
    let refused = shown(&scene, &running).await;
    assert_eq!((refused.waiting, refused.next_at, refused.sent_at), (0, None, None));
    assert!(refused.trouble.unwrap().1.starts_with("the answer was 404"));
    deploy(&running.store, 'b', false).await;
    running.stop().await;
    let running = scene.start().await;
    receiver.next().await;
    running.stop().await;
    let running = scene.start().await;
    let due = running.store.next_notice("hook").await.unwrap();
    assert!(due.is_some(), "what failed waits for its next try");
    let down = shown(&scene, &running).await;
    assert_eq!((down.waiting, down.next_at, down.sent_at), (1, due, None));
    assert!(down.trouble.unwrap().1.starts_with("the answer was 502"));
    let [waiting] = running.store.due_notices("hook", due.unwrap()).await.unwrap().try_into().unwrap();
    running.store.delivered(waiting.id, &Delivery::Sent).await.unwrap();
    let sent = shown(&scene, &running).await;
    assert_eq!((sent.waiting, sent.trouble), (0, None), "what has arrived since says that all is well");
    assert!(sent.sent_at.is_some());
    running.stop().await;
}

/// What the settings show of the one target.
async fn shown(scene: &Scene, running: &Running) -> Queue {
    let told = scene.targets.iter().map(Target::told).collect();
    let [told] = Addressees::new(Arc::clone(&running.store), told).told().await.unwrap().try_into().unwrap();
    assert_eq!((told.name.as_str(), told.kind), ("hook", "webhook"));
    told.queue
}
