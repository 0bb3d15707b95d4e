//! What the commands print, and their exit codes.

use serde_json::Value;

use super::scene::Scene;

const STACK: &str = "
services:
  web:
    image: app:${WEB_VERSION}
    environment:
      PASSWORD: ${PASSWORD:-hush}
    networks: [lab]
    secrets: [key]
    configs:
      - source: motd
        target: /etc/motd
    deploy:
      replicas: 2
      labels: {tier: '1'}
  worker:
    image: registry:5000/team/worker
    networks: [lab]
    depends_on: [web]
networks:
  lab:
secrets:
  key: {file: ./key.txt}
configs:
  motd: {file: ./motd.txt}
";

fn with_files(scene: &Scene) {
    for (name, text) in
        [("stack.yml", STACK), ("key.txt", "hush hush"), ("motd.txt", "hello\n"), ("versions.env", "WEB_VERSION=1\n")]
    {
        scene.write(name, text);
    }
}

const FILES: [&str; 4] = ["-c", "stack.yml", "--env-file", "versions.env"];

#[tokio::test]
async fn config_prints_what_the_engine_would_be_asked_for() {
    let scene = Scene::without_engine();
    with_files(&scene);
    let arguments = [&["config"], &FILES[..], &["shop"]].concat();
    let ran = scene.expect(&arguments, 0).await;
    insta::assert_snapshot!(ran.out);
    assert!(ran.err.is_empty(), "{}", ran.err);
    assert_eq!(scene.expect(&arguments, 0).await.out, ran.out, "the same files give the same bytes");
    let json = scene.expect(&[&["config", "--format", "json"], &FILES[..], &["shop"]].concat(), 0).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["secrets"]["shop_key"]["spec"]["Data"], "(hidden)");
    assert_eq!(json["services"]["worker"]["depends_on"][0], "web");
}

#[tokio::test]
async fn a_stack_is_read_from_standard_input() {
    let scene = Scene::without_engine();
    scene.write("stack.yml", "services: {web: {image: 'app:${VERSION}', volumes: ['./data:/data']}}");
    let mut command = scene.command(&["config", "-c", "-", "--format", "json"]);
    command.env("VERSION", "7").stdin(std::fs::File::open(scene.path().join("stack.yml")).unwrap());
    let output = command.output().unwrap();
    let stack: Value = serde_json::from_slice(&output.stdout).unwrap();
    let container = &stack["services"]["web"]["spec"]["TaskTemplate"]["ContainerSpec"];
    assert_eq!(container["Image"], "app:7");
    let data = scene.path().canonicalize().unwrap().join("data");
    assert_eq!(container["Mounts"][0]["Source"], data.to_str().unwrap());
}

#[tokio::test]
async fn what_is_wrong_with_a_stack_is_said_at_once_with_its_place() {
    let scene = Scene::without_engine();
    scene.write("stack.yml", "services:\n  web:\n    image: app:${VERSION}\n    colour: red\n");
    let ran = scene.expect(&["config", "-c", "stack.yml"], 1).await;
    assert!(ran.err.starts_with("release-manager: stack.yml:3: services.web.image: "), "{}", ran.err);
    assert!(ran.err.contains("\n  stack.yml:4: services.web"), "{}", ran.err);
    let ran = scene.expect(&["deploy", "-c", "none.yml", "shop"], 1).await;
    assert!(ran.err.contains("`none.yml`: No such file"), "{}", ran.err);
    let ran = scene.expect(&["plan", "-c", "stack.yml", "not a name"], 2).await;
    assert!(ran.err.contains("is not a stack name"), "{}", ran.err);
    scene.write("stack.yml", "services: {web: {image: app}}");
    let ran = scene.expect(&["deploy", "-c", "stack.yml", "shop"], 1).await;
    assert!(ran.err.contains("unix:///nowhere/docker.sock") && ran.err.contains("check DOCKER_HOST"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_would_be_done_and_its_exit_code_whether_there_is_anything() {
    let scene = Scene::simulated().await;
    with_files(&scene);
    let plan = [&["plan"], &FILES[..], &["shop"]].concat();
    let ran = scene.expect(&plan, 2).await;
    insta::assert_snapshot!("plan of a new stack", ran.out);
    scene.deploy(&FILES, 0).await;
    let ran = scene.expect(&plan, 0).await;
    insta::assert_snapshot!("plan without changes", ran.out);

    scene.write("versions.env", "WEB_VERSION=2\nPASSWORD=quiet\n");
    scene.write("motd.txt", "hello again\n");
    let ran = scene.expect(&plan, 2).await;
    // The digest that the simulated registry gives is made from the name.
    insta::assert_snapshot!("plan of changes", without_digests(&ran.out));
    let json = scene.expect(&[&["plan", "--format", "json"], &FILES[..], &["shop"]].concat(), 2).await;
    let seen: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&seen["stack"], &seen["changes"]), (&Value::from("shop"), &Value::from(true)));
    let web = seen["actions"].as_array().unwrap().iter().find(|action| action["name"] == "web").unwrap();
    assert_eq!((&web["action"], &web["from"], &web["to"]), (&"update".into(), &"1".into(), &"2".into()));
    for (what, text) in [("text", &ran.out), ("json", &json.out)] {
        for secret in ["hush", "quiet", "aHVzaCBodXNo"] {
            assert!(!text.contains(secret), "the {what} shows `{secret}`: {text}");
        }
    }
}

fn without_digests(text: &str) -> String {
    let digest = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len());
        format!("sha256:…{}", &part[end..])
    };
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    std::iter::once(first).chain(parts.map(digest)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deployed_is_an_error_with_the_blockers() {
    let scene = Scene::simulated().await;
    scene.write("stack.yml", "services: {web: {image: 'app:1', networks: [out]}}\nnetworks: {out: {external: true}}\n");
    let ran = scene.expect(&["plan", "-c", "stack.yml", "shop"], 1).await;
    assert!(ran.out.contains("Blocker: web: ") && ran.out.contains("external network `out`"), "{}", ran.out);
    let ran = scene.expect(&["deploy", "-c", "stack.yml", "shop"], 1).await;
    assert!(ran.err.contains("external network `out`"), "{}", ran.err);
    assert!(scene.live().await.services.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_services_and_tasks_are_listed_and_taken_out() {
    let scene = Scene::simulated().await;
    lists(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_services_and_tasks_are_listed_and_taken_out_on_docker() {
    let Some(scene) = Scene::docker("lists").await else { return };
    scene.run(lists).await;
}

async fn lists(scene: &Scene) {
    let name = &*scene.stack;
    let ran = scene.expect(&["rm", name], 0).await;
    assert_eq!(ran.err, format!("warning: nothing found in stack {name}\n"));
    scene.write(
        "stack.yml",
        "services: {web: {image: 'app:1', configs: [motd]}}\nconfigs: {motd: {file: ./motd.txt}}\n",
    );
    scene.write("motd.txt", "hello");
    scene.deploy(&["-c", "stack.yml"], 0).await;

    let json =
        async |arguments: &[&str]| -> Value { serde_json::from_str(&scene.expect(arguments, 0).await.out).unwrap() };
    let stacks = json(&["ls", "--format", "json"]).await;
    assert!(stacks.as_array().unwrap().contains(&serde_json::json!({"name": name, "services": 1})), "{stacks}");
    let services = json(&["services", "--format", "json", name]).await;
    let web = &services[0];
    assert_eq!((&web["name"], &web["image"]), (&format!("{name}_web").into(), &"app:1".into()));
    assert_eq!((&web["mode"], &web["running"], &web["desired"]), (&"replicated".into(), &1.into(), &1.into()));
    let tasks = json(&["ps", "--format", "json", name]).await;
    assert_eq!((&tasks[0]["name"], &tasks[0]["state"]), (&format!("{name}_web.1").into(), &"running".into()));
    let text = scene.expect(&["services", name], 0).await.out;
    assert!(text.starts_with("ID ") && text.contains(&format!("{name}_web")) && text.contains("1/1"), "{text}");

    let ran = scene.expect(&["rm", "--timeout", "60", name], 0).await;
    for line in [format!("Removing service {name}_web"), format!("Removed config {name}_motd")] {
        assert!(ran.out.contains(&line), "`{line}` is missing in: {}", ran.out);
    }
    assert!(ran.out.contains(&format!("Removed network {name}_default")), "{}", ran.out);
    let left = scene.live().await;
    assert!(left.services.is_empty() && !left.networks.contains_key(&format!("{name}_default")));

    scene.deploy(&["-c", "stack.yml"], 0).await;
    let removed = json(&["rm", "--timeout", "60", "--format", "json", name, "no-such-stack"]).await;
    let of = |kind: &str, what: &str| serde_json::json!({"kind": kind, "name": format!("{name}_{what}")});
    let expected = [of("service", "web"), of("config", "motd"), of("network", "default")];
    assert_eq!(
        removed,
        serde_json::json!([{"stack": name, "removed": expected}, {"stack": "no-such-stack", "removed": []}])
    );
    assert!(scene.live().await.services.is_empty());
}
