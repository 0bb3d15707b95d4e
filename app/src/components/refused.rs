//! Why something cannot be shown.

use leptos::prelude::*;

use super::basics::words;
use super::icon::{Icon, Symbol};
use crate::error::{RpcError, RpcErrorKind};

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
            <p class="wrap">{words(&error.message)}</p>
            {(error.kind == RpcErrorKind::LoggedOut).then(|| view! {
                <p><a class="button primary" href="/login" rel="external">"Log in"</a></p>
            })}
        </div>
    }
}
