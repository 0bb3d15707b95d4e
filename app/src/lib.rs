//! The pages and the server functions behind them, compiled twice: for the server, which draws the first paint, and
//! for the browser, which takes it over. Components contain no decision; those are in the core and in [`view`].

#![expect(unreachable_pub, reason = "what the component macro makes of an item is not what is exported")]
#![expect(clippy::needless_pass_by_value, reason = "props are owned: the component macro hands them over")]

pub mod access;
pub mod app_data;
pub mod clock;
pub mod components;
pub mod error;
pub mod live;
pub mod outcomes;
pub mod pages;
pub mod rpc;
pub mod rpc_access;
pub mod theme;
pub mod toasts;
pub mod view;

mod browser;
#[cfg(feature = "ssr")]
mod drawn;
#[cfg(feature = "ssr")]
mod shell;
#[cfg(feature = "ssr")]
pub use shell::shell;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::components::{Banners, CommandPalette, Header, ToastRegion};
use crate::pages::{
    AboutPage, AccountPage, AuditPage, ChangesPage, DashboardPage, DeploymentPage, HealthPage, HistoryPage,
    InsightsPage, LoginPage, NotFoundPage, RollbackPage, ServicePage, SettingsPage, TokensPage, UsersPage,
};

/// The whole application: what every page has, and the routes.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    clock::Clock::provide();
    let looker = access::Looker::provide();
    let known = looker.is_known();
    let live = live::LiveState::provide(&looker);
    let overview = app_data::provide_overview(live);
    toasts::Toasts::provide();
    outcomes::follow(live);
    mark_as_alive();
    view! {
        <Title formatter=|page: String| format!("{page} · Release Manager")/>
        <Router>
            <Header/>
            {known.then(|| view! { <Banners overview/> })}
            <main id="content" tabindex="-1">
                <Routes fallback=NotFoundPage>
                    <Route path=path!("/") view=DashboardPage ssr=SsrMode::Async/>
                    <Route path=path!("/changes/:environment") view=ChangesPage ssr=SsrMode::Async/>
                    <Route path=path!("/deployments/:id") view=DeploymentPage ssr=SsrMode::Async/>
                    <Route path=path!("/rollback/:environment/:id") view=RollbackPage ssr=SsrMode::Async/>
                    <Route path=path!("/history") view=HistoryPage ssr=SsrMode::Async/>
                    <Route path=path!("/health") view=HealthPage ssr=SsrMode::Async/>
                    <Route path=path!("/services/:service") view=ServicePage ssr=SsrMode::Async/>
                    <Route path=path!("/insights") view=InsightsPage ssr=SsrMode::Async/>
                    <Route path=path!("/settings") view=SettingsPage ssr=SsrMode::Async/>
                    <Route path=path!("/settings/about") view=AboutPage ssr=SsrMode::Async/>
                    <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async/>
                    <Route path=path!("/account") view=AccountPage ssr=SsrMode::Async/>
                    <Route path=path!("/settings/users") view=UsersPage ssr=SsrMode::Async/>
                    <Route path=path!("/settings/tokens") view=TokensPage ssr=SsrMode::Async/>
                    <Route path=path!("/audit") view=AuditPage ssr=SsrMode::Async/>
                </Routes>
            </main>
            {known.then(|| view! { <CommandPalette overview/> })}
            <ToastRegion/>
        </Router>
    }
}

/// Lets CSS hide what only a page without WASM needs, and tests wait until the page can be used.
fn mark_as_alive() {
    Effect::new(|_| {
        #[cfg(feature = "hydrate")]
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-alive", "");
        }
    });
}
