//! Questions: what runs, what would be done, what was done.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::api::Api;
use super::text::{member, plain, print, print_json, table};
use super::{Connection, Output};
use crate::cli::Failure;

/// `release-manager status`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    connection: Connection,
}

impl Status {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let api = self.connection.api()?;
        let (environments, health, live) =
            tokio::try_join!(api.get("api/environments", &[]), api.get("api/health", &[]), api.get("api/status", &[]))?;
        match self.connection.output {
            Output::Json => print_json(&json!({ "environments": environments, "health": health, "status": live })),
            Output::Text => print(&status(&environments, &health, &live)),
        }
    }
}

fn status(environments: &Value, health: &Value, live: &Value) -> String {
    let mut rows = vec![["ENVIRONMENT", "SERVICE", "VERSION", "HEALTH", "REPLICAS"].map(str::to_owned).to_vec()];
    for (environment, state) in environments.as_object().into_iter().flatten() {
        for (service, version) in state["services"].as_object().into_iter().flatten() {
            let how = &health[environment][service];
            let replicas = match how.get("replicas_running") {
                Some(running) => format!("{running}/{}", how["replicas_desired"]),
                None => "-".to_owned(),
            };
            let version = version.as_str().map(plain).unwrap_or_default();
            rows.push(vec![plain(environment), plain(service), version, member(how, "status"), replicas]);
        }
    }
    let mut text = table(&rows);
    let source = &live["source"];
    let head = source["head"]["sha"].as_str().map_or("-", |sha| sha.get(..7).unwrap_or(sha));
    let _ = writeln!(text, "\nsource {} {} at {head}", member(source, "name"), member(source, "branch"));
    for line in troubles(live) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// What moves or is wrong, one thing on a line.
fn troubles(live: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut trouble = |place: &str, problem: &Value| {
        if let Some(message) = problem["message"].as_str() {
            lines.push(format!("{place}: {} (since {})", plain(message), member(problem, "since")));
        }
    };
    trouble("source", &live["source"]["problem"]);
    trouble("engine", &live["engine_problem"]);
    trouble("database", &live["database_problem"]);
    for (environment, known) in live["environments"].as_object().into_iter().flatten() {
        trouble(environment, &known["problem"]);
    }
    for (environment, known) in live["environments"].as_object().into_iter().flatten() {
        if known["deployment"]["status"] == "in_progress" {
            lines.push(format!("{environment}: deployment {} is in progress", known["deployment"]["id"]));
        }
    }
    lines
}

/// `release-manager diff`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Diff {
    /// Where the release would go.
    #[arg(default_value = "prod")]
    environment: String,

    /// Plan only this service; may be given several times.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<String>,

    /// End with exit code 1 where something would change, as `diff` does.
    #[arg(long)]
    exit_code: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Diff {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let plan = plan(&self.connection.api()?, &self.environment, &self.services).await?;
        match self.connection.output {
            Output::Json => print_json(&plan)?,
            Output::Text => print(&planned(&plan))?,
        }
        match changes(&plan) {
            count if count > 0 && self.exit_code => Err(Failure::silent(1)),
            _ => Ok(()),
        }
    }
}

/// What a promotion of these services (none: all) would do.
pub(super) async fn plan(api: &Api, environment: &str, services: &[String]) -> Result<Value, Failure> {
    let query = if services.is_empty() { vec![] } else { vec![("services", services.join(","))] };
    api.get(&format!("api/plan/{environment}"), &query).await
}

/// What going back to the release of a row of history would do, to these services (none: all).
pub(super) async fn rollback(api: &Api, environment: &str, row: i64, services: &[String]) -> Result<Value, Failure> {
    let mut query = vec![("deployment_history_id", row.to_string())];
    if !services.is_empty() {
        query.push(("services", services.join(",")));
    }
    api.get(&format!("api/rollback/{environment}"), &query).await
}

/// How many services a plan touches.
pub(super) fn changes(plan: &Value) -> usize {
    let services = plan["services"].as_array().into_iter().flatten();
    services.filter(|service| !service["action"].is_null()).count()
}

/// A plan for people.
pub(super) fn planned(plan: &Value) -> String {
    let mut rows = vec![["SERVICE", "FROM", "TO", "ACTION", "WHY"].map(str::to_owned).to_vec()];
    let services = plan["services"].as_array().into_iter().flatten();
    for service in services.filter(|service| !service["action"].is_null()) {
        let why = service["reason"].as_str().map(plain).unwrap_or_default();
        let versions = [member(service, "from"), member(service, "to")];
        let [from, to] = versions;
        rows.push(vec![member(service, "service"), from, to, member(service, "action"), why]);
    }
    let mut text = if rows.len() > 1 { table(&rows) } else { "nothing would change\n".to_owned() };
    for (word, name) in [("cannot work", "blockers"), ("note", "warnings")] {
        for finding in plan[name].as_array().into_iter().flatten() {
            let place = finding["service"].as_str().map(|service| format!("{}: ", plain(service))).unwrap_or_default();
            let _ = writeln!(text, "{word}: {place}{}", member(finding, "message"));
        }
    }
    text
}

/// `release-manager history`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct History {
    /// Only this environment.
    environment: Option<String>,

    /// Only this service.
    #[arg(long)]
    service: Option<String>,

    /// At most so many rows.
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,

    #[command(flatten)]
    connection: Connection,
}

impl History {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.environment.map(|name| ("environment", name)));
        query.extend(self.service.map(|name| ("service", name)));
        let page = self.connection.api()?.get("api/history", &query).await?;
        match self.connection.output {
            Output::Json => print_json(&page),
            Output::Text => print(&history(&page)),
        }
    }
}

fn history(page: &Value) -> String {
    const COLUMNS: [&str; 7] = ["id", "started_at", "environment", "service_name", "version", "status", "deployed_by"];
    let mut rows =
        vec![["ROW", "STARTED", "ENVIRONMENT", "SERVICE", "VERSION", "STATUS", "BY"].map(str::to_owned).to_vec()];
    let entries = page["deployments"].as_array().into_iter().flatten();
    rows.extend(entries.map(|entry| COLUMNS.map(|name| member(entry, name)).to_vec()));
    format!("{}{} of {} rows\n", table(&rows), rows.len() - 1, page["total"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_shows_what_it_touches_and_what_forbids_it() {
        let plan = json!({
            "services": [
                { "service": "web", "from": "1", "to": "2", "action": "update", "reason": "the image changes" },
                { "service": "db", "from": "9", "to": "9", "action": null, "reason": null },
            ],
            "blockers": [{ "service": "web", "message": "its image cannot be found" }],
            "warnings": [{ "service": null, "message": "mind the gap" }],
        });
        assert_eq!(
            planned(&plan),
            "SERVICE  FROM  TO  ACTION  WHY\n\
             web      1     2   update  the image changes\n\
             cannot work: web: its image cannot be found\n\
             note: mind the gap\n"
        );
        assert_eq!(changes(&plan), 1);
        assert_eq!(planned(&json!({ "services": [] })), "nothing would change\n");
    }

    #[test]
    fn the_status_names_what_is_wrong() {
        let environments = json!({ "prod": { "services": { "web": "1" } } });
        let health =
            json!({ "prod": { "web": { "status": "healthy", "replicas_running": 2, "replicas_desired": 2 } } });
        let live = json!({
            "source": { "name": "me/lab", "branch": "main", "head": { "sha": "9fceb02d0ae5" }, "problem": { "since": "S", "message": "no route" } },
            "environments": { "prod": { "deployment": { "id": 7, "status": "in_progress" } } },
        });
        assert_eq!(
            status(&environments, &health, &live),
            "ENVIRONMENT  SERVICE  VERSION  HEALTH   REPLICAS\n\
             prod         web      1        healthy  2/2\n\n\
             source me/lab main at 9fceb02\n\
             source: no route (since S)\n\
             prod: deployment 7 is in progress\n"
        );
    }
}
