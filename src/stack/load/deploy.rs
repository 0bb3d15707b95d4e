//! The `deploy` section of a service.

use super::model::{Deploy, Limits, Reservations, RestartPolicy, Update};
use super::units;
use super::values::{amount, count, dict, duration, integer, text, texts};
use crate::stack::findings::Findings;
use crate::stack::yaml::Cursor;

pub(super) fn load(found: &Cursor<'_>, findings: &mut Findings) -> Deploy {
    let resources = found.some("resources");
    let part = |key: &str| resources.as_ref().and_then(|resources| resources.some(key));
    let placement = found.some("placement");
    Deploy {
        place: Some(found.place.clone()),
        mode: text(found, "mode"),
        replicas: count(found, "replicas", findings),
        labels: dict(found, "labels"),
        update: found.some("update_config").map(|update| load_update(&update, findings)),
        rollback: found.some("rollback_config").map(|update| load_update(&update, findings)),
        limits: part("limits").map(|limits| Limits {
            nano_cpus: limits.get("cpus").map(|_| amount(&limits, "cpus", units::nano_cpus, findings)),
            memory: amount(&limits, "memory", units::size, findings),
            pids: integer(&limits, "pids", findings).unwrap_or_default(),
        }),
        reservations: part("reservations").map(|reservations| Reservations {
            nano_cpus: reservations.get("cpus").map(|_| amount(&reservations, "cpus", units::nano_cpus, findings)),
            memory: amount(&reservations, "memory", units::size, findings),
            generic: generic_resources(&reservations, findings),
        }),
        restart_policy: found.some("restart_policy").map(|policy| RestartPolicy {
            condition: one_of(&policy, "condition", &["none", "on-failure", "any"], findings),
            delay: duration(&policy, "delay"),
            max_attempts: count(&policy, "max_attempts", findings),
            window: duration(&policy, "window"),
        }),
        constraints: placement.as_ref().map(|placement| texts(placement, "constraints")).unwrap_or_default(),
        preferences: placement.as_ref().map(preferences).unwrap_or_default(),
        max_replicas: placement
            .as_ref()
            .and_then(|placement| count(placement, "max_replicas_per_node", findings))
            .unwrap_or_default(),
        endpoint_mode: text(found, "endpoint_mode"),
    }
}

fn load_update(found: &Cursor<'_>, findings: &mut Findings) -> Update {
    Update {
        parallelism: count(found, "parallelism", findings),
        delay: duration(found, "delay").unwrap_or_default(),
        failure_action: one_of(found, "failure_action", &["pause", "continue", "rollback"], findings),
        monitor: duration(found, "monitor").unwrap_or_default(),
        max_failure_ratio: found.get("max_failure_ratio").and_then(|ratio| ratio.float()).unwrap_or_default(),
        order: one_of(found, "order", &["start-first", "stop-first"], findings),
    }
}

/// A word that the Engine would otherwise refuse, in the middle of a deployment.
fn one_of(parent: &Cursor<'_>, key: &str, allowed: &[&str], findings: &mut Findings) -> String {
    let found = text(parent, key);
    if let Some(value) = parent.get(key)
        && value.text().is_some()
        && !allowed.contains(&found.as_str())
        && !found.is_empty()
    {
        findings.refuse(&value.place, format!("`{found}` is not known here: use {}", allowed.join(", ")));
    }
    found
}

fn preferences(placement: &Cursor<'_>) -> Vec<String> {
    let Some(list) = placement.get("preferences") else { return Vec::new() };
    list.items().map(|preference| text(&preference, "spread")).collect()
}

fn generic_resources(reservations: &Cursor<'_>, findings: &mut Findings) -> Vec<(String, i64)> {
    let Some(list) = reservations.get("generic_resources") else { return Vec::new() };
    list.items()
        .filter_map(|item| item.some("discrete_resource_spec"))
        .map(|discrete| (text(&discrete, "kind"), integer(&discrete, "value", findings).unwrap_or_default()))
        .collect()
}
