//! The head of every page: where one is, how the source is, and the theme.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_location;
use release_manager::access::Who;

use super::icon::{Icon, Symbol};
use super::room::LiveRoom;
use crate::access::use_looker;
use crate::parts::SourceLine;

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
                        // The audit log is a part of the settings with an address of its own.
                        <a href="/settings" aria-current=current(|path| path.starts_with("/settings") || path == "/audit")>
                            <Icon symbol=Symbol::Sliders/><span>"Settings"</span>
                        </a>
                    </nav>
                    <LiveRoom part="source"><SourceLine/></LiveRoom>
                    <button
                        class="icon-button palette-open"
                        type="button"
                        title="Go to… (Ctrl K)"
                        aria-label="Go to…"
                        aria-keyshortcuts="Control+K"
                        data-palette=""
                    >
                        <Icon symbol=Symbol::Search/>
                    </button>
                })}
                <AccountLink/>
                // The browser puts the switch there; until then its room is kept.
                <div id="theme" class="theme-place" data-client=""></div>
            </div>
        </header>
    }
}

/// Whether one is there.
fn current(is_here: fn(&str) -> bool) -> impl Fn() -> Option<&'static str> {
    let here = use_location();
    move || here.pathname.with(|path| is_here(path)).then_some("page")
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
            <a
                class="icon-button account"
                href="/account"
                title=name.clone()
                aria-label=format!("Account of {name}")
                aria-current=current(|path| path == "/account")
            >
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
