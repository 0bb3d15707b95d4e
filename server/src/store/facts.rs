//! What insights are drawn from.

use release_manager::deployment::CauseKind;
use release_manager::insights::Fact;
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sqlx::SqlitePool;

use super::codec::{parse, parse_optional, status};
use super::error::{failed, unreadable};

/// Every deployment that was accepted since then, oldest first.
pub(super) async fn facts(readers: &SqlitePool, since: Timestamp) -> Result<Vec<Fact>, LedgerError> {
    let since = since.as_millis();
    let rows = sqlx::query!(
        r#"select id as "id!", environment, status, kind as "kind!: String", started_at, ended_at,
            committed_at as "committed_at: String"
        from attempts indexed by attempts_by_time
        where started_at >= ?
        order by started_at, id"#,
        since
    )
    .fetch_all(readers)
    .await
    .map_err(failed)?;
    rows.into_iter()
        .map(|row| {
            let what = |part: &'static str| move || format!("the {part} of deployment {}", row.id);
            let cause = CauseKind::of_word(&row.kind)
                .ok_or_else(|| unreadable(&what("cause")(), format!("`{}` is no kind of cause", row.kind)))?;
            Ok(Fact {
                environment: parse(&row.environment, what("environment"))?,
                status: status(&row.status, what("status"))?,
                cause,
                started_at: Timestamp::from_millis(row.started_at),
                ended_at: row.ended_at.map(Timestamp::from_millis),
                committed_at: parse_optional(row.committed_at.as_deref(), what("revision"))?,
            })
        })
        .collect()
}
