//! `stack deploy`: verdicts, a second deployment, switches, and an end before the end.

use std::time::Duration;

use super::scene::Scene;

/// Waits for nothing at its stop, so that tests do not wait for it.
const TWO: &str = "
services:
  web:
    image: ${WEB:-app:1}
    stop_grace_period: 1s
    deploy: {replicas: 2, update_config: {parallelism: 2, monitor: 1s}}
  worker:
    image: ${WORKER:-app:1}
    stop_grace_period: 1s
    deploy: {update_config: {monitor: 1s}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_deployed_and_a_second_time_nothing_is_written() {
    let scene = Scene::simulated().await;
    twice(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_deployed_and_a_second_time_nothing_is_written_on_docker() {
    let Some(scene) = Scene::docker("twice").await else { return };
    scene
        .run(async |scene| {
            twice(scene).await;
            // The daemon's own word for it: no service, network, secret or config was touched.
            let before = now();
            scene.deploy(&["-c", "stack.yml"], 0).await;
            assert_eq!(writes_since(scene, &before).await, Vec::<String>::new());
            scene.deploy(&["-c", "stack.yml", "--env-file", "web.env"], 0).await;
            let told = writes_since(scene, &before).await;
            assert!(told.contains(&format!("service update {}_web", scene.stack)), "it would have told: {told:?}");
        })
        .await;
}

async fn twice(scene: &Scene) {
    scene.write("stack.yml", TWO);
    let name = &scene.stack;
    let ran = scene.deploy(&["-c", "stack.yml"], 0).await;
    for line in [
        format!("Creating network {name}_default\n"),
        format!("Creating service {name}_web\n"),
        format!("{name}_web: succeeded, stable for 1 s\n"),
        format!("Stack {name}: 2 services deployed\n"),
    ] {
        assert!(ran.out.contains(&line), "`{line}` is missing in: {}", ran.out);
    }
    let before = scene.versions().await;
    let ran = scene.deploy(&["-c", "stack.yml"], 0).await;
    assert_eq!(ran.out, format!("Stack {name} is up to date: 2 services unchanged\n"));
    assert_eq!(scene.versions().await, before);

    scene.write("web.env", "WEB=app:2\n");
    let ran = scene.deploy(&["-c", "stack.yml", "--env-file", "web.env"], 0).await;
    assert!(ran.out.contains(&format!("Updating service {name}_web (1 -> 2)\n")), "{}", ran.out);
    assert!(ran.out.contains(&format!("Stack {name}: 1 service deployed\n")), "{}", ran.out);
    let after = scene.versions().await;
    assert_eq!(before[1], after[1], "a service that does not change is not touched");
    assert!(scene.image("web").await.starts_with("app:2"));
    scene.deploy(&["-c", "stack.yml"], 0).await;
}

/// The time as the Engine wants it.
fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// What the daemon tells of writes to the stack's services, networks, secrets and configs. Other tests write to theirs.
async fn writes_since(scene: &Scene, since: &str) -> Vec<String> {
    use bollard::query_parameters::EventsOptionsBuilder;
    use futures::TryStreamExt;
    let socket = scene.host.strip_prefix("unix://").unwrap();
    let docker = bollard::Docker::connect_with_unix(socket, 60, bollard::API_DEFAULT_VERSION).unwrap();
    let docker = docker.negotiate_version().await.unwrap();
    let options = EventsOptionsBuilder::default().since(since).until(&now()).build();
    let events: Vec<_> = docker.events(Some(options)).try_collect().await.unwrap();
    let own = format!("{}_", scene.stack);
    let told = events.into_iter().filter_map(|event| {
        let mut about = event.actor?.attributes?;
        let name = about.remove("name")?;
        // The Swarm's own word on how an earlier update goes on is an event as well.
        if matches!(about.get("updatestate.new").map(String::as_str), Some("updating" | "completed")) {
            return None;
        }
        let kind = format!("{:?}", event.typ?).to_lowercase();
        let action = event.action?;
        let is_write = matches!(&*action, "create" | "update" | "remove");
        let of_the_swarm = ["service", "network", "secret", "config"].iter().any(|known| kind.contains(known));
        (is_write && of_the_swarm && name.starts_with(&own)).then(|| format!("{kind} {action} {name}"))
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_crashes_fails_with_its_evidence() {
    let scene = Scene::simulated().await;
    crashing(&scene, "app:1-crash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_crashes_on_docker_fails_with_its_evidence() {
    let Some(scene) = Scene::docker("crash").await else { return };
    scene.run(async |scene| crashing(scene, "app:crash").await).await;
}

async fn crashing(scene: &Scene, bad: &str) {
    scene.write("stack.yml", TWO);
    scene.deploy(&["-c", "stack.yml"], 0).await;
    scene.write("bad.env", &format!("WORKER={bad}\n"));
    let ran = scene.deploy(&["-c", "stack.yml", "--env-file", "bad.env"], 1).await;
    let name = &scene.stack;
    assert!(ran.err.contains(&format!("{name}_worker: failed: ")) && ran.err.contains("exit code"), "{}", ran.err);
    assert!(ran.out.contains(&format!("{name}_worker: failed: ")), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_swarm_takes_back_ends_with_its_own_code() {
    let scene = Scene::simulated().await;
    let stack = TWO.replace(
        "deploy: {update_config: {monitor: 1s}}",
        "deploy: {update_config: {monitor: 1s, failure_action: rollback}}",
    );
    scene.write("stack.yml", &stack);
    scene.deploy(&["-c", "stack.yml"], 0).await;
    scene.write("bad.env", "WORKER=app:1-crash\n");
    let ran = scene.deploy(&["-c", "stack.yml", "--env-file", "bad.env"], 3).await;
    assert!(ran.err.contains("rolled back"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_it_returns_when_the_last_spec_is_written() {
    let scene = Scene::simulated().await;
    scene.write("stack.yml", "services: {web: {image: 'app:slow'}, worker: {image: 'app:slow'}}");
    let ran = tokio::time::timeout(Duration::from_secs(30), scene.deploy(&["--detach", "-c", "stack.yml"], 0));
    let ran = ran.await.expect("nobody waits for tasks that take a minute");
    let name = &scene.stack;
    let created = |service: &str| format!("Creating service {name}_{service}\n");
    assert!(ran.out.contains(&created("web")) && ran.out.contains(&created("worker")), "{}", ran.out);
    assert_eq!(scene.versions().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_left_the_file_go_only_when_that_is_asked_for() {
    let scene = Scene::simulated().await;
    scene.write("stack.yml", TWO);
    scene.deploy(&["-c", "stack.yml"], 0).await;
    scene.write("stack.yml", "services: {web: {image: 'app:3', stop_grace_period: 1s}}");
    scene.deploy(&["-c", "stack.yml"], 0).await;
    assert_eq!(scene.versions().await.len(), 2);
    let ran = scene.expect(&["plan", "--prune", "-c", "stack.yml", &scene.stack], 2).await;
    assert!(ran.out.contains("- service worker"), "{}", ran.out);
    scene.deploy(&["--prune", "-c", "stack.yml"], 0).await;
    assert_eq!(scene.versions().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_of_an_image_is_kept_or_looked_up_as_the_switch_says() {
    let scene = Scene::simulated().await;
    scene.write("stack.yml", "services: {web: {image: 'app:1'}}");
    scene.deploy(&["--resolve-image", "never", "-c", "stack.yml"], 0).await;
    assert_eq!(scene.image("web").await, "app:1");
    scene.deploy(&["--resolve-image", "changed", "-c", "stack.yml"], 0).await;
    assert_eq!(scene.image("web").await, "app:1");
    scene.deploy(&["-c", "stack.yml"], 0).await;
    let pinned = scene.image("web").await;
    assert!(pinned.starts_with("app:1@sha256:"), "{pinned}");
    scene.deploy(&["--resolve-image", "never", "-c", "stack.yml"], 0).await;
    assert_eq!(scene.image("web").await, pinned);
    let live = scene.live().await;
    let spec = &live.services[&format!("{}_web", scene.stack)].spec;
    assert_eq!(spec["TaskTemplate"]["Placement"]["Platforms"][0]["OS"], "linux");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_leaves_a_clear_state_and_says_which() {
    let scene = Scene::simulated().await;
    scene.write("stack.yml", "services: {db: {image: 'app:slow'}, web: {image: 'app:1', depends_on: [db]}}");
    interrupted(&scene, "INT", 130).await;
    let scene = Scene::simulated().await;
    scene.write("stack.yml", "services: {db: {image: 'app:slow'}, web: {image: 'app:1', depends_on: [db]}}");
    interrupted(&scene, "TERM", 143).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_leaves_a_clear_state_and_says_which_on_docker() {
    let Some(scene) = Scene::docker("signal").await else { return };
    // The health check has no answer for a minute: so long `db` has not started, and `web` waits for it.
    let stack = "services:
  db:
    image: app:1
    stop_grace_period: 1s
    healthcheck: {test: ['CMD', 'sleep', '1000'], interval: 60s, timeout: 90s}
  web: {image: 'app:1', stop_grace_period: 1s, depends_on: [db]}
";
    scene
        .run(async |scene| {
            scene.write("stack.yml", stack);
            interrupted(scene, "INT", 130).await;
        })
        .await;
}

async fn interrupted(scene: &Scene, signal: &str, code: i32) {
    let name = scene.stack.clone();
    let arguments = ["deploy", "-c", "stack.yml", "--timeout", "100", &name];
    let started = scene.started(&arguments, &format!("{name}_db: 0/1 running"));
    let signal = signal.to_owned();
    let ran = tokio::task::spawn_blocking(move || started.signalled(&signal)).await.unwrap();
    assert_eq!(ran.code, code, "{ran:?}");
    let written = format!("written: network {name}_default, {name}_db\n");
    for line in ["Stopping: ", &*written, &format!("not written: {name}_web\n"), "`stack plan`"] {
        assert!(ran.out.contains(line), "`{line}` is missing in: {}", ran.out);
    }
    let live: Vec<String> = scene.versions().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(live, [format!("{name}_db")], "what it said is so");
}
