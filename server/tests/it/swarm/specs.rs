//! Bodies of writes, as small as the Engine takes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use release_manager::engine::{LiveService, NAMESPACE_LABEL, Write};
use serde_json::{Value, json};

/// Merges members into an object, deep.
pub(super) fn with(mut base: Value, more: Value) -> Value {
    fn merge(base: &mut Value, more: Value) {
        match (base, more) {
            (Value::Object(base), Value::Object(more)) => {
                for (name, value) in more {
                    merge(base.entry(name).or_insert(Value::Null), value);
                }
            }
            (base, more) => *base = more,
        }
    }
    merge(&mut base, more);
    base
}

/// A service of one replica that runs until it is stopped. It is stopped and restarted without delay.
pub(super) fn service(stack: &str, name: &str, image: &str) -> Value {
    json!({
        "Name": format!("{stack}_{name}"),
        "Labels": {NAMESPACE_LABEL: stack},
        "TaskTemplate": {
            "ContainerSpec": {"Image": image, "StopGracePeriod": 100_000_000},
            "RestartPolicy": {"Condition": "any", "Delay": 100_000_000},
        },
        "Mode": {"Replicated": {"Replicas": 1}},
        "UpdateConfig": {"Parallelism": 1, "Monitor": 500_000_000, "FailureAction": "pause"},
    })
}

/// The service with a shell script instead of what its image does.
pub(super) fn running(service: Value, script: &str) -> Value {
    with(service, json!({"TaskTemplate": {"ContainerSpec": {"Args": ["sh", "-c", script]}}}))
}

pub(super) fn create(spec: Value) -> Write {
    Write::CreateService { spec }
}

pub(super) fn update(service: &LiveService, spec: Value) -> Write {
    Write::UpdateService { id: service.id.clone(), version: service.version, spec }
}

pub(super) fn network(stack: &str, name: &str) -> Write {
    let spec = json!({"Name": format!("{stack}_{name}"), "Driver": "overlay", "Labels": {NAMESPACE_LABEL: stack}});
    Write::CreateNetwork { spec }
}

pub(super) fn secret(stack: &str, name: &str, data: &str) -> Write {
    Write::CreateSecret { spec: with_data(stack, name, data) }
}

pub(super) fn config(stack: &str, name: &str, data: &str) -> Write {
    Write::CreateConfig { spec: with_data(stack, name, data) }
}

fn with_data(stack: &str, name: &str, data: &str) -> Value {
    json!({"Name": format!("{stack}_{name}"), "Labels": {NAMESPACE_LABEL: stack}, "Data": STANDARD.encode(data)})
}

/// The references of a container to one secret and one config, both by name alone.
pub(super) fn references(secret: &str, config: &str) -> Value {
    let file = |name: &str| json!({"Name": name, "UID": "0", "GID": "0", "Mode": 0o444});
    json!({"TaskTemplate": {"ContainerSpec": {
        "Secrets": [{"SecretName": secret, "File": file("key")}],
        "Configs": [{"ConfigName": config, "File": file("/site")}],
    }}})
}
