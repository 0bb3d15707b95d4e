//! What is watched besides deployments: what comes after a success, who leads, drift, the own service, logs.

use futures::StreamExt;
use serde_json::json;

use super::*;
use crate::deployment::Cause;
use crate::lease::{Holder, Lease};
use crate::logs::LogEvent;
use crate::names::StackName;
use crate::watched::{Lead, ServiceDrift};

fn preprod(live: &Live) -> &crate::live::LiveEnvironment {
    &live.environments[&name("preprod")]
}

fn stack() -> StackName {
    "lab-preprod".parse().unwrap()
}

fn service(text: &str) -> ServiceName {
    text.parse().unwrap()
}

impl World {
    /// A world in which preprod has been deployed with success.
    async fn deployed() -> Self {
        let world = Self::new().await;
        world.until_ended("preprod", Status::Success).await;
        world
    }

    /// The same pipeline where preprod heals.
    async fn healing() -> Self {
        let mut world = Self::asleep().await;
        world.start_healing().await;
        world.until_ended("preprod", Status::Success).await;
        world
    }

    /// Starts another process, in whose pipeline preprod heals.
    pub(super) async fn start_healing(&mut self) {
        self.manager.stop().await;
        let heal = |settings: &mut Settings| {
            let mut environments = settings.pipeline.environments().to_vec();
            environments[0].on_drift = OnDrift::Heal;
            settings.pipeline = Pipeline::new(environments).unwrap();
        };
        self.manager = manager_with(&self.source, &self.swarm, &self.ledger, OnFailure::Keep, heal).await;
        self.manager.start().await.unwrap();
    }

    async fn rows(&self) -> u64 {
        let filter = HistoryFilter { environment: Some(name("preprod")), limit: 50, ..HistoryFilter::default() };
        self.manager.history(&filter).await.unwrap().total
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_finds_nothing_new_reaches_the_ledger_too() {
    let world = World::asleep().await;
    let clock = Arc::new(TestClock::default());
    let ports = Ports { clock: Arc::<TestClock>::clone(&clock), ..world.manager.inner.ports.clone() };
    let settings = world.manager.inner.settings.clone();
    let manager = Manager::new(ports, settings, CancellationToken::new()).await.unwrap();
    manager.start().await.unwrap();
    let is_well = |live: &Live| {
        let services = &preprod(live).health.services;
        !services.is_empty() && services.values().all(|known| known.status == HealthStatus::Healthy)
    };
    manager.live().wait_for(|live| is_well(live)).await.unwrap();
    let stored = || world.ledger.health(&name("preprod")).and_then(|health| health.checked_at);
    let first = stored();
    clock.advance(Duration::from_secs(10));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(first.is_some() && stored() > first);
    manager.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_after_success_stands_beside_the_verdict_that_stays() {
    let mut world = World::deployed().await;
    world.until("on probation", |live| preprod(live).watched.probation.len() == 2).await;
    // As soon as looks are close enough to tell what lies between them.
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.swarm.end_task("lab-preprod_web");
    let is_degraded =
        |live: &Live| preprod(live).watched.probation.get(&service("web")).is_some_and(|kept| kept.after.is_some());
    world.until("degraded", is_degraded).await;
    let view = world.manager.deployment(DeploymentId(1)).await.unwrap();
    let row = view.rows.iter().find(|row| row.service == service("web")).unwrap();
    assert_eq!(row.status, Status::Success, "history is not rewritten");
    let after = row.after.as_ref().unwrap();
    assert_eq!((after.task.exit_code, &*after.log_lines), (Some(3), &["a line of log".to_owned()][..]));
    assert!(after.message().contains("exit code 3"), "{}", after.message());
    assert!(view.rows.iter().any(|row| row.after.is_none()), "the other service stands");

    world.restart().await;
    world.until("degraded after a restart", is_degraded).await;
    world.push("2", "1");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    world.until("a new beginning", |live| !is_degraded(live)).await;
}

#[tokio::test(start_paused = true)]
async fn the_watch_after_success_survives_a_restart_of_the_process() {
    let mut world = World::deployed().await;
    world.restart().await;
    world.until("on probation again", |live| preprod(live).watched.probation.len() == 2).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.swarm.end_task("lab-preprod_db");
    world
        .until("degraded", |live| {
            preprod(live).watched.probation.get(&service("db")).is_some_and(|kept| kept.after.is_some())
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_stored_after_a_success_is_stored_later() {
    let world = World::deployed().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.ledger.fail("the disk is full");
    world.swarm.end_task("lab-preprod_web");
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.ledger.heal();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let view = world.manager.deployment(DeploymentId(1)).await.unwrap();
    assert!(view.rows.iter().any(|row| row.after.is_some()));
}

#[tokio::test(start_paused = true)]
async fn restarts_are_counted_for_the_hour_and_for_the_version() {
    let mut world = World::deployed().await;
    world.swarm.end_task("lab-preprod_web");
    world
        .until("a restart", |live| {
            preprod(live).health.services.get(&service("web")).is_some_and(|known| known.restarts == 1)
        })
        .await;
    let soak = world.manager.compare(&name("prod"), None).await.unwrap().soak;
    assert_eq!((soak[&service("web")].restarts, soak[&service("web")].failed_tasks), (1, 1));
    assert_eq!(soak[&service("db")].restarts, 0);
    world.restart().await;
    world.until("looked again", |live| preprod(live).health.checked_at.is_some()).await;
    assert_eq!(world.manager.soak(&name("preprod"))[&service("web")].restarts, 1, "nothing is counted twice");
    let details = world.manager.details(&name("preprod"));
    assert_eq!(details[&service("web")].last_errors.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_somebody_else_changed_is_shown_as_drifted() {
    let world = World::deployed().await;
    let writes = world.service_writes();
    world.swarm.tamper("lab-preprod_web", |spec| {
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("web:99");
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["STAGE=canary"]);
    });
    world.until("drift", |live| !preprod(live).watched.drift.services.is_empty()).await;
    let drift = world.manager.live().borrow().environments[&name("preprod")].watched.drift.clone();
    let ServiceDrift::Changed { fields } = &drift.services[&service("web")] else { panic!("{drift:?}") };
    let image = fields.iter().find(|field| field.field.ends_with("Image")).unwrap();
    assert_eq!((image.from.as_deref(), image.to.as_deref()), (Some("web:99"), Some("web:1")));
    assert!(!format!("{drift:?}").contains("canary"), "values that may be secret are never shown");
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(world.service_writes(), writes, "it is reported, not changed");
    world.swarm.tamper("lab-preprod_web", |spec| {
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("web:1");
        spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["STAGE=preprod"]);
    });
    world.until("no drift", |live| preprod(live).watched.drift.services.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_deployment_left_behind_is_no_drift() {
    let world = World::deployed().await;
    world.swarm.crash("web:2");
    world.push("2", "1");
    world.until_ended("preprod", Status::Failed).await;
    tokio::time::sleep(Duration::from_mins(3)).await;
    let drift = world.manager.live().borrow().environments[&name("preprod")].watched.drift.clone();
    assert!(drift.services.is_empty(), "history tells of it: {drift:?}");
    assert!(drift.checked_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_heals_brings_a_drift_back_once_and_not_for_ever() {
    let mut world = World::healing().await;
    let tampered = |world: &World| {
        world.swarm.tamper("lab-preprod_web", |spec| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("web:99");
        });
    };
    tampered(&world);
    world.until("healed", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:1")).await;
    world.until_ended("preprod", Status::Success).await;
    let healed = world.manager.deployment(DeploymentId(2)).await.unwrap().deployment;
    assert!(matches!(healed.cause, Cause::Heal { .. }), "{healed:?}");
    assert_eq!(healed.actor, Actor::System);
    let rows = world.rows().await;

    tampered(&world);
    world.until("not again", |live| preprod(live).watched.drift.not_healed.is_some()).await;
    world.start_healing().await;
    world.until("not after a restart either", |live| preprod(live).watched.drift.not_healed.is_some()).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(world.rows().await, rows);
    assert_eq!(world.swarm.image("lab-preprod_web").as_deref(), Some("web:99"));

    world.swarm.tamper("lab-preprod_web", |spec| {
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!("web:100");
    });
    world.until("another drift is healed", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:1")).await;
}

#[tokio::test(start_paused = true)]
async fn a_process_alone_leads_and_writes_its_lease_once() {
    let world = World::deployed().await;
    world.until("leading", |live| preprod(live).watched.lead == Lead::Ours).await;
    tokio::time::sleep(Duration::from_hours(2)).await;
    assert_eq!(world.swarm.lease_writes(), 2, "one for each stack, and none while nothing happens");
}

#[tokio::test(start_paused = true)]
async fn a_second_process_with_another_database_only_reads_until_the_first_is_gone() {
    let world = World::deployed().await;
    let ledger = Arc::new(FakeLedger::default());
    let second = manager(&world.source, &world.swarm, &ledger, OnFailure::Keep).await;
    second.start().await.unwrap();
    let mut live = second.live();
    let follows = |live: &Arc<Live>| matches!(preprod(live).watched.lead, Lead::Other { .. });
    live.wait_for(follows).await.unwrap();
    let writes = world.service_writes();
    let refused = second.retry(Actor::System, &name("preprod")).await;
    assert!(matches!(refused, Err(ManagerError::NotLeading { .. })), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("process-1 on node-1 leads"));
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(follows(&live.borrow_and_update().clone()), "the first answers");
    assert_eq!(preprod(&world.manager.live().borrow()).watched.lead, Lead::Ours);

    world.manager.stop().await;
    let taken = live.wait_for(|live| preprod(live).watched.lead == Lead::Ours);
    tokio::time::timeout(Duration::from_mins(3), taken).await.unwrap().unwrap();
    assert_eq!(world.service_writes(), writes, "what runs already is not written again");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_has_lost_its_lease_writes_nothing_more() {
    let world = World::deployed().await;
    // As if it had slept, and somebody else had taken over meanwhile.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stranger =
        Holder { database: "other".to_owned(), process: "other".to_owned(), place: "process 9 on node-2".to_owned() };
    world.swarm.give_lease(&stack(), Lease { holder: stranger, epoch: 9, challenger: None });
    let writes = world.service_writes();
    world.push("2", "1");
    world.until("read only", |live| matches!(preprod(live).watched.lead, Lead::Other { .. })).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(world.service_writes(), writes);
}

#[tokio::test(start_paused = true)]
async fn the_own_service_is_updated_after_everything_else_has_proved_itself() {
    let world = World::deployed().await;
    // `db` sorts before `web`, and nothing else says which comes first.
    world.swarm.run_in("lab-preprod_db");
    world.push("2", "2");
    world.until("web 2", |_| world.swarm.image("lab-preprod_web").as_deref() == Some("web:2")).await;
    assert_eq!(world.swarm.image("lab-preprod_db").as_deref(), Some("db:1"));
    world
        .until("db 2", |live| {
            let progress = preprod(live).deployment.as_ref().unwrap();
            let done = |known: &str| {
                let phase = &progress.services.get(&service(known)).unwrap().phase;
                matches!(phase, crate::live::ServicePhase::Done { .. })
            };
            let written = world.swarm.image("lab-preprod_db").as_deref() == Some("db:2");
            assert!(!written || done("web"), "everything else has its verdict before");
            written
        })
        .await;
    world.until_ended("preprod", Status::Success).await;
}

#[tokio::test(start_paused = true)]
async fn an_own_service_that_would_start_before_it_stops_is_refused() {
    let world = World::deployed().await;
    world.swarm.run_in("lab-preprod_db");
    let stack = STACK.replace("    image: db:", "    deploy: {update_config: {order: start-first}}\n    image: db:");
    world.source.commit("Start first", &[("stack.yml", Some(&stack))]);
    world.manager.look_now();
    world
        .until("refused", |live| {
            preprod(live).problem.as_ref().is_some_and(|problem| problem.message.contains("order: stop-first"))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn logs_are_followed_by_as_many_as_there_is_room_for_and_end_with_the_process() {
    let world = World::deployed().await;
    world.until("looked", |live| preprod(live).health.services.len() == 2).await;
    let (preprod, web) = (name("preprod"), service("web"));
    let follow = || world.manager.service_logs(&preprod, &web, 2, true);
    let mut first = follow().await.unwrap();
    let LogEvent::Line(line) = first.next().await.unwrap() else { panic!("a line comes first") };
    assert_eq!(line.text, "line 1 of lab-preprod_web");
    let mut others = Vec::new();
    let refused = loop {
        match follow().await {
            Ok(stream) => others.push(stream),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, ManagerError::TooManyViewers(_)), "{refused}");
    drop(others);
    drop(follow().await.unwrap());
    first.next().await;
    let ended = async { first.next().await };
    let (ended, ()) = tokio::join!(ended, world.manager.stop());
    assert_eq!(ended, Some(LogEvent::Ended { reason: "Release Manager is stopping".to_owned() }));
    assert_eq!(first.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn the_last_lines_end_by_themselves_and_a_flood_is_cut() {
    let world = World::deployed().await;
    world.until("looked", |live| preprod(live).health.services.len() == 2).await;
    let logs = |service: &'static str| {
        let manager = world.manager.clone();
        async move { manager.service_logs(&name("preprod"), &service.parse().unwrap(), 3, false).await }
    };
    let events: Vec<_> = logs("web").await.unwrap().collect().await;
    assert_eq!(events.len(), 4, "three lines and the end: {events:?}");
    assert!(matches!(logs("nothing").await, Err(ManagerError::NotRunning { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_crashes_is_looked_at_with_its_last_words_which_are_asked_for_once() {
    let world = World::deployed().await;
    let words = async || {
        let looks = world.manager.close_looks().await.0.remove(&name("preprod")).unwrap();
        assert!(looks.values().all(|look| !look.details.tasks.is_empty()), "{looks:?}");
        looks
            .into_iter()
            .filter_map(|(service, look)| Some((service.to_string(), look.last_words?)))
            .collect::<Vec<_>>()
    };
    assert_eq!(words().await, []);
    world.swarm.crash("web:2");
    world.push("2", "1");
    world.until_ended("preprod", Status::Failed).await;
    world
        .until("web is unhealthy", |live| {
            preprod(live).health.services[&service("web")].status == HealthStatus::Unhealthy
        })
        .await;
    let reads = world.swarm.log_reads();
    let first = words().await;
    assert_eq!(first.iter().map(|(service, _)| service.as_str()).collect::<Vec<_>>(), ["web"]);
    assert_eq!(first[0].1.lines.as_deref(), Ok(["a line of log".to_owned()].as_slice()));
    assert_eq!(words().await, first);
    assert_eq!(world.swarm.log_reads(), reads + 1, "what has ended writes no more");
}
