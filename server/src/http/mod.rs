//! HTTP: pages, server functions, the REST API, live events and assets, behind one set of guards.

mod api;
mod assets;
mod error;
mod events;
mod guard;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::routing::{get, post};
use axum::{Router, middleware};
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes, generate_route_list};
use release_manager::manager::Manager;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;

pub use guard::Hosts;
pub use webhooks::Webhooks;

/// The most that a request may carry: forms and small JSON.
const BODY_LIMIT: usize = 64 * 1024;

/// What handlers are given.
#[derive(Clone)]
pub struct AppState {
    /// Everything that can be asked and ordered.
    pub manager: Arc<Manager>,
    /// Ends open streams when the process is to stop.
    pub stop: CancellationToken,
    options: LeptosOptions,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.options.clone()
    }
}

/// The whole HTTP surface.
pub fn router(manager: Arc<Manager>, webhooks: Webhooks, stop: CancellationToken, listen: SocketAddr) -> Router {
    let options = LeptosOptions::builder()
        .output_name("release-manager")
        .site_pkg_dir(format!("pkg/{}", assets::build_id()))
        .site_addr(listen)
        .build();
    let state = AppState { manager: Arc::clone(&manager), stop, options: options.clone() };
    let context = move || provide_context(Arc::clone(&manager));
    let shell = move || app::shell(options.clone());
    let guard = middleware::from_fn_with_state(Hosts::of(listen), guard::guard);
    let webhooks = Router::new()
        .route("/api/webhooks/{forge}", post(webhooks::receive))
        .layer(guard.clone())
        .layer(RequestBodyLimitLayer::new(webhooks::BODY_LIMIT))
        .with_state(Arc::new(webhooks));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/api/events", get(events::events))
        .route("/api/status", get(api::status))
        .route("/api/environments", get(api::environments))
        .route("/api/diff", get(api::diff))
        .route("/api/history", get(api::history))
        .route("/api/health", get(api::health))
        .route("/api/deploy/{environment}", post(api::deploy))
        .route("/api/deploy/{environment}/{id}", get(api::deployment))
        .route("/api/deploy/cancel/{id}", post(api::cancel))
        .route("/api/{*rest}", get(error::no_such_path).post(error::no_such_path))
        .route("/pkg/{build}/{*file}", get(assets::built))
        .leptos_routes_with_context(&state, generate_route_list(app::App), context.clone(), shell.clone())
        .fallback(assets::public_or_page(context, shell))
        .layer(guard)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .with_state(state)
        .merge(webhooks)
        .layer(CompressionLayer::new())
}

/// Serves until the token is cancelled and the requests under way are answered.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}
