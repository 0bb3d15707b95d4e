//! Which revision stands for what an environment has proved.

use super::*;

const WITH_LEVEL: &str = "
services:
  web:
    image: web:${WEB_VERSION}
    environment: {LEVEL: '${LEVEL}'}
";

impl World {
    async fn until_head(&self, subject: &str) {
        self.until(subject, |live| live.source.head.as_ref().is_some_and(|head| head.message == subject)).await;
        // The environment is looked at after the source.
        tokio::time::sleep(Duration::from_mins(2)).await;
    }

    fn level_of_prod(&self) -> String {
        self.swarm.spec("lab-prod_web").unwrap()["TaskTemplate"]["ContainerSpec"]["Env"][0].to_string()
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_changes_only_the_later_environment_is_promoted() {
    let mut world = World::asleep().await;
    let prod = |level: &str| format!("WEB_VERSION=0\nLEVEL={level}\n");
    world.source.commit(
        "Levels",
        &[
            ("stack.yml", Some(WITH_LEVEL)),
            ("env/.env.preprod", Some("WEB_VERSION=1\nLEVEL=1\n")),
            ("env/.env.prod", Some(&prod("1"))),
        ],
    );
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert!(matches!(world.promote(None, None).await, Err(ManagerError::UpToDate)));

    let writes = world.service_writes();
    let sha = world.source.commit("Only prod", &[("env/.env.prod", Some(&prod("2")))]);
    world.manager.look_now();
    world.until_head("Only prod").await;
    world.restart().await;
    assert_eq!(world.service_writes(), writes, "preprod has it already");
    let plan = world.manager.compare(&name("prod"), None).await.unwrap();
    assert_eq!((plan.actions.len(), plan.to_sha), (1, Some(sha.clone())));
    let id = world.promote(None, plan.plan_hash.as_deref()).await.unwrap();
    world.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.level_of_prod(), "\"LEVEL=2\"");
    let (release, _) = world.ledger.release_of(id).await.unwrap().unwrap();
    assert_eq!(release.revision.unwrap().sha, sha);
}

#[tokio::test(start_paused = true)]
async fn what_failed_since_is_not_taken_to_be_of_the_newest_revision() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    world.swarm.crash("web:2");
    world.push("2", "1");
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    world.source.commit("Only words", &[("README.md", Some("hello"))]);
    world.manager.look_now();
    world.until_head("Only words").await;
    let proved = world.manager.compare(&name("prod"), None).await.unwrap();
    assert_eq!(proved.to_sha, proved.from_sha, "the revision of the last success");
}
