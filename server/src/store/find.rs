//! Rows of history by what no number counts: status, cause, actor and time.
//!
//! Rows that have environment, status and kind of cause in common are one facet. A filter takes some facets whole and none
//! in part, and each facet stands in an index in the order of time: the page is the newest of the newest of each. What it
//! costs depends on the number of facets, not on how many rows there are or how few of them the filter takes.

use release_manager::deployment::{CauseKind, HistoryFilter, Status};
use release_manager::names::EnvironmentName;
use release_manager::ports::LedgerError;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::error::failed;

/// Beyond this nobody wants to know the number.
const COUNTED: i64 = 1000;
/// SQLite joins at most 500 selects.
const AT_ONCE: usize = 400;

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
    let before = match filter.before {
        Some(id) => match accepted_at(transaction, id).await? {
            Some(at) => Some((at, id)),
            None => return Ok(Found { ids: Vec::new(), total: 0, counted: true, more: false }),
        },
        None => None,
    };
    let mut facets = facets(transaction, filter).await?;
    facets.retain(|facet| takes(filter, facet));
    let (offset, mut rows, mut total) = (i64::from(filter.offset), Vec::new(), 0);
    for some in facets.chunks(AT_ONCE) {
        rows.extend(newest(transaction, filter, some, before, offset + limit + 1).await?);
        total += count(transaction, filter, some).await?;
    }
    rows.sort_unstable_by(|one, other| other.cmp(one));
    let mut ids = rows.into_iter().map(|(_, id)| id).skip(usize::try_from(offset).unwrap_or(usize::MAX));
    let page = ids.by_ref().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
    Ok(Found { ids: page, total: total.min(COUNTED), counted: total <= COUNTED, more: ids.next().is_some() })
}

/// The index that a filter uses, and what its entries have in common: the service is the narrowest.
fn index(filter: &HistoryFilter) -> (&'static str, Option<(&'static str, String)>) {
    match (&filter.service, &filter.actor) {
        (Some(service), _) => ("history_by_service", Some(("service", service.to_string()))),
        (None, Some(actor)) => ("history_by_actor", Some(("actor", actor.to_string()))),
        (None, None) => ("history_by_facet", None),
    }
}

/// The facets that stand in the index, each found by one step from the one before.
async fn facets(transaction: &mut SqliteConnection, filter: &HistoryFilter) -> Result<Vec<String>, LedgerError> {
    let (index, common) = index(filter);
    let mut query = QueryBuilder::new("with recursive facets (facet) as (");
    let least = |query: &mut QueryBuilder<Sqlite>, behind: &str| {
        query.push("select min(facet) from history indexed by ").push(index).push(" where ");
        if let Some((column, value)) = &common {
            query.push(*column).push(" = ").push_bind(value.clone()).push(" and ");
        }
        query.push(behind);
    };
    least(&mut query, "facet > ''");
    query.push(" union all select (");
    least(&mut query, "history.facet > facets.facet");
    query.push(") from facets where facets.facet is not null) select facet from facets where facet is not null");
    query.build_query_scalar().fetch_all(transaction).await.map_err(failed)
}

/// Whether the rows of a facet (`prod failed promotion`) are what a filter asks for.
fn takes(filter: &HistoryFilter, facet: &str) -> bool {
    let mut words = facet.splitn(3, ' ');
    let mut next_is = |wanted: Option<&str>| {
        let word = words.next();
        wanted.is_none_or(|wanted| word == Some(wanted))
    };
    next_is(filter.environment.as_ref().map(EnvironmentName::as_str))
        & next_is(filter.status.map(Status::as_str))
        & next_is(filter.cause.map(CauseKind::as_str))
}

/// When the newest rows of these facets were accepted, and their ids.
async fn newest(
    transaction: &mut SqliteConnection,
    filter: &HistoryFilter,
    facets: &[String],
    before: Option<(i64, i64)>,
    limit: i64,
) -> Result<Vec<(i64, i64)>, LedgerError> {
    let mut query = QueryBuilder::new("select started_at, id from (");
    for (position, facet) in facets.iter().enumerate() {
        query.push(if position == 0 { "" } else { " union all " });
        query.push("select * from (select started_at, id");
        of_facet(&mut query, filter, facet);
        if let Some((at, id)) = before {
            query.push(" and (started_at, id) < (").push_bind(at).push(", ").push_bind(id).push(")");
        }
        query.push(" order by started_at desc, id desc limit ").push_bind(limit).push(")");
    }
    query.push(") order by started_at desc, id desc limit ").push_bind(limit);
    query.build_query_as().fetch_all(transaction).await.map_err(failed)
}

/// How many rows these facets have, as far as that is worth counting.
async fn count(
    transaction: &mut SqliteConnection,
    filter: &HistoryFilter,
    facets: &[String],
) -> Result<i64, LedgerError> {
    let mut query = QueryBuilder::new("select count(*) from (");
    for (position, facet) in facets.iter().enumerate() {
        query.push(if position == 0 { "select 1" } else { " union all select 1" });
        of_facet(&mut query, filter, facet);
    }
    query.push(" limit ").push_bind(COUNTED + 1).push(")");
    query.build_query_scalar().fetch_one(transaction).await.map_err(failed)
}

/// The rows of a facet that the filter takes. Only constants become part of the text; what was asked for is bound.
fn of_facet(query: &mut QueryBuilder<Sqlite>, filter: &HistoryFilter, facet: &str) {
    let (index, common) = index(filter);
    query.push(" from history indexed by ").push(index).push(" where facet = ").push_bind(facet.to_owned());
    if let Some((column, value)) = common {
        query.push(" and ").push(column).push(" = ").push_bind(value);
    }
    if let (Some(actor), true) = (&filter.actor, filter.service.is_some()) {
        query.push(" and actor = ").push_bind(actor.to_string());
    }
    if let Some(since) = filter.since {
        query.push(" and started_at >= ").push_bind(since.as_millis());
    }
    if let Some(until) = filter.until {
        query.push(" and started_at < ").push_bind(until.as_millis());
    }
}

async fn accepted_at(transaction: &mut SqliteConnection, row: i64) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar!("select started_at from history where id = ?", row)
        .fetch_optional(transaction)
        .await
        .map_err(failed)
}
