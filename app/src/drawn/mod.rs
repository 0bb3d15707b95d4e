//! What only tells is drawn by the server and sent as HTML: plots, tables of facts, lists of commits. The browser needs
//! no code for it. Everything goes through views, so that whatever comes from outside is escaped.

mod commits;
mod insights;
mod plot;
mod service;
mod setup;
mod timeline;
mod told;

use leptos::prelude::*;
use release_manager::names::CommitSha;
use release_manager::time::Timestamp;

pub(crate) use commits::commits;
pub(crate) use insights::insights;
pub(crate) use service::{close_look, spec, tasks};
pub(crate) use setup::{about, setup};
pub(crate) use timeline::timeline;
pub(crate) use told::told;

use crate::clock::wall_clock;
use crate::view;

/// A view as text.
fn html(view: impl IntoView + 'static) -> String {
    view.into_any().to_html()
}

/// How long ago, as `components::Age` draws it, for what is drawn outside of a page: it ticks in the browser, and says the
/// moment in full where one points at it.
fn moment(at: Timestamp) -> AnyView {
    view! {
        <time datetime=at.to_string() title=view::absolute(at) data-age=at.as_millis().to_string()>
            {view::age(wall_clock(), at)}
        </time>
    }
    .into_any()
}

/// A short commit, linked to its page at the host where that has one.
fn sha(sha: &CommitSha, host: Option<&str>) -> AnyView {
    let (short, full) = (sha.short().to_owned(), sha.to_string());
    match host {
        Some(host) => {
            let href = format!("{host}{full}");
            view! { <a class="sha" href=href title=full rel="noreferrer">{short}</a> }.into_any()
        }
        None => view! { <code class="sha" title=full>{short}</code> }.into_any(),
    }
}
