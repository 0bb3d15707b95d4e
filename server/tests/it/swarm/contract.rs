//! What every Engine in swarm mode does, seen through the adapter.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use release_manager::engine::Write;
use release_manager::lease::{Holder, Lease};
use release_manager::ports::{ImagePresence, Pin, Swarm, SwarmError};
use serde_json::json;
use tokio::time::timeout;

use super::specs::{config, create, network, references, running, secret, service, update, with};
use super::world::{LIMIT, World, docker_host};

/// Runs every function of the suite as a test of its own against each Engine.
macro_rules! contract {
    ($($test:ident)*) => {
        mod simulated {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::World::simulated(stringify!($test), super::$test).await;
            })*
        }

        mod within {
            $(#[tokio::test(start_paused = true)]
            async fn $test() {
                super::World::within(stringify!($test), super::$test).await;
            })*
        }

        mod docker {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::World::docker(stringify!($test), super::$test).await;
            })*
        }
    };
}

contract! {
    it_says_which_engine_it_is_and_where
    what_was_made_is_live
    names_of_secrets_and_configs_become_ids
    what_a_service_names_must_exist
    a_name_that_is_taken_is_refused
    an_update_needs_the_version_that_was_read
    a_spec_that_was_read_can_be_written_again
    what_is_gone_is_not_found
    what_is_in_use_is_not_removed
    a_wrong_spec_is_refused_in_the_words_of_the_engine
    tasks_match_the_spec_of_their_service_after_an_update
    a_crash_shows_its_exit_code
    a_missing_image_shows_as_a_rejected_task
    a_task_that_no_node_may_run_stays_pending_with_a_reason
    a_job_completes_and_counts_its_iterations
    a_global_service_wants_a_task_for_each_node
    a_change_wakes
    the_last_lines_of_a_task_are_its_logs
    the_lines_of_all_tasks_are_the_log_of_a_service
    a_lease_is_written_by_one_of_several
    a_process_outside_the_swarm_is_no_service_of_it
    other_services_show_the_ports_that_they_take
    the_networks_of_every_engine_are_there
    an_image_is_pinned_or_no_registry_knows_it
    an_image_is_found_and_one_that_is_nowhere_is_not
}

#[test]
fn the_contract_is_kept_by_a_real_engine() {
    if docker_host().is_none() {
        println!("NOT RUN: the Swarm contract against a real Docker Engine: TEST_DOCKER_HOST names none");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs TEST_DOCKER_HOST: see scripts/dockerd");
    }
}

async fn it_says_which_engine_it_is_and_where(world: &World) {
    let words = world.swarm.check().await.unwrap();
    assert!(words.starts_with("Docker "), "{words}");
    assert!(words.contains("(API 1.") && words.ends_with(&world.host), "{words}");
}

async fn what_was_made_is_live(world: &World) {
    let stack = world.stack();
    let network = world.apply(network(stack, "net")).await;
    let secret = world.apply(secret(stack, "key", "hush")).await;
    let config = world.apply(config(stack, "site", "hello")).await;
    let networks = json!({"TaskTemplate": {"Networks": [{"Target": world.name("net"), "Aliases": ["web"]}]}});
    let service = world.apply(create(with(service(stack, "web", "app:1"), networks))).await;

    let live = world.swarm.live(&world.stack).await.unwrap();
    assert_eq!(live.services[&world.name("web")].id, service);
    let object = &live.networks[&world.name("net")];
    assert_eq!((&object.id, &*object.scope), (&network, "swarm"));
    assert_eq!(live.services[&world.name("web")].spec["TaskTemplate"]["Networks"][0]["Target"], json!(network));
    let object = &live.secrets[&world.name("key")];
    assert_eq!((&object.id, &object.data), (&secret, &None));
    let object = &live.configs[&world.name("site")];
    assert_eq!((&object.id, object.data.as_deref()), (&config, Some("aGVsbG8=")));
    assert_eq!(object.labels["com.docker.stack.namespace"], stack);
    assert!(live.nodes.iter().any(|node| node.is_ready() && node.role == "manager" && node.memory_bytes > 0));
}

async fn names_of_secrets_and_configs_become_ids(world: &World) {
    let stack = world.stack();
    let key = world.apply(secret(stack, "key", "hush")).await;
    world.apply(secret(stack, "key2", "a name that begins with another")).await;
    let site = world.apply(config(stack, "site", "hello")).await;
    let spec = with(service(stack, "web", "app:1"), references(&world.name("key"), &world.name("site")));
    world.apply(create(spec)).await;

    let container = &world.service("web").await.spec["TaskTemplate"]["ContainerSpec"];
    assert_eq!(container["Secrets"][0]["SecretID"], json!(key));
    assert_eq!(container["Configs"][0]["ConfigID"], json!(site));
}

async fn what_a_service_names_must_exist(world: &World) {
    let stack = world.stack();
    let web = || service(stack, "web", "app:1");
    world.apply(config(stack, "site", "hello")).await;
    let refused = world.refused(create(with(web(), references("no-such-key", &world.name("site"))))).await;
    assert!(matches!(&refused, SwarmError::Refused(text) if text.contains("`no-such-key`")), "{refused:?}");

    let networks = json!({"TaskTemplate": {"Networks": [{"Target": "no-such-net"}]}});
    let refused = world.refused(create(with(web(), networks))).await;
    assert!(matches!(&refused, SwarmError::Refused(text) if text.contains("no-such-net")), "{refused:?}");
}

async fn a_name_that_is_taken_is_refused(world: &World) {
    let stack = world.stack();
    for write in [
        network(stack, "net"),
        secret(stack, "key", "hush"),
        config(stack, "site", "hello"),
        create(service(stack, "web", "app:1")),
    ] {
        world.apply(write.clone()).await;
        let refused = world.refused(write.clone()).await;
        assert!(matches!(refused, SwarmError::NameTaken(_)), "{write:?}: {refused:?}");
    }
}

async fn an_update_needs_the_version_that_was_read(world: &World) {
    let spec = |image| service(world.stack(), "web", image);
    world.apply(create(spec("app:1"))).await;
    world.until_running().await;
    let before = world.service("web").await;
    assert_eq!(world.apply(update(&before, spec("app:2"))).await, before.id);
    let refused = world.refused(update(&before, spec("app:3"))).await;
    assert!(matches!(refused, SwarmError::OutOfSequence), "{refused:?}");
    let after = world.service("web").await;
    assert!(after.version > before.version);
    assert_eq!(after.spec["TaskTemplate"]["ContainerSpec"]["Image"], "app:2");
}

async fn a_spec_that_was_read_can_be_written_again(world: &World) {
    let stack = world.stack();
    world.apply(secret(stack, "key", "hush")).await;
    world.apply(config(stack, "site", "hello")).await;
    let spec = with(service(stack, "web", "app:1"), references(&world.name("key"), &world.name("site")));
    world.apply(create(spec)).await;
    world.until_running().await;
    let before = world.service("web").await;
    world.apply(update(&before, before.spec.clone())).await;
    assert_eq!(world.service("web").await.spec, before.spec);
}

async fn what_is_gone_is_not_found(world: &World) {
    let stack = world.stack();
    let spec = service(stack, "web", "app:1");
    let id = world.apply(create(spec.clone())).await;
    let service = world.service("web").await;
    for remove in [
        Write::RemoveService { id },
        Write::RemoveNetwork { id: world.apply(network(stack, "net")).await },
        Write::RemoveSecret { id: world.apply(secret(stack, "key", "hush")).await },
        Write::RemoveConfig { id: world.apply(config(stack, "site", "hello")).await },
    ] {
        world.apply(remove.clone()).await;
        let refused = world.refused(remove.clone()).await;
        assert!(matches!(refused, SwarmError::NotFound(_)), "{remove:?}: {refused:?}");
    }
    let refused = world.refused(update(&service, spec)).await;
    assert!(matches!(refused, SwarmError::NotFound(_)), "{refused:?}");
    assert!(matches!(world.swarm.logs("no-such-task", 5).await, Err(SwarmError::NotFound(_))));
    world.until("the service is gone, and its tasks", |seen| seen.services.is_empty() && seen.tasks.is_empty()).await;
}

async fn what_is_in_use_is_not_removed(world: &World) {
    let stack = world.stack();
    let id = world.apply(secret(stack, "key", "hush")).await;
    world.apply(config(stack, "site", "hello")).await;
    let spec = with(service(stack, "web", "app:1"), references(&world.name("key"), &world.name("site")));
    world.apply(create(spec)).await;
    let refused = world.refused(Write::RemoveSecret { id }).await;
    assert!(matches!(&refused, SwarmError::Refused(text) if text.contains(&world.name("web"))), "{refused:?}");
}

async fn a_wrong_spec_is_refused_in_the_words_of_the_engine(world: &World) {
    let web = || service(world.stack(), "web", "app:1");
    for (wrong, words) in [
        (json!({"TaskTemplate": {"Placement": {"Constraints": ["node.role is manager"]}}}), "constraint"),
        (json!({"TaskTemplate": {"ContainerSpec": {"Image": "UPPER:bad tag"}}}), "not a valid repository/tag"),
        (json!({"Name": "not.a.name"}), "DNS name component"),
    ] {
        let refused = world.refused(create(with(web(), wrong))).await;
        assert!(matches!(&refused, SwarmError::Refused(text) if text.contains(words)), "{words}: {refused:?}");
    }
}

async fn tasks_match_the_spec_of_their_service_after_an_update(world: &World) {
    let spec = |image| service(world.stack(), "web", image);
    world.apply(create(spec("app:1"))).await;
    let first = world.until_running().await;
    let old = first.up_to_date.clone();
    let before = &first.services[&world.name("web")];
    assert_eq!((before.update.as_ref(), before.job_iteration, before.desired_tasks), (None, None, 1));
    assert!(first.tasks.iter().all(|task| task.slot == Some(1) && task.exit_code.is_none()));

    world.apply(update(&world.service("web").await, spec("app:2"))).await;
    let seen = world
        .until("the update is over", |seen| {
            let state = |state: &str| {
                seen.services.values().all(|service| {
                    service.update.as_ref().is_some_and(|update| update.state == state && update.started_at.is_some())
                })
            };
            state("completed")
        })
        .await;
    assert!(seen.up_to_date.is_disjoint(&old), "{seen:#?}");
    let current = seen.tasks.iter().find(|task| seen.up_to_date.contains(&task.id)).unwrap();
    assert_eq!((&*current.state, &*current.desired_state), ("running", "running"));
    assert!(seen.nodes.iter().any(|node| Some(&node.id) == current.node_id.as_ref()));
    let old = seen.tasks.iter().find(|task| old.contains(&task.id)).unwrap();
    assert_eq!(old.desired_state, "shutdown");
}

async fn a_crash_shows_its_exit_code(world: &World) {
    world.apply(create(running(service(world.stack(), "web", "app:1"), "exit 3"))).await;
    let task = world.until_task("a task fails", |task| task.state == "failed").await;
    assert_eq!(task.exit_code, Some(3), "{task:?}");
    assert!(task.error.as_deref().is_some_and(|error| error.contains("non-zero exit (3)")), "{task:?}");
}

async fn a_missing_image_shows_as_a_rejected_task(world: &World) {
    world.apply(create(service(world.stack(), "web", "app:missing"))).await;
    let task = world.until_task("a task is rejected", |task| task.state == "rejected").await;
    assert_eq!(task.exit_code, None, "{task:?}");
    assert!(task.error.as_deref().is_some_and(|error| error.contains("No such image: app:missing")), "{task:?}");
}

async fn a_task_that_no_node_may_run_stays_pending_with_a_reason(world: &World) {
    let nowhere = json!({"TaskTemplate": {"Placement": {"Constraints": ["node.labels.nowhere == true"]}}});
    world.apply(create(with(service(world.stack(), "web", "app:1"), nowhere))).await;
    let task = world.until_task("a task has a reason", |task| task.error.is_some()).await;
    assert_eq!((&*task.state, &task.node_id), ("pending", &None));
    assert!(task.error.is_some_and(|error| error.starts_with("no suitable node")));
}

async fn a_job_completes_and_counts_its_iterations(world: &World) {
    let job = || {
        let mut job = running(service(world.stack(), "job", "app:1"), "echo done");
        let members = job.as_object_mut().unwrap();
        members.remove("UpdateConfig");
        members.insert("Mode".into(), json!({"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}));
        with(job, json!({"TaskTemplate": {"RestartPolicy": {"Condition": "on-failure"}}}))
    };
    world.apply(create(job())).await;
    let task = world.until_task("the job completes", |task| task.state == "complete").await;
    assert_eq!((task.slot, task.job_iteration, task.exit_code), (None, Some(0), Some(0)));
    assert_eq!(world.service("job").await.job_iteration, Some(0));

    let again = with(job(), json!({"Labels": {"again": "yes"}}));
    world.apply(update(&world.service("job").await, again)).await;
    let second = |task: &release_manager::engine::Task| task.state == "complete" && task.job_iteration == Some(1);
    world.until_task("the job completes again", second).await;
}

async fn a_global_service_wants_a_task_for_each_node(world: &World) {
    let mut spec = service(world.stack(), "agent", "app:1");
    spec["Mode"] = json!({"Global": {}});
    world.apply(create(spec)).await;
    let seen = world.until_running().await;
    let agent = &seen.services[&world.name("agent")];
    assert_eq!(agent.desired_tasks, seen.nodes.iter().filter(|node| node.is_ready()).count() as u64);
    assert!(seen.tasks.iter().all(|task| task.slot.is_none() && task.node_id.is_some()), "{:?}", seen.tasks);
}

async fn a_change_wakes(world: &World) {
    let mut changes = world.swarm.changes().await.unwrap();
    world.apply(create(service(world.stack(), "web", "app:1"))).await;
    timeout(LIMIT, changes.next()).await.expect("the creation of a service wakes").expect("the stream goes on");
}

async fn the_last_lines_of_a_task_are_its_logs(world: &World) {
    let script = "echo one; echo two; echo three; sleep 1000";
    world.apply(create(running(service(world.stack(), "web", "app:1"), script))).await;
    let task = world.until_task("the task runs", |task| task.state == "running").await;
    // The container runs before its first line is written.
    let read = async {
        loop {
            let lines = world.swarm.logs(&task.id, 50).await.unwrap();
            if lines.len() >= 3 {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert_eq!(timeout(LIMIT, read).await.expect("the lines are written"), ["one", "two", "three"]);
    assert_eq!(world.swarm.logs(&task.id, 2).await.unwrap(), ["two", "three"]);
}

async fn other_services_show_the_ports_that_they_take(world: &World) {
    let other = World::neighbour(world);
    let port = 20_000 + std::process::id() % 20_000;
    let ports = json!({"EndpointSpec": {"Ports": [
        {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": port, "PublishMode": "ingress"},
    ]}});
    // The neighbour has no tasks: the port is taken all the same.
    let spec = with(service(other.stack(), "web", "app:1"), json!({"Mode": {"Replicated": {"Replicas": 0}}}));
    other.apply(create(with(spec, ports.clone()))).await;
    let live = world.swarm.live(&world.stack).await.unwrap();
    let clash = world.swarm.apply(&create(with(service(world.stack(), "web", "app:1"), ports))).await;
    other.clean().await;
    assert_eq!(live.others[&other.name("web")], [format!("{port}/tcp")]);
    assert!(!live.services.contains_key(&other.name("web")));
    assert!(matches!(&clash, Err(SwarmError::Refused(text)) if text.contains("already in use")), "{clash:?}");
}

async fn the_networks_of_every_engine_are_there(world: &World) {
    let live = world.swarm.live(&world.stack).await.unwrap();
    for name in ["host", "bridge", "none"] {
        assert_eq!(live.networks[name].scope, "swarm", "{name}");
    }
    let networks = json!({"TaskTemplate": {"Networks": [{"Target": "host"}]}});
    world.apply(create(with(service(world.stack(), "web", "app:1"), networks))).await;
    let spec = world.service("web").await.spec;
    assert_eq!(spec["TaskTemplate"]["Networks"][0]["Target"], json!(live.networks["host"].id));
}

async fn an_image_is_found_and_one_that_is_nowhere_is_not(world: &World) {
    assert_eq!(world.swarm.find_image("app:1").await.unwrap(), ImagePresence::Found);
    assert_ne!(world.swarm.find_image("127.0.0.1:1/app:missing").await.unwrap(), ImagePresence::Found);
}

async fn an_image_is_pinned_or_no_registry_knows_it(world: &World) {
    let pinned = "app:1@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(world.swarm.pin(pinned).await.unwrap().pinned().map(|found| found.image).as_deref(), Some(pinned));
    let found = world.swarm.pin("app:1").await.unwrap().pinned();
    assert!(found.as_ref().is_none_or(|found| found.image.starts_with("app:1@sha256:")), "{found:?}");
    // A registry that cannot be asked says nothing; one that can says that there is none.
    let missing = world.swarm.pin("127.0.0.1:1/app:missing").await;
    assert!(matches!(missing, Ok(Pin::Unknown(_) | Pin::Local) | Err(SwarmError::NotFound(_))), "{missing:?}");
}

async fn the_lines_of_all_tasks_are_the_log_of_a_service(world: &World) {
    let script = "echo one; echo two >&2; sleep 1000";
    let two = json!({"Mode": {"Replicated": {"Replicas": 2}}});
    world.apply(create(with(running(service(world.stack(), "web", "app:1"), script), two))).await;
    world.until_task("a task runs", |task| task.state == "running").await;
    let name = world.name("web");
    let read = async {
        loop {
            let lines = world.swarm.service_logs(&name, 50, false).await.unwrap();
            let lines: Vec<_> = lines.map(Result::unwrap).collect().await;
            if lines.len() >= 4 {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let lines = timeout(LIMIT, read).await.expect("the lines are written");
    assert_eq!(lines.iter().filter(|line| line.error && line.text == "two").count(), 2, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| !line.error && line.text == "one").count(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.at.is_some() && line.task.is_some() && line.node.is_some()), "{lines:?}");
    assert!(matches!(world.swarm.service_logs("no-such-service", 1, false).await, Err(SwarmError::NotFound(_))));
}

async fn a_lease_is_written_by_one_of_several(world: &World) {
    let holder = |process: usize| Holder {
        database: "d".repeat(32),
        process: process.to_string(),
        place: format!("process {process}, \"quoted\""),
    };
    let lease = |process| Lease { holder: holder(process), epoch: 1, challenger: None };
    assert_eq!(world.swarm.lease(&world.stack).await.unwrap(), None);
    // Of eight that make it, and then of eight that write over the same one, one succeeds each time.
    for _ in 0..2 {
        let before = world.swarm.lease(&world.stack).await.unwrap();
        let puts = (0..8).map(async |process| {
            world.swarm.put_lease(&world.stack, &lease(process), before.as_ref()).await.map(|()| process)
        });
        let (won, lost): (Vec<_>, Vec<_>) = join_all(puts).await.into_iter().partition(Result::is_ok);
        let late = |error: &SwarmError| matches!(error, SwarmError::OutOfSequence | SwarmError::NameTaken(_));
        assert!(lost.iter().all(|lost| lost.as_ref().is_err_and(late)), "{lost:?}");
        assert_eq!(won.len(), 1, "{won:?}");
        let seen = world.swarm.lease(&world.stack).await.unwrap().unwrap();
        assert_eq!(seen.lease, lease(*won[0].as_ref().unwrap()));
    }
    let seen = world.swarm.lease(&world.stack).await.unwrap().unwrap();
    let challenged = Lease { challenger: Some(holder(9)), ..seen.lease.clone() };
    world.swarm.put_lease(&world.stack, &challenged, Some(&seen)).await.unwrap();
    let seen = world.swarm.lease(&world.stack).await.unwrap().unwrap();
    assert_eq!(seen.lease, challenged);
    world.apply(Write::RemoveConfig { id: seen.id }).await;
}

async fn a_process_outside_the_swarm_is_no_service_of_it(world: &World) {
    let identity = world.swarm.identity().await.unwrap();
    assert_eq!(identity.service, None);
    assert!(!identity.place.is_empty() && !identity.process.is_empty(), "{identity:?}");
    assert_eq!(world.swarm.identity().await.unwrap(), identity, "it stays the same");
}
