//! What services write: their last log lines, or every line as it comes.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{AppendHeaders, IntoResponse, Response};
use futures::StreamExt;
use http::header::CACHE_CONTROL;
use release_manager::access::{Operation, Principal};
use release_manager::logs::{LogEvent, LogLine};
use release_manager::manager::MOST_LINES;
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Path, Query, number};

/// Proxies cut silent connections after a minute or less.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many earlier lines are shown unless another number is asked for.
const TAIL: u32 = 100;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// How many earlier lines of each task; 100 if it is left out, at most 1000.
    #[param(maximum = 1000)]
    tail: Option<u32>,
    /// Whether every later line comes too, as server-sent events.
    #[serde(default)]
    follow: bool,
}

/// The last lines of a service, in the order of time.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Log {
    lines: Vec<Line>,
    /// How many were left out because there were too many.
    skipped: u64,
}

/// A line of a log, without control characters.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Line {
    #[schema(value_type = Option<schema::Timestamp>)]
    at: Option<Timestamp>,
    /// The id of the task that wrote it.
    task: Option<String>,
    /// The id of the node that it ran on.
    node: Option<String>,
    /// Whether it went to standard error.
    error: bool,
    text: String,
}

impl From<LogLine> for Line {
    fn from(line: LogLine) -> Self {
        let LogLine { at, task, node, error, text } = line;
        Self { at, task, node, error, text }
    }
}

/// The last log lines of a service; with `follow` they and every later one as server-sent events `line`, `skipped` and
/// `ended`, until the service, the client or the server leaves, or the right to read them ends.
#[utoipa::path(get, path = "/api/logs/{environment}/{service}", tag = "Environments",
    params(
        ("environment" = schema::EnvironmentName, Path, description = "The environment", example = "prod"),
        ("service" = schema::ServiceName, Path, description = "The service", example = "jellyfin"),
        LogQuery,
    ),
    responses(
        (status = 200, description = "The lines; with `follow` a stream of events", body = Log),
        (status = 400, description = "A setting of the request that is not allowed", body = Problem,
            content_type = "application/problem+json"),
        (status = 404, description = "No such environment, or no such service runs there", body = Problem,
            content_type = "application/problem+json"),
        (status = 502, description = "The Docker Engine could not answer", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "So many logs as there is room for are being looked at", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn logs(
    State(state): State<AppState>,
    caller: Caller,
    Path((environment, service)): Path<(EnvironmentName, ServiceName)>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let tail = number("tail", query.tail, TAIL, 0..=MOST_LINES)?;
    let seat = query.follow.then(|| state.gate.seat(&caller)).transpose()?;
    let mut events = state.manager.service_logs(&environment, &service, tail, query.follow).await?;
    if query.follow {
        let events = events.map(move |event| {
            // Counted, and bounded, for as long as the stream lives.
            let _held = &seat;
            Ok::<_, Infallible>(told(&event))
        });
        let may_read = move |who: &Principal| who.may_in(Operation::ReadLogs, &environment).is_ok();
        let stream = Sse::new(events.take_until(state.gate.shut_out(caller, may_read)))
            .keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
        let headers = [("x-accel-buffering", "no"), (CACHE_CONTROL.as_str(), "no-cache, no-transform")];
        return Ok((AppendHeaders(headers), stream).into_response());
    }
    let mut log = Log { lines: Vec::new(), skipped: 0 };
    while let Some(event) = events.next().await {
        match event {
            LogEvent::Line(line) => log.lines.push(line.into()),
            LogEvent::Skipped { lines } => log.skipped += lines,
            LogEvent::Ended { .. } => (),
        }
    }
    // Each task's lines come in order; those of several tasks are put in the order of time.
    log.lines.sort_by_key(|line| line.at);
    Ok(Json(log).into_response())
}

fn told(event: &LogEvent) -> Event {
    let name = match event {
        LogEvent::Line(_) => "line",
        LogEvent::Skipped { .. } => "skipped",
        LogEvent::Ended { .. } => "ended",
    };
    Event::default().event(name).json_data(event).unwrap_or_else(|_| Event::default().comment("unreadable"))
}
