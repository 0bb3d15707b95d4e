//! The commits that a page shows.

use super::*;

#[tokio::test(start_paused = true)]
async fn commits_are_told_between_revisions_that_stand_and_asked_for_once() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    let first = world.manager.live().borrow().source.head.clone().unwrap().sha;
    let second = world.source.commit("Update app", &[("env/.env.preprod", Some("APP_VERSION=2.0\n"))]);
    world.until("the second revision", |live| live.source.head.as_ref().is_some_and(|head| head.sha == second)).await;

    for _ in 0..3 {
        let commits = world.manager.commits(&first, &second).await.unwrap();
        assert_eq!(commits.revisions.iter().map(|one| &one.sha).collect::<Vec<_>>(), [&second]);
    }
    assert_eq!(world.source.comparisons(), 1);

    let strange = "e".repeat(40).parse().unwrap();
    for pair in [[&strange, &second], [&first, &strange]] {
        let refused = world.manager.commits(pair[0], pair[1]).await.unwrap_err();
        assert!(matches!(refused, ManagerError::UnknownRevision(_)), "{refused}");
    }
    assert_eq!(world.source.comparisons(), 1, "the source is not asked for what nobody needs");
}
