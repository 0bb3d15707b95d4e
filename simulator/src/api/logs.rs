//! Logs of tasks and services, in the frames of a multiplexed stream.

use std::collections::HashMap;

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use crate::{
    api::{Answer, App, Query1, is_true},
    error::Refusal,
    state::task::{Logged, Task},
};

pub(super) async fn of_task(State(shared): App, Path(id): Path<String>, Query(query): Query1) -> Answer {
    check(&query)?;
    shared.with(|world| {
        let task = world.find_task(&id)?;
        Ok(raw(frames(&[task], &query)))
    })
}

pub(super) async fn of_service(State(shared): App, Path(id): Path<String>, Query(query): Query1) -> Answer {
    check(&query)?;
    shared.with(|world| {
        let service = world.find_service(&id)?.id.clone();
        Ok(raw(frames(&world.tasks_of(&service), &query)))
    })
}

fn check(query: &HashMap<String, String>) -> Result<(), Refusal> {
    if is_true(query, "stdout") || is_true(query, "stderr") {
        return Ok(());
    }
    Err(Refusal::bad("Bad parameters: you must choose at least one stream"))
}

fn raw(frames: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/vnd.docker.raw-stream")], Body::from(frames)).into_response()
}

fn frames(tasks: &[&Task], query: &HashMap<String, String>) -> Vec<u8> {
    let tail: usize = query.get("tail").and_then(|tail| tail.parse().ok()).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    for task in tasks {
        let wanted = |line: &&Logged| is_true(query, if line.error { "stderr" } else { "stdout" });
        let lines: Vec<&Logged> = task.logs.iter().filter(wanted).collect();
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
