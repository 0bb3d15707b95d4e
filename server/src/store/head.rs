//! The newest revision that was seen, so that a restart does not forget it.

use release_manager::ports::LedgerError;
use release_manager::revision::Revision;
use sqlx::SqlitePool;

use super::codec::{from_json, to_json};
use super::error::failed;

/// Keeps it; the same one again writes nothing.
pub(super) async fn remember(writer: &SqlitePool, head: &Revision) -> Result<(), LedgerError> {
    let revision = to_json(head);
    sqlx::query!(
        "insert into source_head (id, revision) values (1, ?)
        on conflict (id) do update set revision = excluded.revision where revision <> excluded.revision",
        revision
    )
    .execute(writer)
    .await
    .map_err(failed)?;
    Ok(())
}

/// The newest revision that was seen.
pub(super) async fn head(readers: &SqlitePool) -> Result<Option<Revision>, LedgerError> {
    let revision = sqlx::query_scalar!("select revision from source_head where id = 1")
        .fetch_optional(readers)
        .await
        .map_err(failed)?;
    revision.map(|revision| from_json(&revision, || "the newest revision seen".to_owned())).transpose()
}
