//! `GET /api/events`: what moves, as it moves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{AppendHeaders, IntoResponse};
use futures::StreamExt;
use http::header::CACHE_CONTROL;
use release_manager::access::{Operation, Principal};
use release_manager::live::Live;
use tokio_stream::wrappers::WatchStream;

use super::AppState;
use super::auth::Caller;
use super::error::Problem;

/// Proxies cut silent connections after a minute or less.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What moves, as server-sent events: the state of `/api/status` first, then again at every change, until the client or
/// the server leaves, or the session ends. A client that is slow misses values, never the newest.
#[utoipa::path(get, path = "/api/events", tag = "Environments", responses(
    (status = 200, description = "Each event's data is what `/api/status` answers", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn events(State(state): State<AppState>, caller: Caller) -> Result<impl IntoResponse, Problem> {
    let seat = state.gate.seat(&caller)?;
    let changes = WatchStream::new(state.manager.live());
    let viewer = state.metrics.viewer();
    let events = changes.map(move |live| {
        // Counted, and bounded, for as long as the stream lives.
        let _held = (&viewer, &seat);
        Ok::<_, Infallible>(event(&live))
    });
    let events = events.take_until(state.stop.cancelled_owned()).take_until(state.gate.shut_out(caller, may_look));
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok((AppendHeaders([("x-accel-buffering", "no"), (CACHE_CONTROL.as_str(), "no-cache, no-transform")]), stream))
}

fn may_look(who: &Principal) -> bool {
    who.may(Operation::View).is_ok()
}

fn event(live: &Arc<Live>) -> Event {
    Event::default().json_data(live).unwrap_or_else(|_| Event::default().comment("unreadable"))
}
