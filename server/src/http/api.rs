//! The REST API for programs.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::StatusCode;
use release_manager::deployment::{Deployment, HistoryFilter, HistoryRow, Status};
use release_manager::diff::{ChangeType, ServiceChange};
use release_manager::health::HealthStatus;
use release_manager::live::Live;
use release_manager::names::{Actor, CommitSha, DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::time::Timestamp;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Number, Value, json};

use super::AppState;
use super::error::Problem;

/// `GET /api/status`: what moves, as `/api/events` tells it: the source, the Engine, every environment, and what is
/// wrong with each.
pub(super) async fn status(State(state): State<AppState>) -> Json<Live> {
    let live = state.manager.live().borrow().clone();
    Json(Live::clone(&live))
}

#[derive(Serialize)]
pub(super) struct EnvironmentState {
    commit_sha: Option<CommitSha>,
    deployed_at: Option<Timestamp>,
    services: BTreeMap<ServiceName, Version>,
}

/// `GET /api/environments`
pub(super) async fn environments(
    State(state): State<AppState>,
) -> Result<Json<BTreeMap<EnvironmentName, EnvironmentState>>, Problem> {
    let overview = state.manager.overview().await?;
    let states = overview.environments.into_iter().map(|environment| {
        let (revision, services) =
            environment.release.map(|release| (release.revision, release.services)).unwrap_or_default();
        let state = EnvironmentState {
            commit_sha: revision.map(|revision| revision.sha),
            deployed_at: environment.deployed_at,
            services: services.into_iter().map(|(service, known)| (service, known.version)).collect(),
        };
        (environment.name, state)
    });
    Ok(Json(states.collect()))
}

#[derive(Deserialize)]
pub(super) struct DiffQuery {
    environment: Option<EnvironmentName>,
}

#[derive(Serialize)]
pub(super) struct Diff {
    changes: Vec<Change>,
    commit_range: CommitRange,
}

/// A change with both versions named after their environments: `prod_version`, `preprod_version`.
struct Change {
    of: ServiceChange,
    from: EnvironmentName,
    to: EnvironmentName,
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(4))?;
        fields.serialize_entry("service", &self.of.service)?;
        fields.serialize_entry(&format!("{}_version", self.to), &self.of.from)?;
        fields.serialize_entry(&format!("{}_version", self.from), &self.of.to)?;
        fields.serialize_entry("change_type", &self.of.change_type)?;
        fields.end()
    }
}

#[derive(Serialize)]
struct CommitRange {
    from: Option<CommitSha>,
    to: Option<CommitSha>,
}

/// `GET /api/diff`: of the first environment that is promoted to, or of `?environment=`.
pub(super) async fn diff(
    State(state): State<AppState>,
    query: Result<Query<DiffQuery>, QueryRejection>,
) -> Result<Json<Diff>, Problem> {
    let Query(query) = query?;
    let promoted = state.manager.pipeline().environments().iter().find(|known| known.promotes_from.is_some());
    let target = query.environment.or_else(|| promoted.map(|known| known.name.clone()));
    let target = target
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not-found", "no environment is promoted to".to_owned()))?;
    let comparison = state.manager.compare(&target, None).await?;
    let differing = comparison.changes.into_iter().filter(|known| known.change_type != ChangeType::NoChange);
    let change = |of| Change { of, from: comparison.from.clone(), to: comparison.to.clone() };
    let changes = differing.map(change).collect();
    let commit_range = CommitRange { from: comparison.from_sha, to: comparison.to_sha };
    Ok(Json(Diff { changes, commit_range }))
}

#[derive(Deserialize)]
pub(super) struct HistoryQuery {
    environment: Option<EnvironmentName>,
    service: Option<ServiceName>,
    limit: Option<u32>,
    offset: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct History {
    deployments: Vec<HistoryEntry>,
    total: u64,
    limit: u32,
    offset: u32,
}

#[derive(Serialize)]
struct HistoryEntry {
    id: i64,
    environment: EnvironmentName,
    service_name: ServiceName,
    version: Version,
    status: Status,
    deployed_by: Actor,
    started_at: Timestamp,
    completed_at: Option<Timestamp>,
}

impl From<HistoryRow> for HistoryEntry {
    fn from(row: HistoryRow) -> Self {
        Self {
            id: row.id,
            environment: row.environment,
            service_name: row.service,
            version: row.version,
            status: row.status,
            deployed_by: row.actor,
            started_at: row.started_at,
            completed_at: row.completed_at,
        }
    }
}

/// `GET /api/history`
pub(super) async fn history(
    State(state): State<AppState>,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<History>, Problem> {
    let Query(query) = query?;
    let filter = HistoryFilter {
        environment: query.environment,
        service: query.service,
        deployment: None,
        limit: query.limit.unwrap_or(50).clamp(1, 500),
        offset: query.offset.unwrap_or(0),
    };
    let page = state.manager.history(&filter).await?;
    let deployments = page.rows.into_iter().map(HistoryEntry::from).collect();
    Ok(Json(History { deployments, total: page.total, limit: filter.limit, offset: filter.offset }))
}

#[derive(Serialize)]
pub(super) struct Health {
    status: HealthStatus,
    replicas_running: u64,
    replicas_desired: u64,
    last_checked: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// `GET /api/health`
pub(super) async fn health(
    State(state): State<AppState>,
) -> Json<BTreeMap<EnvironmentName, BTreeMap<ServiceName, Health>>> {
    let live = state.manager.live().borrow().clone();
    let environments = live.environments.iter().map(|(name, environment)| {
        let services = environment.health.services.iter().map(|(service, known)| {
            let health = Health {
                status: known.status,
                replicas_running: known.running,
                replicas_desired: known.desired,
                last_checked: environment.health.checked_at,
                error_message: known.error.clone(),
            };
            (service.clone(), health)
        });
        (name.clone(), services.collect())
    });
    Json(environments.collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeployRequest {
    #[serde(default)]
    confirm: bool,
    services: Option<BTreeSet<ServiceName>>,
    plan_hash: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Accepted {
    deployment_id: DeploymentId,
    status: Status,
    started_at: Timestamp,
}

/// `POST /api/deploy/{environment}`
pub(super) async fn deploy(
    State(state): State<AppState>,
    environment: Result<Path<EnvironmentName>, PathRejection>,
    request: Result<Json<DeployRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let (Path(environment), Json(request)) = (environment?, request?);
    if !request.confirm {
        let detail = "send `\"confirm\": true` to deploy".to_owned();
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-confirmed", detail));
    }
    let actor = Actor::Person("manual".to_owned());
    let seen = request.plan_hash.as_deref();
    let id = state.manager.promote(actor, &environment, request.services, seen).await?;
    let deployment = state.manager.deployment(id).await?.deployment;
    let accepted = Accepted { deployment_id: id, status: deployment.status(), started_at: deployment.started_at };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

#[derive(Serialize)]
pub(super) struct DeploymentState {
    deployment_id: DeploymentId,
    status: Status,
    started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<Number>,
    services_deployed: Vec<DeployedService>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

#[derive(Serialize)]
struct DeployedService {
    name: ServiceName,
    version: Version,
    health_status: HealthStatus,
}

/// `GET /api/deploy/{environment}/{id}`
pub(super) async fn deployment(
    State(state): State<AppState>,
    path: Result<Path<(EnvironmentName, DeploymentId)>, PathRejection>,
) -> Result<Json<DeploymentState>, Problem> {
    let Path((environment, id)) = path?;
    let view = state.manager.deployment(id).await?;
    if view.deployment.environment != environment {
        let detail = format!("deployment {id} is one of `{}`, not of `{environment}`", view.deployment.environment);
        return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", detail));
    }
    let live = state.manager.live().borrow().clone();
    let health = |service: &ServiceName| {
        let known = live.environments.get(&environment).and_then(|known| known.health.services.get(service));
        known.map_or(HealthStatus::Unknown, |known| known.status)
    };
    let services_deployed = view.rows.iter().map(|row| DeployedService {
        name: row.service.clone(),
        version: row.version.clone(),
        health_status: health(&row.service),
    });
    Ok(Json(DeploymentState {
        deployment_id: id,
        status: view.deployment.status(),
        started_at: view.deployment.started_at,
        completed_at: view.deployment.ended.as_ref().map(|(at, _)| *at),
        duration_seconds: duration(&view.deployment),
        services_deployed: services_deployed.collect(),
        error_message: error_message(&view.deployment),
    }))
}

/// Whole seconds as an integer.
fn duration(deployment: &Deployment) -> Option<Number> {
    let (ended, _) = deployment.ended.as_ref()?;
    let millis = (ended.as_millis() - deployment.started_at.as_millis()).max(0);
    if millis % 1000 == 0 {
        return Some(Number::from(millis / 1000));
    }
    Number::from_f64(ended.seconds_since(deployment.started_at))
}

fn error_message(deployment: &Deployment) -> Option<String> {
    let (_, outcome) = deployment.ended.as_ref()?;
    let services = outcome
        .services
        .iter()
        .filter_map(|(service, known)| known.verdict.error_message().map(|message| format!("{service}: {message}")));
    let all: Vec<String> = outcome.error_message.clone().into_iter().chain(services).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// `POST /api/deploy/cancel/{id}`
pub(super) async fn cancel(
    State(state): State<AppState>,
    id: Result<Path<DeploymentId>, PathRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Path(id) = id?;
    state.manager.cancel(Actor::Person("manual".to_owned()), id).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "deployment_id": id, "status": "cancelling" }))))
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "bad-request", rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "bad-request", rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), "bad-request", rejection.body_text())
    }
}
