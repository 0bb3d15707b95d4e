//! What services are given is nobody's to see, whatever quotes it.

use futures::StreamExt;

use super::*;

const SECRET: &str = "hunter22-and-more";
const WORDS: &str = "exec: \"--password=hunter22-and-more\": executable file not found";
const STACK: &str = "
services:
  web:
    image: web:${WEB_VERSION}
    command: ['--password=${PASSWORD}']
  db:
    image: db:${DB_VERSION}
";

fn env_file(web: &str) -> String {
    format!("WEB_VERSION={web}\nDB_VERSION=1\nPASSWORD={SECRET}\n")
}

/// A world whose web runs, and whose next version crashes with words that quote the password.
async fn quoting() -> World {
    let world = World::asleep().await;
    let file = env_file("1");
    world.source.commit("Trust", &[("stack.yml", Some(STACK)), ("env/.env.preprod", Some(&file))]);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    world.swarm.crash("web:2");
    world.swarm.last_words(WORDS);
    world
}

/// Everything that pages, programs and notices are made of.
async fn told(world: &World) -> String {
    let history = world.manager.history(&HistoryFilter { limit: 50, ..HistoryFilter::default() }).await.unwrap();
    let mut deployments = Vec::new();
    for row in &history.rows {
        deployments.push(world.ledger.deployment(row.deployment).await.unwrap());
    }
    let details = world.manager.details(&name("preprod"));
    let live = world.manager.live().borrow().clone();
    serde_json::to_string(&(history, deployments, details, live)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_crash_that_quotes_a_variable_is_told_without_it() {
    let mut world = quoting().await;
    world.source.commit("Break", &[("env/.env.preprod", Some(&env_file("2")))]);
    world.manager.look_now();
    world.until_ended("preprod", Status::Failed).await;
    let text = told(&world).await;
    assert!(text.contains("--password=(hidden)"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
    // The next process learns it from what was deployed, before the source has answered.
    world.source.set_unreachable(true);
    world.restart().await;
    world
        .until("the health", |live| {
            live.environments[&name("preprod")].health.services.values().any(|service| service.error.is_some())
        })
        .await;
    let text = told(&world).await;
    assert!(text.contains("--password=(hidden)") && !text.contains(SECRET), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_mistake_that_quotes_a_variable_is_told_without_it() {
    let world = quoting().await;
    let stack = STACK.replace("command: ['--password=${PASSWORD}']", "deploy: {replicas: '${PASSWORD}'}");
    world.source.commit("Mistake", &[("stack.yml", Some(&stack))]);
    world.manager.look_now();
    world.until("a problem", |live| live.environments[&name("preprod")].problem.is_some()).await;
    let text = told(&world).await;
    assert!(text.contains("`${PASSWORD}` becomes `(hidden)`"), "{text}");
    assert!(!text.contains("hunter22"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_line_of_a_log_that_quotes_a_name_is_shown_as_it_is_and_one_that_quotes_a_variable_is_not() {
    let world = World::asleep().await;
    let file = "WEB_VERSION=1\nDB_VERSION=1\nPASSWORD=line 1 of\n";
    world.source.commit("Trust", &[("stack.yml", Some(STACK)), ("env/.env.preprod", Some(file))]);
    world.manager.start().await.unwrap();
    world.until_ended("preprod", Status::Success).await;
    let lines = world.manager.service_logs(&name("preprod"), &"web".parse().unwrap(), 2, false).await.unwrap();
    let lines = serde_json::to_string(&lines.collect::<Vec<_>>().await).unwrap();
    assert!(lines.contains("(hidden) lab-preprod_web") && lines.contains("line 2 of lab-preprod_web"), "{lines}");
}
