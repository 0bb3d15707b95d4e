//! Everything that a plan is made against, asked for at once.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{Config, Network, NetworkInspect, ObjectVersion, Secret};
use bollard::query_parameters::InspectNetworkOptionsBuilder;
use futures::future::join_all;
use futures::try_join;
use release_manager::engine::{LiveObject, LiveStack};
use release_manager::names::StackName;
use release_manager::ports::SwarmError;
use serde_json::Value;

use super::client::{Client, READ};
use super::read;

/// Networks that every Engine has and every service may use, although lists show them with the scope of the node.
const PREDEFINED: [&str; 3] = ["host", "bridge", "none"];

pub(super) async fn live(client: &Client, stack: &StackName) -> Result<LiveStack, SwarmError> {
    let trouble = client.trouble(READ);
    let (services, nodes, networks, secrets, configs) = try_join!(
        client.get("/services", &[]),
        client.get("/nodes", &[]),
        networks(client),
        client.ask(READ, |docker| async move { docker.list_secrets(None).await }),
        client.ask(READ, |docker| async move { docker.list_configs(None).await }),
    )?;
    let mut live = LiveStack {
        nodes: read::list("node", &nodes, read::node).map_err(|missing| trouble.unreadable(missing.0))?,
        networks,
        secrets: secrets.into_iter().filter_map(secret).collect(),
        configs: configs.into_iter().filter_map(config).collect(),
        ..LiveStack::default()
    };
    let services = read::list("service", &services, with_ports).map_err(|missing| trouble.unreadable(missing.0))?;
    for ((name, service), ports, on_nodes) in services {
        if read::belongs_to(&service.spec, stack.as_str()) {
            live.services.insert(name, service);
        } else {
            if !on_nodes.is_empty() {
                live.others_on_nodes.insert(name.clone(), on_nodes);
            }
            live.others.insert(name, ports);
        }
    }
    Ok(live)
}

/// All networks that services can use, by name.
pub(super) async fn networks(client: &Client) -> Result<BTreeMap<String, LiveObject>, SwarmError> {
    let (listed, predefined) =
        try_join!(client.ask(READ, |docker| async move { docker.list_networks(None).await }), async {
            Ok(join_all(PREDEFINED.map(|name| of_the_swarm(client, name))).await)
        },)?;
    Ok(by_scope(listed, predefined.into_iter().flatten()))
}

/// A service, its ingress ports, and those of its nodes.
type ServiceWithPorts = ((String, release_manager::engine::LiveService), Vec<String>, Vec<String>);

fn with_ports(answer: &Value) -> Option<ServiceWithPorts> {
    Some((read::service(answer)?, read::ports(answer, "ingress"), read::ports(answer, "host")))
}

/// A predefined network has a second id for the whole Swarm: the one that service specs show, and lists do not.
async fn of_the_swarm(client: &Client, name: &'static str) -> Option<(String, LiveObject)> {
    let options = InspectNetworkOptionsBuilder::default().scope("swarm").build();
    let found = client.ask(READ, |docker| {
        let options = options.clone();
        async move { docker.inspect_network(name, Some(options)).await }
    });
    let NetworkInspect { id, labels, .. } = found.await.ok()?;
    Some((name.to_owned(), object(id, labels, "swarm")?))
}

/// Networks by name: where a node and the Swarm have one of the same name, services mean the Swarm's.
fn by_scope(
    listed: Vec<Network>,
    predefined: impl IntoIterator<Item = (String, LiveObject)>,
) -> BTreeMap<String, LiveObject> {
    let mut networks: BTreeMap<String, LiveObject> = BTreeMap::new();
    for network in listed {
        let Some(name) = network.name else { continue };
        let scope = match network.scope {
            _ if PREDEFINED.contains(&&*name) => "swarm".to_owned(),
            scope => scope.unwrap_or_default(),
        };
        let Some(found) = object(network.id, network.labels, &scope) else { continue };
        if networks.get(&name).is_none_or(|known| known.scope != "swarm") {
            networks.insert(name, found);
        }
    }
    networks.extend(predefined);
    networks
}

fn secret(secret: Secret) -> Option<(String, LiveObject)> {
    let spec = secret.spec?;
    let found = object(secret.id, spec.labels, "swarm")?;
    Some((spec.name?, LiveObject { version: index(secret.version), created_at: secret.created_at, ..found }))
}

fn config(config: Config) -> Option<(String, LiveObject)> {
    let spec = config.spec?;
    let found = object(config.id, spec.labels, "swarm")?;
    Some((
        spec.name?,
        LiveObject { version: index(config.version), created_at: config.created_at, data: spec.data, ..found },
    ))
}

fn index(version: Option<ObjectVersion>) -> u64 {
    version.and_then(|version| version.index).unwrap_or(0)
}

fn object(id: Option<String>, labels: Option<HashMap<String, String>>, scope: &str) -> Option<LiveObject> {
    let labels = labels.unwrap_or_default().into_iter().collect();
    Some(LiveObject { id: id?, labels, scope: scope.to_owned(), version: 0, created_at: None, data: None })
}
