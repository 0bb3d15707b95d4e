//! The stack engine against the docker command: the same files, deployed by both to the same Engine, must give the same
//! services, networks, secrets and configs, field by field.
//!
//! Nothing runs meanwhile: see [`proxy`].

mod corpus;
mod docker_cli;
mod proxy;
mod sequences;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::{StreamExt, stream};
use release_manager::engine::Write;
use release_manager::names::{DeploymentId, StackName};
use release_manager::plan::{self, Plan};
use release_manager::ports::{Swarm, SwarmError};
use release_manager::stack::{Object, Stack};
use serde_json::json;
use server::swarm::DockerSwarm;
use tokio::sync::Mutex;

use crate::engines;
use corpus::Case;
use docker_cli::DockerCli;
use proxy::Proxy;
use world::{PAUSE, differences, remove, world};

/// Stacks that are not alike on purpose, and that only one of the two takes; see `docs/stack-differences.md`.
const ON_PURPOSE: [&str; 2] = ["variables_differently", "credential_names"];
/// What the Engine refuses whoever asks, for want of a plugin.
const NOWHERE_TAKEN: &str = "secret_drivers";
/// Has members that an older Engine drops: that the docker command has asked for them cannot be seen.
const DROPPED: &str = "newer";
/// So many stacks are deployed at a time.
const AT_ONCE: usize = 4;
/// How often a plan is made anew when the Engine has written into a service meanwhile.
const TRIES: usize = 5;

/// A real Engine and a docker command to compare with.
struct Scene {
    engine: String,
    cli: DockerCli,
    /// Ports belong to the whole Swarm: stacks that publish some go one after the other.
    ports: Mutex<()>,
}

impl Scene {
    /// Both, or nothing where one of them is missing.
    async fn new() -> Option<Self> {
        let engine = engines::docker().await?;
        let cli = DockerCli::find().await.ok()?;
        Some(Self { engine, cli, ports: Mutex::default() })
    }

    fn proxy(&self) -> Proxy {
        Proxy::start(&self.engine)
    }
}

#[tokio::test]
async fn the_docker_command_is_there_to_compare_with() {
    let engine = engines::docker().await.ok_or("TEST_DOCKER_HOST names no Engine: see scripts/dockerd".to_owned());
    let missing = match engine {
        Ok(_) => DockerCli::find().await.err().map(|why| format!("{why}: name one in DOCKER_CLI")),
        Err(why) => Some(why),
    };
    if let Some(why) = missing {
        println!("NOT RUN: the comparison with the docker command (parity::…): {why}");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs it: {why}");
    }
}

/// Our deployment: every write of the plan, in order. `scope` as [`plan::plan`] takes it.
async fn deploy(proxy: &Proxy, wanted: &Stack) -> Result<Plan, String> {
    let swarm = DockerSwarm::connect(&proxy.host()).unwrap();
    let mut first = None;
    for _ in 0..TRIES {
        let live = swarm.live(&wanted.name).await.map_err(|error| error.to_string())?;
        let plan = plan::plan(wanted, &live, None);
        first.get_or_insert_with(|| plan.clone());
        match write(&swarm, &plan).await {
            Ok(()) => return Ok(first.unwrap_or(plan)),
            // The Engine has written ports or addresses into the service: what is left is planned anew.
            Err(SwarmError::OutOfSequence) => (),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("the Engine did not hold still".to_owned())
}

async fn write(swarm: &DockerSwarm, plan: &Plan) -> Result<(), SwarmError> {
    for write in plan.actions.iter().filter_map(|action| action.write.clone()) {
        let write = match write {
            Write::CreateService { spec } => Write::CreateService { spec: plan::stamped(&spec, DeploymentId(1)) },
            Write::UpdateService { id, version, spec } => {
                Write::UpdateService { id, version, spec: plan::stamped(&spec, DeploymentId(1)) }
            }
            other => other,
        };
        let removes = matches!(write, Write::RemoveNetwork { .. });
        let mut tries = 0;
        // The Engine lets go of a network when the last task on it has ended.
        while let Err(error) = swarm.apply(&write).await {
            tries += 1;
            if !removes || tries > 500 {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Makes what the corpus only refers to.
async fn make_externals(scene: &Scene, stacks: &[&Stack]) {
    let proxy = scene.proxy();
    let all = |of: fn(&Stack) -> Vec<String>| stacks.iter().flat_map(|stack| of(stack)).collect::<BTreeSet<String>>();
    for name in all(|stack| externals(&stack.networks)) {
        proxy.post("/networks/create", &json!({"Name": name, "Driver": "overlay", "Attachable": true})).await;
    }
    for name in all(|stack| externals(&stack.secrets)) {
        proxy.post("/secrets/create", &json!({"Name": name, "Data": "eA=="})).await;
    }
    for name in all(|stack| externals(&stack.configs)) {
        proxy.post("/configs/create", &json!({"Name": name, "Data": "eA=="})).await;
    }
}

fn externals(objects: &BTreeMap<String, Object>) -> Vec<String> {
    let names = objects.iter().filter(|(_, object)| matches!(object, Object::External));
    names.map(|(name, _)| name.clone()).collect()
}

fn publishes(stack: &Stack) -> bool {
    stack.services.values().any(|service| service.spec.pointer("/EndpointSpec/Ports").is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_is_deployed_as_the_docker_command_does_it() {
    let Some(scene) = Scene::new().await else { return };
    let directory = corpus::directory();
    let cases: Vec<(Case, Stack)> = corpus::cases()
        .into_iter()
        .enumerate()
        .map(|(number, case)| {
            let stack: StackName = format!("c{}x{number}", std::process::id()).parse().unwrap();
            let rendered = corpus::rendered(&stack, &directory, &case.files, &case.variables);
            let rendered = rendered.unwrap_or_else(|why| panic!("{}: {why}", case.name));
            (case, rendered)
        })
        .collect();
    assert!(cases.len() >= 72, "only {} stacks in the corpus", cases.len());
    make_externals(&scene, &cases.iter().map(|(_, stack)| stack).collect::<Vec<_>>()).await;
    let found: Vec<Vec<String>> = stream::iter(&cases)
        .map(|(case, stack)| compare(&scene, &directory, case, stack))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let found: Vec<String> = found.into_iter().flatten().collect();
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

/// Deploys one stack by the docker command and by us. What differs, and what was written for nothing.
async fn compare(scene: &Scene, directory: &Path, case: &Case, wanted: &Stack) -> Vec<String> {
    let _turn = if publishes(wanted) { Some(scene.ports.lock().await) } else { None };
    let proxy = scene.proxy();
    let name = wanted.name.as_str();
    let by_docker = scene.cli.deploy(&proxy.host(), directory, &case.files, &case.variables, &[], name).await;
    let docker = world(&proxy, name).await;
    let mut found = Vec::new();
    if by_docker.is_ok() && case.name != DROPPED {
        let swarm = DockerSwarm::connect(&proxy.host()).unwrap();
        let adopted = plan::plan(wanted, &swarm.live(&wanted.name).await.unwrap(), None);
        found.extend(
            writes(&adopted)
                .into_iter()
                .map(|write| format!("written although the docker command has done it: {write}")),
        );
    }
    remove(&proxy, name).await;
    let by_us = deploy(&proxy, wanted).await;
    let ours = world(&proxy, name).await;
    match (by_docker, by_us) {
        (Ok(()), Ok(_)) => {
            found.extend(differences(&docker, &ours));
            proxy.writes();
            let again = deploy(&proxy, wanted).await.map(|plan| writes(&plan));
            let sent = proxy.writes();
            found.extend(again.into_iter().flatten().map(|write| format!("written a second time: {write}")));
            found.extend(sent.into_iter().map(|(method, path)| format!("sent a second time: {method} {path}")));
        }
        // Both leave it to the Engine, which lacks what the stack needs.
        (Err(_), Err(_)) if case.name == NOWHERE_TAKEN => (),
        (docker, ours) => found.push(format!("docker: {docker:?} | ours: {:?}", ours.map(|plan| writes(&plan)))),
    }
    remove(&proxy, name).await;
    if ON_PURPOSE.contains(&&*case.name) {
        found =
            if found.is_empty() { vec!["alike, against what the documentation says".to_owned()] } else { Vec::new() };
    }
    found.into_iter().map(|line| format!("{}: {line}", case.name)).collect()
}

/// What a plan would write, in short.
fn writes(plan: &Plan) -> Vec<String> {
    let actions = plan.actions.iter().filter(|action| action.write.is_some());
    actions.map(|action| format!("{:?} {}", action.kind, action.reason)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docker_command_refuses_what_we_refuse() {
    let Some(scene) = Scene::new().await else { return };
    let home = tempfile::tempdir().unwrap();
    let taken: Vec<Option<String>> = stream::iter(corpus::refused().into_iter().enumerate())
        .map(|(number, file)| refused(&scene, home.path(), number, file))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let taken: Vec<String> = taken.into_iter().flatten().collect();
    assert!(taken.is_empty(), "the docker command takes what is in refused.txt:\n{}", taken.join("\n"));
}

async fn refused(scene: &Scene, home: &Path, number: usize, file: corpus::Refused) -> Option<String> {
    let directory = home.join(number.to_string());
    std::fs::create_dir_all(directory.join("files")).unwrap();
    std::fs::write(directory.join("s.yml"), &file.text).unwrap();
    std::fs::copy(corpus::directory().join("files/token"), directory.join("files/token")).unwrap();
    let proxy = scene.proxy();
    let stack = format!("r{}x{number}", std::process::id());
    let result = scene.cli.deploy(&proxy.host(), &directory, &["s.yml".to_owned()], &file.variables, &[], &stack).await;
    // It may have got as far as networks and secrets.
    remove(&proxy, &stack).await;
    result.is_ok().then(|| format!("{}\n{}", file.place, file.text))
}
