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
use release_manager::names::{Actor, EnvironmentName, ServiceName};
use release_manager::time::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tracing::error;

use super::AppState;
use super::error::Problem;
use super::extract::Query;

const PAGE: u32 = 500;
const DAY_MILLIS: i64 = 86_400_000;

/// What the file is to hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    format: Format,
    environment: Option<EnvironmentName>,
    service: Option<ServiceName>,
    status: Option<Status>,
    cause: Option<CauseKind>,
    actor: Option<Actor>,
    from: Option<Day>,
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

/// The file.
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
            Format::Csv => csv(&page.rows, self.place),
            Format::Json => json_text(&page.rows, self.place, page.more),
        };
        self.filter.before = page.rows.last().map(|row| row.id);
        self.place = Place::Middle;
        Ok((Bytes::from(text), page.more.then_some(self)))
    }
}

const COLUMNS: &str = "id,deployment_id,environment,service,version,version_before,status,deployed_by,commit_sha,\
                       started_at,completed_at,error_message\r\n";

fn csv(rows: &[HistoryRow], place: Place) -> String {
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
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push_str("\r\n");
    }
    text
}

/// A cell as RFC 4180 writes it. What a spreadsheet would take for a formula is made text.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !cell.contains([',', '"', '\n', '\r']) {
        return cell.to_owned();
    }
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

fn json_text(rows: &[HistoryRow], place: Place, more: bool) -> String {
    let mut text = if place == Place::Begin { "[\n".to_owned() } else { String::new() };
    for (index, row) in rows.iter().enumerate() {
        let entry = json!({
            "id": row.id,
            "deployment_id": row.deployment,
            "environment": row.environment,
            "service_name": row.service,
            "version": row.version,
            "version_before": row.from,
            "status": row.status,
            "deployed_by": row.actor,
            "commit_sha": row.commit_sha,
            "started_at": row.started_at,
            "completed_at": row.completed_at,
            "error_message": row.verdict.as_ref().and_then(Verdict::error_message),
        });
        text.push_str(&entry.to_string());
        text.push_str(if more || index + 1 < rows.len() { ",\n" } else { "\n" });
    }
    if !more {
        text.push_str("]\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use release_manager::names::DeploymentId;
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
    fn a_cell_is_never_a_formula_and_never_two_cells() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=HYPERLINK(1)", "\"'=HYPERLINK(1)\""),
            ("@me", "\"'@me\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }

    #[test]
    fn pages_make_one_file() {
        let rows = [row(3, "ada"), row(2, "ada")];
        let text = json_text(&rows, Place::Begin, true) + &json_text(&[row(1, "ada")], Place::Middle, false);
        assert_eq!(serde_json::from_str::<Vec<Value>>(&text).unwrap().len(), 3);
        assert_eq!(json_text(&[], Place::Begin, false), "[\n]\n");
        let text = csv(&rows, Place::Begin) + &csv(&[row(1, "ada")], Place::Middle);
        assert_eq!(text.lines().count(), 4);
        assert!(text.starts_with("id,deployment_id,") && text.ends_with("1970-01-01T00:00:00Z,,\r\n"), "{text}");
    }
}
