//! Users, sessions, tokens and the audit log, as pages and programs see them. None of them holds a secret.

use serde::{Deserialize, Serialize};

use super::Grant;
use crate::names::{TokenName, UserName};
use crate::time::Timestamp;

/// Somebody who may come in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct User {
    /// What they log in with, and what history calls them.
    pub name: UserName,
    /// What they may do.
    pub grant: Grant,
    /// Whether they have a password here; without one they come through a proxy or an identity provider.
    pub has_password: bool,
    /// The password was made up by Release Manager and printed: it should be changed.
    pub password_is_temporary: bool,
    /// Since when they may no longer come in.
    pub disabled_at: Option<Timestamp>,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they came in last.
    pub last_login_at: Option<Timestamp>,
}

/// A browser in which somebody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its number; it opens nothing.
    pub id: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to a few minutes.
    pub last_seen_at: Timestamp,
    /// The address that it began from.
    pub address: String,
    /// What the browser called itself.
    pub agent: String,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// How long a session lasts without being used, in milliseconds.
pub const SESSION_IDLE: i64 = 12 * 60 * 60 * 1000;
/// How long a session lasts at most, in milliseconds.
pub const SESSION_LONGEST: i64 = 7 * 24 * 60 * 60 * 1000;

/// Whether a session is too old, or was not used for too long.
pub fn session_is_over(created_at: Timestamp, last_seen_at: Timestamp, now: Timestamp) -> bool {
    let now = now.as_millis();
    now - created_at.as_millis() >= SESSION_LONGEST || now - last_seen_at.as_millis() >= SESSION_IDLE
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token {
    /// Its name; history says `token:NAME`.
    pub name: TokenName,
    /// What it begins with, to tell it from others.
    pub start: String,
    /// What it may do.
    pub grant: Grant,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it works; `None` for ever.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to a minute.
    pub last_used_at: Option<Timestamp>,
}

/// How something ended that stands in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// It was done, or begun.
    Done,
    /// They may not, or could not prove who they are.
    Refused,
    /// They may, but it could not be done.
    Failed,
}

impl AuditResult {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who, as history names them; `nobody` without a proof.
    pub actor: String,
    /// From which address.
    pub address: Option<String>,
    /// What: the word of an operation, or `log_in`, `log_out`.
    pub operation: String,
    /// To what: an environment, a user, a token, a path.
    pub target: Option<String>,
    /// How it ended.
    pub result: AuditResult,
    /// More, in words.
    pub detail: Option<String>,
    /// How often; refusals that repeat within a minute share a line.
    pub times: u32,
}

/// Which lines of the audit log are asked for; newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only older ones than this line.
    pub before: Option<i64>,
    /// At most so many, 1 to 1000.
    pub limit: u32,
}

/// Lines of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// The lines, newest first.
    pub rows: Vec<AuditRow>,
    /// What to ask for as `before` for older ones; `None` at the end.
    pub next: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_after_a_night_unused_and_after_a_week_in_any_case() {
        let (hour, at) = (60 * 60 * 1000, Timestamp::from_millis);
        for (created, seen, now, over) in
            [(0, 0, 11, false), (0, 0, 12, true), (0, 167, 167, false), (0, 167, 168, true)]
        {
            assert_eq!(session_is_over(at(created * hour), at(seen * hour), at(now * hour)), over, "{seen} {now}");
        }
    }
}
