//! The database in plain SQL.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};
use tokio::sync::Mutex;

use super::super::life::Busy;
use super::super::rig::Rig;

/// A connection of somebody with an SQL shell.
pub(crate) struct Database(Mutex<SqliteConnection>);

/// One deployment, as far as the oracle needs it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) environment: String,
    pub(crate) status: String,
}

/// One verdict.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) verdict: Value,
}

impl Database {
    pub(crate) async fn open(rig: &Rig) -> Self {
        let _busy = Busy::begin();
        let options = SqliteConnectOptions::new().filename(rig.database()).disable_statement_logging();
        Self(Mutex::new(options.connect().await.expect("the database opens")))
    }

    /// From now on every question is answered as of one moment, until [`Self::look_up`]: the process goes on meanwhile.
    pub(super) async fn look_closely(&self) {
        self.tell("begin").await;
    }

    pub(super) async fn look_up(&self) {
        self.tell("commit").await;
    }

    async fn tell(&self, statement: &'static str) {
        let _busy = Busy::begin();
        let mut connection = self.0.lock().await;
        sqlx::query(statement).execute(&mut *connection).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// All rows of a query; what is null or a number becomes text.
    pub(crate) async fn rows(&self, query: &'static str) -> Vec<sqlx::sqlite::SqliteRow> {
        let _busy = Busy::begin();
        let mut connection = self.0.lock().await;
        sqlx::query(query).fetch_all(&mut *connection).await.unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// The first column, as text.
    pub(crate) async fn texts(&self, query: &'static str) -> Vec<String> {
        let _busy = Busy::begin();
        let mut connection = self.0.lock().await;
        let rows =
            sqlx::query(query).fetch_all(&mut *connection).await.unwrap_or_else(|error| panic!("{query}: {error}"));
        rows.iter().map(|row| row.try_get(0).unwrap_or_else(|_| row.get::<i64, _>(0).to_string())).collect()
    }

    pub(crate) async fn count(&self, table: &'static str) -> i64 {
        let query = match table {
            "attempts" => "select count(*) as n from attempts",
            "history" => "select count(*) as n from history",
            "journal" => "select count(*) as n from journal",
            "seals" => "select count(*) as n from seals",
            "stacks" => "select count(*) as n from stacks",
            other => panic!("nobody counts {other}"),
        };
        self.rows(query).await[0].get("n")
    }

    pub(crate) async fn attempt(&self, id: i64) -> Attempt {
        let rows = self.rows("select id, environment, status from attempts").await;
        let row = rows.iter().find(|row| row.get::<i64, _>("id") == id);
        let row = row.unwrap_or_else(|| panic!("NL-1: deployment {id} was accepted and is not in the database"));
        Attempt { environment: row.get("environment"), status: row.get("status") }
    }

    pub(crate) async fn newest(&self, environment: &str) -> i64 {
        let rows = self.rows("select environment, max(id) as id from attempts group by environment").await;
        rows.iter().find(|row| row.get::<String, _>("environment") == environment).map_or(0, |row| row.get("id"))
    }

    /// The verdicts of a deployment.
    pub(crate) async fn verdicts(&self, id: i64) -> Vec<Judged> {
        let rows = self.rows("select attempt, service, version, verdict from history order by service").await;
        let of_this = rows.iter().filter(|row| row.get::<i64, _>("attempt") == id);
        let judged = of_this.map(|row| {
            let verdict: Option<String> = row.get("verdict");
            let verdict = verdict.map(|text| serde_json::from_str(&text).expect("a verdict is JSON"));
            Judged { service: row.get("service"), version: row.get("version"), verdict: verdict.unwrap_or(Value::Null) }
        });
        judged.collect()
    }

    /// What was about to be written, by deployment and full name of the service; null for a removal.
    pub(crate) async fn intents(&self) -> BTreeMap<(i64, String), Value> {
        let query = "select attempt, entry ->> '$.target.full_name' as name, entry -> '$.target.spec' as spec
            from journal where entry ->> '$.entry' = 'intent' and entry -> '$.target.full_name' is not null";
        let rows = self.rows(query).await;
        let intents = rows.iter().map(|row| {
            let spec: Option<String> = row.get("spec");
            let spec = spec.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
            ((row.get("attempt"), row.get("name")), spec)
        });
        intents.collect()
    }

    /// What each service was to become and had been, as the journal says, by deployment and full name.
    pub(super) async fn targets(&self) -> BTreeMap<(i64, String), Value> {
        let query = "select attempt, entry ->> '$.target.full_name' as name, entry -> '$.target' as target
            from journal where entry ->> '$.entry' = 'intent' and entry -> '$.target.spec.TaskTemplate' is not null";
        let targets = self.rows(query).await;
        let targets = targets.iter().map(|row| {
            let target = serde_json::from_str(&row.get::<String, _>("target")).expect("a target is JSON");
            ((row.get("attempt"), row.get("name")), target)
        });
        targets.collect()
    }

    /// The full names of networks, secrets and configs that were about to be made.
    pub(super) async fn announced_objects(&self) -> Vec<String> {
        self.texts(
            "select action.value ->> '$.kind.name' as name
            from journal
            join attempts on attempts.id = journal.attempt
            join json_each(attempts.plan, '$.actions') as action on action.key = journal.entry ->> '$.action'
            where journal.entry ->> '$.entry' = 'intent' and action.value ->> '$.kind.kind' = 'create_object'",
        )
        .await
    }

    /// The full names of secrets and configs whose content is stored.
    pub(super) async fn stored_objects(&self) -> Vec<String> {
        self.texts(
            "select object.key as name from stacks, json_each(stacks.content, '$.secrets') as object
            where object.value ->> '$.spec.Data' is not null
            union
            select object.key as name from stacks, json_each(stacks.content, '$.configs') as object
            where object.value ->> '$.spec.Data' is not null",
        )
        .await
    }

    pub(super) async fn one_unfinished_each(&self) {
        let query =
            "select environment from attempts where status = 'in_progress' group by environment having count(*) > 1";
        let twice = self.texts(query).await;
        assert!(twice.is_empty(), "{twice:?} have more than one deployment under way");
    }

    /// NL-3: one verdict each, in the journal and in history the same.
    pub(super) async fn each_service_has_one_verdict(&self) {
        let query = "select attempt || ' ' || (entry ->> '$.service') as what from journal
            where entry ->> '$.entry' = 'judged' group by 1 having count(*) > 1";
        let twice = self.texts(query).await;
        assert!(twice.is_empty(), "NL-3: judged more than once: {twice:?}");
        let query = "select history.attempt || ' ' || history.service || ': ' || history.verdict || ' and not '
                || (journal.entry -> '$.outcome.verdict') as what
            from journal
            join history on history.attempt = journal.attempt and history.service = journal.entry ->> '$.service'
            where journal.entry ->> '$.entry' = 'judged'
                and (history.verdict is null or json(history.verdict) <> json(journal.entry -> '$.outcome.verdict'))";
        let differ = self.texts(query).await;
        assert!(differ.is_empty(), "NL-3: history says {differ:?}, as the journal has it");
        let query = "select attempts.id || ' ' || history.service as what from attempts
            join history on history.attempt = attempts.id
            where attempts.status <> 'in_progress' and history.status = 'in_progress'";
        let open = self.texts(query).await;
        assert!(open.is_empty(), "NL-2: over, and services are without an end: {open:?}");
        let query = "select journal.attempt || ' action ' || (journal.entry ->> '$.action') as what from journal
            where journal.entry ->> '$.entry' = 'done' and not exists (
                select 1 from journal as before
                where before.attempt = journal.attempt and before.id < journal.id
                    and before.entry ->> '$.entry' = 'intent'
                    and before.entry ->> '$.action' = journal.entry ->> '$.action'
            )";
        let unannounced = self.texts(query).await;
        assert!(unannounced.is_empty(), "NL-1: written without a word before: {unannounced:?}");
        let query = "select attempt || ' action ' || (entry ->> '$.action') as what from journal
            where entry ->> '$.entry' = 'done' group by 1 having count(*) > 1";
        let twice = self.texts(query).await;
        assert!(twice.is_empty(), "done more than once: {twice:?}");
    }

    /// NL-7: an update changes something, or is a restart that somebody asked for.
    pub(super) async fn nothing_was_written_for_nothing(&self) {
        let query = "select attempts.id || ' ' || (action.value ->> '$.kind.service') as what
            from attempts, json_each(attempts.plan, '$.actions') as action
            where action.value ->> '$.kind.kind' = 'update_service' and action.value ->> '$.reason' <> 'restart'
                and json_array_length(action.value, '$.kind.changes') = 0";
        let idle = self.texts(query).await;
        assert!(idle.is_empty(), "NL-7: written although nothing changes: {idle:?}");
    }

    pub(super) async fn the_worst_service_decides(&self) {
        let query = "select attempts.id || ': ' || attempts.status || ' instead of ' || worst.status as what
            from attempts
            join (
                select attempt, case
                    when sum(status = 'failed') > 0 then 'failed'
                    when sum(status = 'cancelled') > 0 then 'cancelled'
                    when sum(status = 'rolled_back') > 0 then 'rolled_back'
                    else 'success' end as status
                from history group by attempt
            ) as worst on worst.attempt = attempts.id
            where attempts.status <> 'in_progress' and attempts.error_message is null and attempts.status <> worst.status";
        let wrong = self.texts(query).await;
        assert!(wrong.is_empty(), "the worst service decides: {wrong:?}");
    }

    /// NL-8: of what runs, the stored stack has the service with this very image, and what was overwritten is kept.
    pub(super) async fn the_way_back_is_kept(&self) {
        let query = "select running.environment || ' ' || running.service as what
            from running_services as running
            join history on history.id = running.history
            join attempts on attempts.id = history.attempt
            join stacks on stacks.hash = attempts.stack
            where coalesce(
                stacks.content -> ('$.services.\"' || running.service || '\".spec.TaskTemplate.ContainerSpec')
                    ->> '$.Image', '') <> running.image";
        let lost = self.texts(query).await;
        assert!(lost.is_empty(), "NL-8: what runs cannot be restored: {lost:?}");
        let query = "select attempts.id || ' ' || (action.value ->> '$.kind.service') as what
            from attempts, json_each(attempts.plan, '$.actions') as action
            where action.value ->> '$.kind.kind' = 'update_service'
                and json_type(action.value, '$.kind.prior.TaskTemplate') is null";
        let lost = self.texts(query).await;
        assert!(lost.is_empty(), "NL-8: what ran before is not kept: {lost:?}");
    }

    /// Everything that is known of closed deployments, as one text each.
    pub(super) async fn closed(&self) -> BTreeMap<i64, String> {
        let query = "select attempts.id, json_array(
                status, actor, cause, commit_sha, content_hash, started_at, ended_at, error_message, hex(stack), release,
                plan,
                (
                    select json_group_array(json_array(service, version, status, verdict, evidence, completed_at))
                    from (select * from history where history.attempt = attempts.id order by service)
                )
            ) as everything
            from attempts where status <> 'in_progress'";
        let rows = self.rows(query).await;
        rows.iter().map(|row| (row.get("id"), row.get("everything"))).collect()
    }
}
