//! Every schema that a database can have is brought to the newest, and nothing that stood in it is lost or changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use release_manager::access::{Accounts, Grant, NewToken, NewUser, Principal, Role};
use release_manager::hold::Hold;
use release_manager::names::Actor;
use release_manager::ports::{Current, Ledger};
use server::SystemClock;
use server::auth::Doorkeeper;
use server::store::Store;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

use super::samples::{Scratch, crashed, deploy, deployment, environment, outcomes, second};

const MIGRATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");

/// The files of all migrations, the oldest first.
fn migrations() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(MIGRATIONS).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(false);
    options.connect().await.unwrap()
}

async fn texts(shell: &mut SqliteConnection, query: String) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(shell).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What a while of work leaves behind.
async fn worked(scratch: &Scratch) {
    let store = Arc::new(scratch.open().await);
    deploy(&*store, &deployment("prod", 'a', "web=1 db=1"), second(1)).await;
    let failed = store.begin(&deployment("prod", 'b', "web=2 | db=1")).await.unwrap();
    store.finish(failed, &outcomes(&[("web", "2", crashed())]), second(9)).await.unwrap();
    store.begin(&deployment("preprod", 'c', "web=3")).await.unwrap();
    let hold = Hold {
        by: Actor::Person("ada".to_owned()),
        since: second(10),
        reason: "moving house".parse().unwrap(),
        newer_than: None,
    };
    store.hold(&environment("prod"), &hold).await.unwrap();
    let keeper = Doorkeeper::new(Arc::clone(&store), Arc::new(SystemClock)).unwrap();
    let grant = Grant::everywhere(Role::Admin);
    let password = Some("correct horse battery".to_owned());
    keeper.add_user(NewUser { name: "ada".parse().unwrap(), grant: grant.clone(), password }).await.unwrap();
    let token = NewToken { name: "ci".parse().unwrap(), grant, expires_at: None };
    keeper.create_token(&Principal::anybody(), token).await.unwrap();
    store.close().await;
}

/// A database of an older schema that holds what that one could hold of `full`. Returns its tables with their columns.
async fn older(full: &Path, files: &[PathBuf], at: &Path) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        fs::copy(file, directory.path().join(file.file_name().unwrap())).unwrap();
    }
    let mut shell = connect(at).await;
    Migrator::new(directory.path()).await.unwrap().run(&mut shell).await.unwrap();
    // They guard what is there against change; here it is put there.
    let triggers = "select name || char(0) || sql from sqlite_schema where type = 'trigger'".to_owned();
    let triggers = texts(&mut shell, triggers).await;
    for trigger in &triggers {
        let name = trigger.split('\0').next().unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("drop trigger {name}"))).execute(&mut shell).await.unwrap();
    }
    sqlx::raw_sql(AssertSqlSafe(format!("attach '{}' as whole", full.display()))).execute(&mut shell).await.unwrap();
    let tables = "select name from main.sqlite_schema where type = 'table' and name not like 'sqlite_%' \
                  and name not like '_sqlx_%' order by name";
    let mut copied = Vec::new();
    for table in texts(&mut shell, tables.to_owned()).await {
        // Columns that are computed are computed again.
        let columns =
            |schema: &str| format!("select name from pragma_table_xinfo('{table}', '{schema}') where hidden = 0");
        let there: BTreeSet<String> = texts(&mut shell, columns("whole")).await.into_iter().collect();
        let here = texts(&mut shell, columns("main")).await;
        let columns: Vec<&str> = here.iter().map(String::as_str).filter(|name| there.contains(*name)).collect();
        let columns = columns.join(", ");
        let copy = format!("insert or replace into main.{table} ({columns}) select {columns} from whole.{table}");
        sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut shell).await.unwrap();
        copied.push((table, columns));
    }
    sqlx::raw_sql("detach whole").execute(&mut shell).await.unwrap();
    for trigger in triggers {
        let (_, sql) = trigger.split_once('\0').unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut shell).await.unwrap();
    }
    shell.close().await.unwrap();
    copied
}

/// Everything in these columns, as text.
async fn content(path: &Path, tables: &[(String, String)]) -> Vec<String> {
    let mut shell = connect(path).await;
    let mut content = Vec::new();
    for (table, columns) in tables {
        let quoted: Vec<String> = columns.split(", ").map(|column| format!("quote({column})")).collect();
        let query = format!("select '{table}|' || {} from {table} order by 1", quoted.join(" || '|' || "));
        content.extend(texts(&mut shell, query).await);
    }
    shell.close().await.unwrap();
    content
}

#[tokio::test]
async fn every_older_schema_is_brought_forward_with_all_that_stood_in_it() {
    let full = Scratch::new();
    worked(&full).await;
    let files = migrations();
    for known in 1..files.len() {
        let scratch = Scratch::new();
        let tables = older(&full.path(), &files[..known], &scratch.path()).await;
        let before = content(&scratch.path(), &tables).await;
        assert!(before.iter().filter(|row| row.starts_with("history|")).count() == 4, "{before:#?}");

        let name = files[known - 1].display();
        let store = Store::open(&scratch.path()).await.unwrap_or_else(|error| panic!("after {name}: {error}"));
        store.verify().await.unwrap_or_else(|error| panic!("after {name}: {error}"));
        assert_eq!(store.unfinished().await.unwrap().len(), 1);
        let running = store.current(&environment("prod")).await.unwrap();
        assert_eq!(running, full_current(&full).await, "what runs, after {name}");
        deploy(&store, &deployment("staging", 'd', "web=4"), second(99)).await;
        store.verify().await.unwrap();
        store.close().await;

        let after: BTreeSet<String> = content(&scratch.path(), &tables).await.into_iter().collect();
        for row in before {
            assert!(after.contains(&row), "after {name} this is gone: {row}");
        }
        let copies = fs::read_dir(scratch.directory.path()).unwrap();
        let copies = copies.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains(".schema-"));
        assert_eq!(copies.count(), 1, "a copy from before is kept, after {name}");
    }
}

async fn full_current(full: &Scratch) -> Option<Current> {
    let store = full.open().await;
    let current = store.current(&environment("prod")).await.unwrap();
    store.close().await;
    current
}
