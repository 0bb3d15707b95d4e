//! What a promotion would change, which services take part, and the confirmation.

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use release_manager::names::EnvironmentName;

use crate::components::{Loaded, PageHead, Room};
use crate::pages::NotFoundPage;
use crate::parts::{Changes, ChangesData, Selection};

/// `/changes/:environment`
#[component]
pub fn ChangesPage() -> impl IntoView {
    let params = use_params_map();
    let target = Memo::new(move |_| {
        params.with(|params| params.get_str("environment").and_then(|name| name.parse::<EnvironmentName>().ok()))
    });
    move || match target.get() {
        Some(target) => view! { <ChangesTo target/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

#[component]
fn ChangesTo(target: EnvironmentName) -> impl IntoView {
    let selection = use_query_map().with_untracked(|query| {
        Selection::of_query(&query.get_all("services").unwrap_or_default(), query.get_str("chosen").is_some())
    });
    let asked = target.clone();
    // Made out here: what is read inside of a boundary but made there is not waited for.
    let data = Resource::new(|| (), move |()| ChangesData::ask(asked.clone(), selection.clone()));
    view! {
        <PageHead
            title=format!("Changes to {target}")
            lead="Choose what goes further, look at the plan, then deploy."
        />
        <Loaded resource=data let:data>
            <Room part="changes" data draw=|data| view! { <Changes data/> }.into_any()/>
        </Loaded>
    }
}
