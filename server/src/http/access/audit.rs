//! The audit log for programs, as JSON and as a table.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use release_manager::access::{Accounts, AuditFilter, AuditPage, AuditRow, Operation};
use release_manager::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::api::schema;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::http::extract::{Query, page_length};
use crate::http::{AppState, csv};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only of this actor.
    actor: Option<String>,
    /// The `next` of the page before.
    before: Option<i64>,
    /// At most so many lines.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `csv` for a spreadsheet.
    #[serde(default)]
    #[param(value_type = Option<String>, pattern = "^(json|csv)$")]
    format: AuditFormat,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AuditFormat {
    #[default]
    Json,
    Csv,
}

/// Lines of the audit log, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditLines {
    #[schema(value_type = Vec<AuditLine>)]
    rows: Vec<AuditRow>,
    /// What to send as `before` for older lines; `null` at the end.
    next: Option<i64>,
}

/// A line of the audit log, as it is described.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands for the core's type in the description")]
struct AuditLine {
    id: i64,
    #[schema(value_type = schema::Timestamp)]
    at: Timestamp,
    /// Who, as history names them; `nobody` without a proof.
    actor: String,
    address: Option<String>,
    /// What: `promote`, `log_in`, …
    operation: String,
    /// To what: an environment, a user, a token, a path.
    target: Option<String>,
    /// `done`, `refused` or `failed`.
    result: String,
    detail: Option<String>,
    /// How often: refusals alike share a line.
    times: u32,
}

/// The audit log: every change and every refused attempt, newest first.
#[utoipa::path(get, path = "/api/audit", tag = "Access", params(AuditQuery), responses(
    (status = 200, description = "Lines of it", content(
        (AuditLines = "application/json"),
        (String = "text/csv; charset=utf-8"),
    )),
    (status = 400, description = "A parameter cannot be used", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn audit(
    State(state): State<AppState>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    caller.allow(Operation::ReadAudit)?;
    let filter = AuditFilter { actor: query.actor, before: query.before, limit: page_length(query.limit, 100, 1000)? };
    let page = state.gate.keeper().audit(&filter).await?;
    Ok(match query.format {
        AuditFormat::Json => axum::Json(AuditLines { rows: page.rows, next: page.next }).into_response(),
        AuditFormat::Csv => {
            let headers = [
                (CONTENT_TYPE, "text/csv; charset=utf-8"),
                (CONTENT_DISPOSITION, "attachment; filename=\"release-manager-audit.csv\""),
            ];
            (headers, table(&page)).into_response()
        }
    })
}

fn table(page: &AuditPage) -> String {
    let mut text = "id,at,actor,address,operation,target,result,times,detail\r\n".to_owned();
    for row in &page.rows {
        let optional = |field: &Option<String>| field.clone().unwrap_or_default();
        text.push_str(&csv::line(&[
            row.id.to_string(),
            row.at.to_string(),
            row.actor.clone(),
            optional(&row.address),
            row.operation.clone(),
            optional(&row.target),
            row.result.as_str().to_owned(),
            row.times.to_string(),
            optional(&row.detail),
        ]));
    }
    text
}
