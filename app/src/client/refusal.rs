//! Why an order was refused, where no page says it.

use web_sys::{Document, Url};

use super::page::base;
use super::window;
use crate::read::{Tree, field};

/// What server functions put into the address of the page that answers a refused order.
pub(super) const PARTS: &[&str] = &["__path", "__err"];

/// The reason in such an address.
pub(super) fn in_address(url: &str) -> Option<String> {
    let error = Url::new_with_base(url, &base()).ok()?.search_params().get("__err")?;
    // A letter for each byte.
    let letters = window().atob(&error.replace('-', "+").replace('_', "/")).ok()?;
    let bytes = letters.chars().map(|letter| u8::try_from(letter).ok()).collect::<Option<Vec<_>>>()?;
    in_text(&String::from_utf8(bytes).ok()?)
}

/// The sentence for people in an answer that is no page.
pub(super) fn in_text(json: &str) -> Option<String> {
    let tree = Tree::of(json)?;
    field(&tree, "message").or_else(|| field(&tree, "detail"))
}

/// Whether a page says that something went wrong: what an order was for may be gone, and the place for its refusal with it.
pub(super) fn is_told(page: &Document) -> bool {
    page.query_selector("[role=alert]:not(:empty)").is_ok_and(|told| told.is_some())
}
