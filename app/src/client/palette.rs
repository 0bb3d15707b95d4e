//! Everything by keyboard: a palette of all pages, environments and services, and keys that lead to the pages.

use leptos::html::Dialog;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::browser;
use crate::icon::{Icon, Symbol};
use crate::rpc;
use crate::view::{self, Place};

/// How many places are shown at once.
const MOST: usize = 8;

/// The keys, for the dialog that explains them.
const KEYS: [(&str, &str); 11] = [
    ("Ctrl K", "Go to a page, an environment or a service"),
    ("/", "Search on this page"),
    ("g d", "Dashboard"),
    ("g c", "Changes that wait to be promoted"),
    ("g h", "History"),
    ("g e", "Health"),
    ("g i", "Insights"),
    ("g s", "Settings"),
    ("t", "Change the theme"),
    ("?", "These keys"),
    ("Esc", "Close what is open"),
];

/// The palette, the list of keys, and the listener for both.
#[component]
pub(super) fn CommandPalette(
    /// Leads to an address.
    go: Callback<String>,
) -> impl IntoView {
    let palette = NodeRef::<Dialog>::new();
    let keys = NodeRef::<Dialog>::new();
    let go = Callback::new(move |href: String| {
        browser::close(palette);
        go.run(href);
    });
    let places = RwSignal::new(view::places(None));
    learn(places);
    listen(palette, keys, places, go);
    view! {
        <Palette dialog=palette places go/>
        <dialog node_ref=keys class="dialog" aria-labelledby="keys-title">
            <h2 id="keys-title">"Keys"</h2>
            <dl class="keys">
                {KEYS.map(|(key, meaning)| view! {
                    <div>
                        <dt>{key.split(' ').map(|key| view! { <kbd>{key}</kbd> }).collect_view()}</dt>
                        <dd>{meaning}</dd>
                    </div>
                }).collect_view()}
            </dl>
            <form method="dialog" class="dialog-actions">
                <button class="button" type="submit">"Close"</button>
            </form>
        </dialog>
    }
}

/// Asks for what there is to go to. What cannot be had just now is asked for again when the palette opens.
fn learn(places: RwSignal<Vec<Place>>) {
    spawn_local(async move {
        if let Ok(known) = rpc::places().await {
            places.set(known);
        }
    });
}

/// Follows the keys of the whole page. `g` waits for the key after it.
fn listen(palette: NodeRef<Dialog>, keys: NodeRef<Dialog>, places: RwSignal<Vec<Place>>, go: Callback<String>) {
    let leading = StoredValue::new(false);
    Effect::new(move |_| {
        let pressed = window_event_listener(leptos::ev::keydown, move |event| {
            let key = event.key();
            if (event.ctrl_key() || event.meta_key()) && !event.alt_key() && key.eq_ignore_ascii_case("k") {
                event.prevent_default();
                learn(places);
                return browser::show_modal(palette);
            }
            if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing(&event) {
                return;
            }
            let was_leading = leading.get_value();
            leading.set_value(key == "g" && !was_leading);
            let target = match (was_leading, key.as_str()) {
                (true, "d") => Some("/".to_owned()),
                (true, "h") => Some("/history".to_owned()),
                (true, "e") => Some("/health".to_owned()),
                (true, "i") => Some("/insights".to_owned()),
                (true, "s") => Some("/settings".to_owned()),
                (true, "c") => places.with_untracked(|places| {
                    places.iter().find(|place| place.href.starts_with("/changes/")).map(|place| place.href.clone())
                }),
                _ => None,
            };
            match (target, key.as_str()) {
                (Some(href), _) => go.run(href),
                (None, "?") => browser::show_modal(keys),
                (None, "/") if browser::focus("[data-search]") => (),
                (None, "t") if browser::click("button.theme") => (),
                _ => return,
            }
            event.prevent_default();
        });
        on_cleanup(move || pressed.remove());
    });
    super::listen(&super::document(), "click", move |event| {
        if browser::is_in(&event, "[data-palette]") {
            learn(places);
            browser::show_modal(palette);
        }
    });
}

/// Whether the key belongs to a field, or to a dialog that is open.
fn is_typing(event: &leptos::ev::KeyboardEvent) -> bool {
    browser::is_in(event, "input, textarea, select, [contenteditable], dialog[open]")
}

/// A field and the places that match what stands in it.
#[component]
fn Palette(dialog: NodeRef<Dialog>, places: RwSignal<Vec<Place>>, go: Callback<String>) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let found = Memo::new(move |_| places.with(|places| text.with(|text| view::matching(places, text, MOST))));
    let count = move || view::count(found.with(Vec::len), "place", "places");
    let pick = move |index: usize| {
        if let Some(place) = found.with_untracked(|found| found.get(index).cloned()) {
            go.run(place.href);
        }
    };
    let press = move |event: leptos::ev::KeyboardEvent| {
        let last = found.with_untracked(Vec::len).saturating_sub(1);
        let at = chosen.get_untracked().min(last);
        match event.key().as_str() {
            "ArrowDown" => chosen.set(if at == last { 0 } else { at + 1 }),
            "ArrowUp" => chosen.set(at.checked_sub(1).unwrap_or(last)),
            "Enter" => pick(at),
            _ => return,
        }
        event.prevent_default();
    };
    let clear = move |_| {
        text.set(String::new());
        chosen.set(0);
    };
    view! {
        <dialog node_ref=dialog class="dialog palette" aria-label="Go to" on:close=clear>
            <input
                type="text"
                class="palette-field"
                placeholder="Page, environment or service…"
                role="combobox"
                aria-label="Go to"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-activedescendant=move || (!found.with(Vec::is_empty)).then(|| format!("place-{}", chosen.get()))
                autocomplete="off"
                autofocus=true
                prop:value=text
                on:input=move |event| {
                    text.set(event_target_value(&event));
                    chosen.set(0);
                }
                on:keydown=press
            />
            <ul class="palette-list" id="palette-list" role="listbox" aria-label="Places">
                {move || {
                    let item = |(index, place): (usize, Place)| view! {
                        <li
                            id=format!("place-{index}")
                            role="option"
                            aria-selected=move || (chosen.get() == index).to_string()
                            on:click=move |_| pick(index)
                        >
                            <Icon symbol=symbol(&place)/>
                            <span class="name">{place.name}</span>
                            <span class="muted">{place.kind}</span>
                        </li>
                    };
                    found.get().into_iter().enumerate().map(item).collect_view()
                }}
            </ul>
            <p class="sr-only" role="status">{count}</p>
            {move || found.with(Vec::is_empty).then(|| view! { <p class="muted palette-none">"Nothing of that name."</p> })}
        </dialog>
    }
}

fn symbol(place: &Place) -> Symbol {
    match place.kind.as_str() {
        "Service" => Symbol::Box,
        "Changes" => Symbol::Promote,
        _ => Symbol::ArrowRight,
    }
}
