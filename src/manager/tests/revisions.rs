//! Which revision stands for what an environment has proved.

use super::*;
use crate::names::CommitSha;
use crate::revision::Revision;

const WITH_LEVEL: &str = "
services:
  web:
    image: web:${WEB_VERSION}
    environment: {LEVEL: '${LEVEL}'}
";

impl World {
    async fn until_head(&self, subject: &str) {
        self.until(subject, |live| live.source.head.as_ref().is_some_and(|head| head.message == subject)).await;
        // The environment is looked at after the source.
        tokio::time::sleep(Duration::from_mins(2)).await;
    }

    fn level_of_prod(&self) -> String {
        self.swarm.spec("lab-prod_web").unwrap()["TaskTemplate"]["ContainerSpec"]["Env"][0].to_string()
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_changes_only_the_later_environment_is_promoted() {
    let mut world = World::asleep().await;
    let prod = |level: &str| format!("WEB_VERSION=0\nLEVEL={level}\n");
    world.source.commit(
        "Levels",
        &[
            ("stack.yml", Some(WITH_LEVEL)),
            ("env/.env.preprod", Some("WEB_VERSION=1\nLEVEL=1\n")),
            ("env/.env.prod", Some(&prod("1"))),
        ],
    );
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert!(matches!(world.promote(None, None).await, Err(ManagerError::UpToDate)));

    let writes = world.service_writes();
    let sha = world.source.commit("Only prod", &[("env/.env.prod", Some(&prod("2")))]);
    world.manager.look_now();
    world.until_head("Only prod").await;
    world.restart().await;
    assert_eq!(world.service_writes(), writes, "preprod has it already");
    let plan = world.manager.compare(&name("prod"), None).await.unwrap();
    assert_eq!((plan.actions.len(), plan.to_sha), (1, Some(sha.clone())));
    let id = world.promote(None, plan.plan_hash.as_deref()).await.unwrap();
    world.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.level_of_prod(), "\"LEVEL=2\"");
    let (release, _) = world.ledger.release_of(id).await.unwrap().unwrap();
    assert_eq!(release.revision.unwrap().sha, sha);
}

#[tokio::test(start_paused = true)]
async fn what_failed_since_is_not_taken_to_be_of_the_newest_revision() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    world.swarm.crash("web:2");
    world.push("2", "1");
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    world.source.commit("Only words", &[("README.md", Some("hello"))]);
    world.manager.look_now();
    world.until_head("Only words").await;
    let proved = world.manager.compare(&name("prod"), None).await.unwrap();
    assert_eq!(proved.to_sha, proved.from_sha, "the revision of the last success");
}

impl World {
    /// Preprod has proved another version of each service, one after the other; prod runs what came before.
    async fn two_revisions_ahead() -> (Self, [CommitSha; 3]) {
        let world = Self::new().await;
        world.until_ended("preprod", Status::Success).await;
        world.promote(None, None).await.unwrap();
        world.until_ended("prod", Status::Success).await;
        let head = || world.manager.live().borrow().source.head.clone().unwrap().sha;
        let first = head();
        let mut later = Vec::new();
        for (web, db) in [("2", "1"), ("2", "2")] {
            let before = world.ledger.latest(&name("preprod")).await.unwrap().unwrap().id;
            world.push(web, db);
            world.until_over("preprod", |last| last.id > before && last.status == Status::Success).await;
            later.push(head());
        }
        let shas = [first, later.remove(0), later.remove(0)];
        (world, shas)
    }

    async fn promoted(&self, services: &[&str]) {
        let id = self.promote(Some(services), None).await.unwrap();
        self.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
    }

    async fn of_other_revisions(&self, environment: &str) -> Vec<String> {
        let overview = self.manager.overview().await.unwrap();
        let known = overview.environments.into_iter().find(|known| known.name == name(environment)).unwrap();
        let release = known.release.unwrap();
        let told = |revision: Option<Revision>| revision.map_or("none".to_owned(), |revision| revision.sha.to_string());
        release.elsewhere.into_iter().map(|(service, own)| format!("{service} {}", told(own))).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_partial_promotion_the_commits_begin_where_the_oldest_service_stands() {
    let (world, [first, second, third]) = World::two_revisions_ahead().await;
    world.promoted(&["db"]).await;
    let waiting = world.manager.compare(&name("prod"), None).await.unwrap();
    assert_eq!(waiting.from_sha, Some(third.clone()), "the newest of what prod runs");
    let (from, to) = (waiting.commits_from.unwrap(), waiting.commits_to.unwrap());
    // Preprod has proved web as it is with the newest revision too.
    assert_eq!((&from, &to), (&first, &third));
    let commits = world.manager.commits(&from, &to).await.unwrap();
    assert_eq!(commits.revisions.iter().map(|one| &one.sha).collect::<Vec<_>>(), [&third, &second]);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_runs_its_revision_in_part_says_which_services_are_older() {
    let (world, [first, ..]) = World::two_revisions_ahead().await;
    assert_eq!(world.of_other_revisions("prod").await, Vec::<String>::new());
    world.promoted(&["db"]).await;
    assert_eq!(world.of_other_revisions("prod").await, [format!("web {first}")]);
    world.promoted(&["web"]).await;
    assert_eq!(world.of_other_revisions("prod").await, Vec::<String>::new());
    let nothing = world.manager.compare(&name("prod"), None).await.unwrap();
    assert_eq!((nothing.commits_from, nothing.commits_to), (None, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_being_deployed_is_not_taken_for_the_work_of_somebody_else() {
    let (world, _) = World::two_revisions_ahead().await;
    let id = world.promote(None, None).await.unwrap();
    let is_written = |_: &Live| {
        ["web", "db"].iter().all(|service| {
            world.swarm.image(&format!("lab-prod_{service}")).is_some_and(|image| image == format!("{service}:2"))
        })
    };
    world.until("prod is written", is_written).await;
    let during = world.manager.compare(&name("prod"), None).await.unwrap();
    assert!(during.actions.is_empty(), "{:?}", during.actions);
    let said: Vec<&str> = during.warnings.iter().map(|found| found.message.as_str()).collect();
    assert!(said.iter().any(|said| said.contains(&format!("deployment {id} is under way"))), "{said:?}");
    world.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
    let after = world.manager.compare(&name("prod"), None).await.unwrap();
    assert!(after.warnings.is_empty(), "{:?}", after.warnings);
}
