//! Rows of history by what no number counts: status, cause, actor and time. Each of these has an index that is in the
//! order of time, so that a page costs what its rows cost, wherever it begins.
//!
//! The text of the query depends on which filters are set: one text for all of them would use no index. Only constants
//! become part of it; what was asked for is always bound.

use release_manager::deployment::{HistoryFilter, Status};
use release_manager::ports::LedgerError;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::error::failed;

/// Beyond this nobody wants to know the number.
const COUNTED: i64 = 1000;

/// The rows of a page.
pub(super) struct Found {
    pub(super) ids: Vec<i64>,
    pub(super) total: i64,
    pub(super) counted: bool,
    pub(super) more: bool,
}

/// The page that a filter asks for.
pub(super) async fn find(
    transaction: &mut SqliteConnection,
    filter: &HistoryFilter,
    limit: i64,
) -> Result<Found, LedgerError> {
    let mut query = select("history.id", filter);
    if let Some(before) = filter.before {
        let Some(accepted) = accepted_at(transaction, before).await? else {
            return Ok(Found { ids: Vec::new(), total: 0, counted: true, more: false });
        };
        query.push(" and (").push(time(filter)).push(", history.id) < (");
        query.push_bind(accepted).push(", ").push_bind(before).push(")");
    }
    query.push(" order by ").push(time(filter)).push(" desc, history.id desc limit ").push_bind(limit + 1);
    query.push(" offset ").push_bind(i64::from(filter.offset));
    let mut ids: Vec<i64> = query.build_query_scalar().fetch_all(&mut *transaction).await.map_err(failed)?;
    let more = i64::try_from(ids.len()).unwrap_or(i64::MAX) > limit;
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let total = count(transaction, filter).await?;
    Ok(Found { ids, total: total.min(COUNTED), counted: total <= COUNTED, more })
}

/// The moment by which the index of these filters is ordered.
fn time(filter: &HistoryFilter) -> &'static str {
    if filter.cause.is_some() { "attempts.started_at" } else { "history.started_at" }
}

fn select(what: &str, filter: &HistoryFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("select ");
    query.push(what);
    if let Some(cause) = filter.cause {
        query.push(" from attempts indexed by attempts_by_cause cross join history on history.attempt = attempts.id");
        query.push(" where attempts.kind = ").push_bind(cause.as_str());
    } else {
        query.push(" from history indexed by ").push(index(filter)).push(" where true");
    }
    if let Some(environment) = &filter.environment {
        query.push(" and history.environment = ").push_bind(environment.to_string());
    }
    if let Some(service) = &filter.service {
        query.push(" and history.service = ").push_bind(service.to_string());
    }
    if let Some(status) = filter.status {
        query.push(" and history.status = ").push_bind(status.as_str());
    }
    if let Some(actor) = &filter.actor {
        query.push(" and history.actor = ").push_bind(actor.to_string());
    }
    if let Some(since) = filter.since {
        query.push(" and ").push(time(filter)).push(" >= ").push_bind(since.as_millis());
    }
    if let Some(until) = filter.until {
        query.push(" and ").push(time(filter)).push(" < ").push_bind(until.as_millis());
    }
    query
}

/// The index that leaves the fewest rows to look at: failures are rare, a person has started fewer than all have.
fn index(filter: &HistoryFilter) -> &'static str {
    match (filter.status, &filter.actor) {
        (Some(Status::Success) | None, Some(_)) => "history_by_actor",
        (Some(_), _) => "history_by_status",
        (None, None) => "history_by_time",
    }
}

async fn accepted_at(transaction: &mut SqliteConnection, row: i64) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar!("select started_at from history where id = ?", row)
        .fetch_optional(transaction)
        .await
        .map_err(failed)
}

/// How many there are, as far as that is worth counting.
async fn count(transaction: &mut SqliteConnection, filter: &HistoryFilter) -> Result<i64, LedgerError> {
    let mut query = select("1", filter);
    query.push(" limit ").push_bind(COUNTED + 1);
    let found: Vec<i64> = query.build_query_scalar().fetch_all(transaction).await.map_err(failed)?;
    Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
}
