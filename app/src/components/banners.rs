//! What concerns every page: a lost connection, an engine or source in trouble, a demonstration.

use leptos::prelude::*;
use release_manager::live::Problem;
use release_manager::views::{DemoNote, Overview};

use super::basics::Age;
use super::icon::{Icon, Symbol};
use crate::error::RpcError;
use crate::live::{Connection, use_live};
use crate::view::Tone;

/// A message across the page.
#[component]
pub fn Banner(tone: Tone, symbol: Symbol, children: Children) -> impl IntoView {
    view! {
        <div class=format!("banner {}", tone.class())>
            <Icon symbol/>
            <div class="banner-text">{children()}</div>
        </div>
    }
}

/// Everything that has to be said above the page.
#[component]
pub fn Banners(overview: Resource<Result<Overview, RpcError>>) -> impl IntoView {
    let live = use_live();
    let connection = Memo::new(move |_| live.connection());
    let engine = Memo::new(move |_| live.read(|live| live.engine_problem.clone()).flatten());
    let database = Memo::new(move |_| live.read(|live| live.database_problem.clone()).flatten());
    let source = Memo::new(move |_| live.read(|live| live.source.problem.clone()).flatten());
    view! {
        <div class="banners" role="status">
            {move || match connection.get() {
                Connection::Lost => Some(view! {
                    <Banner tone=Tone::Warn symbol=Symbol::Offline>
                        <strong>"Connection lost. "</strong>
                        "What you see may be out of date. Trying again…"
                    </Banner>
                }.into_any()),
                Connection::Outdated => Some(view! {
                    <Banner tone=Tone::Busy symbol=Symbol::Info>
                        <strong>"Release Manager was updated. "</strong>
                        <a href="" rel="external">"Reload the page"</a>
                        " to go on."
                    </Banner>
                }.into_any()),
                Connection::Starting | Connection::Open => None,
            }}
            {move || database.get().map(|problem| view! {
                <ProblemBanner tone=Tone::Bad title="The database cannot be written" problem/>
            })}
            {move || engine.get().map(|problem| view! {
                <ProblemBanner tone=Tone::Bad title="The Docker Engine cannot be used" problem/>
            })}
            {move || source.get().map(|problem| view! {
                <ProblemBanner tone=Tone::Warn title="The source cannot be read" problem/>
            })}
            <Transition>
                {move || overview.get().and_then(Result::ok).and_then(|overview| overview.demo).map(|note| view! {
                    <Demo note/>
                })}
            </Transition>
        </div>
    }
}

#[component]
fn ProblemBanner(tone: Tone, title: &'static str, problem: Problem) -> impl IntoView {
    view! {
        <Banner tone symbol=Symbol::Warning>
            <strong>{title}</strong>
            " (since " <Age at=problem.since/> "): "
            <span class="wrap">{problem.message}</span>
        </Banner>
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
