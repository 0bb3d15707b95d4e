//! Backups that can be trusted.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use release_manager::ports::Ledger;
use server::store::{BackupError, Store};

use super::samples::{Scratch, deploy, deployment, environment, run, second};

#[tokio::test]
async fn a_backup_holds_everything_and_opens_as_a_database() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
    store.begin(&deployment("prod", 'b', "web=2")).await.unwrap();
    let path = scratch.directory.path().join("backup.db");
    store.backup_to(&path).await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!scratch.directory.path().join("backup.db.partial").exists());
    let restored = Store::open(&path).await.unwrap();
    assert_eq!(restored.unfinished().await.unwrap(), store.unfinished().await.unwrap());
    let prod = environment("prod");
    assert_eq!(restored.current(&prod).await.unwrap(), store.current(&prod).await.unwrap());
}

#[tokio::test]
async fn a_backup_never_replaces_a_file() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let path = scratch.directory.path().join("backup.db");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(store.backup_to(&path).await, Err(BackupError::Exists(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_copy_of_changed_history_is_no_backup() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
    run(&scratch, "drop trigger verdicts_never_change; drop trigger history_stays_what_it_was;").await.unwrap();
    run(&scratch, "update history set version = '9'").await.unwrap();
    let path = scratch.directory.path().join("backup.db");
    assert!(matches!(store.backup_to(&path).await, Err(BackupError::Verify(_))));
    assert!(!path.exists() && !scratch.directory.path().join("backup.db.partial").exists());
}
