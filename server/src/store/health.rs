//! How services are now, for whoever asks the database. The pages get it from memory.

use std::collections::BTreeMap;

use release_manager::health::{EnvironmentHealth, ServiceHealth};
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use serde::Serialize;
use sqlx::SqlitePool;

use super::codec::to_json;
use super::error::failed;

/// How far `last_checked` may lag behind while nothing changes: each commit costs the disk a flush.
const STALE_AFTER_SECONDS: f64 = 300.0;

#[derive(PartialEq, Serialize)]
struct Row<'a> {
    status: &'static str,
    running: u64,
    desired: u64,
    error: Option<&'a str>,
}

impl<'a> From<&'a ServiceHealth> for Row<'a> {
    fn from(health: &'a ServiceHealth) -> Self {
        Self {
            status: health.status.as_str(),
            running: health.running,
            desired: health.desired,
            error: health.error.as_deref(),
        }
    }
}

/// Whether the database would tell something else after `now` was stored. Never for what was never looked at.
pub(super) fn is_news(stored: Option<&EnvironmentHealth>, now: &EnvironmentHealth) -> bool {
    let Some(checked_at) = now.checked_at else { return false };
    let Some(stored) = stored else { return true };
    let stored_at = stored.checked_at.unwrap_or(Timestamp::from_millis(0));
    rows(stored) != rows(now) || checked_at.seconds_since(stored_at) >= STALE_AFTER_SECONDS
}

fn rows(health: &EnvironmentHealth) -> BTreeMap<&ServiceName, Row<'_>> {
    health.services.iter().map(|(name, service)| (name, service.into())).collect()
}

/// Replaces what is stored of the environment, in one batch.
pub(super) async fn store(
    writer: &SqlitePool,
    environment: &EnvironmentName,
    health: &EnvironmentHealth,
) -> Result<(), LedgerError> {
    let Some(checked_at) = health.checked_at.map(|at| at.to_string()) else { return Ok(()) };
    let (rows, environment) = (to_json(&rows(health)), environment.as_str());
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    sqlx::query!(
        "delete from service_health
        where environment = ? and service_name not in (select key from json_each(?))",
        environment,
        rows
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "insert into service_health (
            environment, service_name, status, replicas_running, replicas_desired, last_checked, error_message
        )
        select ?1, key, value ->> 'status', value ->> 'running', value ->> 'desired', ?2, value ->> 'error'
        from json_each(?3)
        where true
        on conflict (environment, service_name) do update set
            status = excluded.status,
            replicas_running = excluded.replicas_running,
            replicas_desired = excluded.replicas_desired,
            last_checked = excluded.last_checked,
            error_message = excluded.error_message",
        environment,
        checked_at,
        rows,
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}
