//! What only a browser can do. On the server each of these does nothing.

/// Puts another address into the bar without a new page and without a new entry in the browser's history: for filters
/// that change with every letter.
#[cfg(feature = "hydrate")]
pub(crate) fn replace_address(url: &str) {
    if let Ok(history) = leptos::prelude::window().history() {
        let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(url));
    }
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn replace_address(_url: &str) {}

/// The path of the page.
#[cfg(feature = "hydrate")]
pub(crate) fn path() -> String {
    leptos::prelude::window().location().pathname().unwrap_or_default()
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn path() -> String {
    String::new()
}

/// Puts the focus on the first element that matches; whether there is one.
#[cfg(feature = "hydrate")]
pub(crate) fn focus(selector: &str) -> bool {
    use wasm_bindgen::JsCast;
    let found = leptos::prelude::document().query_selector(selector).ok().flatten();
    let Some(element) = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) else { return false };
    element.focus().is_ok()
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn focus(_selector: &str) -> bool {
    false
}

/// Opens a dialog above the page. One that the server has drawn open is not modal: it has to be closed first.
#[cfg(feature = "hydrate")]
pub(crate) fn show_modal(dialog: leptos::prelude::NodeRef<leptos::html::Dialog>) {
    use leptos::prelude::GetUntracked;
    if let Some(dialog) = dialog.get_untracked() {
        dialog.close();
        let _ = dialog.show_modal();
    }
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn show_modal(_dialog: leptos::prelude::NodeRef<leptos::html::Dialog>) {}

/// Closes a dialog.
#[cfg(feature = "hydrate")]
pub(crate) fn close(dialog: leptos::prelude::NodeRef<leptos::html::Dialog>) {
    use leptos::prelude::GetUntracked;
    if let Some(dialog) = dialog.get_untracked() {
        dialog.close();
    }
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn close(_dialog: leptos::prelude::NodeRef<leptos::html::Dialog>) {}

/// Asks whether the browser may show notifications, and tells the answer.
#[cfg(feature = "hydrate")]
pub(crate) fn ask_to_notify(answer: impl Fn(bool) + 'static) {
    use wasm_bindgen::closure::Closure;
    use web_sys::{Notification, NotificationPermission};
    // Where there are no notifications at all, as on a page that is not served securely, asking throws.
    let Ok(promise) = Notification::request_permission() else { return answer(false) };
    let told = Closure::once_into_js(move |_: wasm_bindgen::JsValue| {
        answer(Notification::permission() == NotificationPermission::Granted);
    });
    let _ = js_sys::Reflect::get(&promise, &"then".into())
        .ok()
        .and_then(|then| wasm_bindgen::JsCast::dyn_into::<js_sys::Function>(then).ok())
        .and_then(|then| then.call1(&promise, &told).ok());
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn ask_to_notify(_answer: impl Fn(bool) + 'static) {}

/// Shows a notification of the system, if the person has allowed it.
#[cfg(feature = "hydrate")]
pub(crate) fn notify(title: &str, tag: &str) {
    let options = web_sys::NotificationOptions::new();
    options.set_tag(tag);
    options.set_icon("/favicon.svg");
    let _ = web_sys::Notification::new_with_options(title, &options);
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn notify(_title: &str, _tag: &str) {}

/// Presses the first element that matches; whether there is one.
#[cfg(feature = "hydrate")]
pub(crate) fn click(selector: &str) -> bool {
    use wasm_bindgen::JsCast;
    let found = leptos::prelude::document().query_selector(selector).ok().flatten();
    let Some(element) = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) else { return false };
    element.click();
    true
}

#[cfg(not(feature = "hydrate"))]
pub(crate) fn click(_selector: &str) -> bool {
    false
}
