//! The small pieces: badges, dots, ages, commits, versions.

use leptos::prelude::*;
use leptos_meta::Title;
use release_manager::health::HealthStatus;
use release_manager::names::CommitSha;
use release_manager::revision::Revision;
use release_manager::time::Timestamp;

use super::icon::{Icon, Symbol};
use crate::clock::use_clock;
use crate::live::use_live;
use crate::view::{self, Tone};

/// The title of the browser's tab, and the page's heading.
#[component]
pub fn PageHead(
    #[prop(into)] title: Signal<String>,
    #[prop(optional, into)] lead: Option<Signal<String>>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <Title text=move || title.get()/>
        <div class="page-head">
            <div>
                <h1>{title}</h1>
                {lead.map(|lead| view! { <p class="lead">{lead}</p> })}
            </div>
            {children.map(|children| view! { <div class="page-actions">{children()}</div> })}
        </div>
    }
}

/// A word in its colour.
#[component]
pub fn Badge(tone: Tone, #[prop(into)] text: String, #[prop(optional, into)] title: Option<String>) -> impl IntoView {
    view! { <span class=format!("badge {}", tone.class()) title=title>{text}</span> }
}

/// A coloured dot with its word for screen readers.
#[component]
pub fn HealthDot(#[prop(into)] status: Signal<Option<HealthStatus>>) -> impl IntoView {
    let said = move || view::health(status.get());
    view! {
        <span class=move || format!("dot {}", said().tone.class()) title=move || said().word>
            <span class="sr-only">{move || said().word}</span>
        </span>
    }
}

/// How long ago, ticking; the moment in full where one points at it.
#[component]
pub fn Age(#[prop(into)] at: Signal<Timestamp>) -> impl IntoView {
    let clock = use_clock();
    let text = Memo::new(move |_| view::age(clock.now(), at.get()));
    view! {
        <time datetime=move || at.get().to_string() title=move || view::absolute(at.get())>
            {text}
        </time>
    }
}

/// How long something takes or took: it ticks until there is an end.
#[component]
pub fn Elapsed(#[prop(into)] from: Signal<Timestamp>, #[prop(into)] to: Signal<Option<Timestamp>>) -> impl IntoView {
    let clock = use_clock();
    let text = Memo::new(move |_| {
        let end = to.get().unwrap_or_else(|| clock.now());
        view::duration(end.seconds_since(from.get()))
    });
    view! { <span class="elapsed">{text}</span> }
}

/// A short commit, linked to its page at the host where that has one.
#[component]
pub fn Sha(sha: CommitSha) -> impl IntoView {
    let live = use_live();
    let full = sha.to_string();
    let base = Memo::new(move |_| live.read(|live| live.source.commit_url.clone()).flatten());
    view! {
        {move || {
            let (short, full) = (sha.short().to_owned(), full.clone());
            match base.get() {
                Some(base) => view! {
                    <a class="sha" href=format!("{base}{full}") title=full.clone() rel="noreferrer">{short}</a>
                }.into_any(),
                None => view! { <code class="sha" title=full>{short}</code> }.into_any(),
            }
        }}
    }
}

/// A commit as people read it: what, which, by whom.
#[component]
pub fn Commit(revision: Revision) -> impl IntoView {
    let subject = revision.subject().to_owned();
    view! {
        <div class="commit">
            <p class="commit-subject" title=revision.message.clone()>{subject}</p>
            <p class="commit-meta">
                <Sha sha=revision.sha.clone()/>
                <span class="commit-author">{revision.author.clone()}</span>
                <span>"committed " <Age at=revision.committed_at/></span>
            </p>
        </div>
    }
}

/// A version; digests are cut, and whole where one points at them.
#[component]
pub fn VersionText(#[prop(into)] version: Signal<Option<String>>) -> impl IntoView {
    view! {
        <code class="version" title=move || version.get()>
            {move || version.get().map_or_else(|| "—".to_owned(), |version| view::short_version(&version))}
        </code>
    }
}

/// From one version to another.
#[component]
pub fn Versions(#[prop(into)] from: Signal<Option<String>>, #[prop(into)] to: Signal<Option<String>>) -> impl IntoView {
    view! {
        <span class="versions">
            <VersionText version=from/>
            <Icon symbol=Symbol::ArrowRight/>
            <span class="sr-only">" to "</span>
            <VersionText version=to/>
        </span>
    }
}

/// A name and its value in a list of facts.
#[component]
pub fn Field(label: &'static str, children: Children) -> impl IntoView {
    view! {
        <div class="field">
            <dt>{label}</dt>
            <dd>{children()}</dd>
        </div>
    }
}

/// Nothing to show, and what that means.
#[component]
pub fn Empty(symbol: Symbol, #[prop(into)] title: String, #[prop(into)] text: String) -> impl IntoView {
    view! {
        <div class="empty">
            <Icon symbol/>
            <p class="empty-title">{title}</p>
            <p>{text}</p>
        </div>
    }
}
