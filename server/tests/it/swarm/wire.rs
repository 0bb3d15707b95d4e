//! What no Engine does on demand: unknown words, broken connections, exchanged Engines.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use release_manager::engine::Write;
use release_manager::names::StackName;
use release_manager::ports::{Pin, Swarm, SwarmError};
use serde_json::{Value, json};
use server::swarm::DockerSwarm;
use tokio::time::Instant;

use super::fake::{Answer, Asked, Fake};

fn stack() -> StackName {
    "shop".parse().unwrap()
}

fn service(version: u64) -> Value {
    json!({
        "ID": "s1", "Version": {"Index": version}, "Sidecars": [{"Name": "new in API 9"}],
        "Spec": {
            "Name": "shop_web", "Labels": {"com.docker.stack.namespace": "shop"},
            "TaskTemplate": {"ContainerSpec": {"Image": "app:1", "Isolation": "telepathy", "Teleport": {"To": "moon"}}},
            "UpdateConfig": {"FailureAction": "shrug", "Order": "sideways"},
            "EndpointSpec": {"Mode": "quantum"},
        },
        "UpdateStatus": {"State": "meditating", "Message": "om"},
    })
}

fn task() -> Value {
    json!({
        "ID": "t1", "ServiceID": "s1", "Slot": 1, "DesiredState": "hovering",
        "Status": {"State": "levitating", "ContainerStatus": {"Mood": "good"}},
        "Spec": {"ContainerSpec": {"Image": "app:1", "Isolation": "telepathy", "Teleport": {"To": "moon"}}},
    })
}

/// An Engine with one service and one task, full of words that nobody knows.
fn from_the_future(asked: &Asked) -> Answer {
    let networks = json!([{"Name": "net", "Id": "n1", "Scope": "galaxy", "Driver": "wormhole", "Warp": 9}]);
    let nodes = json!([{
        "ID": "node1", "Spec": {"Role": "oracle", "Availability": "asleep"}, "Status": {"State": "dreaming"},
    }]);
    let body = match asked {
        asked if asked.is("GET", "/services") => json!([service(7)]),
        asked if asked.is("GET", "/tasks") => json!([task()]),
        asked if asked.is("GET", "/nodes") => nodes,
        asked if asked.is("GET", "/networks") => networks,
        asked if asked.is("GET", "/secrets") => json!([{"ID": "x1", "Spec": {"Name": "key", "Seal": "wax"}}]),
        asked if asked.is("GET", "/configs") => json!([{"ID": "c1", "Spec": {"Name": "site", "Data": "aGk="}}]),
        asked if asked.is("GET", "/info") => json!({
            "ServerVersion": "99.0", "CgroupDriver": "gravity",
            "Swarm": {"LocalNodeState": "active", "ControlAvailable": true, "Error": "", "Mood": "good"},
        }),
        asked if asked.is("POST", "/services/s1/update") => json!({"Warnings": null}),
        asked if asked.is("POST", "/services/create") => json!({"ID": "s2"}),
        _ => return Answer::Json(404, json!({"message": "not found"})),
    };
    Answer::Json(200, body)
}

#[tokio::test]
async fn unknown_words_and_members_are_survived_and_written_back() {
    let fake = Fake::new(from_the_future);
    assert!(fake.swarm.check().await.unwrap().starts_with("Docker 99.0 (API 1.41) at unix:///"));
    let seen = fake.swarm.observe(&stack()).await.unwrap();
    let web = &seen.services["shop_web"];
    assert_eq!(web.spec, service(7)["Spec"]);
    assert_eq!(web.update.as_ref().unwrap().state, "meditating");
    assert_eq!((&*seen.tasks[0].state, &*seen.tasks[0].desired_state), ("levitating", "hovering"));
    assert_eq!((&*seen.nodes[0].state, &*seen.nodes[0].availability), ("dreaming", "asleep"));

    let live = fake.swarm.live(&stack()).await.unwrap();
    assert_eq!(live.services["shop_web"], *web);
    assert_eq!((&*live.networks["net"].id, &*live.networks["net"].scope), ("n1", "galaxy"));
    assert_eq!((&*live.secrets["key"].id, live.configs["site"].data.as_deref()), ("x1", Some("aGk=")));

    // Beyond what fits into the version of bollard's own update.
    let version = u64::from(u32::MAX) + 1;
    let write = Write::UpdateService { id: web.id.clone(), version, spec: web.spec.clone() };
    fake.swarm.apply(&write).await.unwrap();
    let asked = fake.asked().pop().unwrap();
    assert_eq!((&*asked.query, &asked.body), ("version=4294967296", &web.spec));
}

#[tokio::test]
async fn an_exchanged_engine_is_spoken_to_in_its_own_version() {
    let fake = Fake::new(from_the_future);
    let ask = async |minor: u32| {
        fake.becomes(minor);
        fake.swarm.check().await.unwrap();
        fake.swarm.apply(&Write::CreateService { spec: json!({"Name": minor.to_string()}) }).await.unwrap();
        fake.asked().pop().unwrap().what
    };
    assert_eq!(ask(41).await, "POST /v1.41/services/create");
    assert_eq!(ask(44).await, "POST /v1.44/services/create");
    // The first question to an older Engine is refused unread, and asked once more.
    assert_eq!(ask(40).await, "POST /v1.40/services/create");
    let writes: Vec<_> = fake.asked().into_iter().filter(|asked| asked.is("POST", "/services/create")).collect();
    assert_eq!(writes.len(), 3, "{writes:?}");
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_doubtful_and_not_repeated() {
    for lost in [|| Answer::Broken, || Answer::Half(b"{\"ID\":".to_vec()), || Answer::Bytes(b"{\"ID\":".to_vec())] {
        let fake = Fake::new(move |asked| if asked.is("POST", "/services/create") { lost() } else { Answer::Never });
        let error = fake.swarm.apply(&Write::CreateService { spec: json!({"Name": "web"}) }).await.unwrap_err();
        assert!(error.is_doubtful(), "{error:?}");
        assert_eq!(fake.asked().len(), 1);
    }
}

#[tokio::test]
async fn an_engine_that_hangs_is_given_up_after_a_while() {
    let fake = Fake::new(|_| Answer::Never);
    let since = Instant::now();
    let error = fake.swarm.observe(&stack()).await.unwrap_err();
    assert!(matches!(&error, SwarmError::TimedOut { after, .. } if *after == Duration::from_secs(5)), "{error:?}");
    assert!(since.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_unreachable_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let check = async |reason: &str| {
        let host = format!("unix://{}", socket.display());
        let error = DockerSwarm::connect(&host).unwrap().check().await.unwrap_err().to_string();
        assert!(error.contains(&host) && error.contains(reason), "{error}");
    };
    check("there is no such socket").await;
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    check("nobody listens there").await;
    assert!(DockerSwarm::connect("docker.sock").is_err_and(|error| error.to_string().contains("`docker.sock`")));
}

#[tokio::test]
async fn an_engine_that_comes_back_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let swarm = DockerSwarm::connect(&format!("unix://{}/docker.sock", dir.path().display())).unwrap();
    swarm.check().await.unwrap_err();
    let fake = Fake::new(from_the_future);
    std::fs::rename(fake.socket(), dir.path().join("docker.sock")).unwrap();
    swarm.check().await.unwrap();
}

#[tokio::test]
async fn a_service_that_moves_during_a_look_is_looked_at_again() {
    // The first two lists differ, then it holds still.
    let lists = AtomicU64::new(0);
    let fake = Fake::new(move |asked| {
        if asked.is("GET", "/services") {
            return Answer::Json(200, json!([service(lists.fetch_add(1, Ordering::SeqCst).min(1))]));
        }
        from_the_future(asked)
    });
    assert_eq!(fake.swarm.observe(&stack()).await.unwrap().services["shop_web"].version, 1);

    let lists = AtomicU64::new(0);
    let restless = Fake::new(move |asked| {
        if asked.is("GET", "/services") {
            return Answer::Json(200, json!([service(lists.fetch_add(1, Ordering::SeqCst))]));
        }
        from_the_future(asked)
    });
    let error = restless.swarm.observe(&stack()).await.unwrap_err();
    assert!(error.to_string().contains("shop_web changed"), "{error}");
}

#[tokio::test]
async fn the_tasks_of_a_removed_service_are_seen_until_they_have_stopped() {
    let fake = Fake::new(|asked| match asked {
        asked if asked.is("GET", "/services") => Answer::Json(200, json!([])),
        asked => from_the_future(asked),
    });
    let seen = fake.swarm.observe(&stack()).await.unwrap();
    assert!(seen.services.is_empty());
    assert_eq!(seen.tasks.iter().map(|task| &*task.service_id).collect::<Vec<_>>(), ["s1"]);
}

#[tokio::test]
async fn an_engine_without_the_undocumented_filter_is_understood() {
    let fake = Fake::new(|asked| {
        if asked.query.contains("_up-to-date") {
            return Answer::Json(400, json!({"message": "Invalid filter '_up-to-date'"}));
        }
        from_the_future(asked)
    });
    assert!(fake.swarm.observe(&stack()).await.unwrap().up_to_date.contains("t1"));
}

#[tokio::test]
async fn an_image_is_pinned_to_the_digest_of_its_registry() {
    let fake = Fake::new(|asked| {
        if asked.is("GET", "/distribution/registry:5000/app:latest/json") {
            let descriptor = json!({"mediaType": "x", "digest": "sha256:abc", "size": 1});
            let platforms = json!([{"architecture": "amd64", "os": "linux"}, {"architecture": "arm", "os": "linux"}]);
            return Answer::Json(200, json!({"Descriptor": descriptor, "Platforms": platforms}));
        }
        Answer::Json(500, json!({"message": "no basic auth credentials"}))
    });
    let pinned = fake.swarm.pin("registry:5000/app").await.unwrap().pinned().unwrap();
    assert_eq!(pinned.image, "registry:5000/app:latest@sha256:abc");
    // The variants of arm cannot be told apart.
    assert_eq!(json!(pinned.platforms), json!([{"Architecture": "amd64", "OS": "linux"}, {"OS": "linux"}]));
    let silent = fake.swarm.pin("private/app:1").await.unwrap();
    assert!(matches!(&silent, Pin::Unknown(why) if !why.is_empty()), "{silent:?}");
}

#[tokio::test]
async fn changes_are_counted_by_line_and_end_with_the_connection() {
    let events = concat!(
        r#"{"Type":"service","Action":"update","scope":"swarm"}"#,
        "\n",
        r#"{"Type":"network","Action":"connect","scope":"local"}"#,
        "\n",
        r#"{"Type":"container","Action":"die","scope":"local"}"#,
        "\n",
        r#"{"Type":"service","Act"#,
    );
    let fake = Fake::new(move |_| Answer::Half(events.as_bytes().to_vec()));
    assert_eq!(fake.swarm.changes().await.unwrap().count().await, 2);
    let refused = Fake::new(|_| Answer::Json(503, json!({"message": "This node is not a swarm manager."})));
    assert!(matches!(refused.swarm.changes().await.err(), Some(SwarmError::NotManager { .. })));
}

#[tokio::test]
async fn logs_are_plain_lines_of_both_streams() {
    let frame = |stream: u8, text: &str| {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], text.as_bytes()].concat()
    };
    let body = [frame(1, "one\n"), frame(2, "\u{1b}[31mtwo\u{1b}[0m\n"), frame(1, "three")].concat();
    let fake = Fake::new(move |_| Answer::Bytes(body.clone()));
    assert_eq!(fake.swarm.logs("t1", 10).await.unwrap(), ["one", "two", "three"]);
    let asked = fake.asked().pop().unwrap();
    assert!(asked.query.contains("tail=10") && asked.query.contains("stderr=true"), "{}", asked.query);
}
