//! Data that has to be fetched: a skeleton while it is on its way, the reason if it does not come, and what it is.

use leptos::prelude::*;
use leptos_meta::Title;

use super::basics::Heading;
use super::refused::Refused;
use crate::error::RpcError;

/// The title of the browser's tab, and the page's heading.
#[component]
pub fn PageHead(
    #[prop(into)] title: String,
    #[prop(optional)] lead: Option<&'static str>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <Heading title lead actions=children.map(|children| children())/>
    }
}

/// Shows what a resource brings. A page is sent when everything on it has come.
#[component]
pub fn Loaded<T, V, F>(resource: Resource<Result<T, RpcError>>, children: F) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    V: IntoView + 'static,
    F: Fn(RwSignal<T>) -> V + Send + Sync + 'static,
{
    view! {
        <Transition fallback=|| view! { <Skeleton/> }>
            {move || match resource.get() {
                Some(Ok(value)) => children(RwSignal::new(value)).into_any(),
                Some(Err(error)) => view! { <Refused error/> }.into_any(),
                None => view! { <Skeleton/> }.into_any(),
            }}
        </Transition>
    }
}

/// What the server has drawn. It has escaped whatever came from outside.
#[component]
pub fn Drawn(
    resource: Resource<Result<String, RpcError>>,
    #[prop(default = "drawn")] class: &'static str,
) -> impl IntoView {
    view! {
        <Loaded resource let:html>
            <div class=class inner_html=move || html.get()></div>
        </Loaded>
    }
}

/// The shape of what is on its way.
#[component]
pub fn Skeleton() -> impl IntoView {
    view! {
        <div class="skeleton" aria-hidden="true">
            <span></span>
            <span></span>
            <span></span>
        </div>
    }
}
