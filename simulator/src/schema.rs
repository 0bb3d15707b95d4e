//! What the Engine keeps of the JSON it is sent: known members only, zero values left out where its Go types say so.

use serde_json::{Map, Value};

use crate::error::Refusal;

/// The type of a member.
pub(crate) enum Kind {
    Text,
    Number,
    Bool,
    /// A member whose inside is kept as it is.
    Any,
    /// A map of texts.
    Texts,
    List(&'static Kind),
    Object(&'static [Field]),
}

/// A member of an object.
pub(crate) struct Field {
    name: &'static str,
    kind: &'static Kind,
    /// Whether a zero value is left out. Objects are pointers: an empty one stays, an absent one does not appear.
    omit_zero: bool,
}

const fn field(name: &'static str, kind: &'static Kind) -> Field {
    Field { name, kind, omit_zero: true }
}

const fn kept(name: &'static str, kind: &'static Kind) -> Field {
    Field { name, kind, omit_zero: false }
}

use Kind::{Any, Bool, List, Number, Object, Text, Texts};

const TEXT_LIST: Kind = List(&Text);
const DRIVER: Kind = Object(&[field("Name", &Text), field("Options", &Texts)]);
const FILE: Kind = Object(&[kept("Name", &Text), kept("UID", &Text), kept("GID", &Text), kept("Mode", &Number)]);

const MOUNT: Kind = Object(&[
    field("Type", &Text),
    field("Source", &Text),
    field("Target", &Text),
    field("ReadOnly", &Bool),
    field("BindOptions", &Object(&[field("Propagation", &Text), field("NonRecursive", &Bool)])),
    field("VolumeOptions", &Object(&[field("NoCopy", &Bool), field("Labels", &Texts), field("DriverConfig", &DRIVER)])),
    field("TmpfsOptions", &Object(&[field("SizeBytes", &Number), field("Mode", &Number)])),
]);

const CONTAINER: Kind = Object(&[
    field("Image", &Text),
    field("Labels", &Texts),
    field("Command", &TEXT_LIST),
    field("Args", &TEXT_LIST),
    field("Hostname", &Text),
    field("Env", &TEXT_LIST),
    field("Dir", &Text),
    field("User", &Text),
    field("Groups", &TEXT_LIST),
    field("Privileges", &Object(&[kept("CredentialSpec", &Any), kept("SELinuxContext", &Any)])),
    kept("Init", &Bool),
    field("StopSignal", &Text),
    field("TTY", &Bool),
    field("OpenStdin", &Bool),
    field("ReadOnly", &Bool),
    field("Mounts", &List(&MOUNT)),
    kept("StopGracePeriod", &Number),
    field(
        "Healthcheck",
        &Object(&[
            field("Test", &TEXT_LIST),
            field("Interval", &Number),
            field("Timeout", &Number),
            field("StartPeriod", &Number),
            field("Retries", &Number),
        ]),
    ),
    field("Hosts", &TEXT_LIST),
    field(
        "DNSConfig",
        &Object(&[field("Nameservers", &TEXT_LIST), field("Search", &TEXT_LIST), field("Options", &TEXT_LIST)]),
    ),
    field("Secrets", &List(&Object(&[field("File", &FILE), kept("SecretID", &Text), kept("SecretName", &Text)]))),
    field(
        "Configs",
        &List(&Object(&[
            field("File", &FILE),
            field("Runtime", &Object(&[])),
            kept("ConfigID", &Text),
            kept("ConfigName", &Text),
        ])),
    ),
    field("Isolation", &Text),
    field("Sysctls", &Texts),
    field("CapabilityAdd", &TEXT_LIST),
    field("CapabilityDrop", &TEXT_LIST),
    field("Ulimits", &List(&Object(&[kept("Name", &Text), kept("Hard", &Number), kept("Soft", &Number)]))),
]);

const RESOURCES: Kind = Object(&[
    field("Limits", &Object(&[field("NanoCPUs", &Number), field("MemoryBytes", &Number), field("Pids", &Number)])),
    field(
        "Reservations",
        &Object(&[field("NanoCPUs", &Number), field("MemoryBytes", &Number), field("GenericResources", &List(&Any))]),
    ),
]);

const PLACEMENT: Kind = Object(&[
    field("Constraints", &TEXT_LIST),
    field("Preferences", &List(&Any)),
    field("MaxReplicas", &Number),
    field("Platforms", &List(&Object(&[field("Architecture", &Text), field("OS", &Text)]))),
]);

const NETWORK: Kind = Object(&[field("Target", &Text), field("Aliases", &TEXT_LIST), field("DriverOpts", &Texts)]);

const TASK_TEMPLATE: Kind = Object(&[
    field("ContainerSpec", &CONTAINER),
    field("PluginSpec", &Any),
    field("NetworkAttachmentSpec", &Any),
    field("Resources", &RESOURCES),
    field(
        "RestartPolicy",
        &Object(&[
            field("Condition", &Text),
            kept("Delay", &Number),
            kept("MaxAttempts", &Number),
            kept("Window", &Number),
        ]),
    ),
    field("Placement", &PLACEMENT),
    field("Networks", &List(&NETWORK)),
    field("LogDriver", &DRIVER),
    kept("ForceUpdate", &Number),
    field("Runtime", &Text),
]);

const UPDATE_CONFIG: Kind = Object(&[
    kept("Parallelism", &Number),
    field("Delay", &Number),
    field("FailureAction", &Text),
    field("Monitor", &Number),
    kept("MaxFailureRatio", &Number),
    field("Order", &Text),
]);

const PORT: Kind = Object(&[
    field("Name", &Text),
    field("Protocol", &Text),
    field("TargetPort", &Number),
    field("PublishedPort", &Number),
    field("PublishMode", &Text),
]);

/// The body of a service create or update.
pub(crate) const SERVICE: Kind = Object(&[
    field("Name", &Text),
    kept("Labels", &Texts),
    kept("TaskTemplate", &TASK_TEMPLATE),
    kept(
        "Mode",
        &Object(&[
            field("Replicated", &Object(&[kept("Replicas", &Number)])),
            field("Global", &Object(&[])),
            field("ReplicatedJob", &Object(&[kept("MaxConcurrent", &Number), kept("TotalCompletions", &Number)])),
            field("GlobalJob", &Object(&[])),
        ]),
    ),
    field("UpdateConfig", &UPDATE_CONFIG),
    field("RollbackConfig", &UPDATE_CONFIG),
    field("Networks", &List(&NETWORK)),
    field("EndpointSpec", &Object(&[field("Mode", &Text), field("Ports", &List(&PORT))])),
]);

/// The body of a secret or config create or update.
pub(crate) const DATUM: Kind = Object(&[
    field("Name", &Text),
    kept("Labels", &Texts),
    field("Data", &Text),
    field("Driver", &DRIVER),
    field("Templating", &DRIVER),
]);

/// Keeps of `value` what the Engine would; refuses a member of the wrong type as Go's decoder does.
pub(crate) fn known(kind: &Kind, value: &Value, place: &str) -> Result<Value, Refusal> {
    let wrong = || {
        Refusal::bad(format!(
            "json: cannot unmarshal {} into Go struct field {place} of type {}",
            go(value),
            want(kind)
        ))
    };
    match (kind, value) {
        (Any, any) => Ok(any.clone()),
        (Text, Value::String(_)) | (Number, Value::Number(_)) | (Bool, Value::Bool(_)) => Ok(value.clone()),
        (Texts, Value::Object(map)) => match map.values().find(|value| !value.is_string()) {
            None => Ok(value.clone()),
            Some(_) => Err(wrong()),
        },
        (List(item), Value::Array(items)) => {
            Ok(Value::Array(items.iter().map(|value| known(item, value, place)).collect::<Result<_, _>>()?))
        }
        (Object(fields), Value::Object(map)) => known_members(fields, map, place).map(Value::Object),
        _ => Err(wrong()),
    }
}

fn known_members(fields: &[Field], map: &Map<String, Value>, place: &str) -> Result<Map<String, Value>, Refusal> {
    let mut members = Map::new();
    for field in fields {
        let Some(value) = map.get(field.name).filter(|value| !value.is_null()) else { continue };
        let value = known(field.kind, value, &format!("{place}.{}", field.name))?;
        if !(field.omit_zero && is_zero(field.kind, &value)) {
            members.insert(field.name.to_owned(), value);
        }
    }
    Ok(members)
}

fn is_zero(kind: &Kind, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty() && matches!(kind, Texts),
    }
}

fn go(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn want(kind: &Kind) -> &'static str {
    match kind {
        Text => "string",
        Number => "int64",
        Bool => "bool",
        Any => "interface {}",
        Texts => "map[string]string",
        List(_) => "[]interface {}",
        Object(_) => "struct",
    }
}
