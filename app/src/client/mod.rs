//! What the browser adds to the pages: they are drawn by the server and complete without it. What moves on them goes on here
//! (`rooms`), and everything else is drawn again for news; links and forms are followed in place, ages tick; the palette, the
//! news in the corner and the log are drawn here.

mod browser;
mod forms;
mod live;
mod log_view;
mod morph;
mod outcomes;
mod page;
mod palette;
mod refusal;
mod rooms;
mod secrets;
mod theme;
mod ticks;
mod toast_region;
mod toasts;
mod touched;

use std::cell::Cell;
use std::rc::Rc;

use leptos::mount::mount_to;
use leptos::prelude::*;
use release_manager::live::Live;
use send_wrapper::SendWrapper;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Document, Event, EventTarget, HtmlElement, Window};

use crate::error::RpcErrorKind;
use crate::icon::{Icon, Symbol};
use crate::live::LiveState;
use crate::parts::Around;
use crate::view::Tone;
use live::{Connection, Opening};
use log_view::Logs;
use outcomes::Outcomes;
use page::{Entry, Outcome, Page};
use palette::CommandPalette;
use rooms::Rooms;
use theme::ThemeSwitch;
use toast_region::ToastRegion;
use toasts::Toasts;

pub(crate) use ticks::now;

/// Between two drawings of the page for news; a rollout has more of them than anybody can read.
const BREATH_MILLIS: i32 = 150;
/// Before a page that could not be had is asked for again.
const LATER_MILLIS: i32 = 2000;

/// Makes the page that the server has sent alive.
pub fn start() {
    ticks::measure();
    if let Some(place) = place("client") {
        mount_to(place, Companion).forget();
    }
    if let Some(root) = document().document_element() {
        // Lets CSS hide what only a page without scripts needs, and tests wait until the page can be used.
        let _ = root.set_attribute("data-alive", "");
    }
}

/// What everything here shares.
#[derive(Clone)]
struct Client {
    page: Page,
    toasts: Toasts,
}

impl Client {
    fn unreachable(&self) {
        self.toasts.show(Tone::Bad, "Release Manager cannot be reached: check the connection", None);
    }
}

/// Everything that is not a part of a page, and the start of all that is followed.
#[component]
fn Companion() -> impl IntoView {
    let toasts = Toasts::provide();
    let connection = RwSignal::new(Connection::Starting);
    let outcomes = Outcomes::new(toasts);
    let logs = Logs::default();
    logs.settle();
    let live = LiveState::new(None);
    // What the page has to know of its parts, and these of the page.
    let page = Page::new();
    let draw = drawing_again(&page);
    let rooms = Rooms::new(live, around(&page, toasts, draw.clone()), connection);
    page.after({
        let rooms = rooms.clone();
        move || {
            rooms.settle();
            outcomes.mark();
            logs.settle();
        }
    });
    rooms.settle();
    let client = Client { page: page.clone(), toasts };
    forms::follow(&client);
    outcomes.listen();
    ticks::follow();
    page.follow_history();
    let is_known = document().document_element().is_some_and(|root| root.has_attribute("data-known"));
    if is_known {
        follow_news(draw, News { connection, outcomes, live, rooms });
        if let Some(place) = place("connection") {
            mount_to(place, move || view! { <ConnectionBanner connection/> }).forget();
        }
    }
    if let Some(place) = place("theme") {
        place.set_inner_html("");
        mount_to(place, ThemeSwitch).forget();
    }
    let page = SendWrapper::new(page);
    let go = Callback::new(move |href: String| page.go(&href, Entry::New));
    view! {
        {is_known.then(|| view! { <CommandPalette go/> })}
        <ToastRegion/>
    }
}

/// What a part may ask of the page around it.
fn around(page: &Page, toasts: Toasts, draw: Rc<dyn Fn()>) -> Around {
    let (page, draw) = (SendWrapper::new(page.clone()), SendWrapper::new(draw));
    Around {
        replace: Callback::new(move |url: String| page.rename(&url)),
        say: Callback::new(move |(tone, text, href)| toasts.show(tone, text, href)),
        leave: Callback::new(|()| {
            let _ = window().location().reload();
        }),
        draw: Callback::new(move |()| draw()),
    }
}

/// Whom news concern.
struct News {
    connection: RwSignal<Connection>,
    outcomes: Outcomes,
    live: LiveState,
    rooms: Rooms,
}

/// Hands news to the parts that are alive. A page that tells more than those is drawn again.
fn follow_news(draw: Rc<dyn Fn()>, news: News) {
    let News { connection, outcomes, live, rooms } = news;
    let drawn_for_news = draw.clone();
    let accept = move |now: Live, opening| {
        outcomes.take(&now);
        let is_first = !live.is_known();
        live.set(now);
        if opening == Opening::Anew {
            live.opened_anew();
        }
        if is_first {
            rooms.settle();
        }
        if !rooms.tell_everything() {
            drawn_for_news();
        }
    };
    let unread = draw.clone();
    live::follow(connection, accept, leave_if_logged_out, move || unread());
    listen(&document(), "visibilitychange", move |_| {
        if !document().hidden() {
            draw();
        }
    });
}

/// Draws the page again when it is called, one drawing after the other, and not while nobody looks.
fn drawing_again(page: &Page) -> Rc<dyn Fn()> {
    let (owed, at_work) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let page = page.clone();
    Rc::new(move || {
        owed.set(true);
        if document().hidden() || at_work.replace(true) {
            return;
        }
        let (page, owed, at_work) = (page.clone(), owed.clone(), at_work.clone());
        spawn_local(async move {
            while !document().hidden() && owed.get() {
                if !page.is_busy() {
                    owed.set(false);
                    if page.refresh().await == Outcome::Later {
                        owed.set(true);
                        pause(LATER_MILLIS).await;
                    }
                }
                pause(BREATH_MILLIS).await;
            }
            at_work.set(false);
        });
    })
}

/// The stream was refused. Where that is because the session is over, the page is asked for anew: that leads to the login,
/// and back to here.
fn leave_if_logged_out() {
    spawn_local(async {
        if crate::rpc::places().await.is_err_and(|error| error.kind == RpcErrorKind::LoggedOut) {
            let _ = window().location().reload();
        }
    });
}

/// Says that nothing comes any more, or nothing that can be read.
#[component]
fn ConnectionBanner(connection: RwSignal<Connection>) -> impl IntoView {
    let banner = |tone: Tone, symbol, text: AnyView| {
        view! {
            <div class=format!("banner {}", tone.class())>
                <Icon symbol/>
                <div class="banner-text">{text}</div>
            </div>
        }
    };
    move || match connection.get() {
        Connection::Lost => Some(banner(
            Tone::Warn,
            Symbol::Offline,
            view! { <strong>"Connection lost. "</strong> "What you see may be out of date. Trying again…" }.into_any(),
        )),
        Connection::Outdated => Some(banner(
            Tone::Busy,
            Symbol::Info,
            view! {
                <strong>"Release Manager was updated. "</strong>
                <a href="" rel="external">"Reload the page"</a>
                " to go on."
            }
            .into_any(),
        )),
        Connection::Starting | Connection::Open => None,
    }
}

/// An element that the server has left to the browser.
fn place(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// Listens for as long as the page lives.
fn listen(target: &EventTarget, name: &str, handler: impl Fn(Event) + 'static) {
    let handler = Closure::<dyn Fn(Event)>::new(handler);
    // Caught on the way down: some events do not come up again.
    let _ = target.add_event_listener_with_callback_and_bool(name, handler.as_ref().unchecked_ref(), true);
    handler.forget();
}

/// Does something later.
fn after(millis: i32, what: impl FnOnce() + 'static) {
    let what = Closure::once_into_js(what);
    let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(what.unchecked_ref(), millis);
}

/// Waits.
async fn pause(millis: i32) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, millis);
    });
    let _ = JsFuture::from(promise).await;
}

fn window() -> Window {
    leptos::prelude::window()
}

fn document() -> Document {
    leptos::prelude::document()
}
