//! The connection to the server: one `EventSource`. Each value is the whole live state.
//!
//! The browser opens a lost connection again, but gives up for good after an answer that is no stream (a proxy's 502 while
//! the server restarts): then a new one is made, after a pause that grows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::{GetUntracked, RwSignal, Set};
use release_manager::live::Live;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventSource, MessageEvent};

use super::{after, document, listen, window};
use crate::read::read;

const PATH: &str = "/api/events";
const FIRST_PAUSE: i32 = 500;
const LONGEST_PAUSE: i32 = 10_000;
/// A short hiccup is not worth a banner.
const GRACE: i32 = 2000;
/// Where the server has no stream left it tells the state once, and is asked again after ten seconds.
const BETWEEN: i32 = 15_000;

/// How the connection to the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// The page has not been alive long enough to know.
    Starting,
    /// Values arrive.
    Open,
    /// Nothing arrives; it is tried again for ever.
    Lost,
    /// Values arrive that cannot be read: the server is another version.
    Outdated,
}

/// Whether anything may have been missed before a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// It came over the stream that was open.
    Known,
    /// It is the first after the stream was lost.
    Anew,
}

/// An open stream with the handlers that it calls.
struct Stream {
    source: EventSource,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut(Event)>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.set_onmessage(None);
        self.source.set_onerror(None);
        self.source.close();
    }
}

/// Follows the server.
#[derive(Clone)]
struct Follower(Rc<State>);

struct State {
    connection: RwSignal<Connection>,
    accept: Box<dyn Fn(Live, Opening)>,
    /// The server has refused the stream.
    refused: Box<dyn Fn()>,
    /// A value cannot be read.
    unread: Box<dyn Fn()>,
    stream: RefCell<Option<Stream>>,
    pause: Cell<i32>,
    waiting: Cell<bool>,
    /// How long nothing may come before it is told.
    grace: Cell<i32>,
    /// How many values have come.
    taken: Cell<u32>,
    /// Nothing came for a while.
    was_away: Cell<bool>,
}

/// Follows the server for as long as the page lives.
pub(super) fn follow(
    connection: RwSignal<Connection>,
    accept: impl Fn(Live, Opening) + 'static,
    refused: impl Fn() + 'static,
    unread: impl Fn() + 'static,
) {
    let follower = Follower(Rc::new(State {
        connection,
        accept: Box::new(accept),
        refused: Box::new(refused),
        unread: Box::new(unread),
        stream: RefCell::new(None),
        pause: Cell::new(FIRST_PAUSE),
        waiting: Cell::new(false),
        grace: Cell::new(GRACE),
        taken: Cell::new(0),
        was_away: Cell::new(false),
    }));
    follower.open();
    for event in ["online", "pageshow"] {
        let follower = follower.clone();
        listen(&window(), event, move |_| follower.revive());
    }
    listen(&document(), "visibilitychange", move |_| follower.revive());
}

impl Follower {
    fn open(&self) {
        let Ok(source) = EventSource::new(PATH) else { return self.open_later() };
        let (on_message, on_error) = (self.clone(), self.clone());
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| on_message.take(&event));
        let error = Closure::<dyn FnMut(Event)>::new(move |_| on_error.failed());
        source.set_onmessage(Some(message.as_ref().unchecked_ref()));
        source.set_onerror(Some(error.as_ref().unchecked_ref()));
        self.0.stream.replace(Some(Stream { source, _message: message, _error: error }));
    }

    fn take(&self, event: &MessageEvent) {
        self.0.pause.set(FIRST_PAUSE);
        self.0.taken.set(self.0.taken.get().wrapping_add(1));
        let Some(text) = event.data().as_string() else { return };
        let (text, grace) = text.strip_suffix('\n').map_or((&*text, GRACE), |text| (text, BETWEEN));
        self.0.grace.set(grace);
        if let Some(live) = read::<Live>(text) {
            self.set_connection(Connection::Open);
            let opening = if self.0.was_away.replace(false) { Opening::Anew } else { Opening::Known };
            (self.0.accept)(live, opening);
        } else {
            self.set_connection(Connection::Outdated);
            (self.0.unread)();
        }
    }

    fn failed(&self) {
        self.0.was_away.set(true);
        if self.ready_state() == EventSource::CLOSED {
            (self.0.refused)();
            self.open_later();
        }
        let (follower, taken) = (self.clone(), self.0.taken.get());
        after(self.0.grace.get(), move || {
            if follower.ready_state() != EventSource::OPEN && follower.0.taken.get() == taken {
                follower.set_connection(Connection::Lost);
            }
        });
    }

    fn open_later(&self) {
        if self.0.waiting.replace(true) {
            return;
        }
        let pause = self.0.pause.get();
        self.0.pause.set((pause * 2).min(LONGEST_PAUSE));
        let follower = self.clone();
        after(pause, move || {
            follower.0.waiting.set(false);
            if follower.ready_state() != EventSource::OPEN {
                follower.open();
            }
        });
    }

    /// The network or the person is back: no need to wait for the pause to end.
    fn revive(&self) {
        self.0.pause.set(FIRST_PAUSE);
        if self.ready_state() != EventSource::OPEN {
            self.open();
        }
    }

    fn ready_state(&self) -> u16 {
        self.0.stream.borrow().as_ref().map_or(EventSource::CLOSED, |stream| stream.source.ready_state())
    }

    fn set_connection(&self, connection: Connection) {
        if self.0.connection.get_untracked() != connection {
            self.0.connection.set(connection);
            // Lets CSS hide what cannot be known meanwhile.
            if let Some(root) = document().document_element() {
                let _ = root.toggle_attribute_with_force("data-lost", connection == Connection::Lost);
            }
        }
    }
}
