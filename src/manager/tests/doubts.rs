//! Writes in doubt: one look that fails settles nothing.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_object_of_our_own_is_known_although_one_look_at_it_failed() {
    let world = World::asleep().await;
    world.swarm.lose_answers(1);
    world.swarm.stumble();
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(world.service_writes(), 2);
}
