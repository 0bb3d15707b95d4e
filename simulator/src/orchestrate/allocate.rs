//! The allocator: gives a service its ports and virtual addresses, as a write of its own a moment after the service's.

use serde_json::{Value, json};

use crate::{orchestrate::World, spec::ServiceSpec};

/// The first port that swarmkit chooses by itself.
const FIRST_DYNAMIC_PORT: u64 = 30_000;

impl World {
    /// Looks at the services whose allocation is due.
    pub(crate) fn allocate_due(&mut self) {
        let due: Vec<String> = self
            .services
            .values()
            .filter(|service| service.allocate_at.is_some_and(|at| at <= self.now))
            .map(|service| service.id.clone())
            .collect();
        for id in due {
            self.allocate(&id);
        }
    }

    /// Whether the allocator has anything to give to a service with this spec.
    pub(crate) fn needs_allocation(spec: &ServiceSpec) -> bool {
        !spec.ports().is_empty() || !spec.task_template.networks.is_empty()
    }

    fn allocate(&mut self, id: &str) {
        let Some(service) = self.services.get(id) else { return };
        let spec = service.spec.clone();
        let old_ports = service.ports.clone();
        let old_addresses = service.virtual_ips.clone();
        let ports = self.published_ports(id, &spec.json, &old_ports);
        let virtual_ips = self.virtual_addresses(&spec.parsed, &old_addresses);
        let changed = ports != old_ports || virtual_ips != old_addresses;
        let (version, at) = if changed { (self.bump(), self.stamp()) } else { (0, String::new()) };
        let Some(service) = self.services.get_mut(id) else { return };
        service.allocate_at = None;
        if changed {
            service.ports = ports;
            service.virtual_ips = virtual_ips;
            service.version = version;
            service.updated = at;
            let name = service.name().to_owned();
            self.unsaved = true;
            self.tell("service", "update", id, &[("name", &name)]);
        }
    }

    fn published_ports(&self, id: &str, spec: &Value, old: &[Value]) -> Vec<Value> {
        let taken: Vec<u64> = self
            .services
            .values()
            .filter(|service| service.id != id)
            .flat_map(|service| &service.ports)
            .filter_map(|port| port["PublishedPort"].as_u64())
            .collect();
        let mut next = FIRST_DYNAMIC_PORT;
        let wanted = spec["EndpointSpec"]["Ports"].as_array().into_iter().flatten();
        let mut ports = Vec::new();
        for port in wanted {
            let mut port = port.clone();
            if port.get("PublishedPort").is_none() && port["PublishMode"] != "host" {
                let same =
                    |old: &&Value| old["TargetPort"] == port["TargetPort"] && old["Protocol"] == port["Protocol"];
                let before = old.iter().find(same).and_then(|old| old["PublishedPort"].as_u64());
                while taken.contains(&next) {
                    next += 1;
                }
                port["PublishedPort"] = json!(before.unwrap_or(next));
                next += 1;
            }
            ports.push(port);
        }
        ports
    }

    fn virtual_addresses(&mut self, spec: &ServiceSpec, old: &[Value]) -> Vec<Value> {
        if spec.endpoint_spec.as_ref().is_some_and(|endpoint| endpoint.mode == "dnsrr") {
            return Vec::new();
        }
        let uses_ingress = spec.ports().iter().any(|port| port.publish_mode != "host");
        let ingress = self.networks.values().find(|network| network.ingress).map(|network| network.id.clone());
        let targets = spec.task_template.networks.iter().map(|network| network.target.clone());
        let ids: Vec<String> = ingress.filter(|_| uses_ingress).into_iter().chain(targets).collect();
        ids.iter().map(|id| self.virtual_address(id, old)).collect()
    }

    fn virtual_address(&mut self, network: &str, old: &[Value]) -> Value {
        if let Some(address) = old.iter().find(|address| address["NetworkID"] == network) {
            return address.clone();
        }
        match self.networks.get_mut(network) {
            Some(found) if !found.predefined || found.ingress => {
                json!({ "NetworkID": network, "Addr": found.next_address() })
            }
            _ => json!({ "NetworkID": network }),
        }
    }
}
