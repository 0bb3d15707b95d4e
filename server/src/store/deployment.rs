//! Single deployments.

use std::collections::BTreeMap;

use release_manager::deployment::{Deployment, Outcome, ServiceOutcome};
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::ports::{Latest, LedgerError};
use release_manager::release::Release;
use release_manager::stack::Stack;
use release_manager::time::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::codec::{from_json, parse, parse_optional, status};
use super::error::failed;

/// The deployment that was started last in an environment.
pub(super) async fn latest(readers: &SqlitePool, environment: &EnvironmentName) -> Result<Option<Latest>, LedgerError> {
    let environment = environment.as_str();
    let row = sqlx::query!(
        r#"select id as "id!", content_hash, status
        from attempts
        where environment = ?
        order by id desc
        limit 1"#,
        environment
    )
    .fetch_optional(readers)
    .await
    .map_err(failed)?;
    row.map(|row| {
        let status = status(&row.status, || format!("the status of deployment {}", row.id))?;
        Ok(Latest { id: DeploymentId(row.id), content_hash: row.content_hash, status })
    })
    .transpose()
}

/// One deployment.
pub(super) async fn deployment(readers: &SqlitePool, id: DeploymentId) -> Result<Option<Deployment>, LedgerError> {
    // One transaction, so that a deployment that ends meanwhile has all its verdicts or no end.
    let mut transaction = readers.begin().await.map_err(failed)?;
    let row = sqlx::query!(
        "select environment, cause, actor, commit_sha, started_at, ended_at, status, error_message
        from attempts
        where id = ?",
        id.0
    )
    .fetch_optional(&mut *transaction)
    .await
    .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    let what = |part: &'static str| move || format!("the {part} of deployment {id}");
    let ended = match row.ended_at {
        None => None,
        Some(at) => {
            let outcome = Outcome {
                status: status(&row.status, what("status"))?,
                error_message: row.error_message,
                services: outcomes(&mut transaction, id).await?,
            };
            Some((Timestamp::from_millis(at), outcome))
        }
    };
    Ok(Some(Deployment {
        id,
        environment: parse(&row.environment, what("environment"))?,
        cause: from_json(&row.cause, what("cause"))?,
        actor: row.actor.into(),
        commit_sha: parse_optional(row.commit_sha.as_deref(), what("revision"))?,
        started_at: Timestamp::from_millis(row.started_at),
        ended,
        notes: notes(&mut transaction, id).await?,
    }))
}

/// What was noted besides the verdicts, oldest first.
async fn notes(transaction: &mut SqliteConnection, id: DeploymentId) -> Result<Vec<String>, LedgerError> {
    sqlx::query_scalar!(
        r#"select entry ->> '$.message' as "message!: String"
        from journal
        where attempt = ? and entry ->> '$.entry' = 'noted'
        order by id"#,
        id.0
    )
    .fetch_all(transaction)
    .await
    .map_err(failed)
}

async fn outcomes(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
) -> Result<BTreeMap<ServiceName, ServiceOutcome>, LedgerError> {
    let rows = sqlx::query!(
        r#"select service, version, version_before, verdict as "verdict!", evidence as "evidence!"
        from history
        where attempt = ? and verdict is not null"#,
        id.0
    )
    .fetch_all(transaction)
    .await
    .map_err(failed)?;
    rows.into_iter()
        .map(|row| {
            let what = || format!("the verdict on `{}` in deployment {id}", row.service);
            let outcome = ServiceOutcome {
                version: parse(&row.version, what)?,
                from: parse_optional(row.version_before.as_deref(), what)?,
                verdict: from_json(&row.verdict, what)?,
                evidence: from_json(&row.evidence, what)?,
            };
            Ok((parse(&row.service, what)?, outcome))
        })
        .collect()
}

/// The release and rendered stack of a deployment.
pub(super) async fn release_of(
    readers: &SqlitePool,
    id: DeploymentId,
) -> Result<Option<(Release, Stack)>, LedgerError> {
    let row = sqlx::query!(
        "select release, stacks.content as stack
        from attempts
        join stacks on stacks.hash = attempts.stack
        where attempts.id = ?",
        id.0
    )
    .fetch_optional(readers)
    .await
    .map_err(failed)?;
    row.map(|row| {
        let release = from_json(&row.release, || format!("the release of deployment {id}"))?;
        Ok((release, from_json(&row.stack, || format!("the stack of deployment {id}"))?))
    })
    .transpose()
}

/// The deployment that a row of history belongs to, with the row's service and version.
pub(super) async fn history_row(
    readers: &SqlitePool,
    id: i64,
) -> Result<Option<(DeploymentId, ServiceName, Version)>, LedgerError> {
    let row = sqlx::query!("select attempt, service, version from history where id = ?", id)
        .fetch_optional(readers)
        .await
        .map_err(failed)?;
    row.map(|row| {
        let what = || format!("row {id} of history");
        Ok((DeploymentId(row.attempt), parse(&row.service, what)?, parse(&row.version, what)?))
    })
    .transpose()
}
