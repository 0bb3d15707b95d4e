//! Variables that an env file has lost.

use super::orders::person;
use super::*;

const DEFAULTS: &str = "
services:
  web:
    image: web:${WEB_VERSION:-0}
  db:
    image: db:${DB_VERSION:-0}
";

impl World {
    /// A repository whose stack file has a default for every version, deployed as `1`.
    async fn with_defaults() -> Self {
        let world = Self::asleep().await;
        world.source.commit("Defaults", &[("stack.yml", Some(DEFAULTS))]);
        world.manager.start().await.unwrap();
        world.until_ended("preprod", Status::Success).await;
        world
    }

    fn write(&self, env_file: &str, stack: Option<&str>) {
        let env_file = ("env/.env.preprod", Some(env_file));
        let stack = stack.map(|stack| ("stack.yml", Some(stack)));
        self.source.commit("Change", &[env_file].into_iter().chain(stack).collect::<Vec<_>>());
        self.manager.look_now();
    }
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_vanishes_although_the_stack_has_a_default_waits_for_a_person() {
    let mut world = World::with_defaults().await;
    world.write("WEB_VERSION=2\n", None);
    world.until_told("`DB_VERSION` has vanished from `env/.env.preprod`").await;
    assert_eq!(world.service_writes(), 2, "nothing is written, not even what was meant");

    world.restart().await;
    world.until_told("`DB_VERSION` has vanished").await;
    world.write("WEB_VERSION=2\nDB_VERSION=1\n", None);
    world.until_web("web:2").await;
    world.until_over("preprod", |last| last.status == Status::Success).await;
    assert_eq!(world.problem("preprod"), None);
}

#[tokio::test(start_paused = true)]
async fn a_person_may_have_the_default_take_over() {
    let world = World::with_defaults().await;
    world.write("WEB_VERSION=1\n", None);
    world.until_told("has vanished").await;
    let id = world.manager.retry(person(), &name("preprod")).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.swarm.image("lab-preprod_db").as_deref(), Some("db:0"));
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_goes_with_its_service_is_not_missed() {
    let world = World::asleep().await;
    let three = format!("{DEFAULTS}  cache:\n    image: cache:${{CACHE_VERSION:-0}}\n");
    world.write("WEB_VERSION=1\nDB_VERSION=1\nCACHE_VERSION=1\nZONE=x\n", Some(&three));
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.write("WEB_VERSION=1\nDB_VERSION=1\nZONE=x\n", Some(DEFAULTS));
    world.until("cache is gone", |_| world.swarm.image("lab-preprod_cache").is_none()).await;
}
