//! Holds: one at a time for each environment; those that have ended are kept.

use std::collections::BTreeMap;

use release_manager::hold::Hold;
use release_manager::names::{Actor, CommitSha, EnvironmentName};
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::codec::{parse, parse_optional};
use super::error::failed;

/// Holds an environment, in place of the hold that it may be under.
pub(super) async fn hold(writer: &SqlitePool, environment: &EnvironmentName, hold: &Hold) -> Result<(), LedgerError> {
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    end(&mut transaction, environment, &hold.by, hold.since).await?;
    let (environment, by, reason) = (environment.as_str(), hold.by.to_string(), hold.reason.as_str());
    let (since, newer_than) = (hold.since.as_millis(), hold.newer_than.as_ref().map(CommitSha::as_str));
    sqlx::query!(
        "insert into holds (environment, held_by, reason, held_at, newer_than) values (?, ?, ?, ?, ?)",
        environment,
        by,
        reason,
        since,
        newer_than,
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// Ends the hold of an environment; whether there was one.
pub(super) async fn resume(
    writer: &SqlitePool,
    environment: &EnvironmentName,
    by: &Actor,
    at: Timestamp,
) -> Result<bool, LedgerError> {
    let mut connection = writer.acquire().await.map_err(failed)?;
    end(&mut connection, environment, by, at).await
}

async fn end(
    connection: &mut SqliteConnection,
    environment: &EnvironmentName,
    by: &Actor,
    at: Timestamp,
) -> Result<bool, LedgerError> {
    let (environment, by, at) = (environment.as_str(), by.to_string(), at.as_millis());
    let ended = sqlx::query!(
        "update holds set resumed_by = ?2, resumed_at = max(?3, held_at) where environment = ?1 and resumed_at is null",
        environment,
        by,
        at,
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(ended.rows_affected() > 0)
}

/// The hold that an environment is under.
pub(super) async fn of(
    connection: &mut SqliteConnection,
    environment: &EnvironmentName,
) -> Result<Option<Hold>, LedgerError> {
    let environment = environment.as_str();
    let row = sqlx::query!(
        "select held_by, reason, held_at, newer_than from holds where environment = ? and resumed_at is null",
        environment
    )
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    row.map(|row| {
        let what = || format!("the hold of `{environment}`");
        Ok(Hold {
            by: Actor::from(row.held_by),
            since: Timestamp::from_millis(row.held_at),
            reason: parse(&row.reason, what)?,
            newer_than: parse_optional(row.newer_than.as_deref(), what)?,
        })
    })
    .transpose()
}

/// The environments that are held.
pub(super) async fn holds(readers: &SqlitePool) -> Result<BTreeMap<EnvironmentName, Hold>, LedgerError> {
    let rows = sqlx::query!(
        "select environment, held_by, reason, held_at, newer_than from holds where resumed_at is null order by environment"
    )
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    rows.into_iter()
        .map(|row| {
            let what = || format!("the hold of `{}`", row.environment);
            let hold = Hold {
                by: Actor::from(row.held_by.clone()),
                since: Timestamp::from_millis(row.held_at),
                reason: parse(&row.reason, what)?,
                newer_than: parse_optional(row.newer_than.as_deref(), what)?,
            };
            Ok((parse(&row.environment, what)?, hold))
        })
        .collect()
}
