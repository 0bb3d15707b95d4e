//! Verdicts, and the end of a deployment.

use release_manager::deployment::{Outcome, ServiceOutcome, Status, Verdict};
use release_manager::names::{DeploymentId, ServiceName};
use release_manager::ports::LedgerError;
use release_manager::release::Release;
use release_manager::time::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::begin::{Planned, insert_history};
use super::codec::{from_json, to_json};
use super::error::failed;
use super::journal::must_be_open;
use super::seal::seal;

/// Closes a deployment with every row of history that belongs to it, and seals it.
pub(super) async fn finish(
    writer: &SqlitePool,
    id: DeploymentId,
    outcome: &Outcome,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    must_be_open(&mut transaction, id).await?;
    for (service, judged) in &outcome.services {
        judge(&mut transaction, id, service, judged, at).await?;
    }
    close_rows(&mut transaction, id, outcome, at).await?;
    close_attempt(&mut transaction, id, outcome, at).await?;
    seal(&mut transaction, id).await?;
    transaction.commit().await.map_err(failed)
}

/// Completes a service's row. The first verdict stands. A service without a row, because the plan did not write it,
/// gets one.
pub(super) async fn judge(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
    service: &ServiceName,
    outcome: &ServiceOutcome,
    at: Timestamp,
) -> Result<(), LedgerError> {
    if !has_row(transaction, id, service).await? {
        let image = if outcome.verdict == Verdict::Pruned { None } else { image(transaction, id, service).await? };
        let (version, from) = (&outcome.version, outcome.from.as_ref());
        insert_history(transaction, id, &[Planned { service, version, from, image: image.as_deref() }]).await?;
    }
    let service = service.as_str();
    let status = outcome.verdict.status().as_str();
    let (verdict, evidence) = (to_json(&outcome.verdict), to_json(&outcome.evidence));
    let (error_message, at) = (outcome.verdict.error_message(), at.as_millis());
    sqlx::query!(
        "update history
        set status = ?3, verdict = ?4, evidence = ?5, error_message = ?6, completed_at = max(?7, started_at)
        where attempt = ?1 and service = ?2 and status = 'in_progress'",
        id.0,
        service,
        status,
        verdict,
        evidence,
        error_message,
        at,
    )
    .execute(transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn has_row(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
    service: &ServiceName,
) -> Result<bool, LedgerError> {
    let service = service.as_str();
    let row =
        sqlx::query_scalar!(r#"select id as "id!" from history where attempt = ? and service = ?"#, id.0, service)
            .fetch_optional(transaction)
            .await
            .map_err(failed)?;
    Ok(row.is_some())
}

async fn image(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
    service: &ServiceName,
) -> Result<Option<String>, LedgerError> {
    let release = sqlx::query_scalar!("select release from attempts where id = ?", id.0)
        .fetch_one(transaction)
        .await
        .map_err(failed)?;
    let release: Release = from_json(&release, || format!("the release of deployment {id}"))?;
    Ok(release.services.get(service).map(|version| version.image.clone()))
}

/// Rows that nobody judged end as the deployment does; what was not proved is no success.
async fn close_rows(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
    outcome: &Outcome,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let status = if outcome.status == Status::Success { Status::Failed } else { outcome.status };
    let message = outcome.error_message.as_deref().unwrap_or("the deployment ended without a verdict on this service");
    let (status, at) = (status.as_str(), at.as_millis());
    sqlx::query!(
        "update history
        set status = ?2, error_message = ?3, completed_at = max(?4, started_at)
        where attempt = ?1 and status = 'in_progress'",
        id.0,
        status,
        message,
        at,
    )
    .execute(transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn close_attempt(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
    outcome: &Outcome,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let (status, at) = (outcome.status.as_str(), at.as_millis());
    sqlx::query!(
        "update attempts set status = ?2, error_message = ?3, ended_at = max(?4, started_at) where id = ?1",
        id.0,
        status,
        outcome.error_message,
        at,
    )
    .execute(transaction)
    .await
    .map_err(failed)?;
    Ok(())
}
