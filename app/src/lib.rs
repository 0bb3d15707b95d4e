//! The pages.
use leptos::prelude::*;
/// The page.
#[component]
pub fn App() -> impl IntoView {
    view! { <p>"Release Manager"</p> }
}
