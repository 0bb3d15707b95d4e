//! An environment in another Swarm.

use super::orders::person;
use super::*;

/// A world whose prod runs elsewhere, in a Swarm that answers or does not.
async fn two_swarms(answers: bool) -> (World, Arc<FakeSwarm>) {
    let mut world = World::asleep().await;
    let far = Arc::new(FakeSwarm::default());
    far.set_unreachable(!answers);
    let swarm: Arc<dyn Swarm> = Arc::<FakeSwarm>::clone(&far);
    let elsewhere = BTreeMap::from([("lab-prod".parse().unwrap(), swarm)]);
    let (source, near, ledger) = (&world.source, &world.swarm, &world.ledger);
    world.manager = manager_in(source, near, elsewhere, ledger, OnFailure::Keep, |_| ()).await;
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    (world, far)
}

#[tokio::test(start_paused = true)]
async fn a_release_is_promoted_to_another_swarm_and_nothing_is_asked_of_the_wrong_one() {
    let (world, far) = two_swarms(true).await;
    assert!(far.writes().is_empty());
    let near = world.swarm.writes().len();
    let id = world.promote(None, None).await.unwrap();
    world.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(far.image("lab-prod_web").as_deref(), Some("web:1"));
    assert_eq!(world.swarm.writes().len(), near, "the other Swarm is left alone");
    world
        .until("prod is healthy", |live| {
            let health = &live.environments[&name("prod")].health.services;
            health.values().filter(|service| service.status == HealthStatus::Healthy).count() == 2
        })
        .await;
    let restarted = world.manager.restart(person(), &name("prod"), &"web".parse().unwrap()).await.unwrap();
    world.until_over("prod", |last| last.id == restarted && last.status == Status::Success).await;
    assert_eq!(world.swarm.writes().len(), near);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_is_told_of_and_the_others_go_on() {
    let (world, far) = two_swarms(false).await;
    world.until("it is told", |live| live.engine_problem.is_some()).await;
    world.push("2", "1");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    assert!(world.promote(None, None).await.is_err());
    far.set_unreachable(false);
    world.until("it is over", |live| live.engine_problem.is_none()).await;
}
