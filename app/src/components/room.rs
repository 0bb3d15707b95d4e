//! Where a part of a page is drawn that the browser goes on with (`client/rooms.rs`).

use leptos::prelude::*;
use leptos::server_fn::error::ServerFnUrlError;
use leptos_router::hooks::use_location;
use release_manager::live::Live;
use serde::Serialize;

use crate::access::use_looker;
use crate::error::RpcError;
use crate::live::use_live;
use crate::parts::{Address, DrawnFrom, Refusal, Refusals, Rights};

/// A part with the data that it was drawn from. They stand in an attribute: text, whatever is in it, and nothing that a
/// browser could take for a script.
#[component]
pub fn Room<T, F>(
    /// The part, as `client/rooms.rs` knows it.
    part: &'static str,
    /// What it was drawn from.
    data: RwSignal<T>,
    /// Draws it.
    draw: F,
) -> impl IntoView
where
    T: Clone + Serialize + Send + Sync + 'static,
    F: FnOnce(RwSignal<T>) -> AnyView + Send + 'static,
{
    let location = use_location();
    let address = location.pathname.get_untracked();
    let pairs = location.query.with_untracked(|query| {
        query.clone().into_iter().map(|(name, value)| (name.to_string(), value)).collect::<Vec<_>>()
    });
    let live = use_live().read(Live::clone);
    let looker = use_looker();
    let names = live.iter().flat_map(|live| live.environments.keys());
    let rights = Rights::of(names, |operation, name| looker.may_in(operation, name));
    let refused = refused();
    let json = live.and_then(|live| {
        let drawn = DrawnFrom { live, rights: rights.clone(), refused: refused.clone(), data: data.get_untracked() };
        serde_json::to_string(&drawn).ok()
    });
    provide_context(rights);
    provide_context(Refusals(RwSignal::new(refused)));
    provide_context(Address::new(pairs));
    view! {
        <div class="room" data-client="" data-part=part data-key=address data-drawn-from=json>
            {draw(data)}
        </div>
    }
}

/// The order that was refused just now, as the server functions' way without scripts says it.
fn refused() -> Option<Refusal> {
    let said = use_context::<leptos::server::ServerActionError>()?;
    let error: RpcError = ServerFnUrlError::<RpcError>::decode_err(said.err());
    Some(Refusal { path: said.path().to_owned(), error })
}

/// A part that shows nothing but the live state.
#[component]
pub fn LiveRoom(
    /// The part, as `client/rooms.rs` knows it.
    part: &'static str,
    children: Children,
) -> impl IntoView {
    view! { <div id=format!("part-{part}") class="contents" data-client="" data-part=part>{children()}</div> }
}
