//! Links and forms: what the browser would load anew is fetched and drawn in place. All of them work without this too.

use js_sys::Array;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Element, Event, FormData, HtmlAnchorElement, HtmlFormElement, MouseEvent, SubmitEvent, UrlSearchParams};

use super::page::{Entry, Outcome, Page, all, own_url};
use super::{Client, document, listen, secrets};
use crate::view::Tone;

/// A form whose page follows each change of its fields: `letters` each letter too, without an entry in the history of the
/// browser for each.
const FOLLOWS: &str = "data-follows";
/// A form that belongs to a part of the page that is alive.
const OWN: &str = "data-own";
/// A form that cannot be sent just now: its order is under way, or what it orders is not shown yet.
const BUSY: &str = "data-busy";
/// How long one has to stop typing.
const PAUSE_MILLIS: i32 = 120;

/// Listens to the whole document, whatever is drawn into it later.
pub(super) fn follow(client: &Client) {
    let page = client.page.clone();
    listen(&document(), "click", move |event| click(&page, &event));
    let the_client = client.clone();
    listen(&document(), "submit", move |event| submit(&the_client, &event));
    let page = client.page.clone();
    listen(&document(), "change", move |event| {
        if let Some(form) = form_of(&event) {
            follow_form(&page, &form);
        }
    });
    let page = client.page.clone();
    let waiting = std::rc::Rc::new(std::cell::Cell::new(0_u32));
    listen(&document(), "input", move |event| {
        let Some(form) = form_of(&event).filter(|form| form.get_attribute(FOLLOWS).as_deref() == Some("letters"))
        else {
            return;
        };
        let (page, waiting, number) = (page.clone(), waiting.clone(), waiting.get() + 1);
        waiting.set(number);
        super::after(PAUSE_MILLIS, move || {
            if waiting.get() == number {
                follow_form(&page, &form);
            }
        });
    });
}

fn click(page: &Page, event: &Event) {
    let Some(event) = event.dyn_ref::<MouseEvent>() else { return };
    if event.default_prevented() || event.button() != 0 {
        return;
    }
    if event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key() {
        return;
    }
    let Some(target) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
    if let Ok(Some(opener)) = target.closest("button[aria-controls][aria-expanded]") {
        return unfold(&opener);
    }
    if let Ok(Some(button)) = target.closest(secrets::COPY) {
        return secrets::copy(&button);
    }
    let Ok(Some(link)) = target.closest("a[href]") else { return };
    let Ok(link) = link.dyn_into::<HtmlAnchorElement>() else { return };
    let leaves = link.has_attribute("download")
        || !link.target().is_empty()
        || link.rel().split(' ').any(|word| word == "external");
    let Some(url) = own_url(&link.href()).filter(|url| !leaves && url.hash().is_empty()) else { return };
    event.prevent_default();
    page.go(&url.href(), Entry::New);
}

/// Shows what a button has under it, or no longer.
fn unfold(opener: &Element) {
    let Some(target) = opener.get_attribute("aria-controls").and_then(|id| document().get_element_by_id(&id)) else {
        return;
    };
    let opens = target.has_attribute("hidden");
    let _ = opener.set_attribute("aria-expanded", if opens { "true" } else { "false" });
    let _ = target.toggle_attribute_with_force("hidden", !opens);
}

fn form_of(event: &Event) -> Option<HtmlFormElement> {
    let field = event.target()?.dyn_into::<Element>().ok()?;
    let form = field.closest("form").ok()??.dyn_into::<HtmlFormElement>().ok()?;
    form.has_attribute(FOLLOWS).then_some(form)
}

fn follow_form(page: &Page, form: &HtmlFormElement) {
    let entry = if form.get_attribute(FOLLOWS).as_deref() == Some("steps") { Entry::New } else { Entry::Same };
    if let Some(url) = question(form, None) {
        hold_back();
        page.go(&url, entry);
    }
}

/// Holds back every order for a plan: another is on its way, and what is chosen on the page is not what the order says. The
/// page that comes lets them go. Should one be sent all the same, it names no plan, so the server refuses it.
fn hold_back() {
    for seen in all("form input[name=seen]") {
        let _ = seen.set_attribute("value", "");
        if let Ok(Some(form)) = seen.closest("form") {
            let button = form.query_selector("button[type=submit]").ok().flatten();
            set_busy(&form, button.as_ref(), true);
        }
    }
}

/// The address that a form leads to; fields that are empty ask for nothing.
fn question(form: &HtmlFormElement, submitter: Option<&Element>) -> Option<String> {
    let action = form.get_attribute("action").unwrap_or_else(super::page::base);
    let url = own_url(&action)?;
    let question = UrlSearchParams::new().ok()?;
    for (name, value) in fields(form, submitter) {
        if !value.is_empty() {
            question.append(&name, &value);
        }
    }
    url.set_search(&String::from(question.to_string()).replace('+', "%20"));
    Some(url.href())
}

fn fields(form: &HtmlFormElement, submitter: Option<&Element>) -> Vec<(String, String)> {
    let Ok(data) = FormData::new_with_form(form) else { return Vec::new() };
    let text = |entry: &Array, index| entry.get(index).as_string().unwrap_or_default();
    let entries = data.entries().into_iter().flatten();
    let mut fields: Vec<_> =
        entries.map(|entry| Array::from(&entry)).map(|entry| (text(&entry, 0), text(&entry, 1))).collect();
    let pressed = submitter.and_then(|button| Some((button.get_attribute("name")?, button.get_attribute("value")?)));
    fields.extend(pressed);
    fields
}

fn submit(client: &Client, event: &Event) {
    let Some(event) = event.dyn_ref::<SubmitEvent>() else { return };
    let Some(form) = event.target().and_then(|target| target.dyn_into::<HtmlFormElement>().ok()) else { return };
    if form.has_attribute(OWN) {
        return;
    }
    let submitter = event.submitter().map(Element::from);
    match form.method().as_str() {
        "get" => {
            if let Some(url) = question(&form, submitter.as_ref()) {
                event.prevent_default();
                client.page.go(&url, Entry::New);
            }
        }
        // Who comes in or goes out gets a new document.
        "post" if own_url(&form.action()).is_some_and(|url| url.pathname().starts_with("/rpc/")) => {
            event.prevent_default();
            if !form.has_attribute(BUSY) {
                order(client, form, submitter);
            }
        }
        _ => (),
    }
}

/// Sends a form and shows the page that comes of it. What it says comes as the page says it, as without scripts.
fn order(client: &Client, form: HtmlFormElement, submitter: Option<Element>) {
    let Ok(body) = UrlSearchParams::new() else { return };
    for (name, value) in fields(&form, submitter.as_ref()) {
        body.append(&name, &value);
    }
    set_busy(&form, submitter.as_ref(), true);
    let client = client.clone();
    spawn_local(async move {
        if form.has_attribute(secrets::FORM) {
            secrets::ask(&client, &form, &body).await;
            return set_busy(&form, submitter.as_ref(), false);
        }
        let outcome = client.page.order(form.action(), body).await;
        set_busy(&form, submitter.as_ref(), false);
        match outcome {
            Outcome::Shown | Outcome::Overtaken => {
                // What was typed was for this order.
                form.reset();
                if let Some(said) = form.get_attribute("data-done") {
                    client.toasts.show(Tone::Good, said, None);
                }
            }
            Outcome::Unreachable | Outcome::Later => client.unreachable(),
            Outcome::Refused(Some(why)) => client.toasts.show(Tone::Bad, why, None),
            Outcome::Refused(None) | Outcome::Leaving => (),
        }
    });
}

/// A busy button stays reachable: disabled it would lose the focus, and what disables it otherwise would be forgotten.
fn set_busy(form: &Element, button: Option<&Element>, busy: bool) {
    let _ = form.toggle_attribute_with_force(BUSY, busy);
    for name in ["aria-busy", "aria-disabled"] {
        let _ =
            button.map(|button| if busy { button.set_attribute(name, "true") } else { button.remove_attribute(name) });
    }
}
