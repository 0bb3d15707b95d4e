//! The REST API for programs. A handler takes out of the request what it needs, asks the manager, and puts the answer into
//! the shape that is promised. Every route is registered together with its description, so that neither is without the
//! other: see `docs/decisions/0008-orders-once.md` and [`super::openapi`].

mod deployments;
mod environments;
mod history;
mod holds;
mod logs;
mod orders;
mod plans;
mod releases;
mod rollback;
pub(super) mod schema;
mod source;
mod watched;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;

pub(super) use plans::Planned;

/// Every operation of the API.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(environments::environments))
        .routes(routes!(watched::health))
        .routes(routes!(watched::health_of_service))
        .routes(routes!(watched::drift))
        .routes(routes!(logs::logs))
        .routes(routes!(environments::status))
        .routes(routes!(super::events::events))
        .routes(routes!(plans::diff))
        .routes(routes!(plans::plan))
        .routes(routes!(deployments::deploy))
        .routes(routes!(deployments::deployment))
        .routes(routes!(orders::cancel))
        .routes(routes!(rollback::roll_back, rollback::plan_rollback))
        .routes(routes!(holds::hold))
        .routes(routes!(holds::resume))
        .routes(routes!(orders::sync_environment))
        .routes(routes!(orders::retry))
        .routes(routes!(orders::restart))
        .routes(routes!(deployments::details))
        .routes(routes!(history::history))
        .routes(routes!(releases::releases))
        .routes(routes!(releases::release))
        .routes(routes!(source::source))
        .routes(routes!(source::sync))
}
