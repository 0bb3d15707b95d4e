//! What others have done to a stack, and what a deployment then makes of it.

use serde_json::json;

use super::*;
use crate::plan::image_of;

impl World {
    async fn both_deployed() -> Self {
        let world = Self::new().await;
        world.until_ended("preprod", Status::Success).await;
        world.promote(None, None).await.unwrap();
        world.until_ended("prod", Status::Success).await;
        world
    }

    async fn update_by_hand(&self, full_name: &str, image: &str) {
        let stack = full_name.split('_').next().unwrap().parse().unwrap();
        let live = self.swarm.live(&stack).await.unwrap();
        let service = &live.services[full_name];
        let (id, version, mut spec) = (service.id.clone(), service.version, service.spec.clone());
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
        self.swarm.apply(&Write::UpdateService { id, version, spec }).await.unwrap();
    }

    async fn remove_by_hand(&self, environment: &str, service: &str) {
        let stack = format!("lab-{environment}").parse().unwrap();
        let live = self.swarm.live(&stack).await.unwrap();
        let id = live.services[&format!("lab-{environment}_{service}")].id.clone();
        self.swarm.apply(&Write::RemoveService { id }).await.unwrap();
    }

    async fn next_success(&self, environment: &str) -> DeploymentId {
        let before = self.ledger.latest(&name(environment)).await.unwrap().unwrap().id;
        self.manager.look_now();
        self.until_over(environment, |last| last.id > before && last.status == Status::Success).await
    }

    async fn shows_no_drift(&self, environment: &str) -> bool {
        // It is looked for every minute.
        tokio::time::sleep(Duration::from_mins(3)).await;
        let live = self.manager.live();
        let live = live.borrow();
        let drift = &live.environments[&name(environment)].watched.drift;
        drift.checked_at.is_some() && drift.services.is_empty()
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_updated_by_hand_is_proved_once_it_is_committed() {
    let world = World::both_deployed().await;
    world.update_by_hand("lab-preprod_web", "web:2").await;
    let writes = world.service_writes();
    world.push("2", "1");
    world.next_success("preprod").await;
    assert_eq!(world.service_writes(), writes, "it runs already");
    assert_eq!(world.running("preprod").await, ["db 1", "web 2"]);
    assert!(world.shows_no_drift("preprod").await);
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.swarm.image("lab-prod_web").as_deref(), Some("web:2"));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_brought_to_prod_by_hand_is_proved_by_the_promotion() {
    let world = World::both_deployed().await;
    world.push("2", "1");
    world.next_success("preprod").await;
    world.update_by_hand("lab-prod_web", "web:2").await;
    let writes = world.service_writes();
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert_eq!((world.service_writes(), world.running("prod").await), (writes, vec!["db 1".into(), "web 2".into()]));
    assert!(matches!(world.promote(None, None).await, Err(ManagerError::UpToDate)));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_removed_is_no_ghost_once_the_file_does_without_it() {
    let world = World::both_deployed().await;
    world.remove_by_hand("preprod", "db").await;
    let without = STACK.split("  db:").next().unwrap();
    world.source.commit("Without db", &[("stack.yml", Some(without))]);
    world.next_success("preprod").await;
    assert_eq!(world.running("preprod").await, ["web 1"]);
    assert!(world.shows_no_drift("preprod").await);
    world.remove_by_hand("prod", "db").await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.running("prod").await, ["web 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_somebody_has_added_belongs_to_the_release_once_it_is_committed() {
    let world = World::both_deployed().await;
    let mut spec = world.swarm.spec("lab-preprod_db").unwrap();
    spec["Name"] = json!("lab-preprod_cache");
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("cache:1");
    spec["Labels"].as_object_mut().unwrap().retain(|label, _| !label.starts_with("release-manager."));
    spec["Labels"]["com.docker.stack.image"] = json!("cache:1");
    spec["TaskTemplate"]["Networks"][0]["Aliases"] = json!(["cache"]);
    world.swarm.apply(&Write::CreateService { spec }).await.unwrap();
    let with_cache = format!("{STACK}  cache:\n    image: cache:1\n");
    let writes = world.service_writes();
    world.source.commit("Cache", &[("stack.yml", Some(&with_cache))]);
    world.next_success("preprod").await;
    assert_eq!(world.service_writes(), writes, "it runs already");
    assert_eq!(world.running("preprod").await, ["cache 1", "db 1", "web 1"]);
    assert!(world.shows_no_drift("preprod").await);
}

#[tokio::test(start_paused = true)]
async fn a_machine_does_not_undo_what_its_database_has_forgotten() {
    let mut world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    // As if an older copy of the database had been restored.
    world.swarm.tamper("lab-preprod_web", |spec| {
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("web:7");
        spec["Labels"]["release-manager.deployment"] = json!("57");
    });
    world.start_healing().await;
    let not_healed = |live: &Live| live.environments[&name("preprod")].watched.drift.not_healed.clone();
    world.until("not healed", |live| not_healed(live).is_some_and(|why| why.contains("deployment 57"))).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    let spec = world.swarm.spec("lab-preprod_web").unwrap();
    assert_eq!(image_of(&spec), Some("web:7"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_does_not_begin_leaves_no_hold() {
    let world = World::asleep().await;
    let two = STACK.replace("    image: web:", "    deploy: {replicas: 2}\n    image: web:");
    world.source.commit("Two", &[("stack.yml", Some(&two))]);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.source.commit("One", &[("stack.yml", Some(STACK))]);
    world.next_success("preprod").await;
    world.swarm.run_in("lab-preprod_web");
    let refused = world.roll_back("preprod", 1, None).await;
    assert!(
        matches!(&refused, Err(ManagerError::Blocked(why)) if why[0].message.contains("replicas: 1")),
        "{refused:?}"
    );
    assert!(!world.is_held("preprod"));
    assert!(world.ledger.holds().await.unwrap().is_empty());
    let writes = world.service_writes();
    world.source.commit("Without web", &[("stack.yml", Some("services: {db: {image: 'db:${DB_VERSION}'}}"))]);
    world.manager.look_now();
    let problem = |live: &Live| live.environments[&name("preprod")].problem.clone();
    world
        .until("refused", |live| problem(live).is_some_and(|why| why.message.contains("Release Manager itself")))
        .await;
    assert_eq!(world.service_writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_somebody_has_just_removed_is_made_anew_with_its_network() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.remove_by_hand("preprod", "web").await;
    world.remove_by_hand("preprod", "db").await;
    // The Engine still lists it.
    world.swarm.fade("lab-preprod_default", 3);
    world.push("2", "1");
    world.next_success("preprod").await;
    assert_eq!(world.running("preprod").await, ["db 1", "web 2"]);
    let networks = world.swarm.writes().into_iter().filter(|write| matches!(write, Write::CreateNetwork { .. }));
    assert_eq!(networks.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_broken_by_hand_fails_no_deployment_that_leaves_it_alone() {
    let world = World::both_deployed().await;
    world.swarm.slow_down("web:2");
    world.update_by_hand("lab-preprod_web", "web:2").await;
    world.push("2", "2");
    world.next_success("preprod").await;
    assert_eq!(world.running("preprod").await, ["db 2", "web 1"]);
    world.swarm.recover("lab-preprod_web");
    world.push("2", "3");
    world.next_success("preprod").await;
    assert_eq!(world.running("preprod").await, ["db 3", "web 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_adopted_service_that_somebody_has_updated_is_proved_once_that_is_committed() {
    let mut world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.manager.stop().await;
    // A database that knows nothing of what runs.
    world.ledger = Arc::new(FakeLedger::default());
    world.source.commit("Only db", &[("env/.env.preprod", Some("WEB_VERSION=1\nDB_VERSION=2\n"))]);
    world.restart().await;
    world.until_version("lab-preprod_db", "db:2").await;
    world.update_by_hand("lab-preprod_web", "web:2").await;
    world.push("2", "2");
    world.next_success("preprod").await;
    assert_eq!(world.running("preprod").await, ["db 2", "web 2"]);
}
