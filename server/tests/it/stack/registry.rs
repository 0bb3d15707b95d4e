//! Digests and logins, against a real registry behind a real Engine. `scripts/dockerd registry` starts it.

use std::process::Command;

use serde_json::json;

use super::scene::Scene;

/// The address of the registry as the Engine sees it, if there is one to test against.
fn address() -> Option<String> {
    std::env::var("TEST_REGISTRY").ok().filter(|address| !address.is_empty())
}

#[test]
fn there_is_a_registry_to_test_against() {
    if address().is_none() {
        println!("NOT RUN: digests and logins against a real registry: TEST_REGISTRY names none");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs TEST_REGISTRY: see scripts/dockerd");
    }
}

/// A repository of this test's own, and a way to put images into it.
struct Repository {
    address: String,
    name: String,
    host: String,
    config: std::path::PathBuf,
}

impl Repository {
    fn docker(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("docker");
        command.arg("--config").arg(&self.config).args(["--host", &self.host]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Moves a tag to an image that the Engine has, and returns the digest that the registry gave.
    fn publish(&self, image: &str, tag: &str) -> String {
        let target = format!("{}:{tag}", self.name);
        self.docker(&["tag", image, &target]);
        let said = self.docker(&["push", &target]);
        let digest = said.split_once("digest: ").and_then(|(_, rest)| rest.split_whitespace().next());
        digest.unwrap_or_else(|| panic!("no digest in: {said}")).to_owned()
    }
}

/// Writes a `config.json` with a login into the directory.
fn log_in(scene: &Scene, address: &str, password: &str) {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("test:{password}"));
    std::fs::create_dir_all(scene.path().join(".docker")).unwrap();
    scene.write(".docker/config.json", &json!({"auths": {address: {"auth": auth}}}).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_is_pinned_to_the_digest_of_its_registry_and_kept_until_it_is_looked_up_again() {
    let (Some(scene), Some(address)) = (Scene::docker("digest").await, address()) else { return };
    let repository = Repository {
        name: format!("{address}/{}", scene.stack),
        host: scene.host.clone(),
        config: scene.path().join(".docker"),
        address,
    };
    scene.run(async |scene| pinned(scene, &repository).await).await;
}

async fn pinned(scene: &Scene, repository: &Repository) {
    let image = format!("{}:stable", repository.name);
    scene.write("stack.yml", &format!("services: {{web: {{image: '{image}', stop_grace_period: 1s}}}}"));
    // Without a login the registry says nothing, and the service runs whatever the tag means.
    let ran = scene.expect(&["plan", "-c", "stack.yml", &scene.stack], 2).await;
    assert!(ran.out.contains("no registry says which digest") && ran.out.contains(&image), "{}", ran.out);

    log_in(scene, &repository.address, "test");
    let first = repository.publish("app:1", "stable");
    scene.deploy(&["--with-registry-auth", "-c", "stack.yml"], 0).await;
    assert_eq!(scene.image("web").await, format!("{image}@{first}"));
    let live = scene.live().await;
    let placement = &live.services[&format!("{}_web", scene.stack)].spec["TaskTemplate"]["Placement"];
    assert_eq!(placement["Platforms"], json!([{"Architecture": "amd64", "OS": "linux"}]));

    let missing = format!("{}:no-such-tag", repository.name);
    scene.write("missing.yml", &format!("services: {{web: {{image: '{missing}'}}}}"));
    let ran = scene.expect(&["deploy", "-c", "missing.yml", &scene.stack], 1).await;
    assert!(ran.err.contains(&missing) && ran.err.contains("cannot be found"), "{}", ran.err);
    assert_eq!(scene.image("web").await, format!("{image}@{first}"));

    let second = repository.publish("app:2", "stable");
    assert_ne!(first, second);
    let before = scene.versions().await;
    for resolve in ["changed", "never"] {
        scene.deploy(&["--resolve-image", resolve, "-c", "stack.yml"], 0).await;
        assert_eq!(scene.versions().await, before, "{resolve}");
    }
    // With a wrong password the registry says nothing, and what runs keeps its digest.
    log_in(scene, &repository.address, "wrong");
    scene.deploy(&["-c", "stack.yml"], 0).await;
    assert_eq!(scene.versions().await, before);

    log_in(scene, &repository.address, "test");
    let ran = scene.deploy(&["--with-registry-auth", "-c", "stack.yml"], 0).await;
    assert!(ran.out.contains("image stable has a new digest"), "{}", ran.out);
    assert_eq!(scene.image("web").await, format!("{image}@{second}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_a_helper_keeps_is_named_where_the_nodes_need_it() {
    let scene = Scene::simulated().await;
    std::fs::create_dir_all(scene.path().join(".docker")).unwrap();
    scene.write(".docker/config.json", r#"{"auths": {"registry:5000": {}}, "credsStore": "desktop"}"#);
    scene.write("stack.yml", "services: {web: {image: 'registry:5000/app:1'}}");
    let ran = scene.expect(&["deploy", "--with-registry-auth", "-c", "stack.yml", &scene.stack], 1).await;
    assert!(ran.err.contains("`registry:5000`") && ran.err.contains("`docker-credential-desktop`"), "{}", ran.err);
    assert!(scene.live().await.services.is_empty());
    scene.deploy(&["-c", "stack.yml"], 0).await;
}

#[tokio::test]
async fn a_server_does_not_start_with_logins_that_it_cannot_use() {
    let scene = Scene::without_engine();
    scene.write("config.json", r#"{"auths": {"registry:5000": {}}, "credsStore": "desktop"}"#);
    for (directory, words) in [(".", "`docker-credential-desktop`"), ("nowhere", "cannot be read")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_release-manager"));
        command.arg("serve").current_dir(scene.path()).env_clear();
        command.env("GITHUB_REPO", "user/homelab").env("DOCKER_CONFIG", directory);
        let output = command.output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{err}");
        assert!(err.contains("DOCKER_CONFIG: ") && err.contains(words), "{err}");
    }
}
