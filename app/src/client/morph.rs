//! Turns what is shown into what the server has drawn, in place: nodes that stay keep their focus, their scroll position,
//! what was typed into them, and whether they are open.
//!
//! Things in a list are told apart by `data-key` or `id`; everything else by where it stands.

use std::collections::HashSet;

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlInputElement, HtmlOptionElement, Node};

use super::rooms::DATA;

/// What stands in such an element is the browser's own, and is left alone; each has an `id` or a `data-key`.
pub(super) const CLIENT: &str = "data-client";

/// Makes the children of `shown` those of `wanted`, whose nodes are used up.
pub(super) fn children(shown: &Node, wanted: &Node) {
    let coming: Vec<Node> = siblings(wanted.first_child()).filter(|node| !is_script(node)).collect();
    let keys: HashSet<String> = coming.iter().filter_map(key).collect();
    let mut next = ours(shown.first_child());
    for new in &coming {
        while let Some(old) = next.take_if(|old| key(old).is_some_and(|key| !keys.contains(&key))) {
            next = ours(old.next_sibling());
            let _ = shown.remove_child(&old);
        }
        match find(next.as_ref(), new) {
            Some(old) => {
                next = bring(shown, next, &old);
                node(&old, new);
            }
            None => {
                let _ = shown.insert_before(new, next.as_ref());
            }
        }
    }
    while let Some(old) = next {
        next = ours(old.next_sibling());
        let _ = shown.remove_child(&old);
    }
}

/// The node that `new` is to be drawn into, from `next` on.
fn find(next: Option<&Node>, new: &Node) -> Option<Node> {
    let first = next?;
    if alike(first, new) {
        return Some(first.clone());
    }
    if new.node_type() != Node::ELEMENT_NODE {
        return None;
    }
    let is_keyed = key(new).is_some();
    let mut seen = siblings(Some(first.clone())).take_while(|old| is_keyed || key(old).is_none());
    seen.find(|old| alike(old, new))
}

/// Brings `old` to the place of `next`: what stands between is thrown away if it has no key, so that nothing has to be
/// moved. Returns what comes after.
fn bring(shown: &Node, next: Option<Node>, old: &Node) -> Option<Node> {
    let between: Vec<Node> = siblings(next.clone()).take_while(|node| !node.is_same_node(Some(old))).collect();
    if between.iter().any(|node| key(node).is_some()) {
        let _ = shown.insert_before(old, next.as_ref());
        return next;
    }
    for node in between {
        let _ = shown.remove_child(&node);
    }
    ours(old.next_sibling())
}

fn alike(old: &Node, new: &Node) -> bool {
    old.node_type() == new.node_type() && old.node_name() == new.node_name() && key(old) == key(new)
}

fn key(node: &Node) -> Option<String> {
    let element = node.dyn_ref::<Element>()?;
    // Not `id()`: a form answers that with its field of this name.
    let key = element.get_attribute("data-key").or_else(|| element.get_attribute("id"));
    // Another part at the same place is another thing.
    let Some(part) = element.get_attribute("data-part") else { return key };
    key.map(|key| format!("{part} {key}"))
}

/// A node and those that follow it.
fn siblings(first: Option<Node>) -> impl Iterator<Item = Node> {
    std::iter::successors(ours(first), |node| ours(node.next_sibling()))
}

/// The first node from here on that is drawn; scripts have done their work.
fn ours(mut node: Option<Node>) -> Option<Node> {
    while let Some(other) = node.take_if(|node| is_script(node)) {
        node = other.next_sibling();
    }
    node
}

fn is_script(node: &Node) -> bool {
    node.node_name() == "SCRIPT"
}

fn is_client(node: &Node) -> bool {
    node.dyn_ref::<Element>().is_some_and(|element| element.has_attribute(CLIENT))
}

fn node(old: &Node, new: &Node) {
    if is_client(old) {
        return hand_over(old, new);
    }
    if old.is_equal_node(Some(new)) {
        return;
    }
    match (old.dyn_ref::<Element>(), new.dyn_ref::<Element>()) {
        (Some(old), Some(new)) => {
            attributes(old, new);
            children(old, new);
        }
        _ => old.set_node_value(new.node_value().as_deref()),
    }
}

/// A part that is alive gets the data that it would be drawn from now (`rooms`).
fn hand_over(old: &Node, new: &Node) {
    if let (Some(old), Some(new)) = (old.dyn_ref::<Element>(), new.dyn_ref::<Element>())
        && let Some(data) = new.get_attribute(DATA)
    {
        let _ = old.set_attribute(DATA, &data);
    }
}

fn attributes(old: &Element, new: &Element) {
    for name in names(new) {
        let value = new.get_attribute(&name).unwrap_or_default();
        if old.get_attribute(&name).as_ref() != Some(&value) && !is_the_persons(old, &name) {
            let _ = old.set_attribute(&name, &value);
            property(old, &name, Some(&value));
        }
    }
    for name in names(old) {
        if !new.has_attribute(&name) && !is_the_persons(old, &name) {
            let _ = old.remove_attribute(&name);
            property(old, &name, None);
        }
    }
}

fn names(element: &Element) -> Vec<String> {
    element.get_attribute_names().iter().filter_map(|name| name.as_string()).collect()
}

/// Whether something is open is up to who looks at it.
fn is_the_persons(element: &Element, name: &str) -> bool {
    match name {
        "open" => true,
        "aria-expanded" => element.has_attribute("aria-controls"),
        "hidden" => element.has_attribute("data-opened-by"),
        _ => false,
    }
}

/// Fields forget their attributes as soon as somebody has touched them, so a new attribute has to be told to the field.
fn property(element: &Element, name: &str, value: Option<&str>) {
    if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
        match name {
            "checked" => input.set_checked(value.is_some()),
            "value" if !is_focused(element) => input.set_value(value.unwrap_or_default()),
            _ => (),
        }
    } else if let Some(option) = element.dyn_ref::<HtmlOptionElement>()
        && name == "selected"
    {
        option.set_selected(value.is_some());
    }
}

fn is_focused(element: &Element) -> bool {
    let focused = element.owner_document().and_then(|document| document.active_element());
    focused.is_some_and(|focused| focused.is_same_node(Some(element)))
}
