//! What an environment runs, derived from success and adoption.

use std::collections::BTreeMap;

use release_manager::names::{Actor, EnvironmentName, ServiceName};
use release_manager::ports::{Current, LedgerError};
use release_manager::release::{Release, ServiceVersion};
use release_manager::stack::Stack;
use release_manager::time::Timestamp;
use sqlx::SqlitePool;

use super::codec::{from_json, parse};
use super::error::failed;

struct RunningRow {
    service: String,
    version: String,
    image: Option<String>,
    actor: String,
    since: i64,
}

struct SuccessRow {
    id: i64,
    release: String,
    stack: String,
    actor: String,
    ended_at: Option<i64>,
    /// The newest revision that wants nothing else here.
    noted: Option<String>,
}

/// What the environment runs; `None` while nothing is known.
pub(super) async fn current(
    readers: &SqlitePool,
    environment: &EnvironmentName,
) -> Result<Option<Current>, LedgerError> {
    // One transaction, so that rows and stack are of one moment.
    let mut transaction = readers.begin().await.map_err(failed)?;
    let environment = environment.as_str();
    let running = sqlx::query_as!(
        RunningRow,
        r#"select
            service as "service!", version as "version!", image, actor as "actor!", since as "since!: i64"
        from running_services
        where environment = ?
        order by service"#,
        environment
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(failed)?;
    let success = sqlx::query_as!(
        SuccessRow,
        r#"select attempts.id as "id!", release, stacks.content as stack, actor, ended_at, noted_revisions.revision as "noted?"
        from attempts
        join stacks on stacks.hash = attempts.stack
        left join noted_revisions on noted_revisions.attempt = attempts.id
        where environment = ? and status = 'success'
        order by attempts.id desc
        limit 1"#,
        environment
    )
    .fetch_optional(&mut *transaction)
    .await
    .map_err(failed)?;
    assemble(&running, success)
}

fn assemble(running: &[RunningRow], success: Option<SuccessRow>) -> Result<Option<Current>, LedgerError> {
    let newest = running.iter().max_by_key(|row| row.since).map(|row| (row.since, row.actor.clone()));
    let ended = success.as_ref().and_then(|success| success.ended_at.map(|at| (at, success.actor.clone())));
    let Some((deployed_at, deployed_by)) = newest.or(ended) else { return Ok(None) };
    let services = services(running)?;
    let (revision, stack) = match success {
        None => (None, None),
        Some(success) => {
            let what = |part: &'static str| move || format!("the {part} of deployment {}", success.id);
            let release: Release = from_json(&success.release, what("release"))?;
            let stack: Stack = from_json(&success.stack, what("stack"))?;
            let noted = success.noted.as_deref().map(|noted| from_json(noted, what("newest revision"))).transpose()?;
            (noted.or(release.revision), Some(stack))
        }
    };
    Ok(Some(Current {
        release: Release::new(revision, services),
        deployed_at: Timestamp::from_millis(deployed_at),
        deployed_by: Actor::from(deployed_by),
        stack,
    }))
}

fn services(running: &[RunningRow]) -> Result<BTreeMap<ServiceName, ServiceVersion>, LedgerError> {
    let what = |row: &RunningRow| format!("what is stored of running service `{}`", row.service);
    running
        .iter()
        .map(|row| {
            let version = parse(&row.version, || what(row))?;
            // Only a service that was taken out has no image, and that one does not run.
            let image = row.image.clone().unwrap_or_else(|| row.version.clone());
            Ok((parse(&row.service, || what(row))?, ServiceVersion { version, image }))
        })
        .collect()
}
