//! What becomes of deployments while the ledger fails: nothing is done twice, and nobody waits for ever.

use super::orders::person;
use super::*;
use crate::deployment::Cause;
use crate::ports::JournalEntry;

#[tokio::test(start_paused = true)]
async fn a_return_that_was_begun_before_the_ledger_failed_is_carried_out_with_its_notes() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("web:2");
    world.push("2", "2");
    for (service, image) in [("web", "web:2"), ("db", "db:2")] {
        world.until(image, |_| world.swarm.image(&format!("lab-preprod_{service}")).as_deref() == Some(image)).await;
    }
    world.swarm.tamper("lab-preprod_db", |spec| {
        spec["Labels"]["release-manager.deployment"] = "99".into();
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = "db:9".into();
    });
    world.ledger.fail_after_begin();
    world.manager.cancel(person(), DeploymentId(2), true).await.unwrap();
    let problem = "cannot be put back yet";
    world
        .until(problem, |live| {
            let known = live.environments[&name("preprod")].problem.as_ref();
            known.is_some_and(|known| known.message.contains(problem))
        })
        .await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    world.ledger.heal();
    let back = world.until_over("preprod", |last| matches!(last.cause, Cause::Return { .. })).await;
    assert_eq!(back, DeploymentId(3), "the one that was begun");
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:1"));
    let notes = world.notes(back).await;
    assert!(notes.iter().any(|note| note.starts_with("db: somebody else")), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_goes_on_from_its_newest_journal_alone() {
    let world = World::asleep().await;
    world.swarm.slow_down("web:1");
    world.manager.start().await.unwrap();
    world.until("web written", |_| world.swarm.image("lab-preprod_web").is_some()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let intents = || {
        let journal = world.ledger.journal_of(DeploymentId(1));
        journal.iter().filter(|entry| matches!(entry, JournalEntry::Intent { target: Some(_), .. })).count()
    };
    assert_eq!(intents(), 2);
    world.ledger.fail("the disk is full");
    world.ledger.hide_unfinished(true);
    world.swarm.recover("lab-preprod_web");
    world
        .until("the problem", |live| {
            let known = live.environments[&name("preprod")].problem.as_ref();
            known.is_some_and(|known| known.message.contains("cannot be recorded"))
        })
        .await;
    world.ledger.heal();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(intents(), 2, "nothing is begun anew as long as nobody can read what was begun");
    world.ledger.hide_unfinished(false);
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(intents(), 2);
}
