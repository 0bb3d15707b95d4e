//! What the Engine shows of a stack, without what must differ from one deployment to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use release_manager::engine::NAMESPACE_LABEL;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::proxy::{Proxy, flat};

/// How long the Engine may take to let go of a stack.
const LIMIT: Duration = Duration::from_mins(1);
/// How often it is asked meanwhile: no event says that a network can be removed.
pub(super) const PAUSE: Duration = Duration::from_millis(40);

/// The services, networks, secrets and configs of a stack as `inspect` shows them, by name.
pub(super) async fn world(proxy: &Proxy, stack: &str) -> Value {
    let names = network_names(proxy).await;
    let mut configs_by_id = BTreeMap::new();
    for config in list(proxy, "/configs", None).await {
        configs_by_id.insert(text(&config["ID"]), text(&config["Spec"]["Name"]));
    }
    let mut world = json!({"services": {}, "networks": {}, "secrets": {}, "configs": {}});
    for service in list(proxy, "/services", Some(stack)).await {
        let mut spec = service["Spec"].clone();
        name_references(&mut spec, &names, &configs_by_id);
        put(&mut world, "services", spec);
    }
    for network in list(proxy, "/networks", Some(stack)).await {
        let whole = proxy.get(&format!("/networks/{}", text(&network["Id"]))).await;
        put(&mut world, "networks", network_as_asked_for(&whole));
    }
    for kind in ["secrets", "configs"] {
        for object in list(proxy, &format!("/{kind}"), Some(stack)).await {
            put(&mut world, kind, object["Spec"].clone());
        }
    }
    world
}

fn put(world: &mut Value, kind: &str, mut spec: Value) {
    if let Some(labels) = spec["Labels"].as_object_mut() {
        labels.retain(|name, _| !name.starts_with("release-manager."));
    }
    let name = text(&spec["Name"]);
    world[kind][name] = spec;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A list of the Engine; of one stack, or whole.
pub(super) async fn list(proxy: &Proxy, path: &str, stack: Option<&str>) -> Vec<Value> {
    let filters = stack.map(|stack| json!({"label": [format!("{NAMESPACE_LABEL}={stack}")]}).to_string());
    let query = filters.map(|filters| {
        let escaped: String = url::form_urlencoded::byte_serialize(filters.as_bytes()).collect();
        format!("?filters={escaped}")
    });
    let answer = proxy.get(&format!("{path}{}", query.unwrap_or_default())).await;
    answer.as_array().cloned().unwrap_or_default()
}

/// Names of networks by id. Those of every Engine have a second id for the Swarm.
async fn network_names(proxy: &Proxy) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for network in list(proxy, "/networks", None).await {
        names.insert(text(&network["Id"]), text(&network["Name"]));
    }
    let host = proxy.get("/networks/host?scope=swarm").await;
    names.insert(text(&host["Id"]), "host".to_owned());
    names
}

/// Ids become names.
fn name_references(spec: &mut Value, networks: &BTreeMap<String, String>, configs: &BTreeMap<String, String>) {
    for network in items(spec, "/TaskTemplate/Networks") {
        let target = text(&network["Target"]);
        network["Target"] = networks.get(&target).unwrap_or(&target).as_str().into();
    }
    for (list, id) in [("Secrets", "SecretID"), ("Configs", "ConfigID")] {
        for reference in items(spec, &format!("/TaskTemplate/ContainerSpec/{list}")) {
            reference.as_object_mut().unwrap().remove(id);
        }
    }
    // Where the docker command has no order of its own: ports of one number, references to one secret.
    for list in ["/EndpointSpec/Ports", "/TaskTemplate/ContainerSpec/Secrets", "/TaskTemplate/ContainerSpec/Configs"] {
        if let Some(items) = spec.pointer_mut(list).and_then(Value::as_array_mut) {
            items.sort_by_cached_key(Value::to_string);
        }
    }
    if let Some(config) = spec.pointer_mut("/TaskTemplate/ContainerSpec/Privileges/CredentialSpec/Config") {
        let id = text(config);
        *config = configs.get(&id).unwrap_or(&id).as_str().into();
    }
}

fn items<'a>(spec: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    spec.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

/// A network without what the Engine has chosen itself.
fn network_as_asked_for(whole: &Value) -> Value {
    let mut network: Map<String, Value> =
        ["Name", "Driver", "Scope", "Internal", "Attachable", "Ingress", "EnableIPv6", "Labels", "Options"]
            .into_iter()
            .map(|member| (member.to_owned(), whole[member].clone()))
            .collect();
    if let Some(options) = network.get_mut("Options").and_then(Value::as_object_mut) {
        options.remove("com.docker.network.driver.overlay.vxlanid_list");
    }
    let mut ipam = whole["IPAM"].clone();
    // The Engine chooses from 10.0.0.0/8, from below; what the corpus asks for lies above 10.50.
    let chosen = |pool: &Value| {
        let subnet = text(&pool["Subnet"]);
        let second = subnet.strip_prefix("10.").and_then(|rest| rest.split('.').next()?.parse::<u8>().ok());
        second.is_some_and(|second| second < 50)
    };
    if let Some(pools) = ipam["Config"].as_array_mut() {
        pools.retain(|pool| !chosen(pool));
    }
    network.insert("IPAM".to_owned(), ipam);
    network.into()
}

/// What differs, one line for each field.
pub(super) fn differences(docker: &Value, ours: &Value) -> Vec<String> {
    let (docker, ours) = (flat(docker), flat(ours));
    let names: std::collections::BTreeSet<&String> = docker.keys().chain(ours.keys()).collect();
    let side = |side: Option<&String>| side.cloned().unwrap_or_else(|| "(absent)".to_owned());
    names
        .into_iter()
        .filter(|name| docker.get(*name) != ours.get(*name))
        .map(|name| format!("{name}: docker {} | ours {}", side(docker.get(name)), side(ours.get(name))))
        .collect()
}

/// Removes everything of a stack.
pub(super) async fn remove(proxy: &Proxy, stack: &str) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut left = 0;
        for (path, id) in [("/services", "ID"), ("/secrets", "ID"), ("/configs", "ID"), ("/networks", "Id")] {
            for object in list(proxy, path, Some(stack)).await {
                left += 1;
                proxy.delete(&format!("{path}/{}", text(&object[id]))).await;
            }
        }
        if left == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "the Engine does not let go of the stack {stack}");
        sleep(PAUSE).await;
    }
}

/// `Version.Index` of everything in a stack, once it has held still: the Engine writes addresses into services after
/// they were made, and no event tells when it is done.
pub(super) async fn versions(proxy: &Proxy, stack: &str) -> BTreeMap<String, u64> {
    let mut before = BTreeMap::new();
    let mut still = 0;
    loop {
        let mut now = BTreeMap::new();
        for path in ["/services", "/secrets", "/configs"] {
            for object in list(proxy, path, Some(stack)).await {
                now.insert(text(&object["Spec"]["Name"]), object["Version"]["Index"].as_u64().unwrap());
            }
        }
        still = if now == before { still + 1 } else { 0 };
        if still == 5 {
            return now;
        }
        before = now;
        sleep(PAUSE).await;
    }
}
