//! What is shown once: the answer to such an order is a text, and no page repeats it.

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, Headers, HtmlDocument, HtmlElement, HtmlFormElement, RequestInit, Response, UrlSearchParams};

use super::{Client, document, window};
use crate::error::RpcError;
use crate::read::read;
use crate::view::Tone;

/// A form whose answer is shown in the element of this id.
pub(super) const FORM: &str = "data-answer";

/// A button that copies the text that stands before it.
pub(super) const COPY: &str = "button[data-copy]";

/// Copies it, by the way that is there without TLS too, and says so.
pub(super) fn copy(button: &Element) {
    let Some(text) = button.previous_element_sibling() else { return };
    let Ok(Some(selection)) = window().get_selection() else { return };
    let Ok(document) = document().dyn_into::<HtmlDocument>() else { return };
    let is_copied = selection.select_all_children(&text).and_then(|()| document.exec_command("copy"));
    button.set_text_content(Some(if is_copied == Ok(true) { "Copied" } else { "Selected: copy it" }));
}

/// Sends the form, shows the text, and draws the page again.
pub(super) async fn ask(client: &Client, form: &HtmlFormElement, body: &UrlSearchParams) {
    match answer(form, body).await {
        Some(Ok(text)) => {
            show(form, &text);
            form.reset();
            client.page.refresh().await;
        }
        Some(Err(error)) => client.toasts.show(Tone::Bad, error.message, None),
        None => client.unreachable(),
    }
}

async fn answer(form: &HtmlFormElement, body: &UrlSearchParams) -> Option<Result<String, RpcError>> {
    let headers = Headers::new().ok()?;
    headers.set("accept", "application/json").ok()?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_body(body);
    let response = JsFuture::from(window().fetch_with_str_and_init(&form.action(), &init)).await.ok()?;
    let response: Response = response.dyn_into().ok()?;
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    Some(if response.ok() { Ok(read(&text)?) } else { Err(read(&text)?) })
}

fn show(form: &HtmlFormElement, text: &str) {
    let place = form.get_attribute(FORM).and_then(|id| document().get_element_by_id(&id));
    let Some(place) = place.and_then(|place| place.dyn_into::<HtmlElement>().ok()) else { return };
    if let Ok(Some(code)) = place.query_selector("code") {
        code.set_text_content(Some(text));
    }
    place.set_hidden(false);
}
