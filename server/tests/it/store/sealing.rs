//! History is tamper-evident.

use release_manager::names::DeploymentId;
use release_manager::ports::{JournalEntry, Ledger};
use server::store::{Broken, VerifyError};

use super::samples::{Scratch, deploy, deployment, outcomes, run, second, succeeded};

/// Three closed deployments and one that is not over.
async fn filled() -> Scratch {
    let scratch = Scratch::new();
    let store = scratch.open().await;
    deploy(&store, &deployment("prod", 'a', "web=1 db=1"), second(1)).await;
    let id = store.begin(&deployment("prod", 'b', "web=2")).await.unwrap();
    store.journal(id, &JournalEntry::Intent { action: 0, target: None }, second(2)).await.unwrap();
    store.finish(id, &outcomes(&[("web", "2", succeeded())]), second(3)).await.unwrap();
    deploy(&store, &deployment("prod", 'c', "web=3"), second(4)).await;
    store.begin(&deployment("prod", 'd', "web=4")).await.unwrap();
    store.verify().await.unwrap();
    store.close().await;
    scratch
}

/// What is found after somebody has run these statements, with the triggers out of the way.
async fn check(statements: &'static str, expected: Broken) {
    let scratch = filled().await;
    let unguarded = "
        drop trigger stacks_never_change;
        drop trigger attempts_stay;
        drop trigger closed_attempts_never_change;
        drop trigger attempts_stay_what_they_were;
        drop trigger history_stays;
        drop trigger verdicts_never_change;
        drop trigger history_stays_what_it_was;
        drop trigger journal_stays;
        drop trigger seals_stay;
        drop trigger seals_never_change;";
    run(&scratch, unguarded).await.unwrap();
    run(&scratch, statements).await.unwrap();
    match scratch.open().await.verify().await {
        Err(VerifyError::Broken(found)) => assert_eq!(found, expected, "{statements}"),
        other => panic!("{statements} went unseen: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_deployment_that_was_changed_is_named() {
    let changed = |id| Broken::Changed(DeploymentId(id));
    check("update history set version = '9' where attempt = 2", changed(2)).await;
    check("update history set verdict = json_set(verdict, '$.stable_seconds', 99) where attempt = 1", changed(1)).await;
    check("update history set error_message = '' where id = 1", changed(1)).await;
    check("update attempts set actor = 'eve' where id >= 2", changed(2)).await;
    check("update attempts set started_at = started_at - 1 where id = 3", changed(3)).await;
    check("delete from journal where attempt = 2", changed(2)).await;
    check("delete from history where id = 1", changed(1)).await;
}

#[tokio::test]
async fn a_chain_that_was_mended_badly_is_named() {
    check("delete from seals where position = 1", Broken::Changed(DeploymentId(2))).await;
    check("delete from seals where position = 3", Broken::Unsealed(DeploymentId(3))).await;
    check("update seals set hash = zeroblob(32) where position = 2", Broken::Changed(DeploymentId(2))).await;
}

#[tokio::test]
async fn a_deployment_that_was_taken_out_is_missed() {
    let remove = "
        delete from history where attempt >= 3;
        delete from seals where attempt >= 3;
        delete from attempts where id >= 3;";
    check(remove, Broken::Gone(DeploymentId(4))).await;
}

#[tokio::test]
async fn a_stack_that_was_changed_is_named() {
    check("update stacks set content = replace(content, 'web:2', 'web:6')", Broken::Stack(DeploymentId(2))).await;
}
