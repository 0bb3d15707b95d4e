//! What concerns every page: a lost connection, an engine or source in trouble, a demonstration.

use leptos::prelude::*;
use release_manager::views::{DemoNote, Overview};

use super::basics::Banner;
use super::icon::Symbol;
use super::room::LiveRoom;
use crate::error::RpcError;
use crate::parts::Problems;
use crate::view::Tone;

/// Everything that has to be said above the page.
#[component]
pub fn Banners(overview: Resource<Result<Overview, RpcError>>) -> impl IntoView {
    view! {
        <div class="banners" role="status">
            <div id="connection" data-client=""></div>
            <LiveRoom part="problems"><Problems/></LiveRoom>
            <Transition>
                {move || overview.get().and_then(Result::ok).and_then(|overview| overview.demo).map(|note| view! {
                    <Demo note/>
                })}
            </Transition>
        </div>
    }
}

#[component]
fn Demo(note: DemoNote) -> impl IntoView {
    view! {
        <Banner tone=Tone::Fresh symbol=Symbol::Flask>
            <strong>"This is a demonstration"</strong>
            " on " {note.engine} ". The repository lies in "
            <code class="wrap">{note.repository.clone()}</code>
            ": change a version in its env file, commit, and watch preprod follow; then promote it to prod."
        </Banner>
    }
}
