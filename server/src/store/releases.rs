//! What was deployed, newest first.

use release_manager::names::{DeploymentId, EnvironmentName};
use release_manager::ports::{DeployedRelease, LedgerError, ReleaseFilter};
use release_manager::time::Timestamp;
use sqlx::SqlitePool;

use super::codec::{from_json, parse, status};
use super::error::failed;

struct Row {
    id: i64,
    environment: String,
    status: String,
    actor: String,
    release: String,
    started_at: i64,
    ended_at: Option<i64>,
}

/// The releases of a page, each once for every deployment of it.
pub(super) async fn releases(
    readers: &SqlitePool,
    filter: &ReleaseFilter,
) -> Result<Vec<DeployedRelease>, LedgerError> {
    let (before, limit) = (filter.before.map_or(i64::MAX, |id| id.0), i64::from(filter.limit));
    // Two queries, so that each is a walk down one index.
    let rows = match filter.environment.as_ref().map(EnvironmentName::as_str) {
        None => {
            sqlx::query_as!(
                Row,
                r#"select id as "id!", environment, status, actor, release, started_at, ended_at
                from attempts where id < ? order by id desc limit ?"#,
                before,
                limit
            )
            .fetch_all(readers)
            .await
        }
        Some(environment) => {
            sqlx::query_as!(
                Row,
                r#"select id as "id!", environment, status, actor, release, started_at, ended_at
                from attempts where environment = ? and id < ? order by id desc limit ?"#,
                environment,
                before,
                limit
            )
            .fetch_all(readers)
            .await
        }
    };
    rows.map_err(failed)?.into_iter().map(DeployedRelease::try_from).collect()
}

impl TryFrom<Row> for DeployedRelease {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self, LedgerError> {
        let id = row.id;
        let what = |part: &'static str| move || format!("the {part} of deployment {id}");
        Ok(Self {
            deployment: DeploymentId(id),
            environment: parse(&row.environment, what("environment"))?,
            status: status(&row.status, what("status"))?,
            actor: row.actor.into(),
            release: from_json(&row.release, what("release"))?,
            started_at: Timestamp::from_millis(row.started_at),
            ended_at: row.ended_at.map(Timestamp::from_millis),
        })
    }
}
