//! What every page has, and the routes.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::access::Looker;
use crate::app_data::provide_overview;
use crate::clock::Clock;
use crate::components::{Banners, Header};
use crate::live::LiveState;
use crate::pages::{
    AboutPage, AccountPage, AuditPage, ChangesPage, DashboardPage, DeploymentPage, HealthPage, HistoryPage,
    InsightsPage, LoginPage, NotFoundPage, RollbackPage, ServicePage, SettingsPage, TokensPage, UsersPage,
};

/// The live state of the moment, for somebody who may look, as who looks may see it.
fn provide_live() {
    let live = crate::access::ssr::manager().ok().map(|manager| manager.live().borrow().as_ref().clone());
    let live = live.and_then(|live| crate::access::ssr::shown(live).ok());
    provide_context(LiveState::new(live.map(Arc::new)));
}

/// The whole application: what every page has, and the routes.
#[component]
pub fn App() -> impl IntoView {
    if let Some(context) = Owner::current_shared_context() {
        // Nothing is hydrated: what has to be sent beside a page stands in its rooms.
        context.set_is_hydrating(false);
    }
    provide_meta_context();
    Clock::provide();
    let known = Looker::provide().is_known();
    provide_live();
    let overview = provide_overview();
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
            // The palette and the news in the corner; the browser puts them there.
            <div id="client" data-client=""></div>
        </Router>
    }
}
