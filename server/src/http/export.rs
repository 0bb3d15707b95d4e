//! `GET /api/history/export`: history as a file, as long as it is. It is read and sent page by page, so that a million
//! rows need no more memory than a few hundred.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use release_manager::deployment::{CauseKind, HistoryFilter, HistoryRow, Status, Verdict};
use release_manager::manager::Manager;
use release_manager::names::{Actor, CommitSha, DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::error;
use utoipa::{IntoParams, ToSchema};

use super::api::schema;
use super::error::Problem;
use super::extract::Query;
use super::{AppState, csv};

const PAGE: u32 = 500;
const DAY_MILLIS: i64 = 86_400_000;

/// What the file is to hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// The form of the file.
    #[param(value_type = String, pattern = "^(csv|json)$", example = "csv")]
    format: Format,
    /// Only this environment.
    #[param(value_type = Option<schema::EnvironmentName>)]
    environment: Option<EnvironmentName>,
    /// Only this service.
    #[param(value_type = Option<schema::ServiceName>)]
    service: Option<ServiceName>,
    /// Only deployments that ended so.
    #[param(value_type = Option<schema::Status>)]
    status: Option<Status>,
    /// Only deployments that were started so.
    #[param(value_type = Option<schema::CauseKind>)]
    cause: Option<CauseKind>,
    /// Only what this one ordered.
    #[param(value_type = Option<String>, example = "ada")]
    actor: Option<Actor>,
    /// The first day, in UTC.
    #[param(value_type = Option<schema::Day>)]
    from: Option<Day>,
    /// The last day, in UTC.
    #[param(value_type = Option<schema::Day>)]
    to: Option<Day>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Json,
}

/// A day in UTC, as `2025-10-31`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Day(Timestamp);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(raw: String) -> Result<Self, String> {
        let begin = (raw.len() == 10).then(|| format!("{raw}T00:00:00Z").parse().ok()).flatten();
        begin.map(Self).ok_or_else(|| format!("`{raw}` is no day: write it as 2025-10-31"))
    }
}

impl ExportQuery {
    fn filter(&self) -> HistoryFilter {
        HistoryFilter {
            environment: self.environment.clone(),
            service: self.service.clone(),
            status: self.status,
            cause: self.cause,
            actor: self.actor.clone(),
            since: self.from.map(|day| day.0),
            until: self.to.map(|day| Timestamp::from_millis(day.0.as_millis() + DAY_MILLIS)),
            limit: PAGE,
            ..HistoryFilter::default()
        }
    }
}

/// All of history as a file, newest first: one line for each service of each deployment.
#[utoipa::path(get, path = "/api/history/export", tag = "History", params(ExportQuery), responses(
    (status = 200, description = "The file", content(
        (String = "text/csv; charset=utf-8"),
        (Vec<ExportedRow> = "application/json"),
    )),
    (status = 400, description = "A parameter cannot be used", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn export(
    State(state): State<AppState>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let writing = Writing {
        manager: Arc::clone(&state.manager),
        filter: query.filter(),
        format: query.format,
        place: Place::Begin,
    };
    // The first page is asked for before anything is sent, so that a refusal can still be one.
    let (first, next) = writing.step().await?;
    let rest = stream::unfold(next, |writing| async move {
        let writing = writing?;
        match writing.step().await {
            Ok((bytes, next)) => Some((bytes, next)),
            Err(problem) => {
                error!(?problem, "An export of history breaks off");
                None
            }
        }
    });
    // Compression asks once more after the end.
    let body = stream::once(async { first }).chain(rest).map(Ok::<_, Infallible>).fuse();
    let body = Body::from_stream(body);
    let (kind, name) = match query.format {
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"history.csv\""),
        Format::Json => ("application/json", "attachment; filename=\"history.json\""),
    };
    Ok((StatusCode::OK, [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], body).into_response())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Begin,
    Middle,
}

/// A file that is half written.
struct Writing {
    manager: Arc<Manager>,
    filter: HistoryFilter,
    format: Format,
    place: Place,
}

impl Writing {
    /// The next piece, and what is left after it.
    async fn step(mut self) -> Result<(Bytes, Option<Self>), Problem> {
        let page = self.manager.history(&self.filter).await?;
        let text = match self.format {
            Format::Csv => table(&page.rows, self.place),
            Format::Json => json_text(&page.rows, self.place, page.more),
        };
        self.filter.before = page.rows.last().map(|row| row.id);
        self.place = Place::Middle;
        Ok((Bytes::from(text), page.more.then_some(self)))
    }
}

/// What one deployment did to one service.
#[derive(Serialize, ToSchema)]
pub(super) struct ExportedRow<'a> {
    id: i64,
    #[schema(value_type = schema::DeploymentId)]
    deployment_id: DeploymentId,
    #[schema(value_type = schema::EnvironmentName)]
    environment: &'a EnvironmentName,
    #[schema(value_type = schema::ServiceName)]
    service_name: &'a ServiceName,
    #[schema(value_type = schema::Version)]
    version: &'a Version,
    /// `null` where the service was new.
    #[schema(value_type = Option<schema::Version>)]
    version_before: Option<&'a Version>,
    #[schema(value_type = schema::Status)]
    status: Status,
    #[schema(value_type = schema::Actor)]
    deployed_by: &'a Actor,
    /// `null` where no revision is known.
    #[schema(value_type = Option<schema::CommitSha>)]
    commit_sha: Option<&'a CommitSha>,
    #[schema(value_type = schema::Timestamp)]
    started_at: Timestamp,
    /// `null` while it runs.
    #[schema(value_type = Option<schema::Timestamp>)]
    completed_at: Option<Timestamp>,
    /// Why it did not succeed.
    error_message: Option<String>,
}

impl<'a> From<&'a HistoryRow> for ExportedRow<'a> {
    fn from(row: &'a HistoryRow) -> Self {
        Self {
            id: row.id,
            deployment_id: row.deployment,
            environment: &row.environment,
            service_name: &row.service,
            version: &row.version,
            version_before: row.from.as_ref(),
            status: row.status,
            deployed_by: &row.actor,
            commit_sha: row.commit_sha.as_ref(),
            started_at: row.started_at,
            completed_at: row.completed_at,
            error_message: row.verdict.as_ref().and_then(Verdict::error_message),
        }
    }
}

const COLUMNS: &str = "id,deployment_id,environment,service,version,version_before,status,deployed_by,commit_sha,\
                       started_at,completed_at,error_message\r\n";

fn table(rows: &[HistoryRow], place: Place) -> String {
    let mut text = if place == Place::Begin { COLUMNS.to_owned() } else { String::new() };
    for row in rows {
        let optional = |value: Option<String>| value.unwrap_or_default();
        let cells = [
            row.id.to_string(),
            row.deployment.to_string(),
            row.environment.to_string(),
            row.service.to_string(),
            row.version.to_string(),
            optional(row.from.as_ref().map(ToString::to_string)),
            row.status.as_str().to_owned(),
            row.actor.to_string(),
            optional(row.commit_sha.as_ref().map(ToString::to_string)),
            row.started_at.to_string(),
            optional(row.completed_at.map(|at| at.to_string())),
            optional(row.verdict.as_ref().and_then(Verdict::error_message)),
        ];
        text.push_str(&csv::line(&cells));
    }
    text
}

fn json_text(rows: &[HistoryRow], place: Place, more: bool) -> String {
    let mut text = if place == Place::Begin { "[\n".to_owned() } else { String::new() };
    for (index, row) in rows.iter().enumerate() {
        text.push_str(&json!(ExportedRow::from(row)).to_string());
        text.push_str(if more || index + 1 < rows.len() { ",\n" } else { "\n" });
    }
    if !more {
        text.push_str("]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn row(id: i64, actor: &str) -> HistoryRow {
        HistoryRow {
            id,
            deployment: DeploymentId(1),
            environment: "prod".parse().unwrap(),
            service: "web".parse().unwrap(),
            version: "1".parse().unwrap(),
            from: None,
            commit_sha: None,
            status: Status::Success,
            actor: actor.to_owned().into(),
            verdict: None,
            evidence: None,
            started_at: Timestamp::from_millis(0),
            completed_at: None,
            after: None,
        }
    }

    #[test]
    fn pages_make_one_file() {
        let rows = [row(3, "ada"), row(2, "ada")];
        let text = json_text(&rows, Place::Begin, true) + &json_text(&[row(1, "ada")], Place::Middle, false);
        assert_eq!(serde_json::from_str::<Vec<Value>>(&text).unwrap().len(), 3);
        assert_eq!(json_text(&[], Place::Begin, false), "[\n]\n");
        let text = table(&rows, Place::Begin) + &table(&[row(1, "ada")], Place::Middle);
        assert_eq!(text.lines().count(), 4);
        assert!(text.starts_with("id,deployment_id,") && text.ends_with("1970-01-01T00:00:00Z,,\r\n"), "{text}");
    }
}
