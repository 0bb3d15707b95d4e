//! HTTP: pages, server functions, the REST API, live events and assets, behind one set of guards.

mod access;
mod api;
mod assets;
mod auth;
mod conditional;
mod csv;
mod docs;
mod error;
mod events;
mod export;
mod extract;
mod guard;
mod idempotency;
mod listen;
mod openapi;
mod operation;
mod request;
mod webhooks;
mod whole;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes, generate_route_list};
use release_manager::access::Accounts;
use release_manager::manager::Manager;
use release_manager::notice::Told;
use release_manager::ports::Audience;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{Doorkeeper, OIDC_CALLBACK};
use crate::metrics::Metrics;
use crate::notify::Addressees;
use crate::store::Store;

pub use auth::Gate;
pub use auth::table::{Access, access_of};
pub use guard::Hosts;
pub use listen::{Tls, TlsError, serve, serve_tls};
pub use webhooks::Webhooks;

/// The most that a request may carry: forms and small JSON.
const BODY_LIMIT: usize = 64 * 1024;

/// How long it may pause while it is sent.
const BODY_TIME: Duration = Duration::from_secs(20);

/// What the HTTP surface is made of.
pub struct Parts {
    /// Who may come in, and what they may do.
    pub gate: Gate,
    /// The database: for what is not a question or order to the manager.
    pub store: Arc<Store>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What receives webhooks.
    pub webhooks: Webhooks,
    /// Orders that must not be cut off by a client that goes away; to be waited for at the end.
    pub tasks: TaskTracker,
    /// Ends open streams when the process is to stop.
    pub stop: CancellationToken,
    /// Where it is served.
    pub listen: SocketAddr,
    /// Who is told of what happens, to be shown.
    pub told: Vec<Told>,
}

/// What handlers are given.
#[derive(Clone)]
pub struct AppState {
    /// Everything that can be asked and ordered.
    pub manager: Arc<Manager>,
    /// The database.
    pub store: Arc<Store>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Ends open streams when the process is to stop.
    pub stop: CancellationToken,
    /// Who may come in, and what they may do.
    pub gate: Gate,
    /// What clients that follow are told.
    frames: events::Frames,
    /// The description of the API.
    description: Arc<Value>,
    options: LeptosOptions,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.options.clone()
    }
}

/// Everything for programs: each route with its description.
fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(api::routes())
        .merge(access::routes())
        .routes(routes!(operation::healthz))
        .routes(routes!(operation::readyz))
        .routes(routes!(operation::metrics))
}

/// The forms of the login, and the way to an identity provider and back.
fn login() -> Router<AppState> {
    Router::new()
        .route("/login", post(auth::log_in))
        .route("/logout", post(auth::log_out))
        .route("/login/oidc", get(auth::to_provider))
        .route(OIDC_CALLBACK, get(auth::from_provider))
}

/// The whole HTTP surface, behind the gate.
pub fn router(manager: Arc<Manager>, parts: Parts) -> Router {
    let options = LeptosOptions::builder()
        .output_name("release-manager")
        .site_pkg_dir(format!("pkg/{}", assets::build_id()))
        .site_addr(parts.listen)
        .build();
    let (programs, description) = described().split_for_parts();
    let once = idempotency::Once::new(Arc::clone(&parts.store), parts.gate.clone());
    let state = AppState {
        manager: Arc::clone(&manager),
        store: parts.store,
        metrics: Arc::clone(&parts.metrics),
        stop: parts.stop,
        gate: parts.gate.clone(),
        frames: events::Frames::default(),
        description: Arc::new(openapi::complete(description)),
        options: options.clone(),
    };
    let gate = parts.gate;
    let accounts: Arc<dyn Accounts> = Arc::<Doorkeeper>::clone(gate.keeper());
    let audience: Arc<dyn Audience> = Arc::new(Addressees::new(Arc::clone(&state.store), parts.told));
    let doors = app::access::Doors { provider: gate.provider().is_some() };
    let context = move || {
        provide_context(Arc::clone(&manager));
        provide_context(Arc::clone(&accounts));
        provide_context(Arc::clone(&audience));
        provide_context(doors);
    };
    let shell = move || app::shell(options.clone());
    let programs = programs
        .route("/api/openapi.json", get(openapi::description))
        .route("/api/docs", get(docs::docs))
        .route("/problems/{slug}", get(docs::problem))
        .route("/api/{*rest}", any(error::no_such_path))
        .method_not_allowed_fallback(error::no_such_method)
        .layer(middleware::from_fn_with_state(once, idempotency::once))
        .layer(middleware::from_fn(conditional::conditional));
    let webhooks = Router::new()
        .route("/api/webhooks/{forge}", post(webhooks::receive))
        .method_not_allowed_fallback(error::no_such_method)
        .layer(RequestBodyLimitLayer::new(webhooks::BODY_LIMIT))
        .with_state((Arc::new(parts.webhooks), gate.clone()));
    programs
        // A file as long as history: it is sent as it is read, so nothing may hold it as a whole.
        .route("/api/history/export", get(export::export))
        .merge(login())
        .route("/pkg/{build}/{*file}", get(assets::built))
        .leptos_routes_with_context(&state, generate_route_list(app::App), context.clone(), shell.clone())
        .fallback(assets::public_or_page(context, shell))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .with_state(state)
        .merge(webhooks)
        .layer(RequestBodyTimeoutLayer::new(BODY_TIME))
        .layer(middleware::from_fn_with_state((gate.clone(), parts.tasks), auth::gate))
        .layer(middleware::from_fn_with_state(gate, guard::guard))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn_with_state(parts.metrics, request::identify))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(conditional::weaken))
}
