//! What a person with the docker command does.

use serde_json::{Value, json};

use super::battery::trio;
use super::engine::{Engine, image, text};
use super::rig::Rig;

/// What a person with the docker command does.
pub(super) async fn hand(rig: &Rig, words: &[&str]) {
    let engine = &rig.engine;
    match words {
        ["image", service, image] => {
            engine
                .change(&rig.full_name(service), "", |spec| {
                    spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
                    spec["Labels"].as_object_mut().unwrap().remove("release-manager.deployment");
                })
                .await;
        }
        // As a tool does that reads, changes and writes back: our label survives.
        ["image-keeping-labels", service, image] => {
            let change = |spec: &mut Value| spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
            engine.change(&rig.full_name(service), "", change).await;
        }
        ["scale", service, replicas] => {
            let replicas: u64 = replicas.parse().unwrap();
            let change = |spec: &mut Value| spec["Mode"]["Replicated"]["Replicas"] = json!(replicas);
            engine.change(&rig.full_name(service), "", change).await;
        }
        ["touch", service] => engine.change(&rig.full_name(service), "", |_| ()).await,
        ["rollback", service] => engine.change(&rig.full_name(service), "&rollback=previous", |_| ()).await,
        ["remove", service] => engine.remove(&rig.full_name(service)).await,
        ["recreate", service] => {
            let full_name = rig.full_name(service);
            let spec = engine.get(&format!("/services/{full_name}")).await["Spec"].clone();
            engine.remove(&full_name).await;
            engine.create(&spec).await;
        }
        // A service of somebody else under a name that we will want.
        ["take-name", service] => {
            engine.create(&super::engine::stranger(&rig.full_name(service))).await;
        }
        ["node-label", label] => {
            label_node(engine, label).await;
        }
        // The name goes; whoever runs from it goes on.
        ["untag", image] => {
            let (status, answer) =
                engine.call("DELETE", &format!("/images/{image}?force=true"), None).await.expect("the Engine answers");
            assert_eq!(status, 200, "{answer}");
        }
        ["history", limit] => keep_old_tasks(engine, limit.parse().unwrap()).await,
        ["drain", who] => drain(rig, who).await,
        words => panic!("no hand does {words:?}"),
    }
}

/// Sets a label of the only node (`spot=here`), or takes it away (`spot`).
async fn label_node(engine: &Engine, label: &str) {
    let change = |spec: &mut Value| {
        let mut labels = spec["Labels"].as_object().cloned().unwrap_or_default();
        match label.split_once('=') {
            Some((key, value)) => labels.insert(key.to_owned(), json!(value)),
            None => labels.remove(label),
        };
        spec["Labels"] = Value::Object(labels);
    };
    change_node(engine, |_| true, change).await;
}

/// Takes all tasks from a node: from the first that runs a task of an image (`drain app:2`), or from one of three managers
/// (`drain other`).
async fn drain(rig: &Rig, who: &str) {
    let host_name = if who.contains(':') { None } else { Some(trio::host_name(rig.engine.socket(), who).await) };
    if host_name.is_none() {
        rig.until(&format!("{who} runs"), async |rig: &Rig| node_that_runs(&rig.engine, who).await.is_some()).await;
    }
    let node = node_that_runs(&rig.engine, who).await;
    let is_meant = |known: &Value| match &host_name {
        Some(name) => text(known, "/Description/Hostname") == name,
        None => Some(text(known, "/ID")) == node.as_deref(),
    };
    change_node(&rig.engine, is_meant, |spec| spec["Availability"] = json!("drain")).await;
}

/// The id of a node where a task of an image runs.
async fn node_that_runs(engine: &Engine, wanted: &str) -> Option<String> {
    let runs = |task: &&Value| image(&task["Spec"]) == wanted && text(task, "/Status/State") == "running";
    engine.tasks().await.iter().find(runs).map(|task| text(task, "/NodeID").to_owned())
}

/// Says how many old tasks of a slot the Swarm keeps.
async fn keep_old_tasks(engine: &Engine, limit: u64) {
    let swarm = engine.get("/swarm").await;
    let mut spec = swarm["Spec"].clone();
    spec["Orchestration"]["TaskHistoryRetentionLimit"] = json!(limit);
    let path = format!("/swarm/update?version={}", swarm["Version"]["Index"]);
    let (status, answer) = engine.call("POST", &path, Some(&spec)).await.expect("the Engine answers");
    assert_eq!(status, 200, "{answer}");
}

/// Changes the first node that is meant. The Engine itself writes to nodes too.
pub(super) async fn change_node(engine: &Engine, is_meant: impl Fn(&Value) -> bool, change: impl Fn(&mut Value)) {
    for _ in 0..50 {
        let nodes = engine.get("/nodes").await;
        let node = nodes.as_array().into_iter().flatten().find(|node| is_meant(node)).expect("there is such a node");
        let (id, version) = (text(node, "/ID"), &node["Version"]["Index"]);
        let mut spec = node["Spec"].clone();
        change(&mut spec);
        let path = format!("/nodes/{id}/update?version={version}");
        let (status, answer) = engine.call("POST", &path, Some(&spec)).await.expect("the Engine answers");
        if status == 200 {
            return;
        }
        assert!(answer.to_string().contains("out of sequence"), "{answer}");
    }
    panic!("the node never stood still");
}
