//! The chain over closed deployments: each seal is the SHA-256 of the seal before and of everything that is known of its
//! deployment, so that no line of history can be changed, taken out or put in unseen.

use release_manager::names::DeploymentId;
use release_manager::ports::LedgerError;
use sha2::{Digest, Sha256};
use sqlx::{SqliteConnection, SqlitePool};

use super::Store;
use super::error::failed;

/// What the first seal follows.
pub(super) const ORIGIN: [u8; 32] = [0; 32];

/// The first place where history is not what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Its rows are not those that were sealed, or a seal before it is gone.
    #[error("deployment {0} or the seal before it has been changed since it was closed")]
    Changed(DeploymentId),
    /// It is over, but was never sealed, or its seal is gone.
    #[error("deployment {0} is over and has no seal")]
    Unsealed(DeploymentId),
    /// There was a deployment of a higher number than any that is left.
    #[error("deployment {0} was accepted once and is gone")]
    Gone(DeploymentId),
    /// The stack of a deployment is not the one that was stored with it.
    #[error("the rendered stack of deployment {0} has been changed")]
    Stack(DeploymentId),
    /// A line of the audit log is not what was written, or is gone.
    #[error("line {0} of the audit log, or one before it, has been changed or taken out")]
    Audit(i64),
}

/// Why history does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not what was sealed.
    #[error("history has been tampered with or damaged: {0}; restore the newest good backup")]
    Broken(Broken),
    /// It could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Store {
    /// Recomputes the whole chain; names the first bad deployment. Reads everything: not for each start.
    pub async fn verify(&self) -> Result<(), VerifyError> {
        verify(&self.readers).await
    }
}

/// Seals a deployment that has just been closed.
pub(super) async fn seal(transaction: &mut SqliteConnection, id: DeploymentId) -> Result<(), LedgerError> {
    let before = sqlx::query_scalar!("select hash from seals order by position desc limit 1")
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed)?;
    let hash = digest(transaction, before.as_deref().unwrap_or(&ORIGIN), id).await?;
    sqlx::query!("insert into seals (attempt, hash) values (?, ?)", id.0, hash)
        .execute(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Verifies the chain, then that nothing stands outside it.
pub(super) async fn verify(pool: &SqlitePool) -> Result<(), VerifyError> {
    // One transaction: what is closed meanwhile is not seen.
    let mut transaction = pool.begin().await.map_err(failed)?;
    let mut before = ORIGIN.to_vec();
    let mut position = 0;
    while let Some(next) = next_seal(&mut transaction, position).await? {
        if digest(&mut transaction, &before, next.attempt).await? != next.hash {
            return Err(VerifyError::Broken(Broken::Changed(next.attempt)));
        }
        (position, before) = (next.position, next.hash);
    }
    match stray(&mut transaction).await? {
        Some(broken) => return Err(VerifyError::Broken(broken)),
        None => verify_stacks(&mut transaction).await?,
    }
    super::access::verify(&mut transaction).await
}

struct Seal {
    position: i64,
    attempt: DeploymentId,
    hash: Vec<u8>,
}

async fn next_seal(transaction: &mut SqliteConnection, after: i64) -> Result<Option<Seal>, LedgerError> {
    let row = sqlx::query!(
        r#"select position as "position!", attempt, hash from seals where position > ? order by position limit 1"#,
        after
    )
    .fetch_optional(transaction)
    .await
    .map_err(failed)?;
    Ok(row.map(|row| Seal { position: row.position, attempt: DeploymentId(row.attempt), hash: row.hash }))
}

/// A deployment that the chain does not cover although it should.
async fn stray(transaction: &mut SqliteConnection) -> Result<Option<Broken>, LedgerError> {
    let unsealed = sqlx::query_scalar!(
        r#"select id as "id!" from attempts
        where status <> 'in_progress' and not exists (select 1 from seals where seals.attempt = attempts.id)
        order by id limit 1"#
    )
    .fetch_optional(&mut *transaction)
    .await
    .map_err(failed)?;
    if let Some(id) = unsealed {
        return Ok(Some(Broken::Unsealed(DeploymentId(id))));
    }
    // SQLite remembers the highest number that it ever gave.
    let gone = sqlx::query_scalar!(
        r#"select max(seq) as "gone: i64" from sqlite_sequence
        where name = 'attempts' and seq > (select coalesce(max(id), 0) from attempts)"#
    )
    .fetch_one(transaction)
    .await
    .map_err(failed)?;
    Ok(gone.map(|id| Broken::Gone(DeploymentId(id))))
}

async fn verify_stacks(transaction: &mut SqliteConnection) -> Result<(), VerifyError> {
    let mut after = 0;
    loop {
        let row =
            sqlx::query!(r#"select id as "id!", hash, content from stacks where id > ? order by id limit 1"#, after)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
        let Some(row) = row else { return Ok(()) };
        if Sha256::digest(&row.content)[..] != row.hash[..] {
            let attempt = sqlx::query_scalar!(
                r#"select id as "id!" from attempts where stack = ? order by id limit 1"#,
                row.hash
            )
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?;
            return Err(VerifyError::Broken(Broken::Stack(DeploymentId(attempt.unwrap_or_default()))));
        }
        after = row.id;
    }
}

/// Feeds values to the hash so that no two different lists of values look alike.
pub(super) struct Canonical(Sha256);

impl Canonical {
    /// What follows a link of the chain.
    pub(super) fn after(before: &[u8]) -> Self {
        let mut canonical = Self(Sha256::new());
        canonical.bytes(before);
        canonical
    }

    /// The link.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0.finalize().to_vec()
    }

    fn bytes(&mut self, value: &[u8]) {
        self.0.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub(super) fn number(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn optional(&mut self, value: Option<&str>) {
        self.0.update([u8::from(value.is_some())]);
        self.text(value.unwrap_or_default());
    }

    fn optional_number(&mut self, value: Option<i64>) {
        self.0.update([u8::from(value.is_some())]);
        self.number(value.unwrap_or_default());
    }
}

/// The seal that follows `before` for a closed deployment. What is hashed, and in which order, never changes: old seals
/// must go on to verify.
async fn digest(transaction: &mut SqliteConnection, before: &[u8], id: DeploymentId) -> Result<Vec<u8>, LedgerError> {
    let mut canonical = Canonical::after(before);
    add_attempt(&mut canonical, transaction, id).await?;
    add_history(&mut canonical, transaction, id).await?;
    add_journal(&mut canonical, transaction, id).await?;
    Ok(canonical.finish())
}

async fn add_attempt(
    canonical: &mut Canonical,
    transaction: &mut SqliteConnection,
    id: DeploymentId,
) -> Result<(), LedgerError> {
    let attempt = sqlx::query!(
        "select
            environment, status, actor, cause, commit_sha, content_hash, started_at, ended_at, error_message, stack,
            release, plan
        from attempts
        where id = ?",
        id.0
    )
    .fetch_optional(transaction)
    .await
    .map_err(failed)?;
    canonical.number(id.0);
    let Some(attempt) = attempt else { return Ok(()) };
    canonical.text(&attempt.environment);
    canonical.text(&attempt.status);
    canonical.text(&attempt.actor);
    canonical.text(&attempt.cause);
    canonical.optional(attempt.commit_sha.as_deref());
    canonical.text(&attempt.content_hash);
    canonical.number(attempt.started_at);
    canonical.optional_number(attempt.ended_at);
    canonical.optional(attempt.error_message.as_deref());
    canonical.bytes(&attempt.stack);
    canonical.text(&attempt.release);
    canonical.text(&attempt.plan);
    Ok(())
}

async fn add_history(
    canonical: &mut Canonical,
    transaction: &mut SqliteConnection,
    id: DeploymentId,
) -> Result<(), LedgerError> {
    let rows = sqlx::query!(
        r#"select
            id as "id!", environment, service, nth, nth_in_environment, nth_of_service, nth_of_both, version,
            version_before, commit_sha, actor, status, started_at, completed_at, image, error_message, verdict, evidence
        from history
        where attempt = ?
        order by id"#,
        id.0
    )
    .fetch_all(transaction)
    .await
    .map_err(failed)?;
    for row in rows {
        for number in [row.id, row.nth, row.nth_in_environment, row.nth_of_service, row.nth_of_both, row.started_at] {
            canonical.number(number);
        }
        for text in [&row.environment, &row.service, &row.version, &row.actor, &row.status] {
            canonical.text(text);
        }
        canonical.optional_number(row.completed_at);
        let optional =
            [&row.version_before, &row.commit_sha, &row.image, &row.error_message, &row.verdict, &row.evidence];
        for text in optional {
            canonical.optional(text.as_deref());
        }
    }
    Ok(())
}

async fn add_journal(
    canonical: &mut Canonical,
    transaction: &mut SqliteConnection,
    id: DeploymentId,
) -> Result<(), LedgerError> {
    let entries = sqlx::query!(r#"select id as "id!", at, entry from journal where attempt = ? order by id"#, id.0)
        .fetch_all(transaction)
        .await
        .map_err(failed)?;
    for entry in entries {
        canonical.number(entry.id);
        canonical.number(entry.at);
        canonical.text(&entry.entry);
    }
    Ok(())
}
