//! The flows, over fakes that behave and a clock that does not wait.

mod commits;
mod discreet;
mod doubts;
mod elsewhere;
mod ledger;
mod mistakes;
mod orders;
mod outside;
mod pinned;
mod preflight;
mod removals;
mod revisions;
mod rewritten;
mod unproved;
mod vanished;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Manager, ManagerError, Ports, Settings};
use crate::deployment::{HistoryFilter, Status};
use crate::engine::Write;
use crate::health::HealthStatus;
use crate::live::Live;
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName, StackName};
use crate::pipeline::{Environment, Mode, OnDrift, OnFailure, Pipeline};
use crate::ports::{Ledger, Swarm};
use crate::testing::{FakeLedger, FakeSource, FakeSwarm, TestClock};

mod watching;

const STACK: &str = "
services:
  web:
    image: web:${WEB_VERSION}
    environment: {STAGE: '${ENV_NAME}'}
  db:
    image: db:${DB_VERSION}
";

struct World {
    source: Arc<FakeSource>,
    swarm: Arc<FakeSwarm>,
    ledger: Arc<FakeLedger>,
    manager: Manager,
    on_failure: OnFailure,
}

impl World {
    /// A repository with web and db in version 1, an empty Swarm, and a manager that has just been started.
    async fn new() -> Self {
        let world = Self::asleep().await;
        world.manager.start().await.unwrap();
        world
    }

    async fn asleep() -> Self {
        Self::asleep_with(OnFailure::Keep).await
    }

    async fn asleep_with(on_failure: OnFailure) -> Self {
        let source = Arc::new(FakeSource::default());
        source.commit(
            "Begin",
            &[
                ("stack.yml", Some(STACK)),
                ("env/.env.preprod", Some("WEB_VERSION=1\nDB_VERSION=1\n")),
                ("env/.env.prod", Some("WEB_VERSION=0\nDB_VERSION=0\n")),
            ],
        );
        let (swarm, ledger) = (Arc::new(FakeSwarm::default()), Arc::new(FakeLedger::default()));
        let manager = manager(&source, &swarm, &ledger, on_failure).await;
        Self { source, swarm, ledger, manager, on_failure }
    }

    /// Stops the process and starts another one on the same ledger and Swarm.
    async fn restart(&mut self) {
        self.manager.stop().await;
        self.manager = manager(&self.source, &self.swarm, &self.ledger, self.on_failure).await;
        self.manager.start().await.unwrap();
    }

    fn push(&self, web: &str, db: &str) {
        let text = format!("WEB_VERSION={web}\nDB_VERSION={db}\n");
        self.source.commit("Update", &[("env/.env.preprod", Some(&text))]);
        self.manager.look_now();
    }

    async fn until(&self, what: &str, reached: impl Fn(&Live) -> bool) {
        let mut live = self.manager.live();
        let waiting = live.wait_for(|live| reached(live));
        let reached = tokio::time::timeout(Duration::from_hours(1), waiting).await.is_ok();
        assert!(reached, "never came: {what}; {:#?}", self.manager.live().borrow());
    }

    async fn until_ended(&self, environment: &str, status: Status) {
        let name = name(environment);
        self.until(&format!("{environment} {status:?}"), |live| {
            live.environments[&name].deployment.as_ref().is_some_and(|deployment| deployment.status == status)
        })
        .await;
    }

    async fn promote(&self, services: Option<&[&str]>, seen: Option<&str>) -> Result<DeploymentId, ManagerError> {
        let services = services.map(chosen);
        self.manager.promote(Actor::Person("manual".to_owned()), &name("prod"), services, seen).await
    }

    fn service_writes(&self) -> usize {
        let of_service = |write: &&Write| {
            matches!(write, Write::CreateService { .. } | Write::UpdateService { .. } | Write::RemoveService { .. })
        };
        self.swarm.writes().iter().filter(of_service).count()
    }
}

fn name(environment: &str) -> EnvironmentName {
    environment.parse().unwrap()
}

fn chosen(services: &[&str]) -> BTreeSet<ServiceName> {
    services.iter().map(|service| service.parse().unwrap()).collect()
}

async fn manager(
    source: &Arc<FakeSource>,
    swarm: &Arc<FakeSwarm>,
    ledger: &Arc<FakeLedger>,
    on_failure: OnFailure,
) -> Manager {
    manager_with(source, swarm, ledger, on_failure, |_| ()).await
}

async fn manager_with(
    source: &Arc<FakeSource>,
    swarm: &Arc<FakeSwarm>,
    ledger: &Arc<FakeLedger>,
    on_failure: OnFailure,
    adjust: impl FnOnce(&mut Settings),
) -> Manager {
    manager_in(source, swarm, BTreeMap::new(), ledger, on_failure, adjust).await
}

async fn manager_in(
    source: &Arc<FakeSource>,
    swarm: &Arc<FakeSwarm>,
    elsewhere: BTreeMap<StackName, Arc<dyn Swarm>>,
    ledger: &Arc<FakeLedger>,
    on_failure: OnFailure,
    adjust: impl FnOnce(&mut Settings),
) -> Manager {
    let environment = |stage: &str, mode, from: Option<&str>| Environment {
        name: name(stage),
        mode,
        stack: format!("lab-{stage}").parse().unwrap(),
        env_file: format!("env/.env.{stage}").parse().unwrap(),
        stack_files: vec!["stack.yml".parse().unwrap()],
        promotes_from: from.map(name),
        on_failure,
        on_drift: OnDrift::Report,
        allow_rewind: false,
    };
    let environments =
        vec![environment("preprod", Mode::Auto, None), environment("prod", Mode::Manual, Some("preprod"))];
    let mut settings = Settings {
        pipeline: Pipeline::new(environments).unwrap(),
        poll_interval: Duration::from_mins(1),
        health_interval: Duration::from_secs(5),
        deployment_timeout: Duration::from_mins(5),
        stability: Duration::from_secs(20),
        bind_base: None,
        demo: None,
    };
    adjust(&mut settings);
    let ports = Ports {
        source: Arc::<FakeSource>::clone(source),
        swarm: Arc::<FakeSwarm>::clone(swarm),
        elsewhere,
        ledger: Arc::<FakeLedger>::clone(ledger),
        clock: Arc::new(TestClock::default()),
    };
    Manager::new(ports, settings, CancellationToken::new()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_push_is_deployed_to_preprod_and_a_person_promotes_it_to_prod() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:1"));
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.swarm.image("lab-prod_web").as_deref(), Some("web:1"), "prod runs what preprod has proved");
    world.push("2", "1");
    world.until("web 2 in preprod", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    world.until_ended("preprod", Status::Success).await;
    let overview = world.manager.overview().await.unwrap();
    assert_eq!(overview.environments[0].newer, chosen(&["web"]));
    let history = world.manager.history(&HistoryFilter { limit: 50, ..HistoryFilter::default() }).await.unwrap();
    assert_eq!(history.total, 5, "two services twice, and one of them a third time");
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_changes_nothing_here_writes_nothing() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let writes = world.swarm.writes().len();
    world.source.commit("Only words", &[("README.md", Some("hello"))]);
    world.manager.look_now();
    world
        .until("the new head", |live| live.source.head.as_ref().is_some_and(|head| head.message == "Only words"))
        .await;
    let heads = world.source.heads();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert!(world.source.heads() > heads, "the source is asked on");
    assert_eq!(world.swarm.writes().len(), writes);
}

#[tokio::test(start_paused = true)]
async fn a_failed_revision_is_tried_once_and_again_only_by_a_person() {
    let mut world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.crash("web:2");
    world.push("2", "1");
    world.until_ended("preprod", Status::Failed).await;
    let writes = world.service_writes();
    tokio::time::sleep(Duration::from_mins(5)).await;
    world.restart().await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(world.service_writes(), writes, "a machine tries it once, also after a restart");
    let current = world.ledger.current(&name("preprod")).await.unwrap().unwrap();
    let web = &current.release.services[&"web".parse::<ServiceName>().unwrap()];
    assert_eq!(web.version.as_str(), "1", "only success makes a version current");
    let problem = world.manager.live().borrow().environments[&name("preprod")].problem.clone().unwrap();
    assert!(problem.message.contains("did not succeed"), "{}", problem.message);
}

#[tokio::test(start_paused = true)]
async fn services_that_were_not_chosen_are_not_touched() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.promote(None, None).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    world.push("2", "2");
    world.until("db 2", |_| world.swarm.image("lab-preprod_db").as_deref() == Some("db:2")).await;
    world.until_ended("preprod", Status::Success).await;
    world.promote(Some(&["web"]), None).await.unwrap();
    world.until("web 2 in prod", |_| world.swarm.image("lab-prod_web").as_deref() == Some("web:2")).await;
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.swarm.image("lab-prod_db").as_deref(), Some("db:1"));
    let comparison = world.manager.compare(&name("prod"), None).await.unwrap();
    let open: Vec<_> = comparison.actions.keys().map(ToString::to_string).collect();
    assert_eq!(open, ["db"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_has_changed_since_it_was_seen_is_refused_with_the_new_one() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let seen = world.manager.compare(&name("prod"), None).await.unwrap().plan_hash.unwrap();
    world.push("2", "1");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    world.until_ended("preprod", Status::Success).await;
    let Err(ManagerError::Stale(fresh)) = world.promote(None, Some(&seen)).await else { panic!("must be refused") };
    world.promote(None, fresh.plan_hash.as_deref()).await.unwrap();
    world.until_ended("prod", Status::Success).await;
    assert!(matches!(world.promote(None, None).await, Err(ManagerError::UpToDate)));
}

#[tokio::test(start_paused = true)]
async fn a_second_deployment_is_refused_with_the_number_of_the_first_and_a_push_waits() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let first = world.promote(None, None).await.unwrap();
    let Err(ManagerError::Busy(running)) = world.promote(None, None).await else { panic!("must be refused") };
    assert_eq!(running, first);
    world.push("2", "1");
    world.push("3", "1");
    world.until("web 3", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:3")).await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_holds_the_environment_and_says_where() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let writes = world.swarm.writes().len();
    for (files, expected) in [
        (("env/.env.preprod", None), "env/.env.preprod"),
        (("env/.env.preprod", Some("WEB_VERSION\n")), "line 1"),
        (("env/.env.preprod", Some("WEB_VERSION=2\n")), "DB_VERSION"),
        (("stack.yml", Some("services: [")), "stack.yml"),
    ] {
        world.source.commit("Break it", &[files]);
        world.manager.look_now();
        world
            .until(expected, |live| {
                live.environments[&name("preprod")]
                    .problem
                    .as_ref()
                    .is_some_and(|known| known.message.contains(expected))
            })
            .await;
    }
    assert_eq!(world.swarm.writes().len(), writes, "what runs stays as it is");
    world.source.commit("Mend it", &[("stack.yml", Some(STACK))]);
    world.push("2", "1");
    world.until("mended", |live| live.environments[&name("preprod")].problem.is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_is_taken_up_by_the_next_process_and_nothing_is_written_twice() {
    let mut world = World::new().await;
    world.until("both written", |_| world.service_writes() == 2).await;
    world.restart().await;
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(world.service_writes(), 2);
    let deployment = world.manager.deployment(DeploymentId(1)).await.unwrap();
    assert_eq!(deployment.deployment.status(), Status::Success);
    assert_eq!(deployment.rows.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_is_lost_is_settled_by_reading() {
    let world = World::asleep().await;
    world.swarm.lose_answers(3);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(world.service_writes(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_already_runs_is_adopted() {
    let mut world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.ledger = Arc::new(FakeLedger::default());
    world.restart().await;
    world.until("adopted", |live| live.generation > 0).await;
    world.until_ended("preprod", Status::Success).await;
    assert_eq!(world.service_writes(), 2, "what runs already is not written again");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_be_asked_is_neither_healthy_nor_unhealthy() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.set_unreachable(true);
    let status = |live: &Live, wanted: HealthStatus| {
        let services = &live.environments[&name("preprod")].health.services;
        !services.is_empty() && services.values().all(|service| service.status == wanted)
    };
    world.until("unknown", |live| status(live, HealthStatus::Unknown)).await;
    world.swarm.set_unreachable(false);
    world.until("healthy again", |live| status(live, HealthStatus::Healthy)).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_deployment_says_what_was_written() {
    let world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    world.swarm.set_unreachable(false);
    let id = world.promote(None, None).await.unwrap();
    world.manager.cancel(Actor::Person("manual".to_owned()), id, false).await.unwrap();
    world
        .until("the end", |live| {
            live.environments[&name("prod")].deployment.as_ref().is_some_and(|known| known.status.is_final())
        })
        .await;
    let ended = world.manager.deployment(id).await.unwrap();
    for row in ended.rows {
        let written = world.swarm.image(&format!("lab-prod_{}", row.service)).is_some();
        assert_eq!(row.status == Status::Success, written, "{}", row.service);
    }
    assert!(matches!(world.manager.cancel(Actor::System, id, false).await, Err(ManagerError::Over(_))));
}

#[tokio::test(start_paused = true)]
async fn what_was_written_before_a_cancel_and_a_restart_is_watched_to_its_verdict() {
    let mut world = World::new().await;
    world.until_ended("preprod", Status::Success).await;
    let id = world.promote(None, None).await.unwrap();
    world.until("both written", |_| world.service_writes() == 4).await;
    world.manager.cancel(Actor::Person("manual".to_owned()), id, false).await.unwrap();
    world.restart().await;
    world.until_ended("prod", Status::Success).await;
    assert_eq!(world.service_writes(), 4, "nothing is written twice");
}
