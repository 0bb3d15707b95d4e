//! Releases: what was deployed, as it is stored.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use release_manager::deployment::Status;
use release_manager::names::{Actor, DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::ports::{DeployedRelease, ReleaseFilter};
use release_manager::release::ServiceVersion;
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::schema;
use super::source::Commit;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::{Cursor, Path, Query, page_length};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReleasesQuery {
    /// Only this environment.
    #[param(value_type = Option<schema::EnvironmentName>)]
    environment: Option<EnvironmentName>,
    /// At most so many.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// Go on behind the page whose `next_cursor` this is; 0 for the newest.
    #[param(value_type = Option<i64>, minimum = 0)]
    cursor: Option<Cursor>,
}

/// A page of releases.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Releases {
    /// Newest first.
    releases: Vec<ReleaseEntry>,
    /// Where the next page begins; `null` on the last one.
    #[schema(value_type = Option<schema::DeploymentId>)]
    next_cursor: Option<DeploymentId>,
}

/// What one deployment was to bring its environment to. Values of variables are not shown: they may be secret.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ReleaseEntry {
    #[schema(value_type = schema::DeploymentId)]
    deployment_id: DeploymentId,
    #[schema(value_type = schema::EnvironmentName)]
    environment: EnvironmentName,
    #[schema(value_type = schema::Status)]
    status: Status,
    #[schema(value_type = schema::Actor)]
    deployed_by: Actor,
    #[schema(value_type = schema::Timestamp)]
    started_at: Timestamp,
    /// `null` while the deployment runs.
    #[schema(value_type = Option<schema::Timestamp>)]
    completed_at: Option<Timestamp>,
    /// The revision that it was made of.
    revision: Option<Commit>,
    /// Every service of the environment.
    #[schema(value_type = BTreeMap<schema::ServiceName, ReleasedService>)]
    services: BTreeMap<ServiceName, ReleasedService>,
}

/// One service of a release.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ReleasedService {
    #[schema(value_type = schema::Version)]
    version: Version,
    /// The image as the Swarm runs it, with the digest where one is known.
    image: String,
}

impl From<ServiceVersion> for ReleasedService {
    fn from(service: ServiceVersion) -> Self {
        Self { version: service.version, image: service.image }
    }
}

impl From<DeployedRelease> for ReleaseEntry {
    fn from(known: DeployedRelease) -> Self {
        let services = known.release.services.into_iter().map(|(name, service)| (name, service.into()));
        Self {
            deployment_id: known.deployment,
            environment: known.environment,
            status: known.status,
            deployed_by: known.actor,
            started_at: known.started_at,
            completed_at: known.ended_at,
            revision: known.release.revision.map(Commit::from),
            services: services.collect(),
        }
    }
}

/// What was deployed, newest first: revision, versions and images.
#[utoipa::path(get, path = "/api/releases", tag = "History", params(ReleasesQuery), responses(
    (status = 200, description = "A page of releases", body = Releases),
    (status = 400, description = "A parameter cannot be used", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn releases(
    State(state): State<AppState>,
    Query(query): Query<ReleasesQuery>,
) -> Result<Json<Releases>, Problem> {
    let limit = page_length(query.limit, 20, 100)?;
    // One more than asked for tells whether there is a next page.
    let filter = ReleaseFilter {
        environment: query.environment,
        before: query.cursor.and_then(Cursor::before).map(DeploymentId),
        limit: limit + 1,
    };
    let mut known = state.manager.releases(&filter).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = known.len() > wanted;
    known.truncate(wanted);
    let next_cursor = known.last().filter(|_| more).map(|last| last.deployment);
    Ok(Json(Releases { releases: known.into_iter().map(ReleaseEntry::from).collect(), next_cursor }))
}

/// The release of one deployment.
#[utoipa::path(get, path = "/api/releases/{id}", tag = "History",
    params(("id" = schema::DeploymentId, Path, description = "The deployment")),
    responses(
        (status = 200, description = "The release", body = ReleaseEntry),
        (status = 404, description = "No such deployment", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn release(
    State(state): State<AppState>,
    Path(id): Path<DeploymentId>,
) -> Result<Json<ReleaseEntry>, Problem> {
    Ok(Json(state.manager.release(id).await?.into()))
}
