//! Starts in the browser.

/// Makes the page that the server has drawn alive. The script that leptos puts into the document calls it by this name.
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    app::client::start();
}
