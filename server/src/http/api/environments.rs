//! What runs, and how it is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use release_manager::live::Live;
use release_manager::names::{CommitSha, EnvironmentName, ServiceName, Version};
use release_manager::time::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;

/// A member for each environment, the last of the pipeline first: what people depend on stands at the top.
pub(in crate::http) struct ByEnvironment<T>(pub(super) Vec<(EnvironmentName, T)>);

impl<T: Serialize> Serialize for ByEnvironment<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// What an environment runs.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct EnvironmentState {
    /// The revision; `null` for a stack that ran before Release Manager first saw it.
    #[schema(value_type = Option<schema::CommitSha>)]
    commit_sha: Option<CommitSha>,
    /// Since when; `null` while nothing is known.
    #[schema(value_type = Option<schema::Timestamp>)]
    deployed_at: Option<Timestamp>,
    /// The version of every service.
    #[schema(value_type = BTreeMap<schema::ServiceName, schema::Version>)]
    services: BTreeMap<ServiceName, Version>,
}

/// Every environment by its name: revision, since when, and the version of every service.
#[utoipa::path(get, path = "/api/environments", tag = "Environments", responses(
    (status = 200, description = "What runs", body = BTreeMap<schema::EnvironmentName, EnvironmentState>),
))]
pub(super) async fn environments(
    State(state): State<AppState>,
) -> Result<Json<ByEnvironment<EnvironmentState>>, Problem> {
    let overview = state.manager.overview().await?;
    let states = overview.environments.into_iter().rev().map(|environment| {
        let (revision, services) =
            environment.release.map(|release| (release.revision, release.services)).unwrap_or_default();
        let state = EnvironmentState {
            commit_sha: revision.map(|revision| revision.sha),
            deployed_at: environment.deployed_at,
            services: services.into_iter().map(|(service, known)| (service, known.version)).collect(),
        };
        (environment.name, state)
    });
    Ok(Json(ByEnvironment(states.collect())))
}

/// Everything that moves, in the words of the core. More members may come.
#[derive(ToSchema)]
#[schema(as = Live)]
#[expect(dead_code, reason = "it describes `release_manager::live::Live`")]
pub(in crate::http) struct LiveSchema {
    /// Grows when history or what is current changes.
    generation: u64,
    source: super::source::SourceState,
    /// Why the Engine cannot be used; `null` while it can.
    engine_problem: Option<super::source::KnownProblem>,
    /// Why nothing is written into the database any more; absent while it can be written.
    #[schema(required = false, nullable = false)]
    database_problem: Option<super::source::KnownProblem>,
    /// By name: `health`, the `deployment` in progress or the one that ended last since the start, the `problem` that
    /// keeps the newest revision from being deployed and what was `examined` to say so, the `hold` that the environment is
    /// under, and what is `watched`.
    #[schema(value_type = BTreeMap<schema::EnvironmentName, BTreeMap<String, Value>>)]
    environments: BTreeMap<String, Value>,
}

/// What moves: the source, the Engine, every environment, the deployment in progress, and what is wrong with each.
#[utoipa::path(get, path = "/api/status", tag = "Environments", responses(
    (status = 200, description = "What moves", body = LiveSchema),
))]
pub(super) async fn status(State(state): State<AppState>, caller: Caller) -> Json<Live> {
    let live = state.manager.live().borrow().clone();
    Json(caller.principal().shown(Live::clone(&live)))
}
