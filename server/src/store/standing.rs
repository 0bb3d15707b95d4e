//! What must be known before a deployment is started: what success has proved, what was tried, what is unproved.

use std::collections::BTreeMap;

use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use release_manager::ports::{LedgerError, Standing, Stood, Tried, Unproved};
use release_manager::release::ServiceVersion;
use release_manager::revision::Revision;
use sqlx::{SqliteConnection, SqlitePool};

use super::codec::{from_json, parse, parse_optional, status, to_json};
use super::error::failed;

/// What success has proved of an environment, or had proved before a deployment; `None` while nothing is known.
pub(super) async fn standing(
    readers: &SqlitePool,
    environment: &EnvironmentName,
    before: Option<DeploymentId>,
) -> Result<Option<Standing>, LedgerError> {
    // One transaction, so that services and deployment are of one moment.
    let mut transaction = readers.begin().await.map_err(failed)?;
    let before = before.map_or(i64::MAX, |before| before.0);
    let services = services(&mut transaction, environment, before).await?;
    let environment = environment.as_str();
    let success = sqlx::query_scalar!(
        r#"select id as "id!" from attempts
        where environment = ? and status = 'success' and id < ?
        order by id desc
        limit 1"#,
        environment,
        before,
    )
    .fetch_optional(&mut *transaction)
    .await
    .map_err(failed)?
    .map(DeploymentId);
    let noted = match success {
        Some(id) => noted(&mut transaction, id).await?,
        None => None,
    };
    Ok((success.is_some() || !services.is_empty()).then_some(Standing { services, success, noted }))
}

async fn noted(transaction: &mut SqliteConnection, id: DeploymentId) -> Result<Option<Revision>, LedgerError> {
    let revision = sqlx::query_scalar!("select revision from noted_revisions where attempt = ?", id.0)
        .fetch_optional(transaction)
        .await
        .map_err(failed)?;
    revision.map(|revision| from_json(&revision, || format!("the revision noted for deployment {id}"))).transpose()
}

/// Notes that a revision wants no other release than that of a deployment; the same one again writes nothing.
pub(super) async fn note_revision(
    writer: &SqlitePool,
    id: DeploymentId,
    revision: &Revision,
) -> Result<(), LedgerError> {
    let revision = to_json(revision);
    sqlx::query!(
        "insert into noted_revisions (attempt, revision) values (?, ?)
        on conflict (attempt) do update set revision = excluded.revision where revision <> excluded.revision",
        id.0,
        revision,
    )
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn services(
    transaction: &mut SqliteConnection,
    environment: &EnvironmentName,
    before: i64,
) -> Result<BTreeMap<ServiceName, Stood>, LedgerError> {
    let environment = environment.as_str();
    let rows = sqlx::query!(
        r#"select
            services.service as "service!",
            history.attempt as "attempt?",
            coalesce(history.version, adoptions.version) as "version?: String",
            coalesce(history.image, adoptions.image) as "image?: String",
            history.verdict ->> '$.verdict' as "verdict?: String",
            (
                select attempts.id
                from attempts
                where attempts.environment = services.environment
                    and attempts.status = 'success'
                    -- What came after a deployment had written it without success tells nothing.
                    and attempts.id < coalesce(
                        (
                            select min(failed.attempt)
                            from history as failed
                            where failed.environment = services.environment
                                and failed.service = services.service
                                and failed.nth_of_both > coalesce(history.nth_of_both, 0)
                                and failed.attempt < ?2
                                and (
                                    failed.verdict ->> '$.verdict' in ('failed', 'superseded', 'removed')
                                    or (
                                        failed.verdict ->> '$.verdict' = 'cancelled'
                                        and failed.verdict ->> '$.written'
                                    )
                                )
                        ),
                        ?2
                    )
                order by attempts.id desc
                limit 1
            ) as "success?: i64"
        from services
        left join history on history.id = (
            select newest.id
            from history as newest
            where newest.environment = services.environment
                and newest.service = services.service
                and newest.status = 'success'
                and newest.attempt < ?2
                and exists (select 1 from attempts where attempts.id = newest.attempt and attempts.status <> 'in_progress')
            order by newest.id desc
            limit 1
        )
        left join adoptions
            on history.id is null
            and adoptions.environment = services.environment
            and adoptions.service = services.service
        where services.environment = ?1
        order by services.service"#,
        environment,
        before,
    )
    .fetch_all(transaction)
    .await
    .map_err(failed)?;
    let mut services = BTreeMap::new();
    for row in rows {
        let Some(version) = row.version.filter(|_| row.verdict.as_deref() != Some("pruned")) else { continue };
        let what = || format!("what is stored of service `{}`", row.service);
        let image = row.image.unwrap_or_else(|| version.clone());
        let version = ServiceVersion { version: parse(&version, what)?, image };
        let told_by = row.attempt.max(row.success).map(DeploymentId);
        services.insert(parse(&row.service, what)?, Stood { version, told_by });
    }
    Ok(services)
}

/// The newest deployment of an environment that a sync or a retry started.
pub(super) async fn tried(readers: &SqlitePool, environment: &EnvironmentName) -> Result<Option<Tried>, LedgerError> {
    let environment = environment.as_str();
    let row = sqlx::query!(
        r#"select
            id as "id!",
            content_hash,
            status,
            exists (
                select 1
                from attempts as later
                where later.environment = ?1
                    and later.id > attempts.id
                    and later.cause ->> '$.kind' in ('promotion', 'rollback', 'return', 'command_line')
            ) as "moved!: bool"
        from attempts
        where environment = ?1 and cause ->> '$.kind' in ('sync', 'retry')
        order by id desc
        limit 1"#,
        environment
    )
    .fetch_optional(readers)
    .await
    .map_err(failed)?;
    row.map(|row| {
        let status = status(&row.status, || format!("the status of deployment {}", row.id))?;
        Ok(Tried { id: DeploymentId(row.id), content_hash: row.content_hash, status, moved: row.moved })
    })
    .transpose()
}

/// The services that were written last by a deployment that did not see them succeed.
pub(super) async fn unproved(
    readers: &SqlitePool,
    environment: &EnvironmentName,
) -> Result<BTreeMap<ServiceName, Unproved>, LedgerError> {
    let environment = environment.as_str();
    let rows = sqlx::query!(
        r#"select history.service, history.attempt, history.version_before
        from services
        join history on history.id = (
            select newest.id
            from history as newest
            where newest.environment = services.environment
                and newest.service = services.service
                and newest.status <> 'in_progress'
            order by newest.nth_of_both desc
            limit 1
        )
        where services.environment = ?
            and (
                history.verdict ->> '$.verdict' in ('failed', 'superseded', 'removed')
                or (history.verdict ->> '$.verdict' = 'cancelled' and history.verdict ->> '$.written')
            )
        order by history.service"#,
        environment
    )
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    rows.into_iter()
        .map(|row| {
            let what = || format!("what is stored of service `{}`", row.service);
            let deployment = DeploymentId(row.attempt);
            let from = parse_optional(row.version_before.as_deref(), what)?;
            Ok((parse(&row.service, what)?, Unproved { deployment, from }))
        })
        .collect()
}
