//! A branch that does not only grow.

use super::orders::person;
use super::*;
use crate::names::CommitSha;

fn versions(web: &str, db: &str) -> String {
    format!("WEB_VERSION={web}\nDB_VERSION={db}\n")
}

impl World {
    fn commit(&self, web: &str, db: &str) -> CommitSha {
        self.source.commit("Update", &[("env/.env.preprod", Some(&versions(web, db)))])
    }

    fn web(&self) -> Option<String> {
        self.swarm.image("lab-preprod_web")
    }

    pub(super) async fn until_web(&self, image: &str) {
        self.until(image, |_| self.web().as_deref() == Some(image)).await;
    }

    pub(super) async fn until_told(&self, words: &str) {
        self.until(words, |live| {
            let problem = live.environments[&name("preprod")].problem.as_ref();
            problem.is_some_and(|problem| problem.message.contains(words))
        })
        .await;
    }

    /// Version 2 stands in preprod, on top of the first commit, which is returned with it.
    async fn with_two() -> (Self, CommitSha, CommitSha) {
        let world = Self::new().await;
        world.until_ended("preprod", Status::Success).await;
        let first = world.manager.live().borrow().source.head.as_ref().unwrap().sha.clone();
        let second = world.commit("2", "1");
        world.manager.look_now();
        world.until_web("web:2").await;
        world.until_over("preprod", |last| last.status == Status::Success).await;
        (world, first, second)
    }
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_was_rewritten_waits_for_a_person() {
    let (mut world, first, _) = World::with_two().await;
    world.source.reset(&first);
    let rewritten = world.commit("3", "1");
    world.manager.look_now();
    world.until_told("the branch was rewritten").await;
    let message = world.problem("preprod").unwrap();
    assert!(message.contains(rewritten.short()) && message.contains("retry it by hand"), "{message}");
    assert_eq!(world.web().as_deref(), Some("web:2"));

    // Neither a restart nor a commit on top makes it what was followed.
    world.restart().await;
    world.until_told("the branch was rewritten").await;
    world.commit("4", "1");
    world.manager.look_now();
    world.until("the newest is looked at", |live| live.source.head.as_ref().unwrap().sha != rewritten).await;
    world.until_told("the branch was rewritten").await;
    assert_eq!(world.web().as_deref(), Some("web:2"));
    let refused = world.manager.sync(person(), &name("preprod")).await.unwrap_err();
    assert!(matches!(refused, ManagerError::Rewritten { .. }), "{refused}");

    let id = world.manager.retry(person(), &name("preprod")).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!((world.web().as_deref(), world.problem("preprod")), (Some("web:4"), None));
    world.commit("5", "1");
    world.manager.look_now();
    world.until_web("web:5").await;
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_was_set_back_waits_and_goes_on_when_it_is_back() {
    let (world, first, second) = World::with_two().await;
    world.source.reset(&first);
    world.manager.look_now();
    world.until_told("the branch was set back").await;
    assert_eq!(world.web().as_deref(), Some("web:2"));
    world.source.reset(&second);
    world.commit("3", "1");
    world.manager.look_now();
    world.until_web("web:3").await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_the_host_has_forgotten_leads_nowhere() {
    let (world, first, second) = World::with_two().await;
    world.source.reset(&first);
    world.source.lose(&second);
    world.commit("3", "1");
    world.manager.look_now();
    world.until_told("does not know").await;
    assert_eq!(world.web().as_deref(), Some("web:2"));
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_allows_it_follows_a_rewritten_branch() {
    let mut world = World::asleep().await;
    let allow = |settings: &mut Settings| {
        let mut environments = settings.pipeline.environments().to_vec();
        environments[0].allow_rewind = true;
        settings.pipeline = Pipeline::new(environments).unwrap();
    };
    world.manager = manager_with(&world.source, &world.swarm, &world.ledger, OnFailure::Keep, allow).await;
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    let first = world.manager.live().borrow().source.head.as_ref().unwrap().sha.clone();
    world.push("2", "1");
    world.until_web("web:2").await;
    world.source.reset(&first);
    world.commit("3", "1");
    world.manager.look_now();
    world.until_web("web:3").await;
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_branch_takes_nothing_from_history_and_prod_goes_back_all_the_same() {
    let (world, first, second) = World::with_two().await;
    let two = world.promote(None, None).await.unwrap();
    world.until_over("prod", |last| last.id == two && last.status == Status::Success).await;
    world.push("3", "1");
    world.until_web("web:3").await;
    world.until_over("preprod", |last| last.status == Status::Success).await;
    let three = world.promote(None, None).await.unwrap();
    world.until_over("prod", |last| last.id == three && last.status == Status::Success).await;

    world.source.reset(&first);
    world.source.lose(&second);
    let kept = world.ledger.deployment(two).await.unwrap().unwrap();
    assert_eq!(kept.commit_sha, Some(second));
    let back = world.manager.roll_back(person(), &name("prod"), two, None, None).await.unwrap();
    world.until_over("prod", |last| last.id == back && last.status == Status::Success).await;
    assert_eq!(world.swarm.image("lab-prod_web").as_deref(), Some("web:2"));
}
