//! What is watched besides deployments: what came after a success, how versions have stood, the name of the database.

use std::collections::BTreeMap;

use release_manager::health::SoakRecord;
use release_manager::judge::Target;
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use release_manager::ports::{JournalEntry, LedgerError, Proved};
use release_manager::time::Timestamp;
use release_manager::watched::After;
use sqlx::SqlitePool;

use super::codec::{from_json, parse, to_json};
use super::error::failed;

/// The success that brought each running service where it is.
pub(super) async fn proved(readers: &SqlitePool, environment: &EnvironmentName) -> Result<Vec<Proved>, LedgerError> {
    let environment = environment.as_str();
    let rows = sqlx::query!(
        r#"select
            history.attempt as "attempt!", history.service as "service!",
            coalesce(history.completed_at, history.started_at) as "at!: i64", aftermath.what as "after?"
        from running_services
        join history on history.id = running_services.history
        left join aftermath on aftermath.attempt = history.attempt and aftermath.service = history.service
        where running_services.environment = ?
        order by history.service"#,
        environment
    )
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    rows.into_iter()
        .map(|row| {
            let what = || format!("what is stored of running service `{}`", row.service);
            Ok(Proved {
                deployment: DeploymentId(row.attempt),
                service: parse(&row.service, what)?,
                at: Timestamp::from_millis(row.at),
                after: row.after.as_deref().map(|after| from_json(after, what)).transpose()?,
            })
        })
        .collect()
}

/// What a deployment watched of a service.
pub(super) async fn target(
    readers: &SqlitePool,
    id: DeploymentId,
    full_name: &str,
) -> Result<Option<Target>, LedgerError> {
    let entry = sqlx::query_scalar!(
        "select entry from journal
        where attempt = ? and entry ->> '$.entry' = 'intent' and entry ->> '$.target.full_name' = ?
        order by id desc
        limit 1",
        id.0,
        full_name
    )
    .fetch_optional(readers)
    .await
    .map_err(failed)?;
    let Some(entry) = entry else { return Ok(None) };
    match from_json(&entry, || format!("the journal of deployment {id}"))? {
        JournalEntry::Intent { target, .. } => Ok(target),
        _ => Ok(None),
    }
}

/// Notes what came after a success. What was noted first stands.
pub(super) async fn note_after(
    writer: &SqlitePool,
    id: DeploymentId,
    service: &ServiceName,
    after: &After,
) -> Result<(), LedgerError> {
    let (service, at, what) = (service.as_str(), after.at.as_millis(), to_json(after));
    sqlx::query!(
        "insert into aftermath (attempt, service, at, what) values (?, ?, ?, ?) on conflict do nothing",
        id.0,
        service,
        at,
        what
    )
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// How every version of the environment has stood so far.
pub(super) async fn soak(
    readers: &SqlitePool,
    environment: &EnvironmentName,
) -> Result<BTreeMap<ServiceName, SoakRecord>, LedgerError> {
    let environment = environment.as_str();
    let rows = sqlx::query!("select service, record from soak where environment = ?", environment)
        .fetch_all(readers)
        .await
        .map_err(failed)?;
    rows.into_iter()
        .map(|row| {
            let what = || format!("how `{}` has stood in `{environment}`", row.service);
            Ok((parse(&row.service, what)?, from_json(&row.record, what)?))
        })
        .collect()
}

/// Replaces what is stored of the environment, in one batch.
pub(super) async fn record_soak(
    writer: &SqlitePool,
    environment: &EnvironmentName,
    records: &BTreeMap<ServiceName, SoakRecord>,
) -> Result<(), LedgerError> {
    let (environment, records) = (environment.as_str(), to_json(records));
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    sqlx::query!(
        "delete from soak where environment = ? and service not in (select key from json_each(?))",
        environment,
        records
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "insert into soak (environment, service, record)
        select ?1, key, value from json_each(?2) where true
        on conflict (environment, service) do update set record = excluded.record",
        environment,
        records
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

/// The name of this database.
pub(super) async fn instance(readers: &SqlitePool) -> Result<String, LedgerError> {
    sqlx::query_scalar!("select name from instance where id = 1").fetch_one(readers).await.map_err(failed)
}
