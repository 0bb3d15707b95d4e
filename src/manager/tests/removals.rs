//! What a machine does not take out by itself.

use super::orders::person;
use super::*;

/// A stack file with services of these names.
fn stack_of(services: &[&str]) -> String {
    let each = services.iter().map(|name| format!("  {name}:\n    image: {name}:1\n"));
    format!("services:\n{}", each.collect::<String>())
}

impl World {
    fn change_to(&self, services: &[&str]) {
        self.source.commit("Change", &[("stack.yml", Some(&stack_of(services)))]);
        self.manager.look_now();
    }

    async fn until_refused(&self, words: &str) {
        self.until(words, |live| {
            let problem = live.environments[&name("preprod")].problem.as_ref();
            problem.is_some_and(|problem| problem.message.contains(words))
        })
        .await;
    }

    fn runs(&self, service: &str) -> bool {
        self.swarm.image(&format!("lab-preprod_{service}")).is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_no_deployment_has_brought_is_taken_out_by_a_person_alone() {
    let world = World::asleep().await;
    world.source.commit("Four", &[("stack.yml", Some(&stack_of(&["a", "b", "c", "d"])))]);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.swarm.tamper("lab-preprod_d", |spec| {
        spec["Labels"].as_object_mut().unwrap().remove("release-manager.deployment");
    });
    world.change_to(&["a", "b", "c"]);
    world.until_refused("it would remove `d`, which no deployment has brought here").await;
    assert!(world.runs("d"));
    let id = world.manager.retry(person(), &name("preprod")).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    assert!(!world.runs("d"));
}

#[tokio::test(start_paused = true)]
async fn half_of_the_services_or_more_are_taken_out_by_a_person_alone() {
    let world = World::asleep().await;
    world.source.commit("Five", &[("stack.yml", Some(&stack_of(&["a", "b", "c", "d", "e"])))]);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.change_to(&["a", "b", "c", "d"]);
    world.until("e is gone", |_| !world.runs("e")).await;
    world.until_over("preprod", |last| last.status == Status::Success).await;
    world.change_to(&["a", "b"]);
    world.until_refused("it would remove 2 services").await;
    assert!(world.runs("c") && world.runs("d"));
    world.change_to(&["a", "b", "c"]);
    world.until("d is gone", |_| !world.runs("d")).await;
}

#[tokio::test(start_paused = true)]
async fn a_removed_service_is_gone_when_its_tasks_have_stopped() {
    let world = World::asleep().await;
    world.source.commit("Three", &[("stack.yml", Some(&stack_of(&["a", "b", "c"])))]);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.swarm.linger("lab-preprod_c");
    world.change_to(&["a", "b"]);
    world.until("c is gone", |_| !world.runs("c")).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let is_going = |live: &Live| {
        let last = live.environments[&name("preprod")].deployment.as_ref();
        last.is_some_and(|last| last.id == DeploymentId(2) && !last.status.is_final())
    };
    assert!(is_going(&world.manager.live().borrow()), "its container still runs");
    world.swarm.leave("lab-preprod_c");
    world.until_over("preprod", |last| last.id == DeploymentId(2) && last.status == Status::Success).await;
}
