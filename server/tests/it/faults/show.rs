//! The record and the world as texts that people can read and compare.

use std::fmt::Write as _;

use serde_json::Value;
use sqlx::Row;

use super::engine::{image, text};
use super::oracle::Database;
use super::rig::Rig;

/// What the ledger says: `2 preprod sync failed: db 1>2 cancelled, web 1>2 failed/paused`, a line for each deployment;
/// a service that was made shows `>1`, one that was taken out `1>`.
pub(super) async fn record(rig: &Rig) -> String {
    let database = Database::open(rig).await;
    let attempts = "select id, environment, cause ->> '$.kind' as cause, status from attempts order by id";
    let history = "select attempt, service, version, version_before, verdict from history order by service";
    let history = database.rows(history).await;
    let mut record = String::new();
    for attempt in database.rows(attempts).await {
        let id: i64 = attempt.get("id");
        let text = |column: &str| attempt.get::<String, _>(column);
        let of_it = history.iter().filter(|row| row.get::<i64, _>("attempt") == id);
        let services: Vec<String> = of_it
            .map(|row| {
                let verdict: Option<String> = row.get("verdict");
                let verdict = verdict.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
                let before: Option<String> = row.get("version_before");
                let (service, version) = (row.get::<String, _>("service"), row.get::<String, _>("version"));
                let after = if verdict["verdict"] == "pruned" { String::new() } else { version };
                format!("{service} {}>{after} {}", before.unwrap_or_default(), words(&verdict))
            })
            .collect();
        let (environment, cause, status) = (text("environment"), text("cause"), text("status"));
        let services = services.join(", ");
        writeln!(record, "{id} {environment} {cause} {status}: {services}").unwrap();
    }
    record
}

fn words(verdict: &Value) -> String {
    let warned = if verdict["warning"].is_string() { "/warned" } else { "" };
    let name = text(verdict, "/verdict");
    match text(verdict, "/reason") {
        "" if verdict["written"] == true => format!("{name}/written"),
        "" => format!("{name}{warned}"),
        reason => format!("{name}/{reason}"),
    }
}

/// How the Swarm is: `preprod/web app:2 1/2 paused #2`: image, tasks of the current spec that run, of how many, the state
/// of the update, the deployment that wrote it; a line for each service of ours.
pub(super) async fn world(rig: &Rig) -> String {
    if rig.simulator.as_ref().is_some_and(|simulator| simulator.daemon() != simulator::Daemon::Up) {
        return String::new();
    }
    let tasks = rig.engine.tasks().await;
    let mut lines = Vec::new();
    for (name, service) in rig.engine.services().await {
        let Some(short) = name.strip_prefix(&format!("{}-", rig.prefix())) else { continue };
        let template = &service["Spec"]["TaskTemplate"];
        let runs = |task: &&Value| {
            task["ServiceID"] == service["ID"]
                && text(task, "/DesiredState") == "running"
                && text(task, "/Status/State") == "running"
                && image(&task["Spec"]) == image(template)
        };
        let running = tasks.iter().filter(runs).count();
        let desired = &service["ServiceStatus"]["DesiredTasks"];
        let state = Some(text(&service, "/UpdateStatus/State")).filter(|state| !state.is_empty()).unwrap_or("-");
        let by = Some(text(&service, "/Spec/Labels/release-manager.deployment")).filter(|by| !by.is_empty());
        let by = by.map_or_else(|| "-".to_owned(), |by| format!("#{by}"));
        let short = short.replacen('_', "/", 1);
        lines.push(format!("{short} {} {running}/{desired} {state} {by}", image(template)));
    }
    lines.sort();
    lines.join("\n")
}
