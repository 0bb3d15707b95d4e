//! Ages and durations that go on while one looks at them.

use std::time::Duration;

use leptos::prelude::set_interval;
use release_manager::time::Timestamp;
use web_sys::{Element, Node};

use super::document;
use super::page::all;
use crate::view;

/// Ticks once a second, for as long as the page lives.
pub(super) fn follow() {
    set_interval(tick, Duration::from_secs(1));
}

/// Writes every age and duration anew.
pub(super) fn tick() {
    let now = now();
    for (selector, say) in [
        ("time[data-age]", view::age as fn(Timestamp, Timestamp) -> String),
        ("[data-elapsed]", |now, since| view::duration(now.seconds_since(since))),
        ("[data-left]", |now, end| view::duration(end.seconds_since(now).max(1.0))),
    ] {
        for element in all(selector) {
            if let Some(at) = moment(&element) {
                write(&element, &say(now, at));
            }
        }
    }
}

/// Into the text that is there: it may be the one that a component writes into too.
fn write(element: &Element, text: &str) {
    match element.first_child() {
        Some(node) if node.node_type() == Node::TEXT_NODE => {
            if node.node_value().as_deref() != Some(text) {
                node.set_node_value(Some(text));
            }
        }
        _ => element.set_text_content(Some(text)),
    }
}

fn moment(element: &Element) -> Option<Timestamp> {
    let millis = ["data-age", "data-elapsed", "data-left"].iter().find_map(|name| element.get_attribute(name))?;
    Some(Timestamp::from_millis(millis.parse().ok()?))
}

/// The server's time: a browser whose clock is wrong would tell wrong ages; one that is right needs no correction for the
/// time that the page took to come.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a date in milliseconds fits, and saturates if it does not")]
    let here = js_sys::Date::now() as i64;
    let skew = document().document_element().and_then(|root| root.get_attribute("data-skew"));
    Timestamp::from_millis(here + skew.and_then(|skew| skew.parse::<i64>().ok()).unwrap_or_default())
}

/// Measures how wrong the clock is, by the moment at which the server has drawn the page.
pub(super) fn measure() {
    let Some(root) = document().document_element() else { return };
    let drawn_at = root.get_attribute("data-drawn-at").and_then(|at| at.parse::<i64>().ok());
    #[expect(clippy::cast_possible_truncation, reason = "a date in milliseconds fits, and saturates if it does not")]
    let skew = drawn_at.map_or(0, |at| at - js_sys::Date::now() as i64);
    if skew.abs() >= 60_000 {
        let _ = root.set_attribute("data-skew", &skew.to_string());
    }
}
