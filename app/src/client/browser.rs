//! What only a browser can do.

/// The path of the page.
pub(super) fn path() -> String {
    leptos::prelude::window().location().pathname().unwrap_or_default()
}

/// Puts the focus on the first element that matches; whether there is one.
pub(super) fn focus(selector: &str) -> bool {
    use wasm_bindgen::JsCast;
    let found = leptos::prelude::document().query_selector(selector).ok().flatten();
    let Some(element) = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) else { return false };
    element.focus().is_ok()
}

/// Whether an event comes from an element that matches, or from within one.
pub(super) fn is_in(event: &web_sys::Event, selector: &str) -> bool {
    use wasm_bindgen::JsCast;
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| element.closest(selector).ok().flatten().is_some())
}

/// Opens a dialog above the page. One that the server has drawn open is not modal: it has to be closed first.
pub(super) fn show_modal(dialog: leptos::prelude::NodeRef<leptos::html::Dialog>) {
    use leptos::prelude::GetUntracked;
    if let Some(dialog) = dialog.get_untracked() {
        dialog.close();
        let _ = dialog.show_modal();
    }
}

/// Closes a dialog.
pub(super) fn close(dialog: leptos::prelude::NodeRef<leptos::html::Dialog>) {
    use leptos::prelude::GetUntracked;
    if let Some(dialog) = dialog.get_untracked() {
        dialog.close();
    }
}

/// Asks whether the browser may show notifications, and tells the answer.
pub(super) fn ask_to_notify(answer: impl Fn(bool) + 'static) {
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

/// Shows a notification of the system, if the person has allowed it.
pub(super) fn notify(title: &str, tag: &str) {
    let options = web_sys::NotificationOptions::new();
    options.set_tag(tag);
    options.set_icon("/favicon.svg");
    let _ = web_sys::Notification::new_with_options(title, &options);
}

/// Presses the first element that matches; whether there is one.
pub(super) fn click(selector: &str) -> bool {
    use wasm_bindgen::JsCast;
    let found = leptos::prelude::document().query_selector(selector).ok().flatten();
    let Some(element) = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) else { return false };
    element.click();
    true
}
