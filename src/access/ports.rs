//! What the pages need of the part of the world that knows users: they ask and order, it checks and remembers.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{AuditFilter, AuditPage, AuditResult, Grant, InvalidGrant, Principal, Session, Token, User};
use crate::names::{TokenName, UserName};
use crate::ports::LedgerError;
use crate::time::Timestamp;

/// Somebody to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser<P> {
    /// The name.
    pub name: UserName,
    /// What they may do.
    pub grant: Grant,
    /// The password, in the clear or as its hash; `None` for who comes through a proxy or an identity provider.
    pub password: Option<P>,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The name.
    pub name: TokenName,
    /// What it may do.
    pub grant: Grant,
    /// Until when it works; `None` for ever.
    pub expires_at: Option<Timestamp>,
}

/// A token that was just made: the only time that its secret can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshToken {
    /// The whole token.
    pub secret: String,
    /// Everything else.
    pub token: Token,
}

/// Users, sessions, tokens and the audit log. Whether somebody may ask is decided before.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// All users, by name.
    async fn users(&self) -> Result<Vec<User>, AccessError>;

    /// Adds a user.
    async fn add_user(&self, new: NewUser<String>) -> Result<(), AccessError>;

    /// Changes what a user may do, and ends their sessions.
    async fn set_grant(&self, name: &UserName, grant: Grant) -> Result<(), AccessError>;

    /// Gives a user another password, and ends their sessions.
    async fn set_password(&self, name: &UserName, password: String) -> Result<(), AccessError>;

    /// Shuts a user out and ends their sessions, or lets them in again.
    async fn set_disabled(&self, name: &UserName, disabled: bool) -> Result<(), AccessError>;

    /// Changes one's own password, which ends all other sessions. `own` is the number of the session that asks.
    async fn change_password(
        &self,
        name: &UserName,
        own: Option<i64>,
        old: String,
        new: String,
    ) -> Result<(), AccessError>;

    /// Where somebody is logged in. `own` is the number of the session that asks.
    async fn sessions(&self, name: &UserName, own: Option<i64>) -> Result<Vec<Session>, AccessError>;

    /// Ends sessions of somebody: this one, or all.
    async fn end_sessions(&self, name: &UserName, id: Option<i64>) -> Result<(), AccessError>;

    /// All tokens that are not revoked, by name.
    async fn tokens(&self) -> Result<Vec<Token>, AccessError>;

    /// Makes a token.
    async fn create_token(&self, by: &Principal, new: NewToken) -> Result<FreshToken, AccessError>;

    /// Makes a token useless at once.
    async fn revoke_token(&self, name: &TokenName) -> Result<(), AccessError>;

    /// Lines of the audit log.
    async fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, AccessError>;
}

/// Why something about users or tokens was refused.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No such user.
    #[error("there is no user `{0}`")]
    UnknownUser(UserName),
    /// No such token.
    #[error("there is no token `{0}`")]
    UnknownToken(TokenName),
    /// The name is taken.
    #[error("there is a user `{0}` already")]
    UserExists(UserName),
    /// The name is taken.
    #[error("there is a token `{0}` already: revoke it first, or choose another name")]
    TokenExists(TokenName),
    /// Nobody could administer any more.
    #[error("`{0}` is the last admin who can log in: make another one first")]
    LastAdmin(UserName),
    /// A password that is easily guessed.
    #[error("a password has {least} to {most} characters: this one has {found}")]
    Password {
        /// At least so many.
        least: usize,
        /// At most so many.
        most: usize,
        /// What was given.
        found: usize,
    },
    /// The old password is not the right one.
    #[error("the current password is not right")]
    WrongPassword,
    /// The old password was wrong too often.
    #[error("too many attempts: try again in {0} s")]
    Slowed(u64),
    /// A token cannot end before it begins.
    #[error("a token must end in the future")]
    ExpiresInThePast,
    /// A role that cannot be limited so.
    #[error(transparent)]
    Grant(#[from] InvalidGrant),
    /// The database failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What a request turned out to be about, for its line in the audit log. Whoever carries it out writes here, the gate
/// reads it when the answer is made.
#[derive(Debug, Clone, Default)]
pub struct Trail(Arc<Mutex<Noted>>);

#[derive(Debug, Clone, Default)]
struct Noted {
    target: Option<String>,
    detail: Option<String>,
    result: Option<AuditResult>,
}

impl Trail {
    /// Notes what it is done to.
    pub fn target(&self, target: &(impl fmt::Display + ?Sized)) {
        self.noted().target = Some(target.to_string());
    }

    /// Notes what else should be known. Never a secret.
    pub fn detail(&self, detail: &(impl fmt::Display + ?Sized)) {
        self.noted().detail = Some(detail.to_string());
    }

    /// Notes that it was not done, and why.
    pub fn ended(&self, result: AuditResult, why: &(impl fmt::Display + ?Sized)) {
        let mut noted = self.noted();
        noted.result = Some(result);
        noted.detail = Some(why.to_string());
    }

    /// Target, detail, and how it ended if that was noted.
    pub fn read(&self) -> (Option<String>, Option<String>, Option<AuditResult>) {
        let noted = self.noted();
        (noted.target.clone(), noted.detail.clone(), noted.result)
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
