//! What moves: one connection to the server, one signal for every page.

use leptos::prelude::*;
use release_manager::live::{Live, LiveEnvironment, Progress};
use release_manager::names::{DeploymentId, EnvironmentName};

use crate::access::Looker;

/// How the connection to the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The page has not been alive long enough to know.
    Starting,
    /// Values arrive.
    Open,
    /// Nothing arrives; it is tried again for ever.
    Lost,
    /// Values arrive that this page cannot read: the server is another version.
    Outdated,
}

/// The live state, from the first paint on.
#[derive(Clone, Copy)]
pub struct LiveState {
    live: RwSignal<Option<Live>>,
    connection: RwSignal<Connection>,
    epoch: RwSignal<u64>,
}

impl LiveState {
    /// Starts with what the server knew when it drew the page, then follows it, if somebody may look.
    pub fn provide(looker: &Looker) -> Self {
        let state = Self {
            live: RwSignal::new(SharedValue::new(first).into_inner()),
            connection: RwSignal::new(Connection::Starting),
            epoch: RwSignal::new(0),
        };
        provide_context(state);
        #[cfg(feature = "hydrate")]
        if looker.is_known() {
            Effect::new(move |_| browser::follow(state));
        }
        #[cfg(not(feature = "hydrate"))]
        let _ = looker;
        state
    }

    /// Reads from the live state; `None` while there is none.
    pub fn read<T>(self, read: impl FnOnce(&Live) -> T) -> Option<T> {
        self.live.with(|live| live.as_ref().map(read))
    }

    /// Reads from one environment.
    pub fn environment<T>(self, name: &EnvironmentName, read: impl FnOnce(&LiveEnvironment) -> T) -> Option<T> {
        self.live.with(|live| live.as_ref()?.environments.get(name).map(read))
    }

    /// How far a deployment is; `None` where this process has not run it.
    pub fn progress(self, id: DeploymentId) -> Option<Progress> {
        self.read(|live| {
            let mut known = live.environments.values().filter_map(|environment| environment.deployment.as_ref());
            known.find(|progress| progress.id == id).cloned()
        })
        .flatten()
    }

    /// How the connection is.
    pub fn connection(self) -> Connection {
        self.connection.get()
    }

    /// Changes whenever history or what is current has changed since the page was drawn: resources take it as source.
    pub fn epoch(self) -> u64 {
        self.epoch.get()
    }

    #[cfg(feature = "hydrate")]
    fn accept(self, text: &str) {
        let Ok(live) = serde_json::from_str::<Live>(text) else {
            return self.set_connection(Connection::Outdated);
        };
        let known = self.live.with_untracked(|known| known.as_ref().map(|known| known.generation));
        let changed = known != Some(live.generation);
        self.live.set(Some(live));
        if changed {
            self.epoch.update(|epoch| *epoch += 1);
        }
        self.set_connection(Connection::Open);
    }

    #[cfg(feature = "hydrate")]
    fn set_connection(self, connection: Connection) {
        if self.connection.get_untracked() != connection {
            self.connection.set(connection);
        }
    }
}

/// The live state of the page.
pub fn use_live() -> LiveState {
    expect_context()
}

#[cfg(feature = "ssr")]
fn first() -> Option<Live> {
    let manager = crate::access::ssr::manager().ok()?;
    let live = manager.live().borrow().as_ref().clone();
    crate::access::ssr::shown(live).ok()
}

#[cfg(not(feature = "ssr"))]
fn first() -> Option<Live> {
    None
}

#[cfg(feature = "hydrate")]
mod browser {
    //! The `EventSource`. The browser opens it again after a lost connection, but gives up for good after an answer
    //! that is no stream (a proxy's 502 while the server restarts): then a new one is made, after a pause that grows.

    use std::time::Duration;

    use leptos::ev;
    use leptos::prelude::*;
    use send_wrapper::SendWrapper;
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::{Event, EventSource, MessageEvent};

    use super::{Connection, LiveState};
    use crate::error::RpcErrorKind;

    const PATH: &str = "/api/events";
    const FIRST_PAUSE: Duration = Duration::from_millis(500);
    const LONGEST_PAUSE: Duration = Duration::from_secs(10);
    /// A short hiccup is not worth a banner.
    const GRACE: Duration = Duration::from_secs(2);

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

    #[derive(Clone, Copy)]
    struct Follower {
        state: LiveState,
        stream: StoredValue<Option<SendWrapper<Stream>>>,
        pause: StoredValue<Duration>,
        waiting: StoredValue<bool>,
    }

    /// Follows the server for as long as the page lives.
    pub(super) fn follow(state: LiveState) {
        let follower = Follower {
            state,
            stream: StoredValue::new(None),
            pause: StoredValue::new(FIRST_PAUSE),
            waiting: StoredValue::new(false),
        };
        follower.open();
        let online = window_event_listener(ev::online, move |_| follower.revive());
        let shown = window_event_listener_untyped("visibilitychange", move |_| follower.revive());
        let restored = window_event_listener_untyped("pageshow", move |_| follower.revive());
        on_cleanup(move || {
            online.remove();
            shown.remove();
            restored.remove();
            follower.stream.set_value(None);
        });
    }

    /// The stream was refused. Where that is because the session is over, the page is asked for anew: that leads to the
    /// login, and back to here.
    fn leave_if_logged_out() {
        leptos::task::spawn_local(async {
            if crate::rpc::overview().await.is_err_and(|error| error.kind == RpcErrorKind::LoggedOut) {
                let _ = window().location().reload();
            }
        });
    }

    impl Follower {
        fn open(self) {
            let Ok(source) = EventSource::new(PATH) else { return self.open_later() };
            let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                self.pause.set_value(FIRST_PAUSE);
                if let Some(text) = event.data().as_string() {
                    self.state.accept(&text);
                }
            });
            let error = Closure::<dyn FnMut(Event)>::new(move |_| self.failed());
            source.set_onmessage(Some(message.as_ref().unchecked_ref()));
            source.set_onerror(Some(error.as_ref().unchecked_ref()));
            self.stream.set_value(Some(SendWrapper::new(Stream { source, _message: message, _error: error })));
        }

        fn failed(self) {
            if self.ready_state() == EventSource::CLOSED {
                leave_if_logged_out();
                self.open_later();
            }
            set_timeout(
                move || {
                    if self.ready_state() != EventSource::OPEN {
                        self.state.set_connection(Connection::Lost);
                    }
                },
                GRACE,
            );
        }

        fn open_later(self) {
            if self.waiting.get_value() {
                return;
            }
            self.waiting.set_value(true);
            let pause = self.pause.get_value();
            self.pause.set_value((pause * 2).min(LONGEST_PAUSE));
            set_timeout(
                move || {
                    self.waiting.set_value(false);
                    if self.ready_state() != EventSource::OPEN {
                        self.open();
                    }
                },
                pause,
            );
        }

        /// The network or the person is back: no need to wait for the pause to end.
        fn revive(self) {
            self.pause.set_value(FIRST_PAUSE);
            if self.ready_state() != EventSource::OPEN {
                self.open();
            }
        }

        fn ready_state(self) -> u16 {
            self.stream
                .with_value(|stream| stream.as_ref().map_or(EventSource::CLOSED, |stream| stream.source.ready_state()))
        }
    }
}
