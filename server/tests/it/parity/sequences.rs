//! Several deployments of one stack, one after the other: by the docker command, and by us.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use release_manager::engine::Write;
use release_manager::names::StackName;
use release_manager::ports::Swarm;
use release_manager::stack::Variables;
use serde_json::{Value, json};
use server::swarm::DockerSwarm;
use tempfile::TempDir;

use super::proxy::Proxy;
use super::world::{differences, list, remove, versions, world};
use super::{Scene, corpus, deploy, writes};

/// One stack, and a directory with its file.
struct Sequence {
    proxy: Proxy,
    stack: StackName,
    home: TempDir,
}

impl Sequence {
    fn new(scene: &Scene, name: &str) -> Self {
        let stack = format!("{name}{}", std::process::id()).parse().unwrap();
        Self { proxy: scene.proxy(), stack, home: tempfile::tempdir().unwrap() }
    }

    fn file(&self, path: &str, text: &str) {
        std::fs::write(self.home.path().join(path), text).unwrap();
    }

    async fn by_docker(&self, scene: &Scene, text: &str, options: &[&str]) {
        self.file("s.yml", text);
        let files = ["s.yml".to_owned()];
        let (host, none) = (self.proxy.host(), Variables::new());
        scene.cli.deploy(&host, self.home.path(), &files, &none, options, self.stack.as_str()).await.unwrap();
        versions(&self.proxy, self.stack.as_str()).await;
    }

    /// Deploys by us, and says what was written.
    async fn by_us(&self, text: &str) -> Vec<String> {
        self.file("s.yml", text);
        let wanted = rendered(&self.stack, self.home.path());
        let plan = deploy(&self.proxy, &wanted).await.unwrap();
        versions(&self.proxy, self.stack.as_str()).await;
        writes(&plan)
    }

    async fn world(&self) -> Value {
        world(&self.proxy, self.stack.as_str()).await
    }

    /// Changes a service behind everybody's back.
    async fn by_hand(&self, service: &str, change: impl Fn(&mut Value)) {
        let swarm = DockerSwarm::connect(&self.proxy.host()).unwrap();
        let live = swarm.live(&self.stack).await.unwrap();
        let service = &live.services[&format!("{}_{service}", self.stack)];
        let mut spec = service.spec.clone();
        change(&mut spec);
        swarm.apply(&Write::UpdateService { id: service.id.clone(), version: service.version, spec }).await.unwrap();
        versions(&self.proxy, self.stack.as_str()).await;
    }

    async fn names(&self, path: &str) -> Vec<String> {
        let objects = list(&self.proxy, path, Some(self.stack.as_str())).await;
        let name = |object: &Value| object["Spec"]["Name"].as_str().or(object["Name"].as_str()).unwrap().to_owned();
        let mut names: Vec<String> = objects.iter().map(name).collect();
        names.sort();
        names
    }

    async fn end(self) {
        remove(&self.proxy, self.stack.as_str()).await;
    }
}

fn rendered(stack: &StackName, home: &Path) -> release_manager::stack::Stack {
    corpus::rendered(stack, home, &["s.yml".to_owned()], &Variables::new()).unwrap()
}

const FIRST: &str = "
services:
  web:
    image: app:1
    environment: {A: '1', B: '1'}
    labels: {a: '1'}
    networks: [front]
    healthcheck: {test: [CMD, 'true'], interval: 5s}
    deploy: {replicas: 2, labels: {x: '1'}, update_config: {parallelism: 2, order: start-first}}
  gone: {image: 'app:1', networks: [old]}
  same: {image: 'app:1'}
networks: {front: , old: }
";

const SECOND: &str = "
services:
  web:
    image: app:2
    environment: {A: '2', C: '1'}
    networks: [front, back]
    deploy: {replicas: 3, labels: {y: '1'}}
  same: {image: 'app:1'}
  new: {image: 'app:1', secrets: [key]}
networks: {front: , back: {internal: true}}
secrets: {key: {file: ./key}}
";

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_secrets_and_configs_follow_the_file() {
    let Some(scene) = Scene::new().await else { return };
    let sequence = Sequence::new(&scene, "lab");
    sequence.file("key", "k1");
    let text = |label: &str| {
        format!(
            "services: {{web: {{image: 'app:1', secrets: [key], configs: [conf]}}}}\nsecrets: {{key: {{file: ./key, labels: \
             {{{label}: '1'}}}}}}\nconfigs: {{conf: {{file: ./key, labels: {{{label}: '1'}}}}}}"
        )
    };
    sequence.by_docker(&scene, &text("a"), &[]).await;
    sequence.by_docker(&scene, &text("b"), &[]).await;
    let docker = sequence.world().await;
    remove(&sequence.proxy, sequence.stack.as_str()).await;
    sequence.by_us(&text("a")).await;
    let written = sequence.by_us(&text("b")).await;
    assert_eq!(written.len(), 2, "{written:#?}");
    assert_eq!(sequence.by_us(&text("b")).await, Vec::<String>::new());
    let found = differences(&docker, &sequence.world().await);
    assert!(found.is_empty(), "{}", found.join("\n"));
    sequence.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_ends_where_that_of_the_docker_command_ends() {
    let Some(scene) = Scene::new().await else { return };
    let sequence = Sequence::new(&scene, "upd");
    sequence.file("key", "k1");
    sequence.by_docker(&scene, FIRST, &[]).await;
    sequence.by_docker(&scene, SECOND, &["--prune"]).await;
    let mut docker = sequence.world().await;
    remove(&sequence.proxy, sequence.stack.as_str()).await;

    sequence.by_us(FIRST).await;
    let written = sequence.by_us(SECOND).await;
    assert!(!written.iter().any(|write| write.contains("same")), "{written:#?}");
    let ours = sequence.world().await;
    // Ours also takes the network that nothing needs any more; the docker command leaves it for ever.
    let old = format!("{}_old", sequence.stack);
    assert!(docker["networks"].as_object_mut().unwrap().remove(&old).is_some());
    let found = differences(&docker, &ours);
    assert!(found.is_empty(), "{}", found.join("\n"));
    sequence.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_is_changed_back_but_restarts_are_kept() {
    let Some(scene) = Scene::new().await else { return };
    let sequence = Sequence::new(&scene, "hand");
    let text = "services: {web: {image: 'app:1', environment: {A: '1'}, deploy: {replicas: 1}}}";
    let by_hand = |spec: &mut Value| {
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["A=2", "B=3"]);
        spec["TaskTemplate"]["ForceUpdate"] = json!(3);
        spec["Mode"]["Replicated"]["Replicas"] = json!(5);
    };
    sequence.by_docker(&scene, text, &[]).await;
    sequence.by_hand("web", by_hand).await;
    sequence.by_docker(&scene, text, &[]).await;
    let docker = sequence.world().await;
    remove(&sequence.proxy, sequence.stack.as_str()).await;

    sequence.by_us(text).await;
    sequence.by_hand("web", by_hand).await;
    sequence.by_us(text).await;
    let ours = sequence.world().await;
    let found = differences(&docker, &ours);
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(ours["services"][format!("{}_web", sequence.stack)]["TaskTemplate"]["ForceUpdate"], json!(3));
    sequence.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_deployment_of_the_same_file_writes_nothing_at_all() {
    let Some(scene) = Scene::new().await else { return };
    let sequence = Sequence::new(&scene, "twice");
    sequence.file("key", "k1");
    sequence.by_us(FIRST).await;
    sequence.by_us(SECOND).await;
    let before = versions(&sequence.proxy, sequence.stack.as_str()).await;
    let (since, written) = (now(), sequence.by_us(SECOND).await);
    assert!(written.is_empty(), "{written:#?}");
    let events = sequence.proxy.get(&format!("/events?since={since}&until={}", now())).await;
    let events = events.as_array().cloned().unwrap_or_else(|| vec![events]);
    let ours: Vec<&Value> = events.iter().filter(|event| concerns(event, sequence.stack.as_str())).collect();
    assert!(ours.is_empty(), "{ours:#?}");
    assert_eq!(versions(&sequence.proxy, sequence.stack.as_str()).await, before);
    sequence.end().await;
}

fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// Whether an event tells of a write to something of the stack.
fn concerns(event: &Value, stack: &str) -> bool {
    let kind = event["Type"].as_str().unwrap_or_default();
    let name = event["Actor"]["Attributes"]["name"].as_str().unwrap_or_default();
    matches!(kind, "service" | "network" | "secret" | "config") && name.starts_with(stack)
}

fn with_config(replicas: u32) -> String {
    format!(
        "
services:
  web: {{image: 'app:1', configs: [{{source: site, target: /site}}], secrets: [key], deploy: {{replicas: {replicas}}}}}
configs: {{site: {{file: ./site}}}}
secrets: {{key: {{file: ./key}}}}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_content_rotates_and_the_last_few_are_kept() {
    let Some(scene) = Scene::new().await else { return };
    let sequence = Sequence::new(&scene, "rot");
    sequence.file("site", "content 1");
    sequence.file("key", "key");
    sequence.by_us(&with_config(1)).await;
    for round in 2..=7 {
        sequence.file("site", &format!("content {round}"));
        let written = sequence.by_us(&with_config(1)).await;
        assert!(written.iter().any(|write| write.contains("UpdateService")), "{written:#?}");
        let again = sequence.by_us(&with_config(1)).await;
        assert!(again.is_empty(), "round {round}: {again:#?}");
    }
    // The one in use, and three before it.
    let names = sequence.names("/configs").await;
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(sequence.names("/secrets").await, [format!("{}_key", sequence.stack)]);
    let contents: Vec<String> = {
        let configs = list(&sequence.proxy, "/configs", Some(sequence.stack.as_str())).await;
        let mut contents: Vec<String> = configs.iter().map(|config| decoded(&config["Spec"]["Data"])).collect();
        contents.sort();
        contents
    };
    assert_eq!(contents, ["content 4", "content 5", "content 6", "content 7"]);
    // Back to an earlier content: nothing new is made.
    sequence.file("site", "content 5");
    let written = sequence.by_us(&with_config(1)).await;
    assert!(!written.iter().any(|write| write.contains("CreateObject")), "{written:#?}");
    assert_eq!(sequence.names("/configs").await, names);
    sequence.end().await;
}

fn decoded(data: &Value) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(data.as_str().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_ours_is_pruned() {
    let Some(scene) = Scene::new().await else { return };
    let sequence = Sequence::new(&scene, "prune");
    sequence.file("site", "content");
    sequence.file("key", "key");
    sequence.by_us(&with_config(1)).await;
    let stranger = format!("{}-stranger", sequence.stack);
    let label = BTreeMap::from([("com.docker.stack.namespace", sequence.stack.as_str())]);
    // By hand, with the label of the stack: its content is in nobody's history.
    assert!(sequence.proxy.post("/configs/create", &json!({"Name": stranger, "Data": "eA==", "Labels": label})).await);
    let external = format!("{}-external", sequence.stack);
    assert!(sequence.proxy.post("/networks/create", &json!({"Name": external, "Driver": "overlay"})).await);
    let text = format!(
        "services: {{web: {{image: 'app:1', networks: [out]}}}}\nnetworks: {{out: {{external: true, name: {external}}}}}"
    );
    sequence.by_us(&text).await;
    sequence.by_us("services: {web: {image: 'app:1'}}").await;
    assert_eq!(sequence.names("/configs").await, [stranger]);
    assert_eq!(sequence.names("/secrets").await, Vec::<String>::new());
    let left = list(&sequence.proxy, "/networks", None).await;
    assert!(left.iter().any(|network| network["Name"] == json!(external)), "the external network was removed");
    assert!(sequence.proxy.delete(&format!("/networks/{external}")).await);
    sequence.end().await;
}
