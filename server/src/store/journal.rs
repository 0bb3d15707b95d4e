//! What has been done of a deployment so far.

use release_manager::names::DeploymentId;
use release_manager::ports::{JournalEntry, LedgerError, NewDeployment, OpenDeployment};
use release_manager::stack::Stack;
use release_manager::time::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::codec::{from_json, parse, to_json};
use super::error::{failed, refused};
use super::finish::judge;

/// Adds an entry; a verdict also completes the service's row in history.
pub(super) async fn journal(
    writer: &SqlitePool,
    id: DeploymentId,
    entry: &JournalEntry,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    must_be_open(&mut transaction, id).await?;
    insert(&mut transaction, id, entry, at).await?;
    if let JournalEntry::Judged { service, outcome } = entry {
        judge(&mut transaction, id, service, outcome, at).await?;
    }
    transaction.commit().await.map_err(failed)
}

/// Refuses what is for a deployment that is over or never was.
pub(super) async fn must_be_open(transaction: &mut SqliteConnection, id: DeploymentId) -> Result<(), LedgerError> {
    let status = sqlx::query_scalar!("select status from attempts where id = ?", id.0)
        .fetch_optional(transaction)
        .await
        .map_err(failed)?;
    match status.as_deref() {
        Some("in_progress") => Ok(()),
        Some(_) => Err(LedgerError::Over(id)),
        None => Err(refused(format!("there is no deployment {id}"))),
    }
}

async fn insert(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
    entry: &JournalEntry,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let (at, entry) = (at.as_millis(), to_json(entry));
    sqlx::query!("insert into journal (attempt, at, entry) values (?, ?, ?)", id.0, at, entry)
        .execute(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

struct OpenRow {
    id: i64,
    environment: String,
    cause: String,
    actor: String,
    release: String,
    stack: String,
    plan: String,
    content_hash: String,
    started_at: i64,
}

/// A deployment as it was accepted, with its journal, whether it is over or not.
pub(super) async fn recorded(readers: &SqlitePool, id: DeploymentId) -> Result<Option<OpenDeployment>, LedgerError> {
    let row = sqlx::query_as!(
        OpenRow,
        r#"select
            attempts.id as "id!", environment, cause, actor, release, stacks.content as stack, plan, content_hash,
            started_at
        from attempts
        join stacks on stacks.hash = attempts.stack
        where attempts.id = ?"#,
        id.0
    )
    .fetch_optional(readers)
    .await
    .map_err(failed)?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(OpenDeployment { id, new: accepted(row)?, journal: entries(readers, id).await? }))
}

/// The deployments that are not over, oldest first.
pub(super) async fn unfinished(readers: &SqlitePool) -> Result<Vec<OpenDeployment>, LedgerError> {
    let rows = sqlx::query_as!(
        OpenRow,
        r#"select
            attempts.id as "id!", environment, cause, actor, release, stacks.content as stack, plan, content_hash,
            started_at
        from attempts
        join stacks on stacks.hash = attempts.stack
        where status = 'in_progress'
        order by attempts.id"#,
    )
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    let mut open = Vec::new();
    for row in rows {
        let id = DeploymentId(row.id);
        open.push(OpenDeployment { id, new: accepted(row)?, journal: entries(readers, id).await? });
    }
    Ok(open)
}

fn accepted(row: OpenRow) -> Result<NewDeployment, LedgerError> {
    let what = |part: &'static str| move || format!("the {part} of deployment {}", row.id);
    Ok(NewDeployment {
        environment: parse(&row.environment, what("environment"))?,
        cause: from_json(&row.cause, what("cause"))?,
        actor: row.actor.into(),
        release: from_json(&row.release, what("release"))?,
        stack: from_json::<Stack>(&row.stack, what("stack"))?,
        plan: from_json(&row.plan, what("plan"))?,
        content_hash: row.content_hash,
        started_at: Timestamp::from_millis(row.started_at),
    })
}

async fn entries(readers: &SqlitePool, id: DeploymentId) -> Result<Vec<JournalEntry>, LedgerError> {
    let entries = sqlx::query_scalar!("select entry from journal where attempt = ? order by id", id.0)
        .fetch_all(readers)
        .await
        .map_err(failed)?;
    entries.iter().map(|entry| from_json(entry, || format!("the journal of deployment {id}"))).collect()
}
