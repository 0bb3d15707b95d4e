//! Data that has to be fetched: a skeleton while it is on its way, the reason if it does not come, and what it is.

use leptos::prelude::*;

use super::icon::{Icon, Symbol};
use crate::error::{RpcError, RpcErrorKind};

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Waiting,
    Ready,
    Refused(RpcError),
}

/// Shows what a resource brings. The children are drawn once and follow later values by themselves, so that nothing
/// flickers when the data is fetched again; a refetch that fails leaves the last good data in place.
#[component]
pub fn Loaded<T, V, F>(resource: Resource<Result<T, RpcError>>, children: F) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
    F: Fn(RwSignal<T>) -> V + Send + Sync + 'static,
{
    view! {
        <Transition fallback=|| view! { <Skeleton/> }>
            {
                // Made in here, so that what it reads is waited for by this boundary.
                let phase = Memo::new(move |last: Option<&Phase>| {
                    resource.with(|value| match value {
                        None => Phase::Waiting,
                        Some(Ok(_)) => Phase::Ready,
                        Some(Err(_)) if last == Some(&Phase::Ready) => Phase::Ready,
                        Some(Err(error)) => Phase::Refused(error.clone()),
                    })
                });
                move || match (phase.get(), resource.get_untracked()) {
                    (Phase::Ready, Some(Ok(first))) => {
                        let data = RwSignal::new(first);
                        Effect::new(move |_| {
                            if let Some(Ok(value)) = resource.get()
                                && data.with_untracked(|data| *data != value)
                            {
                                data.set(value);
                            }
                        });
                        children(data).into_any()
                    }
                    (Phase::Refused(error), _) => view! { <Refused error/> }.into_any(),
                    _ => view! { <Skeleton/> }.into_any(),
                }
            }
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

/// Why there is nothing to see.
#[component]
pub fn Refused(error: RpcError) -> impl IntoView {
    #[cfg(feature = "ssr")]
    if error.kind == RpcErrorKind::NotFound
        && let Some(response) = use_context::<leptos_axum::ResponseOptions>()
    {
        response.set_status(axum::http::StatusCode::NOT_FOUND);
    }
    let (symbol, title, class) = match error.kind {
        RpcErrorKind::NotFound => (Symbol::Box, "There is no such thing", "empty"),
        RpcErrorKind::LoggedOut => (Symbol::Person, "You are logged out", "empty warn"),
        RpcErrorKind::Forbidden => (Symbol::Person, "Your role does not allow this", "empty"),
        RpcErrorKind::UpToDate => (Symbol::Check, "Nothing to do", "empty"),
        RpcErrorKind::Unavailable => (Symbol::Offline, "Not available just now", "empty warn"),
        _ => (Symbol::Warning, "This cannot be shown", "empty bad"),
    };
    view! {
        <div class=class>
            <Icon symbol/>
            <p class="empty-title">{title}</p>
            <p class="wrap">{error.message}</p>
            {(error.kind == RpcErrorKind::LoggedOut).then(|| view! {
                <p><a class="button primary" href="/login" rel="external">"Log in"</a></p>
            })}
        </div>
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
