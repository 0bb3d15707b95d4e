//! The head of every page: where one is, how the source is, and the theme.

use leptos::prelude::*;
use leptos_router::components::A;
use release_manager::access::Who;

use super::basics::{Age, Sha};
use super::icon::{Icon, Symbol};
use crate::access::use_looker;
use crate::live::use_live;
use crate::theme::ThemeSwitch;

/// Name, navigation, source, account and theme; only name and theme for who is not logged in.
#[component]
pub fn Header() -> impl IntoView {
    let known = use_looker().is_known();
    view! {
        <a class="skip" href="#content" rel="external">"Skip to the content"</a>
        <header class="top">
            <div class="top-inner">
                <a class="brand" href="/" aria-label="Release Manager: dashboard">
                    <Logo/>
                    <span class="brand-name">"Release Manager"</span>
                </a>
                {known.then(|| view! {
                    <nav aria-label="Pages">
                        <A href="/" exact=true><Icon symbol=Symbol::Dashboard/><span>"Dashboard"</span></A>
                        <A href="/history"><Icon symbol=Symbol::History/><span>"History"</span></A>
                        <A href="/health"><Icon symbol=Symbol::Health/><span>"Health"</span></A>
                        <A href="/insights"><Icon symbol=Symbol::Chart/><span>"Insights"</span></A>
                        <A href="/settings"><Icon symbol=Symbol::Sliders/><span>"Settings"</span></A>
                    </nav>
                    <SourceLine/>
                })}
                <AccountLink/>
                <ThemeSwitch/>
            </div>
        </header>
    }
}

/// The way to one's own account; none where nobody has to log in.
#[component]
fn AccountLink() -> impl IntoView {
    let name = use_looker().visit().and_then(|visit| match &visit.principal.who {
        Who::Person(name) => Some(name.to_string()),
        Who::Token(_) | Who::Anybody => None,
    });
    name.map(|name| {
        view! {
            <a class="icon-button account" href="/account" title=name.clone() aria-label=format!("Account of {name}")>
                <Icon symbol=Symbol::Person/>
            </a>
        }
    })
}

/// The mark: two releases on their way up, one behind the other.
#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect class="logo-ground" width="32" height="32" rx="8"></rect>
            <path class="logo-second" d="M8 22.5 16 14.5l8 8"></path>
            <path class="logo-first" d="M8 15.5 16 7.5l8 8"></path>
        </svg>
    }
}

/// The source in a line: branch, newest revision, when it last answered.
#[component]
fn SourceLine() -> impl IntoView {
    let live = use_live();
    let source = Memo::new(move |_| live.read(|live| live.source.clone()));
    let checked = Memo::new(move |_| source.with(|source| source.as_ref().and_then(|source| source.checked_at)));
    let head = Memo::new(move |_| {
        source.with(|source| source.as_ref().and_then(|source| source.head.as_ref()).map(|head| head.sha.clone()))
    });
    let text = |pick: fn(&release_manager::live::SourceState) -> &String| {
        move || source.with(|source| source.as_ref().map(pick).cloned())
    };
    let dot = move || match source.with(|source| source.as_ref().map(|source| source.problem.is_some())) {
        Some(true) => "dot bad",
        Some(false) => "dot good",
        None => "dot idle",
    };
    view! {
        <div class="source" title=text(|source| &source.name)>
            <span class=dot></span>
            <Icon symbol=Symbol::Branch/>
            <span class="source-branch">{text(|source| &source.branch)}</span>
            {move || head.get().map(|sha| view! { <Sha sha/> })}
            <span class="source-age">
                {move || checked.get().map(|at| view! { "checked " <Age at/> })}
            </span>
        </div>
    }
}
