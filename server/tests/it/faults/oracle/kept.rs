//! NL-1, NL-7 and NL-8 from what any Engine shows, a real one too: what was written is what was announced, once; jobs ran
//! as often as they were written; the way back is kept, whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::engine::text;
use super::super::rig::Rig;
use super::database::Database;
use super::engine::LABEL;

/// What a service's spec says of its deployment.
fn deployment(spec: &Value) -> Option<i64> {
    text(spec, "/Labels/release-manager.deployment").parse().ok()
}

/// NL-1 and NL-8: each service has the spec that the journal announces for it, member by member, and was given it once;
/// what it had before is in the journal too, byte for byte.
pub(super) async fn specs_are_those_announced(rig: &Rig, database: &Database) {
    let targets = database.targets().await;
    for (name, service) in rig.engine.services().await {
        let (spec, before) = (&service["Spec"], &service["PreviousSpec"]);
        let Some(id) = deployment(spec).filter(|_| name.starts_with(rig.prefix())) else { continue };
        let Some(target) = targets.get(&(id, name.clone())) else { continue };
        // A tool that reads, changes and writes back keeps our label: then what we wrote is the one before.
        let (ours, prior) = if deployment(before) == Some(id) {
            assert_ne!(before, spec, "NL-1: {name} was written twice by deployment {id}");
            (before, None)
        } else {
            // What Swarm has rolled back is before nothing of ours.
            let went_back = text(&service, "/UpdateStatus/State").starts_with("rollback");
            (spec, Some(before).filter(|before| before.is_object() && !went_back))
        };
        // What one hand made of it another one may have made before.
        let by_hand = deployment(before) == Some(id) && !covers(ours, &without_ids(&target["spec"]));
        if !by_hand {
            let announced = without_ids(&target["spec"]);
            assert!(covers(ours, &announced), "NL-8: {name} is {ours}, and deployment {id} had announced {announced}");
        }
        if let Some(prior) = prior {
            assert_eq!(&target["prior"], prior, "NL-8: what {name} was before deployment {id} is kept as it was");
        }
    }
}

/// Ids of secrets, configs and networks are the Engine's own affair.
fn without_ids(spec: &Value) -> Value {
    let mut spec = spec.clone();
    strip(&mut spec);
    spec
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !["SecretID", "ConfigID", "Target"].contains(&name.as_str()));
            members.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        _ => (),
    }
}

/// Whether everything that was written is shown; the Engine adds what nobody said.
fn covers(shown: &Value, written: &Value) -> bool {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(value) => value.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(members) => members.is_empty(),
    };
    match (shown, written) {
        (Value::Object(shown), Value::Object(written)) => written
            .iter()
            .all(|(name, value)| shown.get(name).map_or_else(|| is_bare(value), |shown| covers(shown, value))),
        (Value::Array(shown), Value::Array(written)) => {
            shown.len() == written.len() && shown.iter().zip(written).all(|(shown, written)| covers(shown, written))
        }
        (shown, written) => shown == written || says_nothing(shown) && says_nothing(written),
    }
}

/// Whether there is nothing in it that the Engine would have to show.
fn is_bare(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.values().all(is_bare),
        Value::Array(elements) => elements.iter().all(is_bare),
        value => covers(&Value::Null, value),
    }
}

/// NL-1: networks, secrets and configs of ours were announced. Only the Engine knows who labelled them.
pub(super) async fn objects_are_those_announced(rig: &Rig, database: &Database) {
    let announced: BTreeSet<String> = database.announced_objects().await.into_iter().collect();
    for kind in ["secrets", "configs", "networks"] {
        for object in rig.engine.get(&format!("/{kind}")).await.as_array().into_iter().flatten() {
            let name = Some(text(object, "/Spec/Name")).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| text(object, "/Name"));
            let is_ours = name.starts_with(&format!("{}-", rig.prefix()));
            assert!(!is_ours || announced.contains(name), "NL-1: {kind} has {name}, which was never announced");
        }
    }
}

/// NL-7: a job has not run more often than it was written. Made anew it counts anew.
pub(super) async fn jobs_ran_as_often_as_written(rig: &Rig, database: &Database) {
    let mut written: BTreeMap<String, u64> = BTreeMap::new();
    for (_, name) in database.targets().await.into_keys() {
        *written.entry(name).or_default() += 1;
    }
    for (name, service) in rig.engine.services().await {
        let Some(iteration) = service.pointer("/JobStatus/JobIteration/Index").and_then(Value::as_u64) else {
            continue;
        };
        let Some(times) = written.get(&name) else { continue };
        assert!(
            iteration < *times,
            "NL-7: {name} was written {times} times and is in its iteration {iteration}, from 0"
        );
    }
}

/// NL-8: every secret and config that a service was given before its last deployment is in the Engine, or its content in
/// the database.
pub(super) async fn contents_are_kept(rig: &Rig, database: &Database) {
    let stored = database.stored_objects().await;
    let mut there = BTreeSet::new();
    for kind in ["secrets", "configs"] {
        let list = rig.engine.get(&format!("/{kind}")).await;
        there.extend(list.as_array().into_iter().flatten().map(|object| text(object, "/Spec/Name").to_owned()));
    }
    for (name, service) in rig.engine.services().await {
        let Some(id) = deployment(&service["Spec"]).filter(|_| name.starts_with(rig.prefix())) else { continue };
        let targets = database.targets().await;
        let Some(target) = targets.get(&(id, name.clone())) else { continue };
        for (list, member) in [("Secrets", "SecretName"), ("Configs", "ConfigName")] {
            let used = target["prior"]["TaskTemplate"]["ContainerSpec"][list].as_array().cloned().unwrap_or_default();
            for used in used.iter().map(|used| used[member].as_str().unwrap_or_default()) {
                // Content that has changed is named after the old one, with something added.
                let is_kept = there.contains(used) || stored.iter().any(|known| used.starts_with(known.as_str()));
                assert!(is_kept, "NL-8: {name} had {used} before deployment {id}, which is neither there nor stored");
            }
        }
    }
}

/// The label that says whose a service is, as [`every_label_has_its_row`](super::engine::every_label_has_its_row) reads it.
#[test]
fn a_deployment_is_read_off_a_spec_where_it_is_read_off_a_service() {
    let service = serde_json::json!({"Spec": {"Labels": {"release-manager.deployment": "7"}}});
    assert_eq!(deployment(&service["Spec"]), text(&service, LABEL).parse().ok());
}

#[test]
fn what_is_written_must_be_shown_and_what_the_engine_adds_does_no_harm() {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let shown = value(r#"{"Image": "app:1", "Isolation": "default", "Env": ["A=1"], "ForceUpdate": 0}"#);
    assert!(covers(&shown, &value(r#"{"Image": "app:1", "Env": ["A=1"], "Hosts": [], "ForceUpdate": 0}"#)));
    assert!(!covers(&shown, &value(r#"{"Image": "app:2"}"#)));
    assert!(!covers(&shown, &value(r#"{"Env": ["A=1", "B=2"]}"#)));
    assert!(!covers(&shown, &value(r#"{"User": "nobody"}"#)));
}
