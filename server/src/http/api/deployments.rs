//! Deployments: ordering one, following it, stopping it.

use std::collections::BTreeSet;

use axum::extract::State;
use http::StatusCode;
use release_manager::access::Operation;
use release_manager::deployment::{Deployment, HistoryRow, Status, Step};
use release_manager::health::HealthStatus;
use release_manager::live::{Progress, StepState};
use release_manager::names::{Actor, CommitSha, DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::time::Timestamp;
use release_manager::views::DeploymentView;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};
use utoipa::ToSchema;

use super::schema;
use crate::http::AppState;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Json, Path, confirmed};

/// An order to promote.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DeployRequest {
    #[serde(default)]
    #[schema(value_type = schema::Confirmed, required)]
    confirm: bool,
    /// Only these services; all if it is left out.
    #[schema(value_type = Option<Vec<schema::ServiceName>>, min_items = 1)]
    services: Option<BTreeSet<ServiceName>>,
    /// Only if the plan is still the one of this hash.
    plan_hash: Option<String>,
}

/// The answer to an order that begins a deployment.
pub(super) type Begun = Result<(StatusCode, axum::Json<Accepted>), Problem>;

/// A deployment that was accepted.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Accepted {
    #[schema(value_type = schema::DeploymentId)]
    deployment_id: DeploymentId,
    #[schema(value_type = schema::Status)]
    status: Status,
    #[schema(value_type = schema::Timestamp)]
    started_at: Timestamp,
}

impl Accepted {
    /// What is answered to an order that has begun a deployment.
    pub(in crate::http) async fn answer(state: &AppState, id: DeploymentId) -> Begun {
        let deployment = state.manager.deployment(id).await?.deployment;
        let accepted = Self { deployment_id: id, status: deployment.status(), started_at: deployment.started_at };
        Ok((StatusCode::ACCEPTED, axum::Json(accepted)))
    }
}

/// Promotes what the environment before has proved: everything, or chosen services.
#[utoipa::path(post, path = "/api/deploy/{environment}", tag = "Promotion",
    params(
        ("environment" = schema::EnvironmentName, Path, description = "Where the release goes", example = "prod"),
    ),
    request_body = DeployRequest,
    responses(
        (status = 202, description = "It has begun", body = Accepted),
        (status = 404, description = "No such environment or service", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another deployment runs, the plan has changed, or nothing would change", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not confirmed, or the plan cannot work", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn deploy(
    State(state): State<AppState>,
    caller: Caller,
    Path(environment): Path<EnvironmentName>,
    Json(request): Json<DeployRequest>,
) -> Begun {
    let actor = caller.order(Operation::Promote, &environment)?;
    confirmed(request.confirm, "deploy")?;
    let seen = request.plan_hash.as_deref();
    let id = state.manager.promote(actor, &environment, request.services, seen).await?;
    caller.trail().detail(&format_args!("deployment {id}"));
    Accepted::answer(&state, id).await
}

/// One deployment.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DeploymentState {
    #[schema(value_type = schema::DeploymentId)]
    deployment_id: DeploymentId,
    #[schema(value_type = schema::Status)]
    status: Status,
    #[schema(value_type = schema::Timestamp)]
    started_at: Timestamp,
    /// When it ended; left out while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Timestamp>)]
    completed_at: Option<Timestamp>,
    /// How long it took; left out while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    duration_seconds: Option<Number>,
    services_deployed: Vec<DeployedService>,
    /// Why it did not succeed; left out where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// One service of a deployment.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DeployedService {
    #[schema(value_type = schema::ServiceName)]
    name: ServiceName,
    /// The version that it was to get.
    #[schema(value_type = schema::Version)]
    version: Version,
    /// How it is now.
    #[schema(value_type = schema::HealthStatus)]
    health_status: HealthStatus,
}

/// Where a deployment of an environment stands.
#[utoipa::path(get, path = "/api/deploy/{environment}/{id}", tag = "Deployments",
    params(
        ("environment" = schema::EnvironmentName, Path, description = "The environment", example = "prod"),
        ("id" = schema::DeploymentId, Path, description = "The deployment"),
    ),
    responses(
        (status = 200, description = "Where it stands", body = DeploymentState),
        (status = 404, description = "No such deployment there", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn deployment(
    State(state): State<AppState>,
    Path((environment, id)): Path<(EnvironmentName, DeploymentId)>,
) -> Result<axum::Json<DeploymentState>, Problem> {
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
    Ok(axum::Json(DeploymentState {
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

/// One deployment with everything that is known of it.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Details {
    #[schema(value_type = schema::DeploymentId)]
    deployment_id: DeploymentId,
    #[schema(value_type = schema::EnvironmentName)]
    environment: EnvironmentName,
    #[schema(value_type = schema::Status)]
    status: Status,
    /// Why it was started: `kind` is `sync`, `promotion` (with `from`), `rollback` (with `to`), `retry` (with `of`),
    /// `restart` (with `service`), `return` (with `from`) or another word to come.
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    cause: Value,
    #[schema(value_type = schema::Actor)]
    deployed_by: Actor,
    /// The revision of its release.
    #[schema(value_type = Option<schema::CommitSha>)]
    commit_sha: Option<CommitSha>,
    #[schema(value_type = schema::Timestamp)]
    started_at: Timestamp,
    #[schema(value_type = Option<schema::Timestamp>)]
    completed_at: Option<Timestamp>,
    #[schema(value_type = Option<f64>)]
    duration_seconds: Option<Number>,
    /// Why it did not succeed.
    error_message: Option<String>,
    /// What a person should know besides the verdicts.
    notes: Vec<String>,
    /// How far each step is; empty once it is over and this process has not run it.
    steps: Vec<StepProgress>,
    services: Vec<ServiceReport>,
}

/// A step of a deployment.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct StepProgress {
    #[schema(value_type = schema::Step)]
    step: Step,
    #[schema(value_type = schema::StepState)]
    state: StepState,
}

/// What became of one service, and why.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ServiceReport {
    /// The number of its row in history: a rollback names it.
    deployment_history_id: i64,
    #[schema(value_type = schema::ServiceName)]
    service: ServiceName,
    /// The version before.
    #[schema(value_type = Option<schema::Version>)]
    from: Option<Version>,
    /// The version that it was to get.
    #[schema(value_type = schema::Version)]
    version: Version,
    #[schema(value_type = schema::Status)]
    status: Status,
    /// The verdict's word, such as `succeeded`, `rolled_back` or `failed`; `null` while there is none.
    verdict: Option<String>,
    /// What is wrong or waited for, in words.
    message: Option<String>,
    /// Where it is while the deployment runs, such as `updating` or `verifying`.
    phase: Option<String>,
    /// `2/3 running`, as last seen.
    tasks: Option<String>,
    /// The first task that failed: its id, node, state, error and exit code.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Value>>)]
    failing_task: Option<Value>,
    /// The last log lines of that task, oldest first; none for who may not read logs there.
    log_lines: Vec<String>,
}

impl ServiceReport {
    fn of(row: HistoryRow, progress: Option<&Progress>) -> Self {
        let moving = progress.and_then(|progress| progress.services.get(&row.service));
        let message = row.verdict.as_ref().and_then(release_manager::deployment::Verdict::error_message);
        let evidence = row.evidence.unwrap_or_default();
        let tasks = match moving {
            Some(moving) if evidence.tasks.is_empty() => Some(format!("{}/{} running", moving.running, moving.desired)),
            _ => (!evidence.tasks.is_empty()).then_some(evidence.tasks),
        };
        Self {
            deployment_history_id: row.id,
            service: row.service,
            from: row.from,
            version: row.version,
            status: row.status,
            verdict: row.verdict.as_ref().and_then(|verdict| word(verdict, "verdict")),
            message: message.or_else(|| moving.and_then(|moving| moving.message.clone())),
            phase: moving.and_then(|moving| word(&moving.phase, "phase")),
            tasks,
            failing_task: evidence.failing_task.map(|task| json!(task)),
            log_lines: evidence.log_lines,
        }
    }
}

/// The word that tells a value of the core's apart.
fn word(of: &impl Serialize, tag: &str) -> Option<String> {
    json!(of).get(tag).and_then(Value::as_str).map(str::to_owned)
}

impl From<DeploymentView> for Details {
    fn from(view: DeploymentView) -> Self {
        let DeploymentView { deployment, rows, progress, .. } = view;
        let steps = progress.iter().flat_map(|progress| &progress.steps);
        Self {
            deployment_id: deployment.id,
            status: deployment.status(),
            cause: json!(deployment.cause),
            completed_at: deployment.ended.as_ref().map(|(at, _)| *at),
            duration_seconds: duration(&deployment),
            error_message: error_message(&deployment),
            steps: steps.map(|(step, state)| StepProgress { step: *step, state: *state }).collect(),
            services: rows.into_iter().map(|row| ServiceReport::of(row, progress.as_ref())).collect(),
            notes: deployment.notes,
            environment: deployment.environment,
            deployed_by: deployment.actor,
            commit_sha: deployment.commit_sha,
            started_at: deployment.started_at,
        }
    }
}

/// One deployment with its steps, and for every service the verdict and its evidence.
#[utoipa::path(get, path = "/api/deployments/{id}", tag = "Deployments",
    params(("id" = schema::DeploymentId, Path, description = "The deployment")),
    responses(
        (status = 200, description = "Everything that is known of it", body = Details),
        (status = 404, description = "No such deployment", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn details(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<DeploymentId>,
) -> Result<axum::Json<Details>, Problem> {
    let view = state.manager.deployment(id).await?;
    Ok(axum::Json(caller.principal().shown(view).into()))
}
