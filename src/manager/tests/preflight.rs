//! What is found before anything is written: images that nobody has, and what the stack file no longer names.

use super::*;

const WITH_NETWORK: &str = "
services:
  web:
    image: web:${WEB_VERSION}
    networks: [back]
  db:
    image: db:${DB_VERSION}
    networks: [back]
networks:
  back:
";

impl World {
    /// Waits for the problem of an environment that says so.
    async fn until_problem(&self, environment: &str, words: &str) {
        let name = name(environment);
        self.until(words, |live| {
            live.environments[&name].problem.as_ref().is_some_and(|problem| problem.message.contains(words))
        })
        .await;
    }

    async fn networks(&self, environment: &str) -> Vec<String> {
        let stack = format!("lab-{environment}").parse().unwrap();
        let live = self.swarm.live(&stack).await.unwrap();
        live.networks.into_keys().filter(|name| name.starts_with(&format!("lab-{environment}_"))).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_with_an_image_that_nobody_has_is_not_deployed_until_it_is_pushed() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let before = world.service_writes();
    world.swarm.lose("web:2");
    world.push("2", "2");
    world.until_problem("preprod", "the image `web:2` of service `web` cannot be found").await;
    assert_eq!(world.service_writes(), before, "not even the service whose image is there");
    world.swarm.find("web:2");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
}

#[tokio::test(start_paused = true)]
async fn a_promotion_of_an_image_that_is_gone_is_refused() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.lose_image("web:1");
    let Err(ManagerError::Blocked(gone)) = world.promote(None, None).await else { panic!("must be refused") };
    assert!(matches!(&gone[..], [one] if one.message.contains("`web:1`")), "{gone:?}");
    assert_eq!(world.swarm.image("lab-prod_db"), None);
    world.promote(Some(&["db"]), None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
}

#[tokio::test(start_paused = true)]
async fn a_promotion_of_everything_takes_out_the_network_that_the_file_no_longer_names() {
    let world = World::asleep().await;
    world.source.commit("Connect", &[("stack.yml", Some(WITH_NETWORK))]);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.networks("prod").await, ["lab-prod_back"]);

    world
        .source
        .commit("Part", &[("stack.yml", Some(STACK)), ("env/.env.preprod", Some("WEB_VERSION=2\nDB_VERSION=2"))]);
    world.manager.look_now();
    world.until("preprod is on 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(world.networks("preprod").await, ["lab-preprod_default"]);
    world.promote(Some(&["web"]), None).await.unwrap();
    world.until("prod is on 2", |_| world.swarm.image("lab-prod_web").as_deref() == Some("web:2")).await;
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.networks("prod").await, ["lab-prod_back", "lab-prod_default"], "`db` uses it");
    world.promote(None, None).await.unwrap();
    world.until("db is on 2", |_| world.swarm.image("lab-prod_db").as_deref() == Some("db:2")).await;
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.networks("prod").await, ["lab-prod_default"]);
}
