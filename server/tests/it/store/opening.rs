//! Opening a database: only ours, only whole, never an empty one in place of a lost one.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use release_manager::ports::{JournalEntry, Ledger};
use server::store::{OpenError, Store};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqlitePool;

use super::samples::{Scratch, deploy, deployment, environment, run, second};

/// Opens what cannot be opened, and checks the words.
async fn check_refused(path: &Path, words: &[&str]) -> OpenError {
    let error = Store::open(path).await.map(|_| ()).unwrap_err();
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "`{said}` should contain `{word}`");
    }
    error
}

#[tokio::test]
async fn the_database_and_all_beside_it_are_for_this_user_alone() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
    for suffix in ["", "-wal", "-shm"] {
        let mut path = scratch.path().into_os_string();
        path.push(suffix);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{suffix}");
    }
    store.close().await;
    drop(store);
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let _store = scratch.open().await;
    assert_eq!(fs::metadata(scratch.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_lost_database_is_not_replaced_by_an_empty_one() {
    let scratch = Scratch::new();
    scratch.open().await.close().await;
    for lose in [|path: &Path| fs::remove_file(path), |path: &Path| fs::write(path, "")] {
        lose(&scratch.path()).unwrap();
        let words = ["ledger.db` is gone or empty", "ledger.db.marker", "restore a backup"];
        let error = check_refused(&scratch.path(), &words).await;
        assert!(matches!(error, OpenError::Gone { .. }));
    }
    fs::remove_file(scratch.directory.path().join("ledger.db.marker")).unwrap();
    scratch.open().await;
}

#[tokio::test]
async fn a_database_without_its_marker_is_opened_and_marked_again() {
    let scratch = Scratch::new();
    let marker = scratch.directory.path().join("ledger.db.marker");
    scratch.open().await.close().await;
    fs::remove_file(&marker).unwrap();
    scratch.open().await;
    assert!(marker.exists());
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_database() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let me = format!("in use by process {} on ", std::process::id());
    let error = check_refused(&scratch.path(), &[&me, "stop that one first"]).await;
    assert!(matches!(error, OpenError::InUse { .. }));
    drop(store);
    scratch.open().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_numbers() {
    let scratch = Scratch::new();
    scratch.open().await.close().await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'later', true, x'00', 0)";
    run(&scratch, newer).await.unwrap();
    let error = check_refused(&scratch.path(), &["has schema 9999", "knows up to "]).await;
    assert!(matches!(error, OpenError::Newer { found: 9999, .. }));
}

#[tokio::test]
async fn a_database_of_every_earlier_schema_is_brought_forward_after_a_copy_was_made() {
    let mut all: Vec<_> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    let file_name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    for kept in 1..all.len() {
        let schema: u32 = file_name(&all[kept - 1]).split('_').next().unwrap().parse().unwrap();
        let (scratch, earlier) = (Scratch::new(), tempfile::tempdir().unwrap());
        for file in &all[..kept] {
            fs::copy(file, earlier.path().join(file_name(file))).unwrap();
        }
        let pool = SqlitePool::connect(&format!("sqlite://{}?mode=rwc", scratch.path().display())).await.unwrap();
        Migrator::new(earlier.path()).await.unwrap().run(&pool).await.unwrap();
        pool.close().await;
        let copy = scratch.directory.path().join(format!("ledger.db.schema-{schema}"));
        fs::write(&copy, "of long ago").unwrap();
        let store = scratch.open().await;
        deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
        assert_eq!(store.instance().await.unwrap().unwrap().len(), 32, "from schema {schema}");
        assert!(fs::read(&copy).unwrap().starts_with(b"SQLite format 3"), "from schema {schema}");
        let aside = fs::read_dir(scratch.directory.path()).unwrap().map(|file| file.unwrap().path());
        let aside = aside.filter(|path| *path != copy && file_name(path).starts_with(&file_name(&copy)));
        let contents: Vec<_> = aside.map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(contents, ["of long ago"], "an older copy steps aside, from schema {schema}");
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    for (name, offset) in [("header", 0), ("a page in the middle", 4096 * 5)] {
        let scratch = Scratch::new();
        let store = scratch.open().await;
        deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
        store.close().await;
        drop(store);
        let file = fs::OpenOptions::new().write(true).open(scratch.path()).unwrap();
        file.write_all_at(&[0x5a; 4096], offset).unwrap();
        let error = check_refused(&scratch.path(), &["is damaged", "restore the newest good backup"]).await;
        assert!(matches!(error, OpenError::Damaged { .. }), "{name}");
    }
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let scratch = Scratch::new();
    let path = scratch.directory.path().join("nowhere/ledger.db");
    check_refused(&path, &["nowhere/ledger.db` does not exist: create it"]).await;
}

#[tokio::test]
async fn a_deployment_is_taken_up_again_by_the_next_process() {
    let scratch = Scratch::new();
    let new = deployment("prod", 'a', "web=1");
    let entry = JournalEntry::Intent { action: 0, target: None };
    let store = scratch.open().await;
    let id = store.begin(&new).await.unwrap();
    store.journal(id, &entry, second(1)).await.unwrap();
    // Neither closed nor given the time to.
    drop(store);
    let store = scratch.open().await;
    let open = store.unfinished().await.unwrap();
    assert_eq!((open[0].id, &open[0].new, &open[0].journal), (id, &new, &vec![entry]));
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
    // What a killed process leaves behind: the file and what stands in its log.
    let left = Scratch::new();
    for suffix in ["", "-wal"] {
        let [from, to] = [&scratch, &left].map(|scratch| format!("{}{suffix}", scratch.path().display()));
        fs::copy(from, to).unwrap();
    }
    let next = left.open().await;
    let current = next.current(&environment("prod")).await.unwrap();
    assert_eq!(current, store.current(&environment("prod")).await.unwrap());
    assert!(current.is_some());
    next.verify().await.unwrap();
}

#[tokio::test]
async fn a_closed_ledger_says_so() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    store.close().await;
    let error = store.begin(&deployment("prod", 'a', "web=1")).await.unwrap_err();
    assert!(error.to_string().contains("Release Manager is stopping"), "{error}");
}

#[tokio::test]
async fn once_damage_is_found_nothing_is_written_any_more() {
    let scratch = Scratch::new();
    // Closed, so that all is in the file and nothing in its log.
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
    store.close().await;
    drop(store);
    let store = scratch.open().await;
    assert_eq!(store.examine().await.unwrap(), None);
    let file = fs::OpenOptions::new().write(true).open(scratch.path()).unwrap();
    file.write_all_at(&vec![0x5a; 4096 * 20], 4096 * 5).unwrap();
    let damage = store.examine().await.unwrap().expect("it is found");
    store.distrust(&format!("the file is damaged ({damage}): nothing is written any more"));
    let error = store.begin(&deployment("prod", 'b', "web=2")).await.unwrap_err();
    assert!(error.to_string().contains("nothing is written any more"), "{error}");
}
