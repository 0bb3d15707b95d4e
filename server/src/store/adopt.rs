//! What was running before the first deployment.

use release_manager::names::EnvironmentName;
use release_manager::ports::LedgerError;
use release_manager::release::Release;
use release_manager::time::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::codec::to_json;
use super::error::failed;

/// Notes a running stack, unless the environment has history or is adopted already. A release without services notes
/// nothing, so that a stack that comes up later can still be adopted.
pub(super) async fn adopt(
    writer: &SqlitePool,
    environment: &EnvironmentName,
    release: &Release,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let mut transaction = writer.begin_with("begin immediate").await.map_err(failed)?;
    let environment = environment.as_str();
    if is_known(&mut transaction, environment).await? {
        return Ok(());
    }
    let (services, at) = (to_json(&release.services), at.as_millis());
    sqlx::query!(
        "insert into services (environment, service) select ?, key from json_each(?) where true on conflict do nothing",
        environment,
        services
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    sqlx::query!(
        "insert into adoptions (environment, service, version, image, adopted_at)
        select ?, key, value ->> 'version', value ->> 'image', ?
        from json_each(?)
        order by key",
        environment,
        at,
        services,
    )
    .execute(&mut *transaction)
    .await
    .map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

async fn is_known(transaction: &mut SqliteConnection, environment: &str) -> Result<bool, LedgerError> {
    let known = sqlx::query_scalar!(
        r#"select
            exists (select 1 from attempts where environment = ?1)
            or exists (select 1 from adoptions where environment = ?1)
            as "known!: bool""#,
        environment
    )
    .fetch_one(transaction)
    .await
    .map_err(failed)?;
    Ok(known)
}
