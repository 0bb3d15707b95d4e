//! What has not proved itself is neither restored nor spoken of as if it had been tried.

use super::orders::person;
use super::*;

impl World {
    async fn push_to(&self, web: &str, db: &str, status: Status) -> DeploymentId {
        let before = self.ledger.latest(&name("preprod")).await.unwrap().unwrap().id;
        self.push(web, db);
        self.until_over("preprod", |last| last.id > before && last.status == status).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_rollback_leaves_a_service_alone_that_its_deployment_had_found_broken() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.crash("db:2");
    world.push_to("1", "2", Status::Failed).await;
    let without_db = world.push_to("2", "2", Status::Success).await;
    world.push_to("2", "3", Status::Success).await;
    world.push_to("3", "3", Status::Success).await;
    let chosen_db = world.roll_back("preprod", without_db.0, Some(&["db"])).await;
    assert!(matches!(chosen_db, Err(ManagerError::NotProved(_))), "{chosen_db:?}");
    let plan = world.manager.plan_rollback(&name("preprod"), without_db, None).await.unwrap().comparison;
    assert_eq!(plan.actions.keys().map(ServiceName::as_str).collect::<Vec<_>>(), ["web"]);
    assert!(plan.warnings.iter().any(|found| found.message.starts_with("it did not work then")), "{:?}", plan.warnings);
    let id = world.roll_back("preprod", without_db.0, None).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.swarm.image("lab-preprod_db").as_deref(), Some("db:3"), "the good one stays");
    assert_eq!(world.running("preprod").await, ["db 3", "web 2"]);
    let (release, stack) = world.ledger.release_of(id).await.unwrap().unwrap();
    assert_eq!((release.services.len(), stack.services.len()), (2, 2), "the record is whole");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_had_never_worked_is_not_taken_out_by_a_rollback() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let with_cache = format!("{STACK}  cache:\n    image: cache:1\n");
    world.swarm.crash("cache:1");
    world.source.commit("Cache", &[("stack.yml", Some(&with_cache))]);
    world.manager.look_now();
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    let to = world.push_to("2", "1", Status::Success).await;
    world.push_to("3", "1", Status::Success).await;
    world.swarm.recover("lab-preprod_cache");
    let id = world.roll_back("preprod", to.0, None).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.swarm.image("lab-preprod_cache").as_deref(), Some("cache:1"));
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:2"));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_put_back_is_not_spoken_of_as_what_failed() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let before = world.swarm.spec("lab-preprod_db").unwrap();
    world.swarm.slow_down("db:2");
    world.push_to("1", "2", Status::Failed).await;
    // As `docker service rollback` does.
    world.swarm.tamper("lab-preprod_db", |spec| *spec = before);
    world.swarm.recover("lab-preprod_db");
    let reverted = world.push_to("1", "1", Status::Success).await;
    assert_eq!(world.notes(reverted).await, Vec::<String>::new());
    world.until("no problem", |live| live.environments[&name("preprod")].problem.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_watched_again_in_vain_still_counts_as_not_proved() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("db:2");
    world.push_to("1", "2", Status::Failed).await;
    let again = world.manager.retry(person(), &name("preprod")).await.unwrap();
    world.until_over("preprod", |last| last.id == again && last.status == Status::Failed).await;
    world.push_to("2", "2", Status::Success).await;
    let same = world.manager.retry(person(), &name("preprod")).await.unwrap();
    let plan = world.ledger.recorded(same).await.unwrap().unwrap().new.plan;
    assert!(plan.actions.iter().any(|action| action.reason.contains("it is watched again")), "{plan:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_has_come_up_late_is_proved_by_the_next_revision_and_promoted_with_it() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("db:2");
    world.push_to("1", "2", Status::Failed).await;
    assert_eq!(world.running("preprod").await, ["db 1", "web 1"]);
    world.swarm.recover("lab-preprod_db");
    let writes = world.service_writes();
    let id = world.push_to("2", "2", Status::Success).await;
    assert_eq!(world.service_writes(), writes + 1, "db is watched and not written");
    assert_eq!(world.running("preprod").await, ["db 2", "web 2"]);
    assert_eq!(world.notes(id).await, Vec::<String>::new());
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.running("prod").await, ["db 2", "web 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_names_what_the_environment_before_has_not_proved() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let with_cache = format!("{STACK}  cache:\n    image: cache:1\n");
    world.swarm.crash("cache:1");
    world.source.commit("Cache", &[("stack.yml", Some(&with_cache))]);
    world.push("2", "1");
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    world.push_to("3", "1", Status::Success).await;
    let all = world.manager.compare(&name("prod"), None).await.unwrap();
    let cache = world.manager.compare(&name("prod"), Some(&chosen(&["cache"]))).await.unwrap();
    let unknown = world.manager.compare(&name("prod"), Some(&chosen(&["cash"]))).await;
    for plan in [all, cache] {
        let of_cache =
            plan.warnings.iter().find(|found| found.service.as_ref().is_some_and(|it| it.as_str() == "cache"));
        assert_eq!(of_cache.unwrap().message, "preprod has not seen it succeed yet, so it is left as it is here");
        assert!(!plan.actions.contains_key(&"cache".parse::<ServiceName>().unwrap()), "{plan:#?}");
    }
    assert!(matches!(unknown, Err(ManagerError::UnknownService(_))), "{unknown:?}");
}
