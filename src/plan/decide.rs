//! What turns the live stack into the wanted one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::canon::{NetworkNames, align_networks, canon, familiar, fingerprint, without_newer};
use super::spec::{image_of, set, short_name, version_of_spec};
use super::{
    Action, ActionKind, Plan, SPEC_LABEL, Written, changes, order, ports, preflight, refusals, rotate, unused,
};
use crate::diff::{FieldChange, Finding};
use crate::engine::{LiveService, LiveStack, Write};
use crate::hidden::Hidden;
use crate::names::{ServiceName, StackName};
use crate::stack::{Service, Stack};

/// Decides what turns the live stack into the wanted one. Only the services in `scope` are touched (`None`: all of
/// them, and those of the live stack that are not wanted are removed).
pub fn plan(wanted: &Stack, live: &LiveStack, scope: Option<&BTreeSet<ServiceName>>) -> Plan {
    let in_scope = |name: &ServiceName| scope.is_none_or(|scope| scope.contains(name));
    let chosen: BTreeMap<&ServiceName, &Service> = wanted.services.iter().filter(|(name, _)| in_scope(name)).collect();
    let specs: Vec<&Value> = chosen.values().map(|service| &service.spec).collect();
    let objects = rotate::objects(wanted, live, &specs, scope.is_none());
    let networks: NetworkNames = live.network_names();

    let mut decisions = BTreeMap::new();
    for (name, service) in &chosen {
        let spec = objects.followed(&service.spec);
        let live = live.services.get(&wanted.name.scope(name));
        decisions.insert((*name).clone(), decide(spec, live, &networks));
    }
    let written: Vec<Written<'_>> = chosen
        .iter()
        .filter_map(|(name, service)| {
            let spec = decisions.get(*name)?.spec()?;
            let full_name = wanted.name.scope(name);
            let live = live.services.get(&full_name);
            Some(Written { name, full_name, declared: &service.spec, spec, live })
        })
        .collect();
    let others: BTreeMap<ServiceName, &LiveService> = live
        .services
        .iter()
        .filter_map(|(full_name, service)| Some((short_name(&wanted.name, full_name)?, service)))
        .collect();
    let leaving: BTreeMap<ServiceName, &LiveService> = others
        .iter()
        .filter(|(name, _)| in_scope(name) && !wanted.services.contains_key(*name))
        .map(|(name, service)| (name.clone(), *service))
        .collect();

    let handover = ports::handover(&written, &staying(&others, &written, &leaving), &specs_of(&leaving), live);
    let (mut blockers, mut warnings) = (handover.blockers.clone(), unreadable(&objects, &written));
    blockers.extend(refusals::of_objects(&objects.creates));
    for service in &written {
        let findings = preflight::check(service, wanted, live);
        blockers.extend(findings.blockers);
        warnings.extend(findings.warnings);
    }
    blockers.sort();
    blockers.dedup();
    warnings.sort();
    let staying = staying(&others, &written, &leaving);
    let after: Vec<&Value> = written.iter().map(|service| service.spec).chain(staying.into_values()).collect();
    let removals = unused::removals(wanted, live, &objects, &after, scope.is_none());
    let mut actions = arrange(objects.creates, decisions, &chosen, &leaving, &handover);
    actions.extend(removals);
    hide(wanted, &mut actions);
    Plan { actions, blockers, warnings }
}

/// Takes what services are given out of what is shown of the changes.
fn hide(wanted: &Stack, actions: &mut [Action]) {
    let changes = actions.iter_mut().filter_map(|action| match &mut action.kind {
        ActionKind::UpdateService { changes, .. } => Some(changes),
        _ => None,
    });
    let mut changes = changes.flatten().peekable();
    if changes.peek().is_some() {
        let hidden = Hidden::of(wanted);
        changes.for_each(|change| hidden.mask_change(change));
    }
}

/// What starts all tasks of a running service anew, as it is; `None` where there is no such service.
pub fn restart(live: &LiveStack, stack: &StackName, service: &ServiceName) -> Option<Action> {
    let running = live.services.get(&stack.scope(service))?;
    let count = running.spec.pointer("/TaskTemplate/ForceUpdate").and_then(Value::as_u64).unwrap_or(0);
    let mut spec = running.spec.clone();
    set(&mut spec, &["TaskTemplate", "ForceUpdate"], Value::from(count + 1));
    let version = version_of_spec(&running.spec);
    Some(Action {
        kind: ActionKind::UpdateService {
            service: service.clone(),
            from: version.clone(),
            to: version,
            changes: Vec::new(),
            prior: running.spec.clone(),
        },
        reason: "restart".to_owned(),
        write: Some(Write::UpdateService { id: running.id.clone(), version: running.version, spec }),
        level: 1,
    })
}

fn specs_of<'a>(services: &BTreeMap<ServiceName, &'a LiveService>) -> BTreeMap<ServiceName, &'a Value> {
    services.iter().map(|(name, service)| (name.clone(), &service.spec)).collect()
}

/// The specs of live services that the plan neither writes nor removes.
fn staying<'a>(
    live: &BTreeMap<ServiceName, &'a LiveService>,
    written: &[Written<'_>],
    leaving: &BTreeMap<ServiceName, &LiveService>,
) -> BTreeMap<ServiceName, &'a Value> {
    let touched: BTreeSet<&ServiceName> = written.iter().map(|service| service.name).chain(leaving.keys()).collect();
    live.iter()
        .filter(|(name, _)| !touched.contains(name))
        .map(|(name, service)| (name.clone(), &service.spec))
        .collect()
}

/// What is to become of one wanted service.
enum Decision<'a> {
    Create(Value),
    Update { spec: Value, live: &'a LiveService, changes: Vec<FieldChange>, reason: String },
    Leave,
}

impl Decision<'_> {
    fn spec(&self) -> Option<&Value> {
        match self {
            Self::Create(spec) | Self::Update { spec, .. } => Some(spec),
            Self::Leave => None,
        }
    }
}

fn decide<'a>(wanted: Value, live: Option<&'a LiveService>, networks: &NetworkNames) -> Decision<'a> {
    let Some(live) = live else { return Decision::Create(wanted) };
    let spec = to_write(wanted, &live.spec);
    let mut wanted = canon(&spec, networks);
    let mut seen = canon(&live.spec, networks);
    // The host's own networks have ids that no list shows.
    align_networks(&wanted, &mut seen, |name| preflight::PREDEFINED.contains(&name));
    if wanted == seen {
        return Decision::Leave;
    }
    let asked_for = live.spec["Labels"][SPEC_LABEL].as_str() == Some(fingerprint(&wanted).as_str());
    if asked_for {
        without_newer(&mut wanted, &seen);
    }
    if asked_for && wanted == seen {
        return Decision::Leave;
    }
    let changes = changes::changes(&seen, &wanted);
    let reason = changes::reason(&seen, &wanted, &changes);
    Decision::Update { spec, live, changes, reason }
}

/// The wanted spec with what an update must not lose: the restart counter, and the digest of an image that the stack
/// file names without one.
fn to_write(mut spec: Value, live: &Value) -> Value {
    if let Some(count) = live.pointer("/TaskTemplate/ForceUpdate").filter(|count| count.as_u64() != Some(0)) {
        set(&mut spec, &["TaskTemplate", "ForceUpdate"], count.clone());
    }
    let (Some(wanted_image), Some(live_image)) = (image_of(&spec), image_of(live)) else { return spec };
    let (wanted_parts, live_parts) = (familiar(wanted_image), familiar(live_image));
    let is_same = wanted_parts == live_parts || wanted_parts.1.is_none() && wanted_parts.0 == live_parts.0;
    if !is_same {
        return spec;
    }
    set(&mut spec, &["TaskTemplate", "ContainerSpec", "Image"], Value::from(live_image));
    // The platforms belong to the image: whoever resolved its digest has found them.
    if let Some(platforms) = live.pointer("/TaskTemplate/Placement/Platforms").filter(|found| found.is_array()) {
        set(&mut spec, &["TaskTemplate", "Placement", "Platforms"], platforms.clone());
    }
    spec
}

/// One warning for all secrets that were made by other means and are used by what is written.
fn unreadable(objects: &rotate::Objects, written: &[Written<'_>]) -> Vec<Finding> {
    let used: BTreeSet<String> = written
        .iter()
        .flat_map(|service| rotate::references_of(service.declared, rotate::Kind::Secret))
        .filter(|name| objects.unreadable.contains(name))
        .collect();
    if used.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = used.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "nobody can read what is in the secrets that were made by other means ({}): they are taken to be up to date. To \
         change one, give it another `name` in the stack file",
        names.join(", ")
    );
    vec![Finding { service: None, message }]
}

/// Objects, then services by level, then removals.
fn arrange(
    creates: Vec<Action>,
    decisions: BTreeMap<ServiceName, Decision<'_>>,
    chosen: &BTreeMap<&ServiceName, &Service>,
    leaving: &BTreeMap<ServiceName, &LiveService>,
    handover: &ports::Handover,
) -> Vec<Action> {
    let before: BTreeMap<ServiceName, BTreeSet<ServiceName>> = chosen
        .iter()
        .map(|(name, service)| {
            let waits_for = handover.waits_for.get(*name).into_iter().flatten();
            ((*name).clone(), service.depends_on.iter().chain(waits_for).cloned().collect())
        })
        .collect();
    let levels = order(&before);
    let shift = u32::from(!handover.removed_first.is_empty());
    let last = levels.values().max().copied().unwrap_or(0) + shift + 1;

    let mut services: Vec<Action> = decisions
        .into_iter()
        .map(|(name, decision)| {
            let level = levels.get(&name).copied().unwrap_or(1) + shift;
            action(name, decision, level, chosen)
        })
        .collect();
    services.extend(leaving.iter().map(|(name, live)| Action {
        kind: ActionKind::RemoveService { service: name.clone(), from: version_of_spec(&live.spec) },
        reason: "no longer in the stack file".to_owned(),
        write: Some(Write::RemoveService { id: live.id.clone() }),
        level: if handover.removed_first.contains(name) { 1 } else { last },
    }));
    // Stable: within a level the names decide, as both lists come sorted by them.
    services.sort_by_key(|action| action.level);
    creates.into_iter().chain(services).collect()
}

fn action(service: ServiceName, decision: Decision, level: u32, chosen: &BTreeMap<&ServiceName, &Service>) -> Action {
    match decision {
        Decision::Create(spec) => Action {
            kind: ActionKind::CreateService { service, to: version_of_spec(&spec) },
            reason: "new service".to_owned(),
            write: Some(Write::CreateService { spec }),
            level,
        },
        Decision::Update { spec, live, changes, reason } => Action {
            kind: ActionKind::UpdateService {
                service,
                from: version_of_spec(&live.spec),
                to: version_of_spec(&spec),
                changes,
                prior: live.spec.clone(),
            },
            reason,
            write: Some(Write::UpdateService { id: live.id.clone(), version: live.version, spec }),
            level,
        },
        Decision::Leave => {
            let version = chosen
                .get(&service)
                .map_or_else(|| version_of_spec(&Value::Null), |wanted| version_of_spec(&wanted.spec));
            Action {
                kind: ActionKind::LeaveService { service, version },
                reason: "unchanged".to_owned(),
                write: None,
                level,
            }
        }
    }
}
