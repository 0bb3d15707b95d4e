//! Pages of history, newest first. History has no gaps, so every row knows its number under every filter: a page is a
//! range of numbers and the total is the highest one. The last of a million rows costs what the first does.

use release_manager::deployment::{HistoryFilter, HistoryPage, HistoryRow};
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::codec::{from_json, parse, parse_optional, status, to_json};
use super::error::failed;
use super::find::{self, Found};

/// One page.
pub(super) async fn history(readers: &SqlitePool, filter: &HistoryFilter) -> Result<HistoryPage, LedgerError> {
    // One transaction, so that total and rows are of one moment.
    let mut transaction = readers.begin().await.map_err(failed)?;
    let found = match filter.deployment {
        Some(deployment) => of_deployment(&mut transaction, deployment, filter).await?,
        None if filter.is_counted() => numbered(&mut transaction, filter).await?,
        None => find::find(&mut transaction, filter, limit(filter)).await?,
    };
    let rows = rows(&mut transaction, &found.ids).await?;
    let total = u64::try_from(found.total).unwrap_or_default();
    Ok(HistoryPage { rows, total, counted: found.counted, more: found.more })
}

fn limit(filter: &HistoryFilter) -> i64 {
    i64::from(filter.limit.clamp(1, 500))
}

/// The ids of the page, by the rows' numbers, and the total.
async fn numbered(transaction: &mut SqliteConnection, filter: &HistoryFilter) -> Result<Found, LedgerError> {
    let environment = filter.environment.as_ref().map(EnvironmentName::as_str);
    let service = filter.service.as_ref().map(ServiceName::as_str);
    let total = total(transaction, environment, service).await?;
    let newest = match filter.before {
        Some(before) => behind(transaction, environment, service, before, total).await?,
        None => total,
    };
    let last = newest - i64::from(filter.offset);
    let first = last - limit(filter) + 1;
    let ids = numbers(transaction, environment, service, first, last).await?;
    Ok(Found { ids, total, counted: true, more: first > 1 })
}

/// The ids of the rows that have these numbers under the filter.
async fn numbers(
    transaction: &mut SqliteConnection,
    environment: Option<&str>,
    service: Option<&str>,
    first: i64,
    last: i64,
) -> Result<Vec<i64>, LedgerError> {
    let ids = match (environment, service) {
        (None, None) => {
            sqlx::query_scalar!(r#"select id as "id!" from history where nth between ? and ?"#, first, last)
                .fetch_all(transaction)
                .await
        }
        (Some(environment), None) => {
            sqlx::query_scalar!(
                r#"select id as "id!" from history where environment = ? and nth_in_environment between ? and ?"#,
                environment,
                first,
                last
            )
            .fetch_all(transaction)
            .await
        }
        (None, Some(service)) => {
            sqlx::query_scalar!(
                r#"select id as "id!" from history where service = ? and nth_of_service between ? and ?"#,
                service,
                first,
                last
            )
            .fetch_all(transaction)
            .await
        }
        (Some(environment), Some(service)) => {
            sqlx::query_scalar!(
                r#"select id as "id!" from history
                where environment = ? and service = ? and nth_of_both between ? and ?"#,
                environment,
                service,
                first,
                last
            )
            .fetch_all(transaction)
            .await
        }
    };
    ids.map_err(failed)
}

/// The number of the newest row that stands behind the row `before`, found without a walk over rows that the filter does
/// not take: they may be nearly all.
async fn behind(
    transaction: &mut SqliteConnection,
    environment: Option<&str>,
    service: Option<&str>,
    before: i64,
    total: i64,
) -> Result<i64, LedgerError> {
    let row = sqlx::query!(
        "select environment, service, nth, nth_in_environment, nth_of_service, nth_of_both from history where id = ?",
        before
    )
    .fetch_optional(&mut *transaction)
    .await
    .map_err(failed)?;
    let is_taken = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
    match row {
        Some(row) if is_taken(environment, &row.environment) && is_taken(service, &row.service) => {
            Ok(match (environment, service) {
                (None, None) => row.nth - 1,
                (Some(_), None) => row.nth_in_environment - 1,
                (None, Some(_)) => row.nth_of_service - 1,
                (Some(_), Some(_)) => row.nth_of_both - 1,
            })
        }
        _ => halved(transaction, environment, service, before, total).await,
    }
}

/// The same for a row that the filter does not take: numbers grow with ids.
async fn halved(
    transaction: &mut SqliteConnection,
    environment: Option<&str>,
    service: Option<&str>,
    before: i64,
    total: i64,
) -> Result<i64, LedgerError> {
    let (mut behind, mut ahead) = (0, total + 1);
    while ahead - behind > 1 {
        let middle = behind + (ahead - behind) / 2;
        let ids = numbers(transaction, environment, service, middle, middle).await?;
        if ids.first().is_some_and(|id| *id < before) { behind = middle } else { ahead = middle }
    }
    Ok(behind)
}

async fn total(
    transaction: &mut SqliteConnection,
    environment: Option<&str>,
    service: Option<&str>,
) -> Result<i64, LedgerError> {
    let total = match (environment, service) {
        (None, None) => {
            sqlx::query_scalar!(r#"select max(nth) as "total: i64" from history"#).fetch_one(transaction).await
        }
        (Some(environment), None) => {
            sqlx::query_scalar!(
                r#"select max(nth_in_environment) as "total: i64" from history where environment = ?"#,
                environment
            )
            .fetch_one(transaction)
            .await
        }
        (None, Some(service)) => {
            sqlx::query_scalar!(r#"select max(nth_of_service) as "total: i64" from history where service = ?"#, service)
                .fetch_one(transaction)
                .await
        }
        (Some(environment), Some(service)) => {
            sqlx::query_scalar!(
                r#"select max(nth_of_both) as "total: i64" from history where environment = ? and service = ?"#,
                environment,
                service
            )
            .fetch_one(transaction)
            .await
        }
    };
    Ok(total.map_err(failed)?.unwrap_or_default())
}

/// The ids of the page among one deployment's rows, and the total: at most one row for each service.
async fn of_deployment(
    transaction: &mut SqliteConnection,
    deployment: DeploymentId,
    filter: &HistoryFilter,
) -> Result<Found, LedgerError> {
    let environment = filter.environment.as_ref().map(EnvironmentName::as_str);
    let service = filter.service.as_ref().map(ServiceName::as_str);
    let all = sqlx::query_scalar!(
        r#"select id as "id!" from history
        where attempt = ?1 and environment = coalesce(?2, environment) and service = coalesce(?3, service)
        order by id desc"#,
        deployment.0,
        environment,
        service,
    )
    .fetch_all(transaction)
    .await
    .map_err(failed)?;
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let skip = usize::try_from(filter.offset).unwrap_or(usize::MAX);
    let take = usize::try_from(limit(filter)).unwrap_or(usize::MAX);
    let more = all.len() > skip.saturating_add(take);
    Ok(Found { ids: all.into_iter().skip(skip).take(take).collect(), total, counted: true, more })
}

struct Row {
    id: i64,
    attempt: i64,
    environment: String,
    service: String,
    version: String,
    version_before: Option<String>,
    commit_sha: Option<String>,
    status: String,
    actor: String,
    verdict: Option<String>,
    evidence: Option<String>,
    started_at: i64,
    completed_at: Option<i64>,
    after: Option<String>,
}

async fn rows(transaction: &mut SqliteConnection, ids: &[i64]) -> Result<Vec<HistoryRow>, LedgerError> {
    let ids = to_json(&ids);
    let rows = sqlx::query_as!(
        Row,
        r#"select
            history.id as "id!", history.attempt, environment, history.service, version, version_before, commit_sha,
            status, actor, verdict, evidence, started_at, completed_at, aftermath.what as "after?"
        from history
        left join aftermath on aftermath.attempt = history.attempt and aftermath.service = history.service
        where history.id in (select value from json_each(?))
        order by history.id desc"#,
        ids
    )
    .fetch_all(transaction)
    .await
    .map_err(failed)?;
    rows.into_iter().map(HistoryRow::try_from).collect()
}

impl TryFrom<Row> for HistoryRow {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self, LedgerError> {
        let what = || format!("row {} of history", row.id);
        Ok(Self {
            id: row.id,
            deployment: DeploymentId(row.attempt),
            environment: parse(&row.environment, what)?,
            service: parse(&row.service, what)?,
            version: parse(&row.version, what)?,
            from: parse_optional(row.version_before.as_deref(), what)?,
            commit_sha: parse_optional(row.commit_sha.as_deref(), what)?,
            status: status(&row.status, what)?,
            actor: row.actor.into(),
            verdict: row.verdict.as_deref().map(|verdict| from_json(verdict, what)).transpose()?,
            evidence: row.evidence.as_deref().map(|evidence| from_json(evidence, what)).transpose()?,
            started_at: Timestamp::from_millis(row.started_at),
            completed_at: row.completed_at.map(Timestamp::from_millis),
            after: row.after.as_deref().map(|after| from_json(after, what)).transpose()?,
        })
    }
}
