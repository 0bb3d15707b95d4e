//! How often, how fast and how well each environment is deployed to.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::components::{Drawn, PageHead};
use crate::rpc;
use crate::view::Span;

/// `/insights`
#[component]
pub fn InsightsPage() -> impl IntoView {
    let query = use_query_map();
    let span = Memo::new(move |_| Span::of_word(query.with(|query| query.get("span")).as_deref().unwrap_or_default()));
    let drawn = Resource::new(move || span.get(), |span| rpc::insights(span.word().to_owned()));
    let link = move |known: Span| {
        let current = move || (span.get() == known).then_some("page");
        view! {
            <a href=format!("/insights?span={}", known.word()) aria-current=current>{known.title()}</a>
        }
    };
    view! {
        <PageHead title="Insights" lead="How often, how fast and how well releases arrive.">
            <nav class="segments" aria-label="Time">{Span::ALL.map(link).collect_view()}</nav>
        </PageHead>
        <Drawn resource=drawn/>
    }
}
