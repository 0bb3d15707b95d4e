//! What pages and the command line order about users and tokens.

use async_trait::async_trait;
use release_manager::access::throttle::Guesser;
use release_manager::access::{
    AccessError, Accounts, AuditFilter, AuditPage, FreshToken, Grant, NewToken, NewUser, Principal, Session, Token,
    User,
};
use release_manager::names::{TokenName, UserName};
use release_manager::ports::LedgerError;
use secrecy::{ExposeSecret, SecretString};

use super::login::LoginError;
use super::password;
use super::{Doorkeeper, secret};
use crate::store::StoredToken;

impl Doorkeeper {
    /// A password that was checked and hashed.
    async fn hashed(&self, password: String) -> Result<String, AccessError> {
        let password = SecretString::from(password);
        password::check(password.expose_secret())?;
        Ok(self.passwords.hash(password).await.map_err(trouble)?)
    }

    async fn change(&self, change: impl Future<Output = Result<(), AccessError>> + Send) -> Result<(), AccessError> {
        change.await?;
        self.changed();
        Ok(())
    }
}

#[async_trait]
impl Accounts for Doorkeeper {
    async fn users(&self) -> Result<Vec<User>, AccessError> {
        Ok(self.store.users().await?)
    }

    async fn add_user(&self, new: NewUser<String>) -> Result<(), AccessError> {
        let password = match new.password {
            Some(password) => Some(self.hashed(password).await?),
            None => None,
        };
        self.store.add_user(&NewUser { password, ..new }, false, self.clock.now()).await
    }

    async fn set_grant(&self, name: &UserName, grant: Grant) -> Result<(), AccessError> {
        self.change(self.store.set_grant(name, &grant)).await
    }

    async fn set_password(&self, name: &UserName, password: String) -> Result<(), AccessError> {
        let hashed = self.hashed(password).await?;
        self.change(self.store.set_password(name, &hashed, false)).await
    }

    async fn set_disabled(&self, name: &UserName, disabled: bool) -> Result<(), AccessError> {
        let at = disabled.then(|| self.clock.now());
        self.change(self.store.set_disabled(name, at)).await
    }

    async fn change_password(
        &self,
        name: &UserName,
        own: Option<i64>,
        old: String,
        new: String,
    ) -> Result<(), AccessError> {
        password::check(&new)?;
        // Whoever sits at somebody else's open browser must not be able to guess.
        let guesser = [Guesser::Device(format!("the own password of {name}"))];
        self.charge(&guesser).map_err(|error| match error {
            LoginError::Slowed(seconds) => AccessError::Slowed(seconds),
            other => trouble(other).into(),
        })?;
        let known = self.store.user(name).await?.ok_or_else(|| AccessError::UnknownUser(name.clone()))?;
        if password::is_too_long(&old) || !self.passwords.matches(old.into(), known.password).await.map_err(trouble)? {
            return Err(AccessError::WrongPassword);
        }
        self.throttle().refund(&guesser);
        let hashed = self.hashed(new).await?;
        self.change(self.store.set_own_password(name, own, &hashed)).await
    }

    async fn sessions(&self, name: &UserName, own: Option<i64>) -> Result<Vec<Session>, AccessError> {
        Ok(self.store.sessions(name, own).await?)
    }

    async fn end_sessions(&self, name: &UserName, id: Option<i64>) -> Result<(), AccessError> {
        self.store.end_sessions(name, id).await?;
        self.changed();
        Ok(())
    }

    async fn tokens(&self) -> Result<Vec<Token>, AccessError> {
        Ok(self.store.tokens().await?)
    }

    async fn create_token(&self, by: &Principal, new: NewToken) -> Result<FreshToken, AccessError> {
        let now = self.clock.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(AccessError::ExpiresInThePast);
        }
        let made = secret::token().map_err(trouble)?;
        let token = Token {
            name: new.name,
            start: secret::start(&made),
            grant: new.grant,
            created_by: by.actor().to_string(),
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
        };
        let stored = StoredToken { hash: secret::hash(made.expose_secret()), token };
        self.store.add_token(&stored).await?;
        Ok(FreshToken { secret: made.expose_secret().to_owned(), token: stored.token })
    }

    async fn revoke_token(&self, name: &TokenName) -> Result<(), AccessError> {
        self.change(self.store.revoke_token(name, self.clock.now())).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, AccessError> {
        Ok(self.store.audit(filter).await?)
    }
}

/// Something inside failed that is neither the person's fault nor the database's.
fn trouble(error: impl std::error::Error + Send + Sync + 'static) -> LedgerError {
    LedgerError::Failed { detail: error.to_string(), source: Box::new(error) }
}
