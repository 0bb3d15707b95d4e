//! Accepting a deployment: everything that is needed to carry it out or take it up again, in one commit.

use release_manager::names::{DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::plan::ActionKind;
use release_manager::ports::{LedgerError, NewDeployment};
use release_manager::release::Release;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{SqliteConnection, SqlitePool};

use super::codec::to_json;
use super::error::{failed, refused};
use super::hold;

/// What a deployment is to do to one service: a row of history to be.
#[derive(Debug, Serialize)]
pub(super) struct Planned<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) version: &'a Version,
    pub(super) from: Option<&'a Version>,
    /// `None` where it is taken out.
    pub(super) image: Option<&'a str>,
}

/// Stores the deployment, its plan and a row of history for every service that it touches.
pub(super) async fn begin(writer: &SqlitePool, new: &NewDeployment) -> Result<DeploymentId, LedgerError> {
    let planned = planned(new)?;
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    if let Some(running) = running(&mut transaction, &new.environment).await? {
        return Err(LedgerError::Busy(running));
    }
    // In the transaction that accepts it: nobody can hold the environment in between.
    if new.cause.is_held_back()
        && let Some(hold) = hold::of(&mut transaction, &new.environment).await?
    {
        return Err(LedgerError::Held(new.environment.clone(), Box::new(hold)));
    }
    let stack = store_stack(&mut transaction, &to_json(&new.stack)).await?;
    let id = insert_attempt(&mut transaction, new, &stack).await?;
    insert_history(&mut transaction, id, &planned).await?;
    transaction.commit().await.map_err(failed)?;
    Ok(id)
}

/// The services that the plan writes. In reverse, because history is read backwards and names should rise there.
fn planned(new: &NewDeployment) -> Result<Vec<Planned<'_>>, LedgerError> {
    let mut planned = Vec::new();
    for action in &new.plan.actions {
        planned.push(match &action.kind {
            ActionKind::CreateService { service, to } => {
                Planned { service, version: to, from: None, image: Some(image_of(&new.release, service)?) }
            }
            ActionKind::UpdateService { service, from, to, .. } => {
                Planned { service, version: to, from: Some(from), image: Some(image_of(&new.release, service)?) }
            }
            ActionKind::WatchService { service, from, to } => {
                Planned { service, version: to, from: from.as_ref(), image: Some(image_of(&new.release, service)?) }
            }
            ActionKind::RemoveService { service, from } => {
                Planned { service, version: from, from: Some(from), image: None }
            }
            ActionKind::CreateObject { .. }
            | ActionKind::LabelObject { .. }
            | ActionKind::RemoveObject { .. }
            | ActionKind::LeaveService { .. } => {
                continue;
            }
        });
    }
    planned.sort_by(|one, other| other.service.cmp(one.service));
    Ok(planned)
}

fn image_of<'a>(release: &'a Release, service: &ServiceName) -> Result<&'a str, LedgerError> {
    let version = release.services.get(service);
    version
        .map(|version| version.image.as_str())
        .ok_or_else(|| refused(format!("the plan writes service `{service}`, which the release does not have")))
}

async fn running(
    transaction: &mut SqliteConnection,
    environment: &EnvironmentName,
) -> Result<Option<DeploymentId>, LedgerError> {
    let environment = environment.as_str();
    let id = sqlx::query_scalar!(
        r#"select id as "id!" from attempts where environment = ? and status = 'in_progress'"#,
        environment
    )
    .fetch_optional(transaction)
    .await
    .map_err(failed)?;
    Ok(id.map(DeploymentId))
}

/// Stores a rendered stack, once; returns its hash.
async fn store_stack(transaction: &mut SqliteConnection, content: &str) -> Result<Vec<u8>, LedgerError> {
    let hash = Sha256::digest(content).to_vec();
    sqlx::query!("insert into stacks (hash, content) values (?, ?) on conflict do nothing", hash, content)
        .execute(transaction)
        .await
        .map_err(failed)?;
    Ok(hash)
}

async fn insert_attempt(
    transaction: &mut SqliteConnection,
    new: &NewDeployment,
    stack: &[u8],
) -> Result<DeploymentId, LedgerError> {
    let environment = new.environment.as_str();
    let (cause, actor) = (to_json(&new.cause), new.actor.to_string());
    let commit_sha = new.release.revision.as_ref().map(|revision| revision.sha.as_str());
    let started_at = new.started_at.as_millis();
    let (release, plan) = (to_json(&new.release), to_json(&new.plan));
    let inserted = sqlx::query!(
        "insert into attempts
            (environment, actor, cause, commit_sha, content_hash, started_at, stack, release, plan)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        environment,
        actor,
        cause,
        commit_sha,
        new.content_hash,
        started_at,
        stack,
        release,
        plan,
    )
    .execute(transaction)
    .await
    .map_err(failed)?;
    Ok(DeploymentId(inserted.last_insert_rowid()))
}

/// Adds rows to history, in the order given, in progress.
pub(super) async fn insert_history(
    transaction: &mut SqliteConnection,
    id: DeploymentId,
    planned: &[Planned<'_>],
) -> Result<(), LedgerError> {
    let planned = to_json(&planned);
    sqlx::query!(
        "insert into services (environment, service)
        select attempts.environment, planned.value ->> 'service'
        from attempts
        join json_each(?2) as planned
        where attempts.id = ?1
        on conflict do nothing",
        id.0,
        planned,
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    // A service stands in a deployment once, so its own counts rise by one; those of all and of the environment by the
    // row's place.
    sqlx::query!(
        "insert into history (
            attempt, environment, service, nth, nth_in_environment, nth_of_service, nth_of_both,
            version, version_before, commit_sha, actor, started_at, image, kind
        )
        select
            attempts.id,
            attempts.environment,
            planned.value ->> 'service',
            planned.key + 1 + (select coalesce(max(nth), 0) from history),
            planned.key + 1 + (
                select coalesce(max(nth_in_environment), 0) from history where environment = attempts.environment
            ),
            1 + (select coalesce(max(nth_of_service), 0) from history where service = planned.value ->> 'service'),
            1 + (
                select coalesce(max(nth_of_both), 0)
                from history
                where environment = attempts.environment and service = planned.value ->> 'service'
            ),
            planned.value ->> 'version',
            planned.value ->> 'from',
            attempts.commit_sha,
            attempts.actor,
            attempts.started_at,
            planned.value ->> 'image',
            attempts.kind
        from attempts
        join json_each(?2) as planned
        where attempts.id = ?1
        order by planned.key",
        id.0,
        planned,
    )
    .execute(transaction)
    .await
    .map_err(failed)?;
    Ok(())
}
