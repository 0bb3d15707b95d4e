//! The audit log: append-only, and chained so that no line can be changed, taken out or put in unseen.

use release_manager::access::{AuditFilter, AuditPage, AuditResult, AuditRow};
use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;
use sqlx::SqliteConnection;

use super::super::Store;
use super::super::error::{failed, unreadable};
use super::super::seal::{Broken, Canonical, ORIGIN, VerifyError};

/// A line to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Who, as history names them.
    pub actor: String,
    /// From which address.
    pub address: Option<String>,
    /// What.
    pub operation: String,
    /// To what.
    pub target: Option<String>,
    /// How it ended.
    pub result: AuditResult,
    /// More, in words.
    pub detail: Option<String>,
    /// How often.
    pub times: u32,
}

impl AuditEntry {
    fn digest(&self, before: &[u8], at: i64) -> Vec<u8> {
        let mut canonical = Canonical::after(before);
        canonical.number(at);
        for text in [&self.actor, &self.operation] {
            canonical.text(text);
        }
        canonical.text(self.result.as_str());
        for text in [&self.address, &self.target, &self.detail] {
            canonical.optional(text.as_deref());
        }
        canonical.number(i64::from(self.times));
        canonical.finish()
    }
}

struct Row {
    id: i64,
    at: i64,
    actor: String,
    address: Option<String>,
    operation: String,
    target: Option<String>,
    result: String,
    detail: Option<String>,
    times: i64,
    hash: Vec<u8>,
}

impl Row {
    fn entry(&self) -> Result<AuditEntry, LedgerError> {
        let result = match self.result.as_str() {
            "done" => AuditResult::Done,
            "refused" => AuditResult::Refused,
            "failed" => AuditResult::Failed,
            other => return Err(unreadable(&format!("line {} of the audit log", self.id), other.to_owned())),
        };
        Ok(AuditEntry {
            actor: self.actor.clone(),
            address: self.address.clone(),
            operation: self.operation.clone(),
            target: self.target.clone(),
            result,
            detail: self.detail.clone(),
            times: u32::try_from(self.times).unwrap_or(u32::MAX),
        })
    }
}

impl Store {
    /// Adds a line.
    pub async fn add_audit(&self, entry: &AuditEntry, at: Timestamp) -> Result<(), LedgerError> {
        let work = async {
            let mut transaction = self.writer.begin_with("begin immediate").await.map_err(failed)?;
            append(&mut transaction, entry, at.as_millis()).await?;
            transaction.commit().await.map_err(failed)
        };
        self.write(work).await
    }

    /// Lines, newest first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, LedgerError> {
        let limit = i64::from(filter.limit.clamp(1, 1000));
        let before = filter.before.unwrap_or(i64::MAX);
        let actor = filter.actor.as_deref();
        let rows = sqlx::query_as!(
            Row,
            r#"select id as "id!", at, actor, address, operation, target, result, detail, times, hash
            from audit
            where id < ?1 and (?2 is null or actor = ?2)
            order by id desc
            limit ?3"#,
            before,
            actor,
            limit
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        let full = i64::try_from(rows.len()).is_ok_and(|found| found == limit);
        let next = rows.last().filter(|_| full).map(|row| row.id);
        let line = |row: Row| {
            let entry = row.entry()?;
            Ok::<_, LedgerError>(AuditRow {
                id: row.id,
                at: Timestamp::from_millis(row.at),
                actor: entry.actor,
                address: entry.address,
                operation: entry.operation,
                target: entry.target,
                result: entry.result,
                detail: entry.detail,
                times: entry.times,
            })
        };
        Ok(AuditPage { rows: rows.into_iter().map(line).collect::<Result<_, _>>()?, next })
    }
}

async fn append(transaction: &mut SqliteConnection, entry: &AuditEntry, at: i64) -> Result<(), LedgerError> {
    let before = sqlx::query_scalar!("select hash from audit order by id desc limit 1")
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed)?;
    let hash = entry.digest(before.as_deref().unwrap_or(&ORIGIN), at);
    let (result, times) = (entry.result.as_str(), i64::from(entry.times));
    sqlx::query!(
        "insert into audit (at, actor, address, operation, target, result, detail, times, hash)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        at,
        entry.actor,
        entry.address,
        entry.operation,
        entry.target,
        result,
        entry.detail,
        times,
        hash
    )
    .execute(transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Recomputes the chain; names the first line that is not what was written.
pub(crate) async fn verify(transaction: &mut SqliteConnection) -> Result<(), VerifyError> {
    let mut before = ORIGIN.to_vec();
    let mut last = 0;
    loop {
        let row = sqlx::query_as!(
            Row,
            r#"select id as "id!", at, actor, address, operation, target, result, detail, times, hash
            from audit
            where id > ?
            order by id
            limit 1"#,
            last
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed)?;
        let Some(row) = row else { break };
        if row.entry()?.digest(&before, row.at) != row.hash {
            return Err(VerifyError::Broken(Broken::Audit(row.id)));
        }
        (last, before) = (row.id, row.hash);
    }
    // SQLite remembers the highest number that it ever gave.
    let written = sqlx::query_scalar!(r#"select max(seq) as "written: i64" from sqlite_sequence where name = 'audit'"#)
        .fetch_one(transaction)
        .await
        .map_err(failed)?;
    match written {
        Some(written) if written > last => Err(VerifyError::Broken(Broken::Audit(last + 1))),
        _ => Ok(()),
    }
}
