//! Answers to orders with an `Idempotency-Key`, for a day.

use release_manager::ports::LedgerError;
use release_manager::time::Timestamp;

use super::Store;
use super::error::failed;

/// How long an answer is kept, in milliseconds.
const KEPT: i64 = 24 * 60 * 60 * 1000;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What is known of an order of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing.
    Nothing,
    /// It was sent, with this request, and no answer was ever stored.
    Unanswered {
        /// SHA-256 of method, path and body.
        request: Hash,
    },
    /// It was answered.
    Answered {
        /// SHA-256 of method, path and body.
        request: Hash,
        /// What was answered.
        answer: Answer,
    },
}

/// An answer, as it is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, 200 to 299.
    pub status: u16,
    /// The media type.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Store {
    /// What is known of an order.
    pub async fn remembered(&self, name: &Hash, now: Timestamp) -> Result<Remembered, LedgerError> {
        let (name, oldest) = (&name[..], now.as_millis() - KEPT);
        let row = sqlx::query!(
            "select request, status, content_type, body from answers where name = ? and at > ?",
            name,
            oldest
        )
        .fetch_optional(&self.writer)
        .await
        .map_err(failed)?;
        let Some(row) = row else { return Ok(Remembered::Nothing) };
        let request = Hash::try_from(&row.request[..]).unwrap_or_default();
        Ok(match (row.status.and_then(|status| u16::try_from(status).ok()), row.body) {
            (Some(status), Some(body)) => {
                Remembered::Answered { request, answer: Answer { status, content_type: row.content_type, body } }
            }
            _ => Remembered::Unanswered { request },
        })
    }

    /// Notes an order before it is carried out, and forgets those that are older than a day.
    pub async fn expect_answer(&self, name: &Hash, request: &Hash, now: Timestamp) -> Result<(), LedgerError> {
        let (name, request, at, oldest) = (&name[..], &request[..], now.as_millis(), now.as_millis() - KEPT);
        self.write(async {
            let mut transaction = self.writer.begin_with("begin immediate").await.map_err(failed)?;
            sqlx::query!("delete from answers where at <= ?", oldest)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            sqlx::query!("insert into answers (name, request, at) values (?, ?, ?)", name, request, at)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            transaction.commit().await.map_err(failed)
        })
        .await
    }

    /// Keeps the answer to an order that was noted.
    pub async fn keep_answer(&self, name: &Hash, answer: &Answer) -> Result<(), LedgerError> {
        let (name, status) = (&name[..], i64::from(answer.status));
        let (content_type, body) = (answer.content_type.as_deref(), &answer.body[..]);
        self.write(async {
            sqlx::query!(
                "update answers set status = ?, content_type = ?, body = ? where name = ?",
                status,
                content_type,
                body,
                name
            )
            .execute(&self.writer)
            .await
            .map_err(failed)?;
            Ok(())
        })
        .await
    }

    /// Forgets an order that was noted and refused: nothing was done, so it may be sent again.
    pub async fn forget_answer(&self, name: &Hash) -> Result<(), LedgerError> {
        let name = &name[..];
        self.write(async {
            sqlx::query!("delete from answers where name = ?", name).execute(&self.writer).await.map_err(failed)?;
            Ok(())
        })
        .await
    }
}
