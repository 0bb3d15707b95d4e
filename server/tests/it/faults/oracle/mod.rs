//! The oracle: it looks at the Engine, the database and the REST API by itself, and says whether nothing was lost and
//! every verdict is true (NL-1 to NL-8). It shares no code with the product: it reads plain JSON and plain SQL.

mod chain;
mod database;
mod engine;
mod kept;

use std::collections::BTreeMap;

use serde_json::Value;

use super::canary;
use super::rig::Rig;
pub(super) use database::Database;

/// What the oracle remembers of earlier looks.
pub(super) struct Oracle {
    /// Everything in the Engine that is not ours, as it was at the start: id and version by name.
    strangers: BTreeMap<String, (String, u64)>,
    /// What was closed, in all its columns: it must stay so.
    closed: BTreeMap<i64, String>,
    /// How many rows each table had.
    counts: BTreeMap<&'static str, i64>,
}

impl Oracle {
    pub(super) async fn new(rig: &Rig) -> Self {
        rig.plant_stranger().await;
        Self { strangers: engine::strangers(rig).await, closed: BTreeMap::new(), counts: BTreeMap::new() }
    }

    /// At any moment, whatever is under way.
    pub(super) async fn any_time(&mut self, rig: &Rig) {
        let database = Database::open(rig).await;
        self.database(&database).await;
    }

    /// Right after a deployment has ended: its record is whole, and its verdicts are what the Engine shows.
    pub(super) async fn at_end(&mut self, rig: &Rig, id: i64) {
        let database = Database::open(rig).await;
        self.database(&database).await;
        let attempt = database.attempt(id).await;
        assert_ne!(attempt.status, "in_progress", "deployment {id} has ended");
        if database.newest(&attempt.environment).await == id && !engine::is_silent(rig) {
            engine::verdicts_are_true(rig, &database, id).await;
            self.engine(rig, &database).await;
        }
    }

    /// When nothing is under way any more.
    pub(super) async fn at_rest(&mut self, rig: &Rig) {
        let database = Database::open(rig).await;
        self.database(&database).await;
        let open = database.texts("select id from attempts where status = 'in_progress'").await;
        assert!(open.is_empty(), "NL-2: deployments {open:?} never ended");
        if engine::is_silent(rig) {
            return;
        }
        engine::every_label_has_its_row(rig, &database).await;
        self.engine(rig, &database).await;
        database.nothing_was_written_for_nothing().await;
        if rig.simulator.is_some() {
            engine::each_service_was_written_once(rig, &database).await;
        }
        if rig.runs() {
            rest_agrees(rig, &database).await;
            no_secret_is_told(rig, &database).await;
        }
        canary::is_in_no_file(rig.home());
    }

    /// What an Engine that answers must show, whatever is under way.
    async fn engine(&self, rig: &Rig, database: &Database) {
        kept::specs_are_those_announced(rig, database).await;
        kept::objects_are_those_announced(rig, database).await;
        kept::jobs_ran_as_often_as_written(rig, database).await;
        kept::contents_are_kept(rig, database).await;
        let strangers = engine::strangers_of(rig, &self.strangers).await;
        assert_eq!(strangers, self.strangers, "NL-7: strangers are untouched");
    }

    /// What holds of the ledger at any moment.
    async fn database(&mut self, database: &Database) {
        database.look_closely().await;
        database.one_unfinished_each().await;
        database.each_service_has_one_verdict().await;
        database.the_worst_service_decides().await;
        database.the_way_back_is_kept().await;
        chain::verifies(database).await;
        for (id, all) in database.closed().await {
            let before = self.closed.insert(id, all.clone());
            assert!(
                before.is_none_or(|before| before == all),
                "NL-3: deployment {id} was closed and changed afterwards"
            );
        }
        for table in ["attempts", "history", "journal", "seals", "stacks"] {
            let now = database.count(table).await;
            let before = self.counts.insert(table, now).unwrap_or(0);
            assert!(now >= before, "NL-5: {table} shrank from {before} to {now} rows");
        }
        database.look_up().await;
    }
}

/// The REST API tells what the database holds.
async fn rest_agrees(rig: &Rig, database: &Database) {
    let (status, history) = rig.rest("/api/history?limit=500").await;
    assert_eq!(status, 200, "{history}");
    let told: Vec<String> = history["deployments"].as_array().into_iter().flatten().map(row).collect();
    let stored = database
        .texts(
            "select id || ' ' || environment || ' ' || service || ' ' || version || ' ' || status from history
            order by id desc limit 500",
        )
        .await;
    assert_eq!(told, stored, "the REST API tells the history that is stored");
    let (status, environments) = rig.rest("/api/environments").await;
    assert_eq!(status, 200, "{environments}");
    let mut told = Vec::new();
    for (environment, state) in environments.as_object().into_iter().flatten() {
        for (service, version) in state["services"].as_object().into_iter().flatten() {
            told.push(format!("{environment} {service} {}", version.as_str().unwrap_or_default()));
        }
    }
    let stored = database
        .texts("select environment || ' ' || service || ' ' || version from running_services order by environment, service")
        .await;
    told.sort();
    assert_eq!(told, stored, "the REST API tells what runs as the database derives it");
}

/// NL-6: pages and answers that show what was deployed name no secret.
async fn no_secret_is_told(rig: &Rig, database: &Database) {
    // The story is over. A page is drawn beside the clock that stands still, and would wait for ever for what hangs.
    if let Some(simulator) = &rig.simulator {
        simulator.clear_faults();
    }
    let mut paths: Vec<String> = ["/api/health", "/api/drift", "/", "/health", "/settings"].map(str::to_owned).into();
    for id in database.texts("select max(id) from attempts group by environment").await {
        paths.extend([format!("/api/deployments/{id}"), format!("/deployments/{id}")]);
    }
    for path in paths {
        let (_, text) = rig.page(&path).await;
        canary::is_not_told(&path, &text);
    }
}

fn row(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let (environment, service) = (text("environment"), text("service_name"));
    format!("{} {environment} {service} {} {}", row["id"], text("version"), text("status"))
}
