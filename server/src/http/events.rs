//! `GET /api/events`: what moves, as it moves.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use futures::StreamExt;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use release_manager::access::{Operation, Principal};
use release_manager::live::Live;
use release_manager::names::EnvironmentName;
use tokio::sync::watch;
use tokio::time::Instant;

use super::AppState;
use super::auth::Caller;
use super::error::Problem;

/// Proxies cut silent connections after a minute or less.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client gets no more than one state in this time: nobody sees more, and a rollout of hundreds of services changes
/// hundreds of times in a second.
const PACE: Duration = Duration::from_millis(100);
/// Proxies must neither keep nor change it.
const HEADERS: AppendHeaders<[(HeaderName, &str); 3]> = AppendHeaders([
    (CONTENT_TYPE, "text/event-stream"),
    (CACHE_CONTROL, "no-cache, no-transform"),
    (HeaderName::from_static("x-accel-buffering"), "no"),
]);
/// A comment, which clients pass over.
const STILL_HERE: Bytes = Bytes::from_static(b":\n\n");
/// The last word of a server that stops: ask again soon, there will be another.
const BYE: Bytes = Bytes::from_static(b"event: bye\nretry: 1000\ndata:\n\n");

/// How soon a browser for which there is no stream left asks again.
const ASK_AGAIN: &str = "retry: 10000\n";

/// What moves, as server-sent events: the state of `/api/status` first, then again at every change, until the client or
/// the server leaves (the last event is `bye` then), or the session ends. A client that is slow misses values, never the newest.
/// Where too many streams are open, a browser gets the state once and asks again after ten seconds, and a program 503.
#[utoipa::path(get, path = "/api/events", tag = "Environments", responses(
    (status = 200, description = "Each event's data is what `/api/status` answers", body = String, content_type = "text/event-stream"),
))]
pub(super) async fn events(State(state): State<AppState>, caller: Caller) -> Result<impl IntoResponse, Problem> {
    let seat = match state.gate.seat(&caller) {
        Ok(seat) => seat,
        Err(problem) if caller.is_program() => return Err(problem),
        Err(_) => {
            let live = Arc::clone(&state.manager.live().borrow());
            return Ok((HEADERS, Body::from(once(&state.frames.of(&live, caller.principal())))));
        }
    };
    // Counted, and bounded, for as long as the stream lives.
    let held = (state.metrics.viewer(), seat);
    let principal = caller.principal().clone();
    let may_look = {
        let granted = principal.grant.clone();
        // With other rights it would be another stream: the client opens it anew.
        move |who: &Principal| who.may(Operation::View).is_ok() && who.grant == granted
    };
    let follower = Follower { live: state.manager.live(), principal, frames: state.frames, sent: None };
    let frames = stream::unfold((follower, held), |(mut follower, held)| async move {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(frame), (follower, held)))
    });
    let stop = state.stop.clone();
    let frames = frames.take_until(state.stop.cancelled_owned()).take_until(state.gate.shut_out(caller, may_look));
    let bye = stream::once(async move { stop.is_cancelled().then_some(Ok(BYE)) });
    let frames = frames.chain(bye.filter_map(std::future::ready));
    Ok((HEADERS, Body::from_stream(frames)))
}

/// The state and no more: the browser opens the stream again after a while. The empty line at the end of the data tells
/// the page that this end is no loss.
fn once(frame: &Bytes) -> Vec<u8> {
    let event = frame.strip_suffix(b"\n").unwrap_or(frame);
    [ASK_AGAIN.as_bytes(), event, b"data:\n\n"].concat()
}

/// One client.
struct Follower {
    live: watch::Receiver<Arc<Live>>,
    principal: Principal,
    frames: Frames,
    /// When it was told the state last.
    sent: Option<Instant>,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(sent) = self.sent {
            tokio::time::sleep_until(sent + PACE).await;
            tokio::select! {
                changed = self.live.changed() => changed.ok()?,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(STILL_HERE),
            }
        }
        self.sent = Some(Instant::now());
        let live = Arc::clone(&self.live.borrow_and_update());
        Some(self.frames.of(&live, &self.principal))
    }
}

/// The newest state as clients get it: it is written down once for all who may see the same of it.
#[derive(Clone, Default)]
pub(super) struct Frames {
    newest: Arc<Mutex<Option<Written>>>,
}

/// A state, and its frames by the environments whose log lines are left out.
struct Written {
    live: Arc<Live>,
    frames: BTreeMap<BTreeSet<EnvironmentName>, Bytes>,
}

impl Frames {
    fn of(&self, live: &Arc<Live>, principal: &Principal) -> Bytes {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref().is_none_or(|known| !Arc::ptr_eq(&known.live, live)) {
            *newest = None;
        }
        let known = newest.get_or_insert_with(|| Written { live: Arc::clone(live), frames: BTreeMap::new() });
        let left_out = principal.blind_to(live);
        if let Some(frame) = known.frames.get(&left_out) {
            return frame.clone();
        }
        let frame = if left_out.is_empty() { frame(live) } else { frame(&principal.shown(live.as_ref().clone())) };
        known.frames.insert(left_out, frame.clone());
        frame
    }
}

fn frame(live: &Live) -> Bytes {
    let mut frame = b"data: ".to_vec();
    match serde_json::to_writer(&mut frame, live) {
        Ok(()) => {
            frame.extend_from_slice(b"\n\n");
            frame.into()
        }
        Err(_) => Bytes::from_static(b": unreadable\n\n"),
    }
}
