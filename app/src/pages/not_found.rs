//! What is shown where there is no page.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::{Icon, Symbol};

/// There is no such page.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Page not found"/>
        <div class="not-found">
            <p class="not-found-code" aria-hidden="true">"404"</p>
            <h1>"There is no page here"</h1>
            <p class="muted">"The address may be mistyped, or what it named is gone."</p>
            <p><a class="button primary" href="/"><Icon symbol=Symbol::Dashboard/>"To the dashboard"</a></p>
        </div>
    }
}
