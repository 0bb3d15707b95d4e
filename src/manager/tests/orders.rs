//! What a person orders besides promotion: going back, holding, restarting, stopping, trying again.

use serde_json::Value;

use super::*;
use crate::deployment::{Cause, Verdict};
use crate::hold::Hold;
use crate::live::Progress;
use crate::ports::{JournalEntry, LedgerError};
use crate::time::Timestamp;

const WITH_CONFIG: &str = "
services:
  web:
    image: app:${APP_VERSION}
    configs: [{source: motd, target: /etc/motd}]
  worker:
    image: app:${APP_VERSION}
configs:
  motd: {file: ./motd.txt}
";

pub(super) fn person() -> Actor {
    Actor::Person("ada".to_owned())
}

impl World {
    /// Waits for the end of a deployment that is like that.
    pub(super) async fn until_over(&self, environment: &str, like: impl Fn(&Progress) -> bool) -> DeploymentId {
        let name = name(environment);
        let found = |live: &Live| {
            let last = live.environments[&name].deployment.as_ref();
            last.filter(|last| last.status.is_final() && like(last)).map(|last| last.id)
        };
        self.until(&format!("such an end in {environment}"), |live| found(live).is_some()).await;
        found(&self.manager.live().borrow()).unwrap()
    }

    pub(super) async fn until_version(&self, full_name: &str, image: &str) {
        self.until(image, |_| self.swarm.image(full_name).as_deref() == Some(image)).await;
        let environment = full_name.strip_prefix("lab-").unwrap().split('_').next().unwrap();
        self.until_over(environment, |_| true).await;
    }

    pub(super) async fn roll_back(
        &self,
        environment: &str,
        to: i64,
        services: Option<&[&str]>,
    ) -> Result<DeploymentId, ManagerError> {
        self.manager.roll_back(person(), &name(environment), DeploymentId(to), services.map(chosen), None).await
    }

    pub(super) async fn running(&self, environment: &str) -> Vec<String> {
        let current = self.ledger.current(&name(environment)).await.unwrap().unwrap();
        current.release.services.iter().map(|(service, known)| format!("{service} {}", known.version)).collect()
    }

    pub(super) async fn notes(&self, id: DeploymentId) -> Vec<String> {
        self.ledger.deployment(id).await.unwrap().unwrap().notes
    }

    pub(super) async fn cause(&self, id: DeploymentId) -> Cause {
        self.ledger.deployment(id).await.unwrap().unwrap().cause
    }

    pub(super) fn problem(&self, environment: &str) -> Option<String> {
        let problem = self.manager.live().borrow().environments[&name(environment)].problem.clone();
        problem.map(|problem| problem.message)
    }

    pub(super) fn is_held(&self, environment: &str) -> bool {
        self.manager.live().borrow().environments[&name(environment)].hold.is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn an_environment_goes_back_with_the_source_down_and_is_held_until_a_newer_revision_comes() {
    let mut world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.push("2", "2");
    world.until_version("lab-preprod_web", "web:2").await;
    world.source.set_unreachable(true);
    let plan = world.manager.plan_rollback(&name("preprod"), DeploymentId(1), None).await.unwrap();
    assert!(plan.holds);
    assert_eq!(plan.comparison.actions.len(), 2, "{plan:#?}");
    let id = world.roll_back("preprod", 1, None).await.unwrap();
    world.until_over("preprod", |progress| progress.id == id && progress.status == Status::Success).await;
    assert_eq!(world.running("preprod").await, ["db 1", "web 1"]);
    assert_eq!(world.cause(id).await, Cause::Rollback { to: DeploymentId(1) });
    world.source.set_unreachable(false);
    tokio::time::sleep(Duration::from_mins(5)).await;
    world.restart().await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(world.is_held("preprod"), "also after a restart");
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:1"));
    world.push("3", "2");
    world.until_version("lab-preprod_web", "web:3").await;
    assert!(!world.is_held("preprod"));
}

#[tokio::test(start_paused = true)]
async fn a_person_ends_the_hold_of_a_rollback_and_the_newest_revision_is_deployed_again() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.push("2", "1");
    world.until_version("lab-preprod_web", "web:2").await;
    world.roll_back("preprod", 1, None).await.unwrap();
    world.until_version("lab-preprod_web", "web:1").await;
    world.manager.resume(person(), &name("preprod")).await.unwrap();
    world.until_version("lab-preprod_web", "web:2").await;
    let again = world.manager.resume(person(), &name("preprod")).await;
    assert!(matches!(again, Err(ManagerError::NotHeld(_))), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn one_service_goes_back_and_the_other_is_not_touched_although_they_share_their_version() {
    let world = World::asleep().await;
    let files =
        [("stack.yml", Some(WITH_CONFIG)), ("motd.txt", Some("old")), ("env/.env.preprod", Some("APP_VERSION=1\n"))];
    world.source.commit("Share a version", &files);
    world.manager.start().await.unwrap();
    world.until_version("lab-preprod_worker", "app:1").await;
    let config = |spec: &Value| spec["TaskTemplate"]["ContainerSpec"]["Configs"][0]["ConfigName"].clone();
    let old = config(&world.swarm.spec("lab-preprod_web").unwrap());
    world.source.commit("Update", &[("motd.txt", Some("new")), ("env/.env.preprod", Some("APP_VERSION=2\n"))]);
    world.manager.look_now();
    world.until_version("lab-preprod_worker", "app:2").await;
    assert_ne!(config(&world.swarm.spec("lab-preprod_web").unwrap()), old, "the config is another one by now");
    let worker = world.swarm.spec("lab-preprod_worker");
    let id = world.roll_back("preprod", 1, Some(&["web"])).await.unwrap();
    world.until_over("preprod", |progress| progress.id == id && progress.status == Status::Success).await;
    let web = world.swarm.spec("lab-preprod_web").unwrap();
    assert_eq!((web["TaskTemplate"]["ContainerSpec"]["Image"].as_str(), config(&web)), (Some("app:1"), old));
    assert_eq!(world.swarm.spec("lab-preprod_worker"), worker, "to the byte");
    assert_eq!(world.running("preprod").await, ["web 1", "worker 2"]);
    let (release, stack) = world.ledger.release_of(id).await.unwrap().unwrap();
    assert_eq!(stack.services.len(), 2, "the record is whole");
    let revisions: Vec<_> =
        release.services.keys().map(|service| release.revision_of(service).unwrap().subject()).collect();
    assert_eq!(revisions, ["Share a version", "Update"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_refused_where_it_could_not_work_or_was_not_seen() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let seen = world.manager.plan_rollback(&name("preprod"), DeploymentId(1), None).await.unwrap();
    let same = world.roll_back("preprod", 1, None).await;
    assert!(matches!(same, Err(ManagerError::UpToDate)), "{same:?}");
    world.push("2", "1");
    world.until_version("lab-preprod_web", "web:2").await;
    let hash = seen.comparison.plan_hash.as_deref();
    let stale = world.manager.roll_back(person(), &name("preprod"), DeploymentId(1), None, hash).await;
    assert!(matches!(stale, Err(ManagerError::Stale(_))), "{stale:?}");
    let other = world.roll_back("prod", 1, None).await;
    assert!(matches!(other, Err(ManagerError::OtherEnvironment(..))), "{other:?}");
    world.swarm.crash("web:3");
    world.push("3", "1");
    world.until_ended("preprod", Status::Failed).await;
    let failed = world.roll_back("preprod", 3, None).await;
    assert!(matches!(failed, Err(ManagerError::NotProved(_))), "{failed:?}");
    world.swarm.lose_image("web:1");
    let Err(ManagerError::Blocked(gone)) = world.roll_back("preprod", 1, None).await else { panic!("must be refused") };
    assert!(gone[0].message.contains("web:1"), "{gone:?}");
    assert!(!world.is_held("preprod"), "what is refused holds nothing");
}

#[tokio::test(start_paused = true)]
async fn what_the_release_did_not_have_is_taken_out_and_what_it_had_comes_back() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let other = "services:\n  web:\n    image: web:${WEB_VERSION}\n  cache:\n    image: cache:1\n";
    world.source.commit("Another stack", &[("stack.yml", Some(other))]);
    world.manager.look_now();
    world.until_version("lab-preprod_cache", "cache:1").await;
    assert_eq!(world.running("preprod").await, ["cache 1", "web 1"]);
    let id = world.roll_back("preprod", 1, None).await.unwrap();
    world.until_over("preprod", |progress| progress.id == id && progress.status == Status::Success).await;
    assert_eq!(world.running("preprod").await, ["db 1", "web 1"]);
    assert_eq!(world.swarm.image("lab-preprod_cache"), None);
}

#[tokio::test(start_paused = true)]
async fn a_held_environment_gets_nothing_new_but_may_be_rolled_back_and_restarted() {
    let mut world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    for environment in ["preprod", "prod"] {
        world.manager.hold(person(), &name(environment), "moving house".parse().unwrap()).await.unwrap();
    }
    world.push("2", "1");
    tokio::time::sleep(Duration::from_mins(3)).await;
    world.restart().await;
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:1"));
    let hold = world.manager.live().borrow().environments[&name("preprod")].hold.clone().unwrap();
    assert_eq!((hold.by, hold.reason.as_str()), (person(), "moving house"));
    for refused in [
        world.manager.sync(person(), &name("preprod")).await,
        world.manager.retry(person(), &name("preprod")).await,
        world.promote(None, None).await,
    ] {
        assert!(matches!(refused, Err(ManagerError::Held(..))), "{refused:?}");
    }
    let blockers = world.manager.compare(&name("prod"), None).await.unwrap().blockers;
    assert!(blockers.iter().any(|blocker| blocker.message.contains("moving house")), "{blockers:?}");
    let id = world.manager.restart(person(), &name("prod"), &"web".parse().unwrap()).await.unwrap();
    world.until_over("prod", |progress| progress.id == id && progress.status == Status::Success).await;
    world.manager.resume(person(), &name("preprod")).await.unwrap();
    world.until_version("lab-preprod_web", "web:2").await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_comes_while_a_deployment_is_prepared_keeps_it_out() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let plan = world.manager.compare(&name("prod"), None).await.unwrap();
    let reason = "moving house".parse().unwrap();
    let hold = Hold { by: person(), since: Timestamp::from_millis(0), reason, newer_than: None };
    // As it is between the first look at holds and the moment of acceptance: nobody here knows of it yet.
    for environment in ["preprod", "prod"] {
        world.ledger.hold(&name(environment), &hold).await.unwrap();
    }
    let refused = world.promote(None, plan.plan_hash.as_deref()).await;
    assert!(matches!(refused, Err(ManagerError::Held(..))), "{refused:?}");
    world.push("2", "1");
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:1"));
    assert_eq!(world.problem("preprod"), None, "a hold is no problem");
    world.manager.resume(person(), &name("preprod")).await.unwrap();
    world.until_version("lab-preprod_web", "web:2").await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_starts_the_tasks_anew_and_stands_in_history() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let before = world.swarm.spec("lab-preprod_web").unwrap();
    let id = world.manager.restart(person(), &name("preprod"), &"web".parse().unwrap()).await.unwrap();
    let second = world.manager.restart(person(), &name("preprod"), &"db".parse().unwrap()).await;
    assert!(matches!(second, Err(ManagerError::Busy(running)) if running == id), "{second:?}");
    world.until_over("preprod", |progress| progress.id == id && progress.status == Status::Success).await;
    let after = world.swarm.spec("lab-preprod_web").unwrap();
    assert_eq!(after["TaskTemplate"]["ForceUpdate"], 1);
    assert_eq!(after["Labels"]["release-manager.spec"], before["Labels"]["release-manager.spec"]);
    assert_eq!(world.cause(id).await, Cause::Restart { service: "web".parse().unwrap() });
    let rows = world.manager.deployment(id).await.unwrap().rows;
    assert_eq!((rows.len(), rows[0].version.as_str(), rows[0].status), (1, "1", Status::Success));
    let nobody = world.manager.restart(person(), &name("preprod"), &"nobody".parse().unwrap()).await;
    assert!(matches!(nobody, Err(ManagerError::UnknownService(_))), "{nobody:?}");
    let deployments = world.ledger.latest(&name("preprod")).await.unwrap().unwrap().id;
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(world.ledger.latest(&name("preprod")).await.unwrap().unwrap().id, deployments, "no sync follows");
}

#[tokio::test(start_paused = true)]
async fn a_paused_service_is_not_restarted() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.pause("lab-preprod_web");
    let refused = world.manager.restart(person(), &name("preprod"), &"web".parse().unwrap()).await;
    assert!(matches!(refused, Err(ManagerError::Blocked(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_is_taken_back_as_a_whole_where_the_environment_says_so() {
    let mut world = World::asleep_with(OnFailure::Rollback).await;
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    let before = world.swarm.spec("lab-preprod_db").unwrap()["TaskTemplate"].clone();
    world.swarm.crash("web:2");
    world.push("2", "2");
    let back = world.until_over("preprod", |last| matches!(last.cause, Cause::Return { .. })).await;
    assert_eq!(back, DeploymentId(3));
    assert_eq!(world.cause(back).await, Cause::Return { from: DeploymentId(2) });
    let (failed, returned) =
        (world.ledger.deployment(DeploymentId(2)).await.unwrap(), world.ledger.deployment(back).await.unwrap());
    assert_eq!(failed.unwrap().status(), Status::Failed, "the failure stays in history");
    assert_eq!(returned.unwrap().status(), Status::Success);
    assert_eq!(world.running("preprod").await, ["db 1", "web 1"]);
    assert_eq!(world.swarm.spec("lab-preprod_db").unwrap()["TaskTemplate"], before);
    let writes = world.service_writes();
    tokio::time::sleep(Duration::from_mins(3)).await;
    world.restart().await;
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(world.service_writes(), writes, "a machine does not try the failed revision again");
    assert!(world.problem("preprod").unwrap().contains("deployment 2"), "{:?}", world.problem("preprod"));
    world.push("3", "1");
    world.until_version("lab-preprod_web", "web:3").await;
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_deployment_has_made_is_taken_out_and_what_a_stranger_changed_is_left() {
    let world = World::asleep_with(OnFailure::Rollback).await;
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.swarm.crash("web:2");
    world.swarm.slow_down("db:2");
    let more = format!("{STACK}  cache:\n    image: cache:1\n");
    world.source.commit("Add a cache", &[("stack.yml", Some(&more))]);
    world.push("2", "2");
    world.until("db written", |_| world.swarm.image("lab-preprod_db").as_deref() == Some("db:2")).await;
    world.swarm.tamper("lab-preprod_db", |spec| {
        spec["Labels"]["release-manager.deployment"] = "99".into();
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = "db:9".into();
    });
    let back = world.until_over("preprod", |last| matches!(last.cause, Cause::Return { .. })).await;
    assert_eq!(world.swarm.image("lab-preprod_cache"), None);
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:1"));
    assert_eq!(world.swarm.image("lab-preprod_db").as_deref(), Some("db:9"), "a stranger's work is not overwritten");
    let notes = world.notes(back).await;
    assert!(notes.iter().any(|note| note.starts_with("db: somebody else")), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_return_that_was_decided_on_is_begun_by_the_next_process() {
    let mut world = World::asleep_with(OnFailure::Rollback).await;
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("web:2");
    world.push("2", "1");
    world.until("web written", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    world.swarm.hide_stacks(true);
    world.until_ended("preprod", Status::Failed).await;
    world
        .until("the problem", |live| {
            let problem = live.environments[&name("preprod")].problem.as_ref();
            problem.is_some_and(|problem| problem.message.contains("cannot be put back yet"))
        })
        .await;
    world.restart().await;
    world.swarm.hide_stacks(false);
    world.until_over("preprod", |last| matches!(last.cause, Cause::Return { .. })).await;
    assert_eq!(world.running("preprod").await, ["db 1", "web 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_deployment_stays_as_it_is_by_default() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.crash("web:2");
    world.push("2", "1");
    let failed = world.until_over("preprod", |last| last.status == Status::Failed).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(world.ledger.latest(&name("preprod")).await.unwrap().unwrap().id, failed);
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:2"));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_deployment_goes_back_at_once_if_that_is_wanted() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("web:2");
    world.push("2", "2");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    world.until("db 2", |_| world.swarm.image("lab-preprod_db").as_deref() == Some("db:2")).await;
    world.manager.cancel(person(), DeploymentId(2), true).await.unwrap();
    let back = world.until_over("preprod", |last| matches!(last.cause, Cause::Return { .. })).await;
    let cancelled = world.ledger.deployment(DeploymentId(2)).await.unwrap().unwrap();
    assert_eq!(cancelled.status(), Status::Cancelled);
    assert!(cancelled.notes[0].starts_with("cancelled by ada; written: db, web"), "{:?}", cancelled.notes);
    let (_, outcome) = cancelled.ended.unwrap();
    assert_eq!(outcome.services[&"web".parse().unwrap()].verdict, Verdict::Cancelled { written: true });
    let returned = world.ledger.deployment(back).await.unwrap().unwrap();
    assert_eq!((returned.status(), returned.actor), (Status::Success, person()));
    assert_eq!(world.running("preprod").await, ["db 1", "web 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_person_has_a_failed_revision_watched_again_where_it_is_live() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.crash("web:2");
    world.push("2", "1");
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    let writes = world.service_writes();
    world.swarm.recover("lab-preprod_web");
    let id = world.manager.retry(person(), &name("preprod")).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.service_writes(), writes, "what is live is not written again");
    assert_eq!(world.running("preprod").await, ["db 1", "web 2"]);
    assert_eq!(world.cause(id).await, Cause::Retry { of: DeploymentId(2) });
    world.until("no problem", |live| live.environments[&name("preprod")].problem.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_promotion_is_tried_again_by_a_person() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("web:1");
    let failed = world.promote(None, None).await.unwrap();
    world.until_over("prod", |last| last.id == failed && last.status == Status::Failed).await;
    world.swarm.recover("lab-prod_web");
    let writes = world.service_writes();
    let id = world.manager.retry(person(), &name("prod")).await.unwrap();
    world.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.service_writes(), writes);
    assert_eq!(world.running("prod").await, ["db 1", "web 1"]);
    let nothing = world.manager.retry(person(), &name("prod")).await;
    assert!(matches!(nothing, Err(ManagerError::UpToDate)), "{nothing:?}");
}

#[tokio::test(start_paused = true)]
async fn a_promotion_of_what_is_live_and_unproved_is_no_empty_promise() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("web:1");
    let failed = world.promote(None, None).await.unwrap();
    world.until_over("prod", |last| last.id == failed && last.status == Status::Failed).await;
    let plan = world.manager.compare(&name("prod"), None).await.unwrap();
    assert_eq!(plan.actions[&"web".parse::<ServiceName>().unwrap()].verb, "watch", "{plan:#?}");
    world.swarm.recover("lab-prod_web");
    let id = world.promote(None, plan.plan_hash.as_deref()).await.unwrap();
    world.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_leaves_a_broken_service_alone_says_so() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.crash("web:2");
    world.push("2", "1");
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    world.push("2", "2");
    let id = world.until_over("preprod", |last| last.status == Status::Success).await;
    let notes = world.notes(id).await;
    assert!(notes.iter().any(|note| note.starts_with("web was not touched")), "{notes:?}");
    assert_eq!(world.running("preprod").await, ["db 2", "web 1"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_part_has_failed_each_service_is_promoted_as_it_was_proved() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    // The new revision sets something for both services, and only db proves itself.
    let set = STACK.replace("STAGE: '${ENV_NAME}'", "STAGE: '${ENV_NAME}', ROUND: '2'");
    let set = set.replace("image: db:${DB_VERSION}", "image: db:${DB_VERSION}\n    environment: {ROUND: '2'}");
    world.swarm.crash("web:2");
    world.source.commit("Set a round", &[("stack.yml", Some(&set))]);
    world.push("2", "2");
    world.until_over("preprod", |last| last.status == Status::Failed).await;
    assert_eq!(world.running("preprod").await, ["db 2", "web 1"]);
    let web = world.swarm.spec("lab-prod_web");
    let id = world.promote(None, None).await.unwrap();
    world.until_over("prod", |last| last.id == id && last.status == Status::Success).await;
    let env = |service: &str| world.swarm.spec(service).unwrap()["TaskTemplate"]["ContainerSpec"]["Env"].clone();
    assert_eq!(env("lab-prod_db"), serde_json::json!(["ROUND=2"]));
    assert_eq!(world.swarm.spec("lab-prod_web"), web, "web stays at the revision that it was proved at");
}

#[tokio::test(start_paused = true)]
async fn a_push_during_a_deployment_is_deployed_next_and_only_the_newest() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.push("2", "1");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    world.push("3", "1");
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.push("4", "1");
    world.until_version("lab-preprod_web", "web:4").await;
    let rows = world.manager.history(&HistoryFilter { limit: 50, ..HistoryFilter::default() }).await.unwrap().rows;
    let versions: Vec<&str> =
        rows.iter().filter(|row| row.service.as_str() == "web").map(|row| row.version.as_str()).collect();
    assert_eq!(versions, ["4", "2", "1"]);
}

#[tokio::test(start_paused = true)]
async fn all_levels_of_a_deployment_share_its_deadline() {
    let world = World::asleep().await;
    let chain = "services:\n  db: {image: 'db:1'}\n  web: {image: 'web:1', depends_on: [db]}\n  last: {image: 'last:1', depends_on: [web]}\n";
    world.source.commit("Chain them", &[("stack.yml", Some(chain))]);
    for image in ["db:1", "web:1"] {
        world.swarm.slow_down(image);
    }
    let began = tokio::time::Instant::now();
    world.manager.start().await.unwrap();
    world.until("db written", |_| world.swarm.image("lab-preprod_db").is_some()).await;
    tokio::time::sleep(Duration::from_secs(200)).await;
    world.swarm.recover("lab-preprod_db");
    let id = world.until_over("preprod", |last| last.status == Status::Failed).await;
    assert!(began.elapsed() < Duration::from_secs(330), "{:?}", began.elapsed());
    let (_, outcome) = world.ledger.deployment(id).await.unwrap().unwrap().ended.unwrap();
    let verdict = |service: &str| outcome.services[&service.parse().unwrap()].verdict.clone();
    assert_eq!(verdict("db").status(), Status::Success);
    assert_eq!(verdict("web").status(), Status::Failed);
    assert_eq!(verdict("last"), Verdict::Cancelled { written: false });
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_time_left_to_prove_is_not_written() {
    let world = World::asleep().await;
    let chain = "services:\n  db: {image: 'db:1'}\n  web: {image: 'web:1', depends_on: [db]}\n";
    world.source.commit("Chain them", &[("stack.yml", Some(chain))]);
    world.swarm.slow_down("db:1");
    world.manager.start().await.unwrap();
    world.until("db written", |_| world.swarm.image("lab-preprod_db").is_some()).await;
    tokio::time::sleep(Duration::from_secs(285)).await;
    world.swarm.recover("lab-preprod_db");
    let id = world.until_over("preprod", |last| last.status == Status::Failed).await;
    let (_, outcome) = world.ledger.deployment(id).await.unwrap().unwrap().ended.unwrap();
    let message = outcome.services[&"web".parse().unwrap()].verdict.error_message().unwrap();
    assert!(message.starts_with("it was not written"), "{message}");
    assert_eq!(world.swarm.image("lab-preprod_web"), None);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_whose_end_was_recorded_without_an_answer_is_over() {
    let world = World::asleep().await;
    world.ledger.lose_finish();
    world.manager.start().await.unwrap();
    let id = world.until_over("preprod", |last| last.status == Status::Success).await;
    assert_eq!(world.ledger.deployment(id).await.unwrap().unwrap().status(), Status::Success);
    world.push("2", "1");
    world.until_version("lab-preprod_web", "web:2").await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_ended_a_moment_ago_cannot_be_cancelled() {
    let world = World::asleep().await;
    world.ledger.lose_finish();
    world.manager.start().await.unwrap();
    let recorded = |_: &_| world.ledger.is_over(DeploymentId(1));
    world.until("its end is recorded, while nobody here knows of that", recorded).await;
    let refused = world.manager.cancel(person(), DeploymentId(1), false).await;
    assert!(matches!(refused, Err(ManagerError::Over(DeploymentId(1)))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_wants_to_be_left_alone_is_not_asked_because_of_a_webhook() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.source.limit(Duration::from_mins(10));
    world.manager.look_now();
    world.until("the limit", |live| live.source.problem.is_some()).await;
    let heads = world.source.heads();
    for _ in 0..5 {
        world.manager.look_now();
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    assert_eq!(world.source.heads(), heads);
    tokio::time::sleep(Duration::from_mins(6)).await;
    assert!(world.source.heads() > heads);
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_a_person_orders_follows_the_rules_of_a_machine() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let same = world.manager.sync(person(), &name("preprod")).await;
    assert!(matches!(same, Err(ManagerError::UpToDate)), "{same:?}");
    let text = "WEB_VERSION=2\nDB_VERSION=1\n";
    world.source.commit("Update", &[("env/.env.preprod", Some(text))]);
    let id = world.manager.sync(person(), &name("preprod")).await.unwrap();
    world.until_over("preprod", |last| last.id == id && last.status == Status::Success).await;
    assert_eq!(world.ledger.deployment(id).await.unwrap().unwrap().actor, person());
    let manual = world.manager.sync(person(), &name("prod")).await;
    assert!(matches!(manual, Err(ManagerError::NotAutomatic(_))), "{manual:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_journalled_with_what_is_wanted_of_it() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.slow_down("web:1");
    let id = world.promote(None, None).await.unwrap();
    world.manager.cancel(person(), id, false).await.unwrap();
    let asked = JournalEntry::CancelRequested { by: person(), go_back: false };
    assert!(world.ledger.journal_of(id).contains(&asked));
    world.swarm.recover("lab-prod_web");
    world.until_over("prod", |last| last.id == id).await;
    let refused: Result<(), LedgerError> =
        world.ledger.journal(id, &asked, crate::time::Timestamp::from_millis(0)).await;
    assert!(matches!(refused, Err(LedgerError::Over(over)) if over == id), "nothing is added to what is over");
}

#[tokio::test(start_paused = true)]
async fn what_others_wait_for_has_stood_for_a_moment_before_they_are_written() {
    let world = World::asleep().await;
    let waiting = STACK.replace("    image: web:", "    depends_on: [db]\n    image: web:");
    world.source.commit("Wait", &[("stack.yml", Some(&waiting))]);
    world.manager.start().await.unwrap();
    world.until("db runs", |_| world.swarm.image("lab-preprod_db").is_some()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.swarm.image("lab-preprod_web"), None, "db may end yet");
    world.until("web is written", |_| world.swarm.image("lab-preprod_web").is_some()).await;
    world.until_ended("preprod", Status::Success).await;
}
