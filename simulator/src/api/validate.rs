//! What the Engine checks and fills in before it takes a service spec, in its order and its words.

use serde_json::{Value, json};

use crate::{
    error::Refusal,
    image,
    orchestrate::constraint,
    schema,
    spec::{Amounts, ServiceSpec},
    state::{World, datum::DatumKind, service::Spec},
};

impl World {
    /// Makes a spec of a request's body: known members, defaults, networks by id; or refuses it.
    pub(super) fn accept_spec(&self, body: &Value, own_id: Option<&str>) -> Result<Spec, Refusal> {
        let mut json = schema::known(&schema::SERVICE, body, "ServiceSpec")?;
        if json["TaskTemplate"].get("ContainerSpec").is_none() {
            return Err(Refusal::bad("mismatched Runtime and *Spec fields"));
        }
        fill_in(&mut json);
        check_words(&json)?;
        self.resolve_networks(&mut json)?;
        let spec = Spec::new(json, 0)?;
        if spec.parsed.mode.named() > 1 {
            return Err(Refusal::bad("must specify only one service mode"));
        }
        check_name(&spec.parsed.name)?;
        check_task(&spec.parsed)?;
        check_update(&spec)?;
        check_ports(&spec.parsed)?;
        self.check_references(&spec.parsed)?;
        self.check_port_conflicts(&spec.parsed, own_id)?;
        Ok(spec)
    }

    fn resolve_networks(&self, json: &mut Value) -> Result<(), Refusal> {
        for list in ["/TaskTemplate/Networks", "/Networks"] {
            let Some(networks) = json.pointer_mut(list).and_then(Value::as_array_mut) else { continue };
            for network in networks {
                let name = network["Target"].as_str().unwrap_or_default();
                network["Target"] = json!(self.network_for_services(name)?);
            }
        }
        Ok(())
    }

    fn check_references(&self, spec: &ServiceSpec) -> Result<(), Refusal> {
        let container = &spec.task_template.container_spec;
        let secrets =
            container.secrets.iter().map(|secret| (DatumKind::Secret, &secret.id, &secret.name, &secret.file));
        let configs =
            container.configs.iter().map(|config| (DatumKind::Config, &config.id, &config.name, &config.file));
        let mut targets: Vec<(DatumKind, &str, &str)> = Vec::new();
        for (kind, id, name, file) in secrets.chain(configs) {
            let is_there = self.data.get(id).is_some_and(|datum| datum.kind == kind && datum.name() == name);
            let word = kind.word();
            if let Some(file) = file {
                if let Some((_, other, target)) =
                    targets.iter().find(|(of, _, target)| *of == kind && *target == file.name)
                {
                    let message =
                        format!("{word} references '{other}' and '{name}' have a conflicting target: '{target}'");
                    return Err(Refusal::invalid(message));
                }
                targets.push((kind, name, &file.name));
            }
            if !is_there {
                return Err(Refusal::invalid(format!("{word} not found: {name}")));
            }
        }
        Ok(())
    }

    fn check_port_conflicts(&self, spec: &ServiceSpec, own_id: Option<&str>) -> Result<(), Refusal> {
        for port in spec.ports().iter().filter(|port| port.published_port != 0) {
            for other in self.services.values().filter(|other| Some(other.id.as_str()) != own_id) {
                let taken =
                    other.ports.iter().chain(other.spec.json["EndpointSpec"]["Ports"].as_array().into_iter().flatten());
                for theirs in taken {
                    let same =
                        theirs["PublishedPort"] == port.published_port && theirs["Protocol"] == port.protocol.as_str();
                    let by_host = theirs["PublishMode"] == "host";
                    if !same || by_host && port.publish_mode == "host" {
                        continue;
                    }
                    let how = if by_host { "a host-published" } else { "an ingress" };
                    return Err(Refusal::invalid(format!(
                        "port '{}' is already in use by service '{}' ({}) as {how} port",
                        port.published_port,
                        other.name(),
                        other.id
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Fills in what the Engine shows although nobody sent it.
fn fill_in(json: &mut Value) {
    let default = |object: &mut Value, member: &str, value: Value| {
        if let Some(object) = object.as_object_mut() {
            object.entry(member).or_insert(value);
        }
    };
    default(json, "Labels", json!({}));
    default(json, "Mode", json!({}));
    if json["Mode"] == json!({}) {
        json["Mode"] = json!({ "Replicated": {} });
    }
    default(&mut json["TaskTemplate"], "ForceUpdate", json!(0));
    default(&mut json["TaskTemplate"], "Runtime", json!("container"));
    default(&mut json["TaskTemplate"]["ContainerSpec"], "Isolation", json!("default"));
    let members: [(&str, &[(&str, Value)]); 8] = [
        ("/Mode/Replicated", &[("Replicas", json!(1))]),
        ("/Mode/ReplicatedJob", &[("MaxConcurrent", json!(1)), ("TotalCompletions", json!(1))]),
        ("/TaskTemplate/RestartPolicy", &[("Condition", json!("any")), ("MaxAttempts", json!(0))]),
        ("/TaskTemplate/ContainerSpec/Privileges", &[("CredentialSpec", Value::Null), ("SELinuxContext", Value::Null)]),
        ("/UpdateConfig", &update_defaults()),
        ("/RollbackConfig", &update_defaults()),
        ("/EndpointSpec", &[("Mode", json!("vip"))]),
        ("/TaskTemplate/ContainerSpec/Healthcheck", &[]),
    ];
    for (place, members) in members {
        let Some(object) = json.pointer_mut(place) else { continue };
        for (member, value) in members {
            default(object, member, value.clone());
        }
    }
    let ports = json.pointer_mut("/EndpointSpec/Ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        default(port, "Protocol", json!("tcp"));
        default(port, "PublishMode", json!("ingress"));
    }
    drop_empty_bind_options(json);
}

fn update_defaults() -> [(&'static str, Value); 4] {
    [
        ("Parallelism", json!(0)),
        ("FailureAction", json!("pause")),
        ("MaxFailureRatio", json!(0)),
        ("Order", json!("stop-first")),
    ]
}

fn drop_empty_bind_options(json: &mut Value) {
    let mounts = json.pointer_mut("/TaskTemplate/ContainerSpec/Mounts").and_then(Value::as_array_mut);
    for mount in mounts.into_iter().flatten().filter_map(Value::as_object_mut) {
        if mount.get("BindOptions") == Some(&json!({})) {
            mount.remove("BindOptions");
        }
    }
}

/// Checks the members that hold one of a few words.
fn check_words(json: &Value) -> Result<(), Refusal> {
    let word = |place: &str| json.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    let condition = word("/TaskTemplate/RestartPolicy/Condition");
    if !["", "any", "none", "on-failure"].contains(&condition.as_str()) {
        return Err(Refusal::bad(format!("invalid RestartCondition: {condition:?}")));
    }
    for config in ["/UpdateConfig", "/RollbackConfig"] {
        let action = word(&format!("{config}/FailureAction"));
        let (which, actions): (_, &[&str]) = match config {
            "/UpdateConfig" => ("update", &["", "pause", "continue", "rollback"]),
            _ => ("rollback", &["", "pause", "continue"]),
        };
        if !actions.contains(&action.as_str()) {
            return Err(Refusal::bad(format!("unrecognized {which} failure action {action}")));
        }
        let order = word(&format!("{config}/Order"));
        if !["", "stop-first", "start-first"].contains(&order.as_str()) {
            return Err(Refusal::bad(format!("unrecognized update order {order}")));
        }
    }
    let mode = word("/EndpointSpec/Mode");
    if !["", "vip", "dnsrr"].contains(&mode.as_str()) {
        return Err(Refusal::bad(format!("invalid resolution mode: {mode:?}")));
    }
    let mounts = json.pointer("/TaskTemplate/ContainerSpec/Mounts").and_then(Value::as_array);
    let kinds = mounts.into_iter().flatten().filter_map(|mount| mount["Type"].as_str());
    match kinds.into_iter().find(|kind| !["bind", "volume", "tmpfs", "npipe"].contains(kind)) {
        Some(kind) => Err(Refusal::bad(format!("invalid MountType: {kind:?}"))),
        None => Ok(()),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    let is_inside = |c: char| is_end(c) || matches!(c, '-' | '_');
    if !(name.starts_with(is_end) && name.ends_with(is_end) && name.chars().all(is_inside)) {
        return Err(Refusal::invalid("name must be valid as a DNS name component"));
    }
    if name.len() > 63 {
        return Err(Refusal::invalid("name must be 63 characters or fewer"));
    }
    Ok(())
}

fn check_task(spec: &ServiceSpec) -> Result<(), Refusal> {
    let task = &spec.task_template;
    check_amounts(&task.resources.limits)?;
    check_amounts(&task.resources.reservations)?;
    constraint::check(&task.placement.constraints)?;
    let container = &task.container_spec;
    if container.image.is_empty() {
        return Err(Refusal::invalid("ContainerSpec: image reference must be provided"));
    }
    if !image::is_valid(&container.image) {
        let message = format!("ContainerSpec: {:?} is not a valid repository/tag", container.image);
        return Err(Refusal::invalid(message));
    }
    let mut targets: Vec<&str> = container.mounts.iter().map(|mount| mount.target.as_str()).collect();
    targets.sort_unstable();
    match targets.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Refusal::invalid(format!("ContainerSpec: duplicate mount point: {}", pair[0]))),
        None => Ok(()),
    }
}

fn check_amounts(amounts: &Amounts) -> Result<(), Refusal> {
    #[expect(clippy::cast_precision_loss, reason = "the Engine's text has the same rounding")]
    let cpus = amounts.nano_cpus as f64 / 1e9;
    if amounts.nano_cpus != 0 && amounts.nano_cpus < 1_000_000 {
        return Err(Refusal::invalid(format!("invalid cpu value {cpus}: Must be at least 0.001")));
    }
    if amounts.memory_bytes != 0 && amounts.memory_bytes < 4 << 20 {
        return Err(Refusal::invalid(format!("invalid memory value {}: Must be at least 4MiB", amounts.memory_bytes)));
    }
    Ok(())
}

fn check_update(spec: &Spec) -> Result<(), Refusal> {
    let parsed = &spec.parsed;
    if spec.mode().is_job() {
        if parsed.update_config.is_some() {
            return Err(Refusal::invalid("Jobs may not have an update config"));
        }
        if parsed.task_template.restart_policy.condition == "any" {
            return Err(Refusal::invalid("RestartPolicy: restart condition \"any\" is not allowed for jobs"));
        }
    }
    for config in [&parsed.update_config, &parsed.rollback_config].into_iter().flatten() {
        if !(0.0..=1.0).contains(&config.max_failure_ratio) {
            let message = "TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1";
            return Err(Refusal::invalid(message));
        }
    }
    Ok(())
}

fn check_ports(spec: &ServiceSpec) -> Result<(), Refusal> {
    let Some(endpoint) = &spec.endpoint_spec else { return Ok(()) };
    if endpoint.mode == "dnsrr" && endpoint.ports.iter().any(|port| port.publish_mode == "ingress") {
        let message = "EndpointSpec: port published with ingress mode can't be used with dnsrr mode";
        return Err(Refusal::invalid(message));
    }
    let published: Vec<_> = endpoint.ports.iter().filter(|port| port.published_port != 0).collect();
    let is_twice = published.iter().enumerate().any(|(position, port)| {
        published[..position].iter().any(|other| {
            (other.published_port, &other.protocol, &other.publish_mode)
                == (port.published_port, &port.protocol, &port.publish_mode)
        })
    });
    if is_twice {
        return Err(Refusal::invalid("EndpointSpec: duplicate published ports provided"));
    }
    Ok(())
}
