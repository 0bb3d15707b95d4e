//! What somebody has done to a part of the page before the program had come: typed, ticked, opened, reached.

use wasm_bindgen::JsCast;
use web_sys::{Element, Event, EventInit, HtmlElement, HtmlInputElement, HtmlSelectElement};

use super::document;

/// What was done, told apart by where it stands among its like.
pub(super) struct Touched {
    fields: Vec<(u32, Change)>,
    opened: Vec<u32>,
    focused: Option<u32>,
}

enum Change {
    Typed(String),
    Ticked(bool),
    Picked(String),
}

const FIELDS: &str = "input, select";
const OPENABLE: &str = "details";
const REACHABLE: &str = "a[href], button, input, select, summary";

/// Looks for it.
pub(super) fn in_room(room: &HtmlElement) -> Touched {
    let fields = found(room, FIELDS).filter_map(|(index, field)| Some((index, change(&field)?)));
    let opened = found(room, OPENABLE).filter(|(_, details)| details.has_attribute("open")).map(|(index, _)| index);
    let active = document().active_element();
    let focused = active.and_then(|active| {
        found(room, REACHABLE).find(|(_, element)| element.is_same_node(Some(&active))).map(|(index, _)| index)
    });
    Touched { fields: fields.collect(), opened: opened.collect(), focused }
}

fn change(field: &Element) -> Option<Change> {
    if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
        return match input.type_().as_str() {
            "checkbox" => (input.checked() != input.default_checked()).then(|| Change::Ticked(input.checked())),
            "hidden" => None,
            _ => (input.value() != input.default_value()).then(|| Change::Typed(input.value())),
        };
    }
    let select = field.dyn_ref::<HtmlSelectElement>()?;
    let drawn = select.query_selector("option[selected]").ok().flatten();
    let drawn = drawn.and_then(|option| option.get_attribute("value")).unwrap_or_default();
    (select.value() != drawn).then(|| Change::Picked(select.value()))
}

impl Touched {
    /// Does the same to what stands there now, which is drawn alike.
    pub(super) fn put_back(self, room: &HtmlElement) {
        for (index, change) in self.fields {
            if let Some(field) = nth(room, FIELDS, index) {
                put(&field, &change);
            }
        }
        for index in self.opened {
            if let Some(details) = nth(room, OPENABLE, index) {
                let _ = details.set_attribute("open", "");
            }
        }
        let focused = self.focused.and_then(|index| nth(room, REACHABLE, index));
        if let Some(focused) = focused.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
            let options = web_sys::FocusOptions::new();
            options.set_prevent_scroll(true);
            let _ = focused.focus_with_options(&options);
        }
    }
}

/// Does it as a person does, so that who listens hears of it.
fn put(field: &Element, change: &Change) {
    let event = match change {
        Change::Typed(text) => {
            if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
                input.set_value(text);
            }
            "input"
        }
        Change::Ticked(ticked) => {
            if let Some(input) = field.dyn_ref::<HtmlInputElement>() {
                input.set_checked(*ticked);
            }
            "change"
        }
        Change::Picked(word) => {
            if let Some(select) = field.dyn_ref::<HtmlSelectElement>() {
                select.set_value(word);
            }
            "change"
        }
    };
    let bubbling = EventInit::new();
    bubbling.set_bubbles(true);
    if let Ok(event) = Event::new_with_event_init_dict(event, &bubbling) {
        let _ = field.dispatch_event(&event);
    }
}

fn found(room: &HtmlElement, selector: &str) -> impl Iterator<Item = (u32, Element)> {
    let list = room.query_selector_all(selector).ok();
    let length = list.as_ref().map_or(0, web_sys::NodeList::length);
    (0..length).filter_map(move |index| Some((index, list.as_ref()?.get(index)?.dyn_into().ok()?)))
}

fn nth(room: &HtmlElement, selector: &str, index: u32) -> Option<Element> {
    room.query_selector_all(selector).ok()?.get(index)?.dyn_into().ok()
}
