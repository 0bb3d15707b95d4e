//! Orders: forms that work without scripts. What comes of one is said by the page that answers it.

use leptos::prelude::*;
use release_manager::names::EnvironmentName;
use serde::Serialize;

use crate::components::{Seen, memo, words};
use crate::error::RpcError;
use crate::read::structures;

/// An order that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The path of the server function.
    pub path: String,
    /// Why.
    pub error: RpcError,
}

structures! {
    Refusal { path, error }
}

/// The order that was refused just now, if any.
#[derive(Clone, Copy)]
pub struct Refusals(pub RwSignal<Option<Refusal>>);

/// Why the order of this path was refused.
pub fn refused(path: &'static str) -> Seen<Option<RpcError>> {
    let refusals = use_context::<Refusals>();
    memo(move || {
        refusals?
            .0
            .with(|refusal| refusal.as_ref().filter(|refusal| refusal.path == path).map(|known| known.error.clone()))
    })
}

/// A form that gives the order of a server function.
#[component]
pub fn OrderForm(
    /// The path of the server function.
    path: &'static str,
    /// What to say when it was taken.
    #[prop(optional)]
    done: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    view! { <form method="post" action=path data-done=done>{children()}</form> }
}

/// Says why the order of this path was refused.
#[component]
pub fn RefusedOrder(
    /// The path of the server function.
    path: &'static str,
    /// The environment, where others on the page have the same order.
    #[prop(optional)]
    environment: Option<EnvironmentName>,
) -> impl IntoView {
    let refused = refused(path);
    let here = memo(move || {
        let meant =
            |error: &RpcError| environment.is_none() || error.environment.is_none() || error.environment == environment;
        refused.get().filter(meant)
    });
    view! {
        {move || here.get().map(|error| view! {
            <p class="error-text wrap" role="alert">{words(&error.message)}</p>
        })}
    }
}
