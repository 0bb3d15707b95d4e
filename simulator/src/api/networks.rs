//! `/networks`.

use std::collections::HashMap;

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde_json::{Map, Value, json};

use crate::{
    api::{Answer, App, Query1, body, created, filters::Filters, ok},
    error::Refusal,
    state::{World, network::Network},
};

impl World {
    /// The networks that every Engine in swarm mode has.
    pub(crate) fn create_predefined_networks(&mut self) {
        let local = [
            ("bridge", "bridge", "172.17.0"),
            ("host", "host", ""),
            ("none", "null", ""),
            ("docker_gwbridge", "bridge", "172.18.0"),
        ];
        for (name, driver, subnet) in local {
            let id = self.ids.hex();
            self.add_predefined(id, name, driver, subnet, false);
        }
        for name in ["bridge", "host"] {
            let id = self.ids.object();
            self.add_predefined(id, name, name, "", true);
        }
        let id = self.ids.object();
        self.add_predefined(id.clone(), "ingress", "overlay", "10.0.0", true);
        if let Some(ingress) = self.networks.get_mut(&id) {
            (ingress.ingress, ingress.listed) = (true, true);
            ingress.labels = Value::Null;
            ingress.options = json!({ "com.docker.network.driver.overlay.vxlanid_list": "4096" });
        }
    }

    fn add_predefined(&mut self, id: String, name: &str, driver: &str, subnet: &str, swarm: bool) {
        let network = Network {
            id: id.clone(),
            name: name.to_owned(),
            created: self.stamp(),
            swarm,
            driver: driver.to_owned(),
            ingress: false,
            internal: false,
            attachable: false,
            labels: if swarm { json!({ "com.docker.swarm.predefined": "true" }) } else { json!({}) },
            options: if swarm { Value::Null } else { json!({}) },
            ipam: ipam(&Value::Null, subnet),
            predefined: true,
            listed: !swarm,
            subnet: subnet.to_owned(),
            last_address: 0,
        };
        self.networks.insert(id, network);
    }

    /// A network by id, name, or the beginning of an id; the node's own ones first.
    fn find_network(&self, name: &str, scope: Option<&str>) -> Result<&Network, Refusal> {
        let in_scope = |network: &&Network| match scope {
            Some(scope) => network.scope() == scope,
            None => network.listed,
        };
        self.networks
            .get(name)
            .or_else(|| self.networks.values().filter(in_scope).find(|network| network.name == name))
            .or_else(|| self.networks.values().filter(in_scope).find(|network| network.id.starts_with(name)))
            .ok_or_else(|| Refusal::not_found("network", name))
    }

    /// The id of the network that a service spec names.
    pub(super) fn network_for_services(&self, name: &str) -> Result<String, Refusal> {
        let found = self
            .find_network(name, Some("swarm"))
            .or_else(|_| self.find_network(name, None))
            .map_err(|refusal| Refusal { status: 500, ..refusal })?;
        if found.ingress {
            let message = format!("Service cannot be explicitly attached to the ingress network {:?}", found.name);
            return Err(Refusal::invalid(message));
        }
        if found.swarm {
            return Ok(found.id.clone());
        }
        if found.predefined && found.name != "docker_gwbridge" {
            // `bridge` and `host` by their local id have a twin in the swarm; `none` has not.
            let twin = self.find_network(&found.name, Some("swarm")).map_err(|refusal| {
                Refusal::new(
                    404,
                    format!("could not find the corresponding predefined swarm network: {}", refusal.message),
                )
            })?;
            return Ok(twin.id.clone());
        }
        Err(Refusal::new(
            403,
            format!(
                "The network {name} cannot be used with services. Only networks scoped to the swarm can be used, such as \
                 those created with the overlay driver."
            ),
        ))
    }

    fn create_network(&mut self, body: &Value) -> Result<String, Refusal> {
        let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
        let (name, driver) = (text("Name"), text("Driver"));
        let driver = if driver.is_empty() { "bridge".to_owned() } else { driver };
        if name.trim().is_empty() {
            return Err(Refusal::new(500, format!("invalid name: {name}")));
        }
        if !["bridge", "host", "ipvlan", "macvlan", "null", "overlay"].contains(&driver.as_str()) {
            return Err(Refusal::new(404, format!("plugin {driver:?} not found")));
        }
        let swarm = driver == "overlay" || text("Scope") == "swarm";
        if self.networks.values().any(|network| network.name == name) {
            return Err(Refusal::new(409, format!("network with name {name} already exists")));
        }
        let id = if swarm { self.ids.object() } else { self.ids.hex() };
        self.bump();
        let number = self.networks.values().filter(|network| network.swarm && !network.predefined).count() + 1;
        let subnet = if swarm { format!("10.0.{number}") } else { format!("172.{}.0", 18 + number) };
        let network = Network {
            id: id.clone(),
            name: name.clone(),
            created: self.stamp(),
            swarm,
            driver,
            ingress: false,
            internal: body["Internal"] == true,
            attachable: body["Attachable"] == true,
            labels: body["Labels"].clone(),
            options: options(&body["Options"], swarm, number),
            ipam: ipam(&body["IPAM"], &subnet),
            predefined: false,
            listed: true,
            subnet,
            last_address: 0,
        };
        self.networks.insert(id.clone(), network);
        self.unsaved = true;
        self.tell("network", "create", &id, &[("name", &name)]);
        Ok(id)
    }

    fn remove_network(&mut self, name: &str) -> Result<(), Refusal> {
        let network = self.find_network(name, None)?;
        let (id, name) = (network.id.clone(), network.name.clone());
        if network.predefined && !network.swarm && name != "docker_gwbridge" {
            return Err(Refusal::new(403, format!("{name} is a pre-defined network and cannot be removed")));
        }
        let user = self.services.values().find(|service| {
            let targets = &service.spec.parsed.task_template.networks;
            targets.iter().any(|target| target.target == id)
                || network.ingress && service.spec.parsed.ingress_ports().next().is_some()
        });
        match user {
            Some(user) if network.ingress => {
                let message = format!("ingress network cannot be removed because service {} depends on it", user.id);
                return Err(Refusal::precondition(message));
            }
            Some(user) => {
                return Err(Refusal::precondition(format!("network {id} is in use by service {}", user.id)));
            }
            None => {}
        }
        if let Some(task) = self.tasks().find(|task| task.holds_node() && uses(&task.template.json, &id)) {
            return Err(Refusal::precondition(format!("network {id} is in use by task {}", task.id)));
        }
        self.networks.remove(&id);
        self.bump();
        self.unsaved = true;
        self.tell("network", "remove", &id, &[("name", &name)]);
        Ok(())
    }

    /// The containers on the answering node that are attached to a swarm network.
    fn attached(&self, network: &Network) -> Option<Map<String, Value>> {
        let here = self.nodes.first().map(|node| node.id.as_str());
        let containers: Map<String, Value> = self
            .tasks()
            .filter(|task| task.holds_node() && task.node.as_deref() == here && uses(&task.template.json, &network.id))
            .filter_map(|task| Some((task, task.status.container.as_ref()?)))
            .map(|(task, container)| {
                let name = format!("{}.{}", task.name(), task.id);
                (
                    container.id.clone(),
                    json!({ "Name": name, "EndpointID": "", "MacAddress": "", "IPv4Address": "", "IPv6Address": "" }),
                )
            })
            .collect();
        (network.swarm && !containers.is_empty()).then_some(containers)
    }
}

fn uses(template: &Value, network: &str) -> bool {
    template["Networks"].as_array().into_iter().flatten().any(|attached| attached["Target"] == network)
}

fn options(asked: &Value, swarm: bool, number: usize) -> Value {
    let mut options = asked.as_object().cloned().unwrap_or_default();
    if swarm {
        options.insert("com.docker.network.driver.overlay.vxlanid_list".to_owned(), json!((4096 + number).to_string()));
    }
    Value::Object(options)
}

fn ipam(asked: &Value, subnet: &str) -> Value {
    let mut config = asked["Config"].as_array().cloned().unwrap_or_default();
    if config.is_empty() && !subnet.is_empty() {
        config.push(json!({ "Subnet": format!("{subnet}.0/24") }));
    }
    for one in &mut config {
        if one.get("Gateway").is_none()
            && let Some((base, _)) = one["Subnet"].as_str().and_then(|subnet| subnet.rsplit_once('.'))
        {
            one["Gateway"] = json!(format!("{base}.1"));
        }
    }
    let driver = asked["Driver"].as_str().filter(|driver| !driver.is_empty()).unwrap_or("default");
    let options = asked["Options"].as_object().map_or(Value::Null, |options| json!(options));
    json!({ "Driver": driver, "Options": options, "Config": config })
}

pub(super) async fn list(State(shared): App, Query(query): Query1) -> Answer {
    let known = ["driver", "type", "name", "id", "label", "scope", "dangling"];
    let filters = Filters::read(&query)?.only(&known)?;
    shared.with(|world| {
        let shown = world.networks.values().filter(|network| {
            network.listed
                && filters.passes("driver", |driver| network.driver == driver)
                && filters.passes("scope", |scope| network.scope() == scope)
                && filters.passes("type", |kind| (kind == "builtin") == network.predefined)
                && filters.passes("name", |name| network.name.contains(name))
                && filters.begins("id", &network.id)
                && filters.labels(&network.labels)
        });
        ok(&Value::Array(shown.map(|network| network.json(None)).collect()))
    })
}

pub(super) async fn inspect(State(shared): App, Path(id): Path<String>, Query(query): Query1) -> Answer {
    let scope = scope(&query);
    shared.with(|world| {
        let network = world.find_network(&id, scope)?;
        ok(&network.json(world.attached(network)))
    })
}

fn scope(query: &HashMap<String, String>) -> Option<&str> {
    query.get("scope").map(String::as_str).filter(|scope| !scope.is_empty())
}

pub(super) async fn create(State(shared): App, bytes: Bytes) -> Answer {
    let body = body(&bytes)?;
    let id = shared.with(|world| world.create_network(&body))?;
    created(&json!({ "Id": id, "Warning": "" }))
}

pub(super) async fn remove(State(shared): App, Path(id): Path<String>) -> Answer {
    shared.with(|world| world.remove_network(&id))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
