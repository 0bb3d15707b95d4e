//! The very image that was proved is what is restored, tried again and promoted: to its digest and its platforms.

use serde_json::{Value, json};

use super::orders::person;
use super::*;

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

fn pinned(image: &str, digit: &str) -> String {
    format!("{image}@{}", digest(digit))
}

impl World {
    fn publish(&self, image: &str, digit: &str) {
        self.swarm.publish(image, &digest(digit));
    }

    fn platforms(&self, full_name: &str) -> Value {
        self.swarm.spec(full_name).unwrap()["TaskTemplate"]["Placement"]["Platforms"].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_restores_the_digest_of_a_service_that_its_deployment_left_alone() {
    let world = World::asleep().await;
    world.publish("db:1", "a");
    world.manager.start().await.unwrap();
    world.until_version("lab-preprod_db", &pinned("db:1", "a")).await;
    world.publish("db:1", "b");
    world.push("2", "1");
    world.until_version("lab-preprod_web", "web:2").await;
    world.publish("db:2", "c");
    world.push("2", "2");
    world.until_version("lab-preprod_db", &pinned("db:2", "c")).await;
    world.roll_back("preprod", 2, None).await.unwrap();
    world.until_version("lab-preprod_db", &pinned("db:1", "a")).await;
    assert_eq!(world.platforms("lab-preprod_db"), json!([{"Architecture": "amd64", "OS": "linux"}]));
    let running = world.ledger.current(&name("preprod")).await.unwrap().unwrap();
    assert_eq!(running.release.services[&"db".parse().unwrap()].image, pinned("db:1", "a"));
}

#[tokio::test(start_paused = true)]
async fn what_a_retry_saw_succeed_is_promoted_with_its_digest_and_its_platforms() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.publish("db:2", "c");
    let image = pinned("db:2", "c");
    world.swarm.slow_down(&image);
    world.push("1", "2");
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    world.swarm.recover("lab-preprod_db");
    let id = world.manager.retry(person(), &name("preprod")).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    world.publish("db:2", "d");
    world.promote(None, None).await.unwrap();
    world.until_version("lab-prod_db", &image).await;
    assert_eq!(world.platforms("lab-prod_db"), json!([{"Architecture": "amd64", "OS": "linux"}]));
    assert_eq!(world.platforms("lab-prod_web"), Value::Null, "nobody knows what web runs on");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_does_not_answer_is_told_of_and_holds_nothing_up() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.silence_registries("no route to host");
    world.push("2", "1");
    world.until_version("lab-preprod_web", "web:2").await;
    let notes = world.notes(DeploymentId(2)).await;
    let [note] = &notes[..] else { panic!("{notes:?}") };
    assert!(note.starts_with("web: no registry gave a digest for the image `web:2`"), "{note}");
    assert!(note.ends_with("no route to host"), "{note}");
}

#[tokio::test(start_paused = true)]
async fn a_promotion_says_which_tags_nobody_has_pinned() {
    let world = World::asleep().await;
    world.publish("web:1", "a");
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    let plan = world.manager.compare(&name("prod"), None).await.unwrap();
    let told: Vec<&str> = plan.warnings.iter().map(|found| found.message.as_str()).collect();
    assert!(matches!(told[..], [only] if only.ends_with("is promoted: db")), "{told:?}");
}
