//! How services are, how versions have stood, and what somebody else has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use release_manager::deployment::TaskEvidence;
use release_manager::health::{HealthStatus, ServiceDetails, ServiceHealth, TaskView};
use release_manager::manager::ManagerError;
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::pipeline::OnDrift;
use release_manager::ports::Clock;
use release_manager::time::Timestamp;
use release_manager::watched::ServiceDrift;
use serde::Serialize;
use utoipa::ToSchema;

use super::environments::ByEnvironment;
use super::plans::SpecChange;
use super::schema;
use crate::SystemClock;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::Path;

/// How a service is.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Health {
    #[schema(value_type = schema::HealthStatus)]
    status: HealthStatus,
    /// Tasks that run on nodes that answer.
    replicas_running: u64,
    /// Tasks that should run.
    replicas_desired: u64,
    /// When the Swarm last answered; `null` while it never has.
    #[schema(value_type = Option<schema::Timestamp>)]
    last_checked: Option<Timestamp>,
    /// The newest error of a task without a running successor, or why the status is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

impl Health {
    fn new(health: &ServiceHealth, last_checked: Option<Timestamp>) -> Self {
        Self {
            status: health.status,
            replicas_running: health.running,
            replicas_desired: health.desired,
            last_checked,
            error_message: health.error.clone(),
        }
    }
}

/// How a service is, task by task.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct HealthDetails {
    #[serde(flatten)]
    health: Health,
    /// How old this knowledge is; `null` while there is none.
    age_seconds: Option<u64>,
    /// The image in the live spec.
    image: String,
    /// Since when the oldest running task runs.
    #[schema(value_type = Option<schema::Timestamp>)]
    running_since: Option<Timestamp>,
    uptime_seconds: Option<u64>,
    /// Tasks that ended by themselves within the last hour and were started anew.
    restarts_last_hour: u64,
    /// Tasks that are said to run on nodes that do not answer: nobody knows whether they do.
    replicas_unreachable: u64,
    /// The host names of the nodes that its tasks are meant to run on.
    nodes: Vec<String>,
    /// The newest errors of its tasks, newest first.
    last_errors: Vec<TaskError>,
    /// Its tasks: those that are meant to run first, then the newest of the others.
    tasks: Vec<ObservedTask>,
}

/// A task that ended with an error.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TaskError {
    /// When; `null` where the Engine does not say.
    #[schema(value_type = Option<schema::Timestamp>)]
    at: Option<Timestamp>,
    /// The Engine's id.
    task: String,
    node: Option<String>,
    /// The Engine's word for its state.
    state: String,
    error: Option<String>,
    exit_code: Option<i64>,
}

impl TaskError {
    fn new(at: Option<Timestamp>, evidence: TaskEvidence) -> Self {
        let TaskEvidence { task, node, state, error, exit_code } = evidence;
        Self { at, task, node, state, error, exit_code }
    }
}

/// A task as the Swarm shows it.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ObservedTask {
    /// The Engine's id.
    id: String,
    /// `null` for global services and jobs.
    slot: Option<u64>,
    node: Option<String>,
    /// Whether that node answers, so that the state can be believed.
    node_answers: bool,
    /// The Engine's word for its state.
    state: String,
    /// The Engine's word for what it should be.
    desired_state: String,
    #[schema(value_type = Option<schema::Timestamp>)]
    since: Option<Timestamp>,
    /// Whether it is made from the current spec.
    current: bool,
    error: Option<String>,
    exit_code: Option<i64>,
}

impl From<TaskView> for ObservedTask {
    fn from(task: TaskView) -> Self {
        let TaskView { id, slot, node, node_answers, state, desired_state, since, current, error, exit_code } = task;
        Self { id, slot, node, node_answers, state, desired_state, since, current, error, exit_code }
    }
}

impl HealthDetails {
    fn new(known: &ServiceHealth, checked: Option<Timestamp>, now: Timestamp, details: ServiceDetails) -> Self {
        let passed = |since: Option<Timestamp>| since.map(|since| whole_seconds(now.seconds_since(since)));
        let running = details.tasks.iter().filter(|task| task.desired_state == "running");
        let mut nodes: Vec<String> = running.filter_map(|task| task.node.clone()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Self {
            health: Health::new(known, checked),
            age_seconds: passed(checked),
            image: known.image.clone(),
            running_since: known.running_since,
            uptime_seconds: passed(known.running_since),
            restarts_last_hour: known.restarts,
            replicas_unreachable: known.unreachable,
            nodes,
            last_errors: details.last_errors.into_iter().map(|end| TaskError::new(end.at, end.task)).collect(),
            tasks: details.tasks.into_iter().map(ObservedTask::from).collect(),
        }
    }
}

fn whole_seconds(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(0, |length| length.as_secs())
}

type HealthByService = BTreeMap<ServiceName, Health>;

/// Every service of every environment: how it is, and as of when that is known.
#[utoipa::path(get, path = "/api/health", tag = "Environments", responses(
    (status = 200, description = "How services are",
        body = BTreeMap<schema::EnvironmentName, BTreeMap<schema::ServiceName, Health>>),
))]
pub(super) async fn health(State(state): State<AppState>) -> Json<ByEnvironment<HealthByService>> {
    let live = state.manager.live().borrow().clone();
    let names = state.manager.pipeline().environments().iter().rev().map(|environment| &environment.name);
    let environments = names.filter_map(|name| {
        let health = &live.environments.get(name)?.health;
        let services = health.services.iter();
        let services = services.map(|(service, known)| (service.clone(), Health::new(known, health.checked_at)));
        Some((name.clone(), services.collect()))
    });
    Json(ByEnvironment(environments.collect()))
}

/// One service, task by task.
#[utoipa::path(get, path = "/api/health/{environment}/{service}", tag = "Environments",
    params(
        ("environment" = schema::EnvironmentName, Path, description = "The environment", example = "prod"),
        ("service" = schema::ServiceName, Path, description = "The service", example = "jellyfin"),
    ),
    responses(
        (status = 200, description = "How it is, with tasks, nodes, restarts and last errors", body = HealthDetails),
        (status = 404, description = "No such environment, or no such service runs there", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn health_of_service(
    State(state): State<AppState>,
    Path((environment, service)): Path<(EnvironmentName, ServiceName)>,
) -> Result<Json<HealthDetails>, Problem> {
    let live = state.manager.live().borrow().clone();
    let known = live.environments.get(&environment);
    let known = known.ok_or_else(|| ManagerError::UnknownEnvironment(environment.clone()))?;
    let Some(health) = known.health.services.get(&service) else {
        return Err(ManagerError::NotRunning { service, environment }.into());
    };
    let details = state.manager.details(&environment).remove(&service).unwrap_or_default();
    Ok(Json(HealthDetails::new(health, known.health.checked_at, SystemClock.now(), details)))
}

/// How a version has stood since it came to an environment.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Soak {
    /// The image that runs.
    image: String,
    /// Since when it was seen.
    #[schema(value_type = schema::Timestamp)]
    since: Timestamp,
    /// Tasks that ended by themselves and were started anew.
    restarts: u64,
    /// Those of them that failed by their own fault.
    failed_tasks: u64,
    /// The newest of them.
    last_failure: Option<TaskError>,
}

impl From<release_manager::watched::Soak> for Soak {
    fn from(soak: release_manager::watched::Soak) -> Self {
        let release_manager::watched::Soak { image, since, restarts, failed_tasks, last_failure } = soak;
        let last_failure = last_failure.map(|task| TaskError::new(None, task));
        Self { image, since, restarts, failed_tasks, last_failure }
    }
}

/// What somebody else has changed in an environment.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct EnvironmentDrift {
    /// What the environment does about it: `report` or `heal`.
    #[schema(value_type = String)]
    on_drift: OnDrift,
    /// As of when that is known; `null` while nobody has looked, or nothing was ever deployed here.
    #[schema(value_type = Option<schema::Timestamp>)]
    checked_at: Option<Timestamp>,
    /// Why it is not brought back although the environment heals.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_healed: Option<String>,
    /// The services that are not as they were deployed.
    #[schema(value_type = BTreeMap<schema::ServiceName, Drifted>)]
    services: BTreeMap<ServiceName, Drifted>,
}

/// How one live service differs from its release.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Drifted {
    /// `changed`: somebody has changed its spec. `missing`: somebody has removed it. `foreign`: it carries the stack's
    /// label, and no release has it.
    kind: String,
    /// The fields that differ: `from` is live, `to` is the release.
    fields: Vec<SpecChange>,
}

impl From<ServiceDrift> for Drifted {
    fn from(drift: ServiceDrift) -> Self {
        let (kind, fields) = match drift {
            ServiceDrift::Changed { fields } => ("changed", fields),
            ServiceDrift::Missing => ("missing", Vec::new()),
            ServiceDrift::Foreign => ("foreign", Vec::new()),
        };
        Self { kind: kind.to_owned(), fields: fields.into_iter().map(SpecChange::from).collect() }
    }
}

/// How live services differ from the release that was deployed last. Values that may be secret are not shown.
#[utoipa::path(get, path = "/api/drift", tag = "Environments", responses(
    (status = 200, description = "What somebody else has changed", body = BTreeMap<schema::EnvironmentName, EnvironmentDrift>),
))]
pub(super) async fn drift(State(state): State<AppState>) -> Json<BTreeMap<EnvironmentName, EnvironmentDrift>> {
    let live = state.manager.live().borrow().clone();
    let environments = state.manager.pipeline().environments().iter().map(|environment| {
        let found = live.environments.get(&environment.name).map(|known| known.watched.drift.clone());
        let found = found.unwrap_or_default();
        let drift = EnvironmentDrift {
            on_drift: environment.on_drift,
            checked_at: found.checked_at,
            not_healed: found.not_healed,
            services: found.services.into_iter().map(|(service, drift)| (service, drift.into())).collect(),
        };
        (environment.name.clone(), drift)
    });
    Json(environments.collect())
}
