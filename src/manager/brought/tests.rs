//! What a write does when the world has moved between the plan and the write: it is settled by reading, and nobody else's
//! change is overwritten.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::super::{Manager, Ports, Settings};
use crate::deployment::{Outcome, Verdict};
use crate::engine::{LiveStack, Observation, Write};
use crate::lease::{Lease, SeenLease};
use crate::logs::LogLine;
use crate::names::{Actor, EnvironmentName, StackName};
use crate::pipeline::{Environment, Mode, OnDrift, OnFailure, Pipeline};
use crate::plan::testkit::stack;
use crate::plan::{self, Plan};
use crate::ports::{Identity, ImagePresence, Ledger, Pin, Swarm, SwarmError};
use crate::stack::Stack;
use crate::testing::{FakeLedger, FakeSource, FakeSwarm, TestClock};

const WEB: &str = "home_web";

fn target() -> EnvironmentName {
    "home".parse().unwrap()
}

async fn manager(swarm: Arc<dyn Swarm>, ledger: &Arc<FakeLedger>) -> Manager {
    let environment = Environment {
        name: target(),
        mode: Mode::Manual,
        stack: "home".parse().unwrap(),
        env_file: "none".parse().unwrap(),
        stack_files: Vec::new(),
        promotes_from: None,
        on_failure: OnFailure::Keep,
        on_drift: OnDrift::Report,
        allow_rewind: false,
    };
    let settings = Settings {
        pipeline: Pipeline::new(vec![environment]).unwrap(),
        poll_interval: Duration::from_hours(1),
        health_interval: Duration::from_secs(5),
        deployment_timeout: Duration::from_mins(5),
        stability: Duration::from_secs(1),
        bind_base: None,
        demo: None,
    };
    let ports = Ports {
        source: Arc::new(FakeSource::default()),
        swarm,
        elsewhere: std::collections::BTreeMap::new(),
        ledger: Arc::<FakeLedger>::clone(ledger),
        clock: Arc::new(TestClock::default()),
    };
    Manager::new(ports, settings, CancellationToken::new()).await.unwrap()
}

/// The plan for a stack as things stand.
async fn planned(swarm: &FakeSwarm, wanted: &Stack) -> Plan {
    let live = LiveStack { nodes: crate::plan::testkit::swarm().nodes, ..swarm.live(&wanted.name).await.unwrap() };
    plan::plan(wanted, &live, None)
}

/// Carries a plan out to its end.
async fn carried_out(swarm: Arc<dyn Swarm>, wanted: Stack, plan: Plan) -> Outcome {
    let ledger = Arc::new(FakeLedger::default());
    ledger.forget_name();
    let manager = manager(swarm, &ledger).await;
    let id = manager.deploy(Actor::System, &target(), wanted, plan).await.unwrap();
    let mut live = manager.live();
    let over = live.wait_for(|live| {
        live.environments[&target()].deployment.as_ref().is_some_and(|progress| progress.status.is_final())
    });
    tokio::time::timeout(Duration::from_hours(1), over).await.expect("it ends").unwrap();
    ledger.deployment(id).await.unwrap().unwrap().ended.unwrap().1
}

fn verdict(outcome: &Outcome) -> &Verdict {
    &outcome.services[&"web".parse().unwrap()].verdict
}

/// `web` runs version 1.
async fn running() -> Arc<FakeSwarm> {
    let swarm = Arc::new(FakeSwarm::default());
    let first = stack("web=app:1");
    let plan = planned(&swarm, &first).await;
    let outcome = carried_out(Arc::<FakeSwarm>::clone(&swarm), first, plan).await;
    assert!(matches!(verdict(&outcome), Verdict::Succeeded { .. }), "{outcome:?}");
    swarm
}

/// Plans version 2, lets `meanwhile` happen, and carries the plan out. Returns the verdict and how many writes were
/// accepted after that.
async fn check(meanwhile: impl AsyncFnOnce(&FakeSwarm)) -> (Verdict, usize) {
    let swarm = running().await;
    let wanted = stack("web=app:2");
    let plan = planned(&swarm, &wanted).await;
    meanwhile(&swarm).await;
    let before = swarm.writes().len();
    let outcome = carried_out(Arc::<FakeSwarm>::clone(&swarm), wanted, plan).await;
    (verdict(&outcome).clone(), swarm.writes().len() - before)
}

fn env(spec: &mut Value) {
    spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["BY=somebody else"]);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_only_the_engine_has_moved_is_read_anew() {
    let (verdict, writes) = check(async |swarm| swarm.tamper(WEB, |_| ())).await;
    assert!(matches!(verdict, Verdict::Succeeded { .. }), "{verdict:?}");
    assert_eq!(writes, 1);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_change_is_not_overwritten() {
    let (verdict, writes) = check(async |swarm| swarm.tamper(WEB, env)).await;
    assert!(matches!(verdict, Verdict::Superseded { .. }), "{verdict:?}");
    assert_eq!(writes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_somebody_removed_is_not_made_again() {
    let (verdict, writes) = check(async |swarm| {
        let live = swarm.live(&"home".parse().unwrap()).await.unwrap();
        swarm.apply(&Write::RemoveService { id: live.services[WEB].id.clone() }).await.unwrap();
    })
    .await;
    assert!(!matches!(verdict, Verdict::Succeeded { .. }), "{verdict:?}");
    assert_eq!(writes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_done_once() {
    let (verdict, writes) = check(async |swarm| swarm.lose_answers(1)).await;
    assert!(matches!(verdict, Verdict::Succeeded { .. }), "{verdict:?}");
    assert_eq!(writes, 1);

    let swarm = Arc::new(FakeSwarm::default());
    let wanted = stack("web=app:1");
    let plan = planned(&swarm, &wanted).await;
    swarm.lose_answers(1);
    let outcome = carried_out(Arc::<FakeSwarm>::clone(&swarm), wanted, plan).await;
    assert!(matches!(self::verdict(&outcome), Verdict::Succeeded { .. }), "{outcome:?}");
    assert_eq!(swarm.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_took_first_is_left_to_them() {
    let swarm = Arc::new(FakeSwarm::default());
    let wanted = stack("web=app:1");
    let plan = planned(&swarm, &wanted).await;
    let mut theirs = wanted.services[&"web".parse().unwrap()].spec.clone();
    env(&mut theirs);
    swarm.apply(&Write::CreateService { spec: theirs }).await.unwrap();
    let outcome = carried_out(Arc::<FakeSwarm>::clone(&swarm), wanted, plan).await;
    assert!(matches!(verdict(&outcome), Verdict::Superseded { .. }), "{outcome:?}");
    assert_eq!(swarm.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_never_holds_still_is_given_up_after_a_few_tries() {
    let swarm = running().await;
    let wanted = stack("web=app:2");
    let plan = planned(&swarm, &wanted).await;
    let before = swarm.writes().len();
    let outcome = carried_out(Arc::new(Restless(Arc::clone(&swarm))), wanted, plan).await;
    assert!(matches!(verdict(&outcome), Verdict::Superseded { message } if message.contains("5 tries")), "{outcome:?}");
    assert_eq!(swarm.writes().len(), before);
}

/// A Swarm where the version of `web` moves before every write.
struct Restless(Arc<FakeSwarm>);

#[async_trait]
impl Swarm for Restless {
    async fn check(&self) -> Result<String, SwarmError> {
        self.0.check().await
    }

    async fn live(&self, stack: &StackName) -> Result<LiveStack, SwarmError> {
        self.0.live(stack).await
    }

    async fn observe(&self, stack: &StackName) -> Result<Observation, SwarmError> {
        self.0.observe(stack).await
    }

    async fn apply(&self, write: &Write) -> Result<String, SwarmError> {
        self.0.tamper(WEB, |_| ());
        self.0.apply(write).await
    }

    async fn pin(&self, image: &str) -> Result<Pin, SwarmError> {
        self.0.pin(image).await
    }

    async fn find_image(&self, image: &str) -> Result<ImagePresence, SwarmError> {
        self.0.find_image(image).await
    }

    async fn logs(&self, task: &str, lines: u32) -> Result<Vec<String>, SwarmError> {
        self.0.logs(task, lines).await
    }

    async fn changes(&self) -> Result<BoxStream<'static, ()>, SwarmError> {
        self.0.changes().await
    }

    async fn service_logs(
        &self,
        service: &str,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogLine, SwarmError>>, SwarmError> {
        self.0.service_logs(service, tail, follow).await
    }

    async fn identity(&self) -> Result<Identity, SwarmError> {
        self.0.identity().await
    }

    async fn lease(&self, stack: &StackName) -> Result<Option<SeenLease>, SwarmError> {
        self.0.lease(stack).await
    }

    async fn put_lease(&self, stack: &StackName, lease: &Lease, before: Option<&SeenLease>) -> Result<(), SwarmError> {
        self.0.put_lease(stack, lease, before).await
    }
}

fn with_config(data: &str, version: &str) -> Stack {
    stack(&format!("web=app:{version}")).config("home_conf", data).reads_config("web", "home_conf")
}

async fn configs(swarm: &FakeSwarm) -> usize {
    swarm.live(&"home".parse().unwrap()).await.unwrap().configs.len()
}

#[tokio::test(start_paused = true)]
async fn old_contents_go_when_the_new_one_has_proved_itself() {
    let swarm = Arc::new(FakeSwarm::default());
    for round in 0..6 {
        let wanted = with_config(&round.to_string(), "1");
        let plan = planned(&swarm, &wanted).await;
        let outcome = carried_out(Arc::<FakeSwarm>::clone(&swarm), wanted.clone(), plan).await;
        assert!(matches!(verdict(&outcome), Verdict::Succeeded { .. }), "{outcome:?}");
        assert!(!planned(&swarm, &wanted).await.has_writes(), "round {round}");
    }
    assert_eq!(configs(&swarm).await, 4, "the current one, and three before it");
    let removed = swarm.writes().into_iter().filter(|write| matches!(write, Write::RemoveConfig { .. })).count();
    assert_eq!(removed, 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_away_when_a_service_has_not_succeeded() {
    let swarm = Arc::new(FakeSwarm::default());
    for round in 0..4 {
        let wanted = with_config(&round.to_string(), "1");
        let plan = planned(&swarm, &wanted).await;
        carried_out(Arc::<FakeSwarm>::clone(&swarm), wanted, plan).await;
    }
    swarm.crash("app:crash");
    let wanted = with_config("4", "crash");
    let plan = planned(&swarm, &wanted).await;
    assert!(plan.actions.iter().any(|action| matches!(action.kind, plan::ActionKind::RemoveObject { .. })));
    let outcome = carried_out(Arc::<FakeSwarm>::clone(&swarm), wanted, plan).await;
    assert!(!matches!(verdict(&outcome), Verdict::Succeeded { .. }), "{outcome:?}");
    assert_eq!(configs(&swarm).await, 5);
}
