//! Networks: which exist, how services are attached, and which ports are open.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Context;
use super::json::Json;
use crate::stack::Object;
use crate::stack::findings::Findings;
use crate::stack::load::model::{Network, Port, Service};

/// The network of services that name none.
const DEFAULT: &str = "default";

/// The networks of a service, by full name. The Engine's own (`host`, …) are neither made nor looked for.
pub(super) fn objects(context: Context<'_>, service: &Service) -> BTreeMap<String, Object> {
    let mut objects = BTreeMap::new();
    for key in keys(service) {
        let declared = context.document.networks.get(key);
        let name = context.named(key, declared.and_then(|network| network.name.as_ref()));
        if declared.is_none() && key != DEFAULT {
            continue;
        }
        match declared {
            Some(network) if network.external && !is_user_defined(&name) => (),
            Some(network) if network.external => {
                objects.insert(name, Object::External);
            }
            declared => {
                let spec = spec(context, &name, declared);
                objects.insert(name, Object::Ours { spec });
            }
        }
    }
    objects
}

fn keys(service: &Service) -> BTreeSet<&str> {
    if service.networks.is_empty() {
        return BTreeSet::from([DEFAULT]);
    }
    service.networks.keys().map(String::as_str).collect()
}

/// Whether the Engine does not bring the network itself.
fn is_user_defined(name: &str) -> bool {
    !matches!(name, "default" | "bridge" | "host" | "none") && !name.starts_with("container:")
}

/// The body of `POST /networks/create`.
fn spec(context: Context<'_>, name: &str, declared: Option<&Network>) -> Value {
    let Some(network) = declared else {
        let labels = context.labels(&BTreeMap::new());
        return Json::default().put("Name", name).put("Driver", "overlay").put("Labels", labels).into();
    };
    let driver = if network.driver.is_empty() { "overlay" } else { &network.driver };
    let pool = |subnet: &String| Json::default().text("Subnet", subnet);
    let ipam = (!network.ipam_driver.is_empty() || !network.subnets.is_empty())
        .then(|| Json::default().text("Driver", &network.ipam_driver).list("Config", network.subnets.iter().map(pool)));
    Json::default()
        .put("Name", name)
        .put("Driver", driver)
        .strings("Options", &network.driver_opts)
        .flag("Internal", network.internal)
        .flag("Attachable", network.attachable)
        .put("Labels", context.labels(&network.labels))
        .some("IPAM", ipam)
        .into()
}

/// `TaskTemplate.Networks`, by name.
pub(super) fn attachments(
    context: Context<'_>,
    service_key: &str,
    service: &Service,
    findings: &mut Findings,
) -> Vec<Value> {
    let mut attachments = BTreeMap::new();
    for key in keys(service) {
        let found = service.networks.get(key);
        let declared = context.document.networks.get(key);
        if let (None, Some(found)) = (declared, found)
            && key != DEFAULT
        {
            let message = format!("there is no network `{key}`: add it to `networks` at the top level");
            findings.refuse(&found.place, message);
            continue;
        }
        let target = context.named(key, declared.and_then(|network| network.name.as_ref()));
        let settings = found.and_then(|found| found.value.clone()).unwrap_or_default();
        let mut aliases = settings.aliases;
        if is_user_defined(&target) {
            aliases.push(service_key.to_owned());
        }
        let attachment = Json::default()
            .put("Target", target.as_str())
            .list("Aliases", aliases)
            .strings("DriverOpts", &settings.driver_opts);
        attachments.insert((target, key), Value::from(attachment));
    }
    attachments.into_values().collect()
}

/// `EndpointSpec.Ports`.
pub(super) fn ports(ports: &[Port]) -> Vec<Value> {
    let mut sorted: Vec<&Port> = ports.iter().collect();
    sorted.sort_by_key(|port| (port.published, port.target, &port.protocol, &port.mode));
    let port = |port: &Port| {
        Json::default()
            .text("Protocol", &port.protocol)
            .number("TargetPort", port.target)
            .number("PublishedPort", port.published)
            .text("PublishMode", &port.mode)
            .into()
    };
    sorted.into_iter().map(port).collect()
}
