//! The small pieces: badges, dots, ages, commits, versions.

use leptos::prelude::*;
use release_manager::health::HealthStatus;
use release_manager::names::CommitSha;
use release_manager::revision::Revision;
use release_manager::time::Timestamp;

use super::icon::{Icon, Symbol};
use super::reactive::{Seen, memo};
use crate::clock::use_clock;
use crate::live::use_live;
use crate::view::{self, Tone};

/// The page's heading.
#[component]
pub fn Heading(
    #[prop(into)] title: String,
    #[prop(optional_no_strip)] lead: Option<&'static str>,
    /// What can be done with the page as a whole.
    #[prop(optional_no_strip)]
    actions: Option<AnyView>,
) -> impl IntoView {
    view! {
        <div class="page-head">
            <div>
                <h1>{title}</h1>
                {lead.map(|lead| view! { <p class="lead">{lead}</p> })}
            </div>
            {actions.map(|actions| view! { <div class="page-actions">{actions}</div> })}
        </div>
    }
}

/// What the program says, as a sentence; what stands between backticks is code. No component: that would weigh more.
pub fn words(text: &str) -> AnyView {
    let parts = view::parts(&view::sentence(text))
        .into_iter()
        .map(|(is_code, part)| if is_code { view! { <code>{part}</code> }.into_any() } else { part.into_any() });
    parts.collect::<Vec<_>>().into_any()
}

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

/// A word in its colour.
#[component]
pub fn Badge(tone: Tone, #[prop(into)] text: String, #[prop(optional, into)] title: Option<String>) -> impl IntoView {
    view! { <span class=format!("badge {}", tone.class()) title=title>{text}</span> }
}

/// A coloured dot with its word for screen readers.
#[component]
pub fn HealthDot(#[prop(into)] status: Seen<Option<HealthStatus>>) -> impl IntoView {
    let said = move || view::health(status.get());
    view! {
        <span class=move || format!("dot {}", said().tone.class()) title=move || said().word>
            <span class="sr-only">{move || said().word}</span>
        </span>
    }
}

/// How long ago, ticking; the moment in full where one points at it.
#[component]
pub fn Age(#[prop(into)] at: Seen<Timestamp>) -> impl IntoView {
    let clock = use_clock();
    let text = memo(move || view::age(clock.now(), at.get()));
    view! {
        <time
            datetime=move || at.get().to_string()
            title=move || view::absolute(at.get())
            data-age=move || at.get().as_millis().to_string()
        >
            {move || text.get()}
        </time>
    }
}

/// How long something takes or took: it ticks until there is an end.
#[component]
pub fn Elapsed(#[prop(into)] from: Seen<Timestamp>, #[prop(into)] to: Seen<Option<Timestamp>>) -> impl IntoView {
    let clock = use_clock();
    let text = memo(move || {
        let end = to.get().unwrap_or_else(|| clock.now());
        view::duration(end.seconds_since(from.get()))
    });
    let since = move || to.get().is_none().then(|| from.get().as_millis().to_string());
    view! { <span class="elapsed" data-elapsed=since>{move || text.get()}</span> }
}

/// A short commit, linked to its page at the host where that has one.
#[component]
pub fn Sha(sha: CommitSha) -> impl IntoView {
    let live = use_live();
    let full = sha.to_string();
    let base = memo(move || live.read(|live| live.source.commit_url.clone()).flatten());
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
pub fn VersionText(#[prop(into)] version: Seen<Option<String>>) -> impl IntoView {
    view! {
        <code class="version" title=move || version.get()>
            {move || version.get().map_or_else(|| "—".to_owned(), |version| view::short_version(&version))}
        </code>
    }
}

/// From one version to another.
#[component]
pub fn Versions(#[prop(into)] from: Seen<Option<String>>, #[prop(into)] to: Seen<Option<String>>) -> impl IntoView {
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
