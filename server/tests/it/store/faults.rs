//! Disks that are full, files that rot, backups in the middle of work, other programs that hold the lock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use release_manager::ports::{JournalEntry, Ledger};
use server::store::{OpenError, Store};
use sqlx::Row;
use tempfile::TempDir;

use super::samples::{Scratch, deploy, deployment, environment, outcomes, second, shell, succeeded};

/// Everything that history says, as one text.
async fn told(path: &Path) -> Option<String> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.ok()?;
    let query = "select group_concat(line, char(10)) as everything from (
        select json_array(attempts.id, attempts.environment, attempts.status, attempts.actor, cause, release, plan, content_hash,
            history.service, history.version, history.status, history.verdict, history.evidence) as line
        from attempts join history on history.attempt = attempts.id order by attempts.id, history.service)";
    sqlx::query(query).fetch_one(&mut connection).await.ok()?.try_get("everything").ok()
}

async fn filled(scratch: &Scratch) {
    let store = scratch.open().await;
    for number in 1..20 {
        let services = format!("web={number} db={number}");
        deploy(&store, &deployment("prod", 'a', &services), second(number)).await;
    }
    store.close().await;
}

#[tokio::test]
async fn a_truncated_file_is_refused() {
    let scratch = Scratch::new();
    filled(&scratch).await;
    let file = fs::OpenOptions::new().write(true).open(scratch.path()).unwrap();
    let length = file.metadata().unwrap().len();
    for part in [length - 4096, length / 2, 4096 * 3, 100] {
        file.set_len(part).unwrap();
        let refused = Store::open(&scratch.path()).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{part} of {length} bytes: {refused}");
    }
}

/// Where a few bytes of the file have turned, either it is not opened, or its history does not verify, or nothing that
/// history says has changed.
#[tokio::test]
async fn turned_bytes_never_change_history_unseen() {
    let good = Scratch::new();
    filled(&good).await;
    let before = told(&good.path()).await.unwrap();
    let bytes = fs::read(good.path()).unwrap();
    let (mut refused, mut unverified, mut harmless) = (0, 0, 0);
    for seed in 0_u64..60 {
        let mut bytes = bytes.clone();
        let at = usize::try_from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (bytes.len() as u64 - 16)).unwrap();
        for (step, byte) in bytes[at..at + 16].iter_mut().enumerate() {
            *byte ^= u8::try_from((seed + step as u64) % 255).unwrap() + 1;
        }
        let bad = Scratch::new();
        fs::write(bad.path(), &bytes).unwrap();
        let Ok(store) = Store::open(&bad.path()).await else {
            refused += 1;
            continue;
        };
        if store.verify().await.is_err() {
            unverified += 1;
            continue;
        }
        store.close().await;
        assert_eq!(told(&bad.path()).await.as_ref(), Some(&before), "16 bytes at {at} changed history unseen");
        harmless += 1;
    }
    assert!(refused + unverified > 0, "{refused} refused, {unverified} did not verify, {harmless} harmless");
}

/// A file system of its own that is soon full; needs root.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(home.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(home))
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("ledger.db")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_accepted_and_all_is_read_and_it_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("2m") else {
        // Without the right to mount there is no small disk; the pages' limit of SQLite is tested beside the code.
        return;
    };
    let store = Store::open(&disk.database()).await.unwrap();
    deploy(&store, &deployment("prod", 'a', "web=1"), second(1)).await;
    let open = store.begin(&deployment("prod", 'b', "web=2")).await.unwrap();
    let ballast = disk.0.path().join("ballast");
    let mut size = 2 << 20;
    while size > 512 {
        let written = fs::read(&ballast).unwrap_or_default();
        if fs::write(&ballast, vec![1; written.len() + size]).is_err() {
            fs::write(&ballast, written).ok();
            size /= 2;
        }
    }
    let mut said = String::new();
    for _ in 0..200 {
        let entry = JournalEntry::Intent { action: 0, target: None };
        if let Err(error) = store.journal(open, &entry, second(2)).await {
            said = format!("{error} ({error:?})");
            break;
        }
    }
    assert!(said.contains("the disk is full"), "{said}");
    // What is tidied up after the failure may have left a little room.
    if let Err(refused) = store.begin(&deployment("preprod", 'c', "web=3")).await {
        assert!(refused.to_string().contains("the disk is full"), "{refused:?}");
    }
    assert!(store.current(&environment("prod")).await.unwrap().is_some(), "what is known can be read");
    store.verify().await.unwrap();
    fs::remove_file(&ballast).unwrap();
    store.finish(open, &outcomes(&[("web", "2", succeeded())]), second(3)).await.unwrap();
    store.verify().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_in_the_middle_of_work_are_whole() {
    let scratch = Scratch::new();
    let store = Arc::new(scratch.open().await);
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in 1..60 {
                deploy(store.as_ref(), &deployment("prod", 'a', &format!("web={number}")), second(number)).await;
            }
        })
    };
    for number in 0..20 {
        let acknowledged: i64 = sqlx::query("select count(*) as n from attempts where status <> 'in_progress'")
            .fetch_one(&mut shell(&scratch).await)
            .await
            .unwrap()
            .get("n");
        let path = scratch.directory.path().join(format!("backup-{number}.db"));
        store.backup_to(&path).await.unwrap();
        let restored = Store::open(&path).await.unwrap();
        restored.verify().await.unwrap();
        restored.close().await;
        drop(restored);
        let copy = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let mut copy = sqlx::ConnectOptions::connect(&copy).await.unwrap();
        let kept: i64 = sqlx::query("select count(*) as n from seals").fetch_one(&mut copy).await.unwrap().get("n");
        assert!(kept >= acknowledged, "backup {number} has {kept} of {acknowledged} deployments");
    }
    writer.await.unwrap();
    store.verify().await.unwrap();
}

#[tokio::test]
async fn another_program_that_holds_the_lock_for_a_while_is_waited_for() {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    let mut other = shell(&scratch).await;
    sqlx::raw_sql("begin immediate").execute(&mut other).await.unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    };
    let new = deployment("prod", 'a', "web=1");
    let (begun, ()) = tokio::join!(store.begin(&new), release);
    let id = begun.unwrap();
    assert_eq!(store.unfinished().await.unwrap()[0].id, id);
}
