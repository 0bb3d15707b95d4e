//! Logs of tasks and services, in the frames of a multiplexed stream.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use futures::stream;

use crate::{
    api::{Answer, App, Query1, is_true},
    error::Refusal,
    simulator::Shared,
    state::task::{Logged, Task},
};

/// How often whoever follows a log is told of new lines.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn of_task(State(shared): App, Path(id): Path<String>, Query(query): Query1) -> Answer {
    check(&query)?;
    shared.with(|world| {
        let task = world.find_task(&id)?;
        Ok(raw(frames(&[task], &query)))
    })
}

pub(super) async fn of_service(State(shared): App, Path(id): Path<String>, Query(query): Query1) -> Answer {
    check(&query)?;
    let service = shared.with(|world| world.find_service(&id).map(|service| service.id.clone()))?;
    if is_true(&query, "follow") {
        return Ok(followed(Follower { shared, service, query, told: HashMap::new(), begun: false }));
    }
    shared.with(|world| Ok(raw(frames(&world.tasks_of(&service), &query))))
}

/// Somebody who wants every later line too.
struct Follower {
    shared: Arc<Shared>,
    service: String,
    query: HashMap<String, String>,
    /// How many lines of each task were told of.
    told: HashMap<String, usize>,
    begun: bool,
}

impl Follower {
    /// The lines that nobody was told of; `None` once the service is gone.
    fn news(&mut self) -> Option<Vec<u8>> {
        let Self { shared, service, query, told, begun } = self;
        shared.with(|world| {
            world.find_service(service).ok()?;
            let tasks = world.tasks_of(service);
            let mut bytes = if *begun { Vec::new() } else { frames(&tasks, query) };
            for task in tasks {
                let known = told.insert(task.id.clone(), task.logs.len()).unwrap_or_default();
                if *begun {
                    task.logs.iter().skip(known).filter(|line| is_wanted(line, query)).for_each(|line| {
                        frame(&mut bytes, task, line, query);
                    });
                }
            }
            *begun = true;
            Some(bytes)
        })
    }
}

fn followed(follower: Follower) -> Response {
    let chunks = stream::unfold(follower, |mut follower| async move {
        if follower.begun {
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
        let news = Bytes::from(follower.news()?);
        Some((Ok::<_, Infallible>(news), follower))
    });
    ([(CONTENT_TYPE, CONTENT)], Body::from_stream(chunks)).into_response()
}

fn check(query: &HashMap<String, String>) -> Result<(), Refusal> {
    if is_true(query, "stdout") || is_true(query, "stderr") {
        return Ok(());
    }
    Err(Refusal::bad("Bad parameters: you must choose at least one stream"))
}

const CONTENT: &str = "application/vnd.docker.raw-stream";

fn raw(frames: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, CONTENT)], Body::from(frames)).into_response()
}

fn is_wanted(line: &Logged, query: &HashMap<String, String>) -> bool {
    is_true(query, if line.error { "stderr" } else { "stdout" })
}

fn frames(tasks: &[&Task], query: &HashMap<String, String>) -> Vec<u8> {
    let tail: usize = query.get("tail").and_then(|tail| tail.parse().ok()).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    for task in tasks {
        let lines: Vec<&Logged> = task.logs.iter().filter(|line| is_wanted(line, query)).collect();
        for line in &lines[lines.len().saturating_sub(tail)..] {
            frame(&mut bytes, task, line, query);
        }
    }
    bytes
}

fn frame(bytes: &mut Vec<u8>, task: &Task, line: &Logged, query: &HashMap<String, String>) {
    let mut text = String::new();
    if is_true(query, "timestamps") {
        text.push_str(&line.at);
        text.push(' ');
    }
    if is_true(query, "details") {
        let node = task.node.as_deref().unwrap_or_default();
        let (service, id) = (&task.service, &task.id);
        text.extend(["com.docker.swarm.node.id=", node, ",com.docker.swarm.service.id=", service]);
        text.extend([",com.docker.swarm.task.id=", id, " "]);
    }
    text.push_str(&line.text);
    text.push('\n');
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&[if line.error { 2 } else { 1 }, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
