//! What the Engine shows, against what the database says.

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::Daemon;

use super::super::engine::{image, text};
use super::super::rig::Rig;
use super::database::{Database, Judged};

pub(super) const LABEL: &str = "/Spec/Labels/release-manager.deployment";

/// Whether the Engine cannot be asked.
pub(super) fn is_silent(rig: &Rig) -> bool {
    rig.simulator.as_ref().is_some_and(|simulator| simulator.daemon() != Daemon::Up || simulator.swarm_trouble())
}

/// Everything that is not of our stacks: id and version by name. On an Engine that others use at the same time, only the
/// stranger that is this world's own.
pub(super) async fn strangers(rig: &Rig) -> BTreeMap<String, (String, u64)> {
    let services = rig.engine.services().await.into_iter();
    let is_strange = |name: &str| match &rig.simulator {
        Some(_) => !name.starts_with(rig.prefix()),
        None => name == rig.stranger(),
    };
    let strange = services.filter(|(name, _)| is_strange(name));
    strange
        .map(|(name, service)| {
            let version = service["Version"]["Index"].as_u64().unwrap_or_default();
            (name, (text(&service, "/ID").to_owned(), version))
        })
        .collect()
}

/// The same, of those that were there before.
pub(super) async fn strangers_of(
    rig: &Rig,
    before: &BTreeMap<String, (String, u64)>,
) -> BTreeMap<String, (String, u64)> {
    strangers(rig).await.into_iter().filter(|(name, _)| before.contains_key(name)).collect()
}

/// NL-2: whatever carries a deployment's number was written by that deployment, which said so before.
pub(super) async fn every_label_has_its_row(rig: &Rig, database: &Database) {
    let intents = database.intents().await;
    for (name, service) in rig.engine.services().await {
        if !name.starts_with(rig.prefix()) || text(&service, LABEL).is_empty() {
            continue;
        }
        let id: i64 = text(&service, LABEL).parse().expect("the label is a number");
        let key = (id, name.clone());
        assert!(intents.contains_key(&key), "NL-2: {name} says it is of {id}, whose journal does not know");
    }
}

/// Each deployment has had each of its services accepted once at most, and nothing that it had not announced.
pub(super) async fn each_service_was_written_once(rig: &Rig, database: &Database) {
    let intents = database.intents().await;
    let mut accepted: BTreeMap<(i64, String), u32> = BTreeMap::new();
    for write in rig.simulator().accepted_writes() {
        let by_hand = write.path.contains(&rig.full_name("")) || write.path.contains(&rig.full_name("prod/"));
        let is_service = write.path.starts_with("/services/") && write.method == "POST" && !by_hand;
        let label = text(&write.body, "/Labels/release-manager.deployment");
        if !is_service || write.path.contains("by=hand") || label.is_empty() {
            continue;
        }
        let key = (label.parse().expect("the label is a number"), text(&write.body, "/Name").to_owned());
        assert!(intents.contains_key(&key), "NL-1: {key:?} was written and never announced");
        *accepted.entry(key).or_default() += 1;
    }
    let twice: Vec<_> = accepted.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "written more than once: {twice:?}");
}

/// NL-4: what the deployment says of each service is what can be seen.
pub(super) async fn verdicts_are_true(rig: &Rig, database: &Database, id: i64) {
    let environment = database.attempt(id).await.environment;
    let services = rig.engine.services().await;
    let tasks = rig.engine.tasks().await;
    let intents = database.intents().await;
    for judged in database.verdicts(id).await {
        let name = rig.full_name(&format!("{environment}/{}", judged.service));
        let seen = services.get(&name).map(|service| Seen::new(service, &tasks));
        let target = intents.get(&(id, name.clone()));
        if let Err(why) = is_true(id, &judged, seen.as_ref(), target) {
            panic!("NL-4: deployment {id} says of {name}: {}, but {why}: {seen:#?}", judged.verdict);
        }
    }
}

/// One service and its tasks.
#[derive(Debug)]
struct Seen<'a> {
    service: &'a Value,
    tasks: Vec<&'a Value>,
}

impl<'a> Seen<'a> {
    fn new(service: &'a Value, tasks: &'a [Value]) -> Self {
        let of_it = |task: &&Value| task["ServiceID"] == service["ID"];
        Self { service, tasks: tasks.iter().filter(of_it).collect() }
    }

    fn is_of(&self, id: i64) -> bool {
        text(self.service, LABEL) == id.to_string()
    }

    fn image(&self) -> String {
        image(&self.service["Spec"]["TaskTemplate"])
    }

    /// Whether as many tasks run as should, all of them of the image that the spec names.
    fn is_full(&self) -> bool {
        let wanted = match self.service.pointer("/Spec/Mode/Replicated") {
            Some(mode) => mode["Replicas"].as_u64().unwrap_or(1),
            None => self.service["ServiceStatus"]["DesiredTasks"].as_u64().unwrap_or_default(),
        };
        let runs =
            |task: &&&Value| text(task, "/DesiredState") == "running" && text(task, "/Status/State") == "running";
        let running: Vec<&&Value> = self.tasks.iter().filter(runs).collect();
        running.len() as u64 == wanted && running.iter().all(|task| image(&task["Spec"]) == self.image())
    }

    fn has_task(&self, states: &[&str]) -> bool {
        self.tasks.iter().any(|task| states.contains(&text(task, "/Status/State")))
    }
}

fn is_true(id: i64, judged: &Judged, seen: Option<&Seen<'_>>, target: Option<&Value>) -> Result<(), &'static str> {
    let must = |holds: bool, why: &'static str| if holds { Ok(()) } else { Err(why) };
    let verdict = text(&judged.verdict, "/verdict");
    let tag = |seen: &Seen<'_>| seen.image().ends_with(&format!(":{}", judged.version));
    match (verdict, seen) {
        ("succeeded", Some(seen)) => {
            must(seen.is_of(id), "another deployment wrote it")?;
            must(tag(seen), "it has another version")?;
            must(seen.is_full(), "not all its tasks run")
        }
        ("completed", Some(seen)) => {
            must(seen.is_of(id), "another deployment wrote it")?;
            must(seen.has_task(&["complete"]), "none of its tasks has completed")
        }
        ("succeeded" | "completed" | "rolled_back", None) => Err("it is not there"),
        ("pruned" | "removed", Some(_)) => Err("it is there"),
        ("rolled_back", Some(seen)) => {
            must(!seen.is_of(id), "it still has the spec of this deployment")?;
            must(seen.is_full(), "what it went back to does not run")
        }
        ("superseded", Some(seen)) => {
            let written = |pointer: &str| target.and_then(|target| target.pointer(pointer)).cloned();
            let live = |pointer: &str| seen.service["Spec"].pointer(pointer).cloned();
            let same = ["/TaskTemplate/ContainerSpec/Image", "/TaskTemplate/ContainerSpec/Env", "/Mode"]
                .iter()
                .all(|pointer| written(pointer) == live(pointer));
            must(!(seen.is_of(id) && same), "it is as this deployment wrote it")
        }
        ("cancelled", seen) => {
            let written = judged.verdict["written"].as_bool().unwrap_or_default();
            must(written || !seen.is_some_and(|seen| seen.is_of(id)), "it was written")
        }
        ("failed", Some(seen)) => match text(&judged.verdict, "/reason") {
            "crash_loop" | "rollback_failed" | "job_failed" => {
                must(seen.has_task(&["failed", "rejected", "complete"]), "none of its tasks has ended")
            }
            "paused" => must(text(seen.service, "/UpdateStatus/State").ends_with("paused"), "nothing is paused"),
            "stalled" => {
                let state = text(seen.service, "/UpdateStatus/State");
                must(matches!(state, "updating" | "rollback_started"), "nothing is being updated")?;
                must(!seen.is_full(), "all its tasks run")
            }
            "unschedulable" => must(!seen.is_full() || seen.tasks.is_empty(), "all its tasks run"),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
