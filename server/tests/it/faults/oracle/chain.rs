//! NL-5: the chain of seals, computed anew from what stands in the tables. Written from the description of the format, not
//! from the code that makes it.

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::database::Database;

/// Values with their lengths before them.
#[derive(Default)]
struct Sealed(Sha256);

impl Sealed {
    fn bytes(&mut self, value: &[u8]) {
        self.0.update((value.len() as u64).to_be_bytes());
        self.0.update(value);
    }

    fn number(&mut self, row: &SqliteRow, column: &str) {
        self.bytes(&row.get::<i64, _>(column).to_be_bytes());
    }

    fn text(&mut self, row: &SqliteRow, column: &str) {
        self.bytes(row.get::<String, _>(column).as_bytes());
    }

    /// A byte that says whether there is one, then the value or what stands for none.
    fn optional_text(&mut self, row: &SqliteRow, column: &str) {
        let value: Option<String> = row.get(column);
        self.0.update([u8::from(value.is_some())]);
        self.bytes(value.unwrap_or_default().as_bytes());
    }

    fn optional_number(&mut self, row: &SqliteRow, column: &str) {
        let value: Option<i64> = row.get(column);
        self.0.update([u8::from(value.is_some())]);
        self.bytes(&value.unwrap_or_default().to_be_bytes());
    }
}

/// Recomputes every seal.
pub(super) async fn verifies(database: &Database) {
    let seals = database.rows("select attempt, hash from seals order by position").await;
    let attempts = database.rows("select * from attempts where status <> 'in_progress' order by id").await;
    let history = database.rows("select * from history order by id").await;
    let journal = database.rows("select * from journal order by id").await;
    assert_eq!(seals.len(), attempts.len(), "NL-5: every deployment that is over has a seal");
    let of = |row: &&SqliteRow, id: i64| row.get::<i64, _>("attempt") == id;
    let mut before = vec![0_u8; 32];
    for seal in &seals {
        let id: i64 = seal.get("attempt");
        let attempt = attempts.iter().find(|row| row.get::<i64, _>("id") == id).expect("a seal is of a deployment");
        let mut sealed = Sealed::default();
        sealed.bytes(&before);
        sealed.number(attempt, "id");
        for column in ["environment", "status", "actor", "cause"] {
            sealed.text(attempt, column);
        }
        sealed.optional_text(attempt, "commit_sha");
        sealed.text(attempt, "content_hash");
        sealed.number(attempt, "started_at");
        sealed.optional_number(attempt, "ended_at");
        sealed.optional_text(attempt, "error_message");
        sealed.bytes(&attempt.get::<Vec<u8>, _>("stack"));
        sealed.text(attempt, "release");
        sealed.text(attempt, "plan");
        for row in history.iter().filter(|row| of(row, id)) {
            let numbers = ["id", "nth", "nth_in_environment", "nth_of_service", "nth_of_both", "started_at"];
            for column in numbers {
                sealed.number(row, column);
            }
            let texts = ["environment", "service", "version", "actor", "status"];
            for column in texts {
                sealed.text(row, column);
            }
            sealed.optional_number(row, "completed_at");
            let optional = ["version_before", "commit_sha", "image", "error_message", "verdict", "evidence"];
            for column in optional {
                sealed.optional_text(row, column);
            }
        }
        for row in journal.iter().filter(|row| of(row, id)) {
            sealed.number(row, "id");
            sealed.number(row, "at");
            sealed.text(row, "entry");
        }
        let hash = sealed.0.finalize().to_vec();
        assert_eq!(hash, seal.get::<Vec<u8>, _>("hash"), "NL-5: the seal of deployment {id}");
        before = hash;
    }
}
