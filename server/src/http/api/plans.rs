//! What a promotion would change, before it is ordered.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use release_manager::diff::{ChangeType, FieldChange, Finding, ServiceChange};
use release_manager::names::{CommitSha, EnvironmentName, ServiceName, Version};
use release_manager::views::{Comparison, PlannedAction};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use utoipa::openapi::schema::{AdditionalProperties, Schema, Type};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::schema;
use super::watched::Soak;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::{Path, Query};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// Another environment than the first that is promoted to.
    #[param(value_type = Option<schema::EnvironmentName>, example = "prod")]
    environment: Option<EnvironmentName>,
}

/// How an environment differs from the one that it is promoted from.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Diff {
    /// Every service that differs.
    changes: Vec<Change>,
    commit_range: CommitRange,
}

/// A change with both versions named after their environments: `prod_version`, `preprod_version`.
pub(in crate::http) struct Change {
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

impl PartialSchema for Change {
    fn schema() -> RefOr<Schema> {
        let version = ObjectBuilder::new()
            .schema_type([Type::String, Type::Null].into_iter().collect::<utoipa::openapi::schema::SchemaType>())
            .description(Some("The version there; `null` where the environment does not have the service."))
            .build();
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("A service that differs. Both versions are named after their environments."))
            .property("service", Ref::from_schema_name("ServiceName"))
            .required("service")
            .property("change_type", Ref::from_schema_name("ChangeType"))
            .required("change_type")
            .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(Schema::Object(version)))))
            .examples([json!({
                "service": "jellyfin",
                "prod_version": "2025040803",
                "preprod_version": "2025040900",
                "change_type": "version_bump"
            })])
            .into()
    }
}

impl ToSchema for Change {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("ServiceName".to_owned(), schema::ServiceName::schema()));
        schemas.push(("ChangeType".to_owned(), schema::ChangeType::schema()));
    }
}

/// The revision that runs, and the one that would.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct CommitRange {
    #[schema(value_type = Option<schema::CommitSha>)]
    from: Option<CommitSha>,
    #[schema(value_type = Option<schema::CommitSha>)]
    to: Option<CommitSha>,
}

/// What the environment before has proved and this one does not run.
#[utoipa::path(get, path = "/api/diff", tag = "Promotion", params(DiffQuery), responses(
    (status = 200, description = "The services that differ", body = Diff),
    (status = 404, description = "No such environment, or none that is promoted to", body = Problem,
        content_type = "application/problem+json"),
))]
pub(super) async fn diff(State(state): State<AppState>, Query(query): Query<DiffQuery>) -> Result<Json<Diff>, Problem> {
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

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PlanQuery {
    /// Only these services, separated by commas; all if it is left out.
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,63}(,[A-Za-z0-9._-]{1,63})*$", example = "jellyfin,pihole")]
    services: Option<String>,
}

/// What a promotion or a rollback would do.
#[derive(Serialize, ToSchema)]
#[schema(as = Plan)]
pub(in crate::http) struct Planned {
    /// Where the release would go.
    #[schema(value_type = schema::EnvironmentName)]
    environment: EnvironmentName,
    /// Where it would come from.
    #[schema(value_type = schema::EnvironmentName)]
    promotes_from: EnvironmentName,
    commit_range: CommitRange,
    /// Every service of either side.
    services: Vec<PlannedService>,
    /// What forbids it.
    blockers: Vec<Found>,
    /// What a person should know.
    warnings: Vec<Found>,
    /// Names exactly this plan; `null` where none could be made, and then `blockers` say why. An order that carries it
    /// is refused once anything has changed.
    plan_hash: Option<String>,
}

/// One service in a plan.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PlannedService {
    #[schema(value_type = schema::ServiceName)]
    service: ServiceName,
    /// What runs now.
    #[schema(value_type = Option<schema::Version>)]
    from: Option<Version>,
    /// What would run.
    #[schema(value_type = Option<schema::Version>)]
    to: Option<Version>,
    #[schema(value_type = schema::ChangeType)]
    change_type: ChangeType,
    /// `create`, `update`, `remove`, or `watch` for what is live and has not succeeded so far; `null` where nothing would
    /// be done.
    action: Option<String>,
    /// Why.
    reason: Option<String>,
    /// The fields of its spec that differ.
    fields: Vec<SpecChange>,
    /// How the version has stood where it would come from; `null` where it does not run there, and in a rollback.
    soak: Option<Soak>,
}

/// One field of a spec that differs. Values that may be secret are left out.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SpecChange {
    /// `TaskTemplate.ContainerSpec.Image`
    field: String,
    from: Option<String>,
    to: Option<String>,
}

/// Something that was found before anything was written.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Found {
    /// The service that it concerns; `null` where it concerns the whole stack.
    #[schema(value_type = Option<schema::ServiceName>)]
    service: Option<ServiceName>,
    /// What it is and what to do.
    message: String,
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self { service: finding.service, message: finding.message }
    }
}

impl From<FieldChange> for SpecChange {
    fn from(change: FieldChange) -> Self {
        Self { field: change.field, from: change.from, to: change.to }
    }
}

impl From<Comparison> for Planned {
    fn from(mut comparison: Comparison) -> Self {
        let services = comparison.changes.into_iter().map(|change| {
            let action = comparison.actions.remove(&change.service);
            let (verb, reason, fields) = match action {
                Some(PlannedAction { verb, reason, fields }) => (Some(verb), Some(reason), fields),
                None => (None, None, Vec::new()),
            };
            let soak = comparison.soak.remove(&change.service).map(Soak::from);
            PlannedService {
                service: change.service,
                from: change.from,
                to: change.to,
                change_type: change.change_type,
                action: verb,
                reason,
                fields: fields.into_iter().map(SpecChange::from).collect(),
                soak,
            }
        });
        Self {
            services: services.collect(),
            environment: comparison.to,
            promotes_from: comparison.from,
            commit_range: CommitRange { from: comparison.from_sha, to: comparison.to_sha },
            blockers: comparison.blockers.into_iter().map(Found::from).collect(),
            warnings: comparison.warnings.into_iter().map(Found::from).collect(),
            plan_hash: comparison.plan_hash,
        }
    }
}

/// What a promotion would do to each service, why, and whether it can work. Nothing is written.
#[utoipa::path(get, path = "/api/plan/{environment}", tag = "Promotion",
    params(("environment" = schema::EnvironmentName, Path, description = "Where the release would go", example = "prod"), PlanQuery),
    responses(
        (status = 200, description = "The plan", body = Planned),
        (status = 404, description = "No such environment or service", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn plan(
    State(state): State<AppState>,
    Path(environment): Path<EnvironmentName>,
    Query(query): Query<PlanQuery>,
) -> Result<Json<Planned>, Problem> {
    let services = query.services.as_deref().map(chosen).transpose()?;
    Ok(Json(state.manager.compare(&environment, services.as_ref()).await?.into()))
}

/// Names separated by commas. Nothing chosen never means everything.
pub(super) fn chosen(names: &str) -> Result<BTreeSet<ServiceName>, Problem> {
    names
        .split(',')
        .map(|name| name.trim().parse::<ServiceName>())
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad-request", format!("`services`: {error}")))
}
