//! Global services: one task on every node that may have one.

use std::collections::BTreeSet;

use crate::{
    orchestrate::{World, constraint},
    state::{
        node::Node,
        task::{Slot, State},
    },
};

impl World {
    pub(crate) fn reconcile_global(&mut self, service: &str) {
        let eligible = self.eligible_nodes(service, Node::keeps_tasks);
        self.leave_other_nodes(service, &eligible);
        self.restart_ended(service);
        let slots = self.updatable_slots(service);
        let here: Vec<Slot> =
            slots.keys().filter(|slot| matches!(slot, Slot::Node(node) if eligible.contains(node))).cloned().collect();
        self.update_slots(service, &here);
        for node in self.eligible_nodes(service, Node::takes_tasks) {
            let slot = Slot::Node(node);
            if !slots.contains_key(&slot) {
                self.create_task(service, slot, State::Running);
            }
        }
    }

    /// The nodes that a service's constraints and platforms allow, and that pass.
    pub(crate) fn eligible_nodes(&self, service: &str, passes: fn(&Node) -> bool) -> BTreeSet<String> {
        let Some(service) = self.services.get(service) else { return BTreeSet::new() };
        let placement = &service.spec.template.parsed.placement;
        self.nodes
            .iter()
            .filter(|node| passes(node) && constraint::all_met(&placement.constraints, node))
            .filter(|_| super::schedule::fits_platform(&placement.platforms))
            .map(|node| node.id.clone())
            .collect()
    }

    fn leave_other_nodes(&mut self, service: &str, eligible: &BTreeSet<String>) {
        let elsewhere: Vec<String> = self
            .tasks_of(service)
            .into_iter()
            .filter(|task| task.is_wanted() && !task.node.as_ref().is_some_and(|node| eligible.contains(node)))
            .map(|task| task.id.clone())
            .collect();
        for id in elsewhere {
            self.desire(&id, State::Shutdown);
        }
    }
}
