//! What a mistake of our own does: it ends neither a deployment nor what is followed.

use super::*;
use crate::manager::Condition;

#[tokio::test(start_paused = true)]
async fn the_source_is_followed_on_after_a_mistake_of_ours() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.source.collapse();
    world.push("2", "1");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    let Condition::Poor(why) = world.manager.readiness().own else { panic!("it is told") };
    assert!(why.starts_with("following the source failed (the code breaks"), "{why}");
    world.until_ended("preprod", Status::Success).await;
    tokio::time::timeout(Duration::from_secs(10), world.manager.stop()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_taken_up_again_after_a_mistake_of_ours() {
    let world = World::asleep().await;
    world.swarm.collapse();
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(world.service_writes(), 2, "nothing is written twice");
    world.until("no problem", |live| live.environments[&name("preprod")].problem.is_none()).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_a_mistake_breaks_off_each_time_is_closed() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.collapse_always();
    let id = world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Failed).await;
    let known = world.ledger.deployment(id).await.unwrap().unwrap();
    let (_, outcome) = known.ended.unwrap();
    assert!(outcome.error_message.unwrap().contains("broken it off 5 times"));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_not_shown_as_closed_before_that_is_recorded() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.collapse_always();
    world.ledger.refuse_finish(true);
    let id = world.promote(None, None).await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let shown = world.manager.live().borrow().environments[&name("prod")].deployment.clone().unwrap();
    assert_eq!(shown.status, Status::InProgress);
    world.ledger.refuse_finish(false);
    world.until_ended("prod", Status::Failed).await;
    assert!(world.ledger.is_over(id));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_has_seen_succeed_is_watched_on_by_the_one_that_closes_the_deployment() {
    let mut world = World::asleep().await;
    world.swarm.slow_down("db:1");
    world.manager.start().await.unwrap();
    let judged = |live: &Live, service: &str| {
        let progress = live.environments[&name("preprod")].deployment.as_ref();
        let known = progress.and_then(|progress| progress.services.get(&service.parse::<ServiceName>().unwrap()));
        known.is_some_and(|known| matches!(known.phase, crate::live::ServicePhase::Done { .. }))
    };
    world.until("web is judged", |live| judged(live, "web")).await;
    world.restart().await;
    world.swarm.recover("lab-preprod_db");
    world.until_ended("preprod", Status::Success).await;
    world.until("both on probation", |live| live.environments[&name("preprod")].watched.probation.len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_heard_also_while_the_engine_is_away() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let id = world.promote(None, None).await.unwrap();
    world.swarm.set_unreachable(true);
    world.manager.cancel(Actor::System, id, false).await.unwrap();
    let began = tokio::time::Instant::now();
    world
        .until("over", |live| {
            let progress = live.environments[&name("prod")].deployment.as_ref();
            progress.is_some_and(|progress| progress.status == Status::Cancelled)
        })
        .await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(world.service_writes(), 2, "only those of preprod");
}
