//! Small stacks, and an Engine that does what a plan says and fills in what the real one fills in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Plan, stamped};
use crate::engine::{LiveObject, LiveService, LiveStack, NAMESPACE_LABEL, Node, Write};
use crate::names::{DeploymentId, ServiceName};
use crate::stack::{Object, Service, Stack};

pub(crate) fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

pub(crate) fn node(hostname: &str) -> Node {
    Node {
        id: format!("id-of-{hostname}"),
        hostname: hostname.to_owned(),
        role: "manager".to_owned(),
        state: "ready".to_owned(),
        availability: "active".to_owned(),
        labels: BTreeMap::from([("zone".to_owned(), "east".to_owned())]),
        engine_labels: BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]),
        os: "linux".to_owned(),
        architecture: "x86_64".to_owned(),
        nano_cpus: 4_000_000_000,
        memory_bytes: 8 << 30,
    }
}

/// A Swarm of two nodes where nothing runs.
pub(crate) fn swarm() -> LiveStack {
    LiveStack { nodes: vec![node("n1"), node("n2")], ..LiveStack::default() }
}

/// The spec of a service `home_NAME` as the stack engine renders it.
pub(crate) fn spec(service: &str, image: &str) -> Value {
    json!({
        "Name": format!("home_{service}"),
        "Labels": {NAMESPACE_LABEL: "home", "com.docker.stack.image": image},
        "TaskTemplate": {
            "ContainerSpec": {"Image": image, "Labels": {NAMESPACE_LABEL: "home"}, "Privileges": {}},
            "Resources": {},
            "Placement": {},
            "ForceUpdate": 0,
        },
        "Mode": {"Replicated": {}},
        "EndpointSpec": {},
    })
}

/// A stack `home` of these services: `web=app:1 db=postgres:16`.
pub(crate) fn stack(services: &str) -> Stack {
    let services = services
        .split_whitespace()
        .map(|pair| {
            let (service, image) = pair.split_once('=').unwrap();
            (name(service), Service { spec: spec(service, image), depends_on: BTreeSet::new() })
        })
        .collect();
    Stack {
        name: "home".parse().unwrap(),
        services,
        networks: BTreeMap::new(),
        secrets: BTreeMap::new(),
        configs: BTreeMap::new(),
        given: BTreeSet::new(),
    }
}

impl Stack {
    /// The stack with one place of a service's spec changed.
    pub(crate) fn with(mut self, service: &str, path: &[&str], value: Value) -> Self {
        super::spec::set(&mut self.services.get_mut(&name(service)).unwrap().spec, path, value);
        self
    }

    pub(crate) fn after(mut self, service: &str, before: &str) -> Self {
        self.services.get_mut(&name(service)).unwrap().depends_on.insert(name(before));
        self
    }

    pub(crate) fn network(mut self, full_name: &str) -> Self {
        let spec = json!({"Name": full_name, "Driver": "overlay", "Labels": {NAMESPACE_LABEL: "home"}});
        self.networks.insert(full_name.to_owned(), Object::Ours { spec });
        self
    }

    pub(crate) fn secret(mut self, full_name: &str, data: &str) -> Self {
        self.secrets.insert(full_name.to_owned(), object(full_name, data));
        self
    }

    pub(crate) fn config(mut self, full_name: &str, data: &str) -> Self {
        self.configs.insert(full_name.to_owned(), object(full_name, data));
        self
    }

    /// The service uses a network.
    pub(crate) fn on(self, service: &str, network: &str) -> Self {
        self.with(service, &["TaskTemplate", "Networks"], json!([{"Target": network, "Aliases": [service]}]))
    }

    /// The service uses a secret.
    pub(crate) fn reads_secret(self, service: &str, secret: &str) -> Self {
        let reference = json!([{"SecretName": secret, "File": {"Name": "key", "UID": "0", "GID": "0", "Mode": 292}}]);
        self.with(service, &["TaskTemplate", "ContainerSpec", "Secrets"], reference)
    }

    /// The service uses a config.
    pub(crate) fn reads_config(self, service: &str, config: &str) -> Self {
        let reference = json!([{"ConfigName": config, "File": {"Name": "/conf", "UID": "0", "GID": "0", "Mode": 292}}]);
        self.with(service, &["TaskTemplate", "ContainerSpec", "Configs"], reference)
    }

    /// The service publishes a port.
    pub(crate) fn publishes(self, service: &str, port: u16, mode: &str) -> Self {
        let port = json!([{"PublishedPort": port, "TargetPort": 80, "Protocol": "tcp", "PublishMode": mode}]);
        self.with(service, &["EndpointSpec", "Ports"], port)
    }
}

fn object(full_name: &str, data: &str) -> Object {
    let spec = json!({"Name": full_name, "Labels": {NAMESPACE_LABEL: "home"}, "Data": base64(data)});
    Object::Ours { spec }
}

pub(crate) fn base64(data: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(data)
}

/// An object of the Engine that somebody else has made.
pub(crate) fn foreign(id: &str) -> LiveObject {
    LiveObject {
        id: id.to_owned(),
        labels: BTreeMap::new(),
        scope: "swarm".to_owned(),
        version: 1,
        created_at: None,
        data: None,
    }
}

/// What the Swarm looks like once the plan is done. With `old` the Engine drops what is newer than itself.
pub(crate) fn applied(live: &LiveStack, plan: &Plan, old: bool) -> LiveStack {
    let mut live = live.clone();
    for write in plan.actions.iter().filter_map(|action| action.write.as_ref()) {
        apply(&mut live, write, old);
    }
    live
}

/// What the Swarm looks like once the stack is deployed to it.
pub(crate) fn deployed(stack: &Stack) -> LiveStack {
    let live = swarm();
    applied(&live, &super::plan(stack, &live, None), false)
}

fn apply(live: &mut LiveStack, write: &Write, old: bool) {
    match write {
        Write::CreateNetwork { spec } => insert(&mut live.networks, spec, false),
        Write::CreateSecret { spec } => insert(&mut live.secrets, spec, false),
        Write::CreateConfig { spec } => insert(&mut live.configs, spec, true),
        Write::CreateService { spec } => {
            let full_name = spec["Name"].as_str().unwrap().to_owned();
            let spec = kept(&stamped(spec, DeploymentId(1)), live, old);
            let id = id_of(&format!("service {full_name}"));
            let service = LiveService { id, version: 10, spec, update: None, job_iteration: None, desired_tasks: 1 };
            assert!(live.services.insert(full_name, service).is_none(), "created twice");
        }
        Write::UpdateService { id, version, spec } => {
            let spec = kept(&stamped(spec, DeploymentId(2)), live, old);
            let service = live.services.values_mut().find(|service| service.id == *id).unwrap();
            assert_eq!(service.version, *version);
            service.version += 7;
            service.spec = spec;
        }
        Write::RemoveService { id } => live.services.retain(|_, service| service.id != *id),
        Write::LabelSecret { id, version, spec } => label(&mut live.secrets, id, *version, spec),
        Write::LabelConfig { id, version, spec } => label(&mut live.configs, id, *version, spec),
        Write::RemoveNetwork { id } => live.networks.retain(|_, object| object.id != *id),
        Write::RemoveSecret { id } => live.secrets.retain(|_, object| object.id != *id),
        Write::RemoveConfig { id } => live.configs.retain(|_, object| object.id != *id),
    }
}

fn insert(objects: &mut BTreeMap<String, LiveObject>, spec: &Value, shows_data: bool) {
    let name = spec["Name"].as_str().unwrap().to_owned();
    let labels = serde_json::from_value(spec["Labels"].clone()).unwrap();
    let data = spec["Data"].as_str().filter(|_| shows_data).map(str::to_owned);
    // Later ones sort behind earlier ones.
    let created_at = Some(format!("{:04}", objects.len()));
    let object = LiveObject { id: id_of(&name), labels, scope: "swarm".to_owned(), version: 1, created_at, data };
    assert!(objects.insert(name, object).is_none(), "created twice");
}

fn label(objects: &mut BTreeMap<String, LiveObject>, id: &str, version: u64, spec: &Value) {
    let object = objects.values_mut().find(|object| object.id == id).unwrap();
    assert_eq!(object.version, version);
    object.version += 1;
    object.labels = serde_json::from_value(spec["Labels"].clone()).unwrap();
}

/// An id of 25 digits, as the Engine gives them.
pub(crate) fn id_of(text: &str) -> String {
    super::canon::hex_digest(text)[..25].to_owned()
}

/// A spec as the Engine keeps it.
fn kept(spec: &Value, live: &LiveStack, old: bool) -> Value {
    let mut spec = spec.clone();
    let or = |spec: &mut Value, pointer: &str, default: Value| {
        let path: Vec<&str> = pointer.split('/').skip(1).collect();
        if spec.pointer(pointer).is_none() {
            super::spec::set(spec, &path, default);
        }
    };
    or(&mut spec, "/EndpointSpec/Mode", json!("vip"));
    or(&mut spec, "/TaskTemplate/Runtime", json!("container"));
    or(&mut spec, "/TaskTemplate/ContainerSpec/Isolation", json!("default"));
    if spec["Mode"]["Replicated"].is_object() {
        or(&mut spec, "/Mode/Replicated/Replicas", json!(1));
    }
    if spec["UpdateConfig"].is_object() {
        or(&mut spec, "/UpdateConfig/FailureAction", json!("pause"));
        or(&mut spec, "/UpdateConfig/Order", json!("stop-first"));
    }
    spec["TaskTemplate"]["ContainerSpec"]["Privileges"] = json!({"CredentialSpec": null, "SELinuxContext": null});
    if let Some(networks) = spec.pointer_mut("/TaskTemplate/Networks").and_then(Value::as_array_mut) {
        for network in networks {
            let id = live.networks[network["Target"].as_str().unwrap()].id.clone();
            network["Target"] = id.into();
        }
    }
    for (list, kind, objects) in [("Secrets", "Secret", &live.secrets), ("Configs", "Config", &live.configs)] {
        for reference in spec["TaskTemplate"]["ContainerSpec"][list].as_array_mut().into_iter().flatten() {
            let id = objects[reference[format!("{kind}Name")].as_str().unwrap()].id.clone();
            reference[format!("{kind}ID")] = id.into();
        }
    }
    if old && let Some(check) = spec.pointer_mut("/TaskTemplate/ContainerSpec/Healthcheck") {
        check.as_object_mut().unwrap().remove("StartInterval");
    }
    spec
}
