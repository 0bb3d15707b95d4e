//! The parts of pages that are alive: the server has drawn them, and here the same components go on with the data that they
//! were drawn from. A part lives for as long as its place stands in the page.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use leptos::mount::mount_to;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, UrlSearchParams};

use super::live::Connection;
use super::morph::CLIENT;
use super::page::all;
use super::{touched, window};
use crate::live::LiveState;
use crate::parts::{
    Address, Around, Changes, Dashboard, DeploymentProgress, DrawnFrom, Fresh, Problems, Refusals, SourceLine,
};
use crate::read::{Read, read};

/// Where the server leaves the data.
pub(super) const DATA: &str = "data-drawn-from";

/// Whether it goes on with that.
type Feed = Box<dyn Fn(&str) -> bool>;

/// A part that is alive.
struct Alive {
    room: HtmlElement,
    /// Takes the data of a newer drawing; `None` for one that shows nothing but the live state.
    feed: Option<Feed>,
    /// Ends it when it is dropped.
    _view: Box<dyn Any>,
}

/// All parts of the page that are alive.
#[derive(Clone)]
pub(super) struct Rooms(Rc<State>);

struct State {
    alive: RefCell<Vec<Alive>>,
    live: LiveState,
    around: Around,
    connection: RwSignal<Connection>,
}

impl Rooms {
    /// None yet.
    pub(super) fn new(live: LiveState, around: Around, connection: RwSignal<Connection>) -> Self {
        Self(Rc::new(State { alive: RefCell::default(), live, around, connection }))
    }

    /// Whether what the page tells is alive, so that news need not draw it again.
    pub(super) fn tell_everything(&self) -> bool {
        self.0.alive.borrow().iter().any(|alive| alive.feed.is_some())
    }

    /// Ends the parts of the page before, begins those that are new, and hands newer data to the others.
    pub(super) fn settle(&self) {
        self.0.alive.borrow_mut().retain(|alive| alive.room.is_connected());
        // Parts with data bring the live state that the others begin with.
        for room in all("[data-drawn-from]").into_iter().chain(all("[data-part]")) {
            let Ok(room) = room.dyn_into::<HtmlElement>() else { continue };
            if self.feed(&room) {
                continue;
            }
            self.0.alive.borrow_mut().retain(|alive| !alive.room.is_same_node(Some(&room)));
            if let Some(alive) = self.begin(&room) {
                self.0.alive.borrow_mut().push(alive);
            }
        }
    }

    /// Hands the data to the part that lives here; whether there is one that goes on with them.
    fn feed(&self, room: &HtmlElement) -> bool {
        let alive = self.0.alive.borrow();
        let Some(known) = alive.iter().find(|known| known.room.is_same_node(Some(room))) else { return false };
        let (Some(feed), Some(json)) = (&known.feed, room.get_attribute(DATA)) else { return true };
        feed(&json) && taken(room).is_some()
    }

    fn begin(&self, room: &HtmlElement) -> Option<Alive> {
        match room.get_attribute("data-part")?.as_str() {
            "dashboard" => self.alive(room, |data| view! { <Dashboard data/> }.into_any()),
            "changes" => self.alive(room, |data| view! { <Changes data/> }.into_any()),
            "deployment" => self.alive(room, |data| view! { <DeploymentProgress data/> }.into_any()),
            "source" => self.follows_live(room, || view! { <SourceLine/> }.into_any()),
            "problems" => self.follows_live(room, || view! { <Problems/> }.into_any()),
            _ => None,
        }
    }

    /// A part with data of its own.
    fn alive<T>(&self, room: &HtmlElement, draw: fn(RwSignal<T>) -> AnyView) -> Option<Alive>
    where
        T: Read + Send + Sync + 'static,
    {
        let Some(DrawnFrom { live, rights, refused, data }) = read::<DrawnFrom<T>>(&taken(room)?) else {
            // What cannot be read the server goes on to draw.
            let _ = room.remove_attribute(CLIENT);
            return None;
        };
        if !self.0.live.is_known() {
            self.0.live.set(live.clone());
        }
        let owner = Owner::new();
        let (fresh, address, refusals, data) = owner.with(|| {
            let refusals = Refusals(RwSignal::new(refused));
            (Fresh::new(live.generation), Address::new(asked()), refusals, RwSignal::new(data))
        });
        let (live, around, connection) = (self.0.live, self.0.around, self.0.connection);
        let known_rights = rights.clone();
        let view = replaced(room, move || {
            provide_context(live);
            provide_context(around);
            provide_context(fresh);
            provide_context(rights);
            provide_context(refusals);
            provide_context(address);
            draw(data)
        });
        let feed = move |json: &str| {
            let Some(drawn) = read::<DrawnFrom<T>>(json) else {
                around.leave.run(());
                return true;
            };
            // What may be ordered decides what is there, so the part begins anew.
            if drawn.rights != known_rights {
                return false;
            }
            // Without the stream nothing newer comes.
            if connection.get_untracked() != Connection::Open {
                live.set(drawn.live.clone());
            }
            refusals.0.set(drawn.refused);
            data.set(drawn.data);
            address.set(asked());
            fresh.fed(drawn.live.generation);
            true
        };
        Some(Alive { room: room.clone(), feed: Some(Box::new(feed)), _view: Box::new((view, owner)) })
    }

    /// A part that shows nothing but the live state; it begins when there is one.
    fn follows_live(&self, room: &HtmlElement, draw: fn() -> AnyView) -> Option<Alive> {
        let live = self.0.live;
        if !live.is_known() {
            return None;
        }
        let view = replaced(room, move || {
            provide_context(live);
            draw()
        });
        Some(Alive { room: room.clone(), feed: None, _view: view })
    }
}

/// Puts a view in the place of what the server has drawn, in one go: what somebody has typed, opened or reached before the
/// program had come stays.
fn replaced(room: &HtmlElement, draw: impl FnOnce() -> AnyView + 'static) -> Box<dyn Any> {
    let touched = touched::in_room(room);
    room.set_inner_html("");
    let view = mount_to(room.clone(), draw);
    // Effects run for the first time when this has ended, and what they find then is what the server has drawn.
    let room = room.clone();
    super::after(0, move || touched.put_back(&room));
    Box::new(view)
}

/// The data beside a part; it is needed once.
fn taken(room: &Element) -> Option<String> {
    let json = room.get_attribute(DATA)?;
    let _ = room.remove_attribute(DATA);
    Some(json)
}

/// The question in the address.
fn asked() -> Vec<(String, String)> {
    let search = window().location().search().unwrap_or_default();
    let Ok(question) = UrlSearchParams::new_with_str(&search) else { return Vec::new() };
    let pairs = question.entries().into_iter().flatten().map(|pair| js_sys::Array::from(&pair));
    let text = |pair: &js_sys::Array, index| pair.get(index).as_string().unwrap_or_default();
    pairs.map(|pair| (text(&pair, 0), text(&pair, 1))).collect()
}
