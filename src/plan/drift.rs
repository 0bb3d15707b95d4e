//! How a live stack differs from what was deployed last: by the same comparison as a plan's, and no other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::canon::{hex_digest, text};
use super::{ActionKind, canon, plan, short_name};
use crate::engine::{DEPLOYMENT_LABEL, LiveStack};
use crate::names::{DeploymentId, ServiceName, StackName};
use crate::stack::Stack;
use crate::watched::ServiceDrift;

/// The services that should be as one stack says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// The stack that was deployed.
    pub(crate) stack: &'a Stack,
    /// Those of its services that no later deployment has brought elsewhere.
    pub(crate) services: &'a BTreeSet<ServiceName>,
}

/// The services that are not as they should be.
pub(crate) fn drift(expected: Expected<'_>, live: &LiveStack) -> BTreeMap<ServiceName, ServiceDrift> {
    let actions = plan(expected.stack, live, Some(expected.services)).actions;
    actions
        .into_iter()
        .filter_map(|action| match action.kind {
            ActionKind::CreateService { service, .. } => Some((service, ServiceDrift::Missing)),
            ActionKind::UpdateService { service, changes, .. } => {
                Some((service, ServiceDrift::Changed { fields: changes }))
            }
            // Objects are what services need; those that nobody needs are no drift.
            ActionKind::RemoveService { .. }
            | ActionKind::LeaveService { .. }
            | ActionKind::WatchService { .. }
            | ActionKind::CreateObject { .. }
            | ActionKind::LabelObject { .. }
            | ActionKind::RemoveObject { .. } => None,
        })
        .collect()
}

/// The services that carry the stack's label although no release has them.
pub(crate) fn foreign(stack: &StackName, live: &LiveStack, known: &BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
    let names = live.services.keys().filter_map(|full_name| short_name(stack, full_name));
    names.filter(|service| !known.contains(service)).collect()
}

/// The deployments whose labels the live services carry.
pub(crate) fn writers(stack: &StackName, live: &LiveStack) -> BTreeMap<ServiceName, DeploymentId> {
    let writer = |(full_name, service): (&String, &crate::engine::LiveService)| {
        let label = service.spec["Labels"][DEPLOYMENT_LABEL].as_str()?.parse().ok()?;
        Some((short_name(stack, full_name)?, DeploymentId(label)))
    };
    live.services.iter().filter_map(writer).collect()
}

/// Names a drift, whatever the Engine has counted up meanwhile: the same specs in place of the same ones.
pub(crate) fn name_of_drift<'a>(
    expected: Expected<'_>,
    live: &LiveStack,
    drifted: impl Iterator<Item = &'a ServiceName>,
) -> String {
    let networks = live.networks.iter().map(|(name, network)| (network.id.clone(), name.clone())).collect();
    let both = |service: &ServiceName| {
        let is = live.services.get(&expected.stack.name.scope(service)).map(|live| canon(&live.spec, &networks));
        let should_be = expected.stack.services.get(service).map(|wanted| canon(&wanted.spec, &networks));
        (service.to_string(), json!({"is": is, "should_be": should_be}))
    };
    let found: serde_json::Map<String, serde_json::Value> = drifted.map(both).collect();
    hex_digest(text(&found.into()))[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testkit::{deployed, name, stack};
    use super::*;

    /// What is found once `change` was made behind our back in a stack of web and db.
    #[track_caller]
    fn check(change: impl FnOnce(&mut LiveStack), expected: &[(&str, &str)]) {
        let release = stack("web=app:1 db=postgres:16");
        let mut live = deployed(&release);
        change(&mut live);
        let services = release.services.keys().cloned().collect();
        let found = drift(Expected { stack: &release, services: &services }, &live);
        let words = |drift: &ServiceDrift| match drift {
            ServiceDrift::Changed { fields } => {
                let field = |field: &crate::diff::FieldChange| {
                    format!("{} {:?} should be {:?}", field.field, field.from, field.to)
                };
                fields.iter().map(field).collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}"),
        };
        let found: Vec<(String, String)> =
            found.iter().map(|(service, drift)| (service.to_string(), words(drift))).collect();
        let found: Vec<(&str, &str)> = found.iter().map(|(service, words)| (&**service, &**words)).collect();
        assert_eq!(found, expected);
    }

    fn web(live: &mut LiveStack) -> &mut serde_json::Value {
        &mut live.services.get_mut("home_web").unwrap().spec
    }

    #[test]
    fn only_what_somebody_else_has_changed_is_drift() {
        check(|_| (), &[]);
        check(
            |live| web(live)["TaskTemplate"]["ContainerSpec"]["Image"] = json!("app:2"),
            &[("web", r#"TaskTemplate.ContainerSpec.Image Some("app:2") should be Some("app:1")"#)],
        );
        check(|live| web(live)["TaskTemplate"]["ForceUpdate"] = json!(7), &[]);
        check(|live| drop(live.services.remove("home_db")), &[("db", "Missing")]);
    }

    #[test]
    fn a_secret_is_never_shown() {
        check(
            |live| web(live)["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["TOKEN=canary"]),
            &[("web", r#"TaskTemplate.ContainerSpec.Env[TOKEN] Some("(hidden)") should be None"#)],
        );
    }

    #[test]
    fn the_same_drift_has_the_same_name_and_another_another() {
        let release = stack("web=app:1");
        let services = [name("web")].into();
        let named = |image: &str, version: u64| {
            let mut live = deployed(&release);
            web(&mut live)["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
            live.services.get_mut("home_web").unwrap().version = version;
            name_of_drift(Expected { stack: &release, services: &services }, &live, services.iter())
        };
        assert_eq!(named("app:2", 5), named("app:2", 9));
        assert_ne!(named("app:2", 5), named("app:3", 5));
    }
}
