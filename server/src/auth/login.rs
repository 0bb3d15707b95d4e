//! Logging in with a password. Guesses are slowed down before the password is looked at, so that ten thousand of them
//! cost little.

use release_manager::access::AuditResult;
use release_manager::access::throttle::Guesser;
use release_manager::names::UserName;
use release_manager::ports::LedgerError;
use secrecy::{ExposeSecret, SecretString};

use super::groups::Groups;
use super::oidc::Identity;
use super::password::{PasswordError, is_too_long};
use super::secret::NoRandomness;
use super::{Doorkeeper, Visitor, network, secret};
use crate::store::{AuditEntry, KnownUser, NewSession};

/// Somebody who wants to come in.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The name, as it was typed.
    pub name: &'a str,
    /// The password.
    pub password: SecretString,
    /// From where.
    pub visitor: &'a Visitor,
    /// What tells this browser from others, if it has been here before.
    pub device: Option<&'a str>,
    /// The cookie of the session that the browser has, if any: it ends.
    pub old: Option<&'a str>,
}

/// They are in.
#[derive(Debug)]
pub struct Opened {
    /// The secret for the session's cookie.
    pub session: SecretString,
    /// The secret that tells this browser from others from now on.
    pub device: SecretString,
    /// Whether the password should be changed now.
    pub password_is_temporary: bool,
}

/// Why somebody does not come in. It never says whether there is a user of that name.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The name or the password is wrong, or the user is disabled.
    #[error("name or password is wrong")]
    Wrong,
    /// It was wrong too often.
    #[error("too many attempts: try again in {0} s")]
    Slowed(u64),
    /// The identity provider knows them, but nothing gives them access here, or their name is somebody else's.
    #[error("there is no access here for this account")]
    NoAccess,
    /// The password could not be looked at.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Nothing safe could be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The database failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Doorkeeper {
    /// Lets somebody in who knows the password.
    pub async fn log_in(&self, attempt: Attempt<'_>) -> Result<Opened, LoginError> {
        let name = attempt.name.trim().to_ascii_lowercase().parse::<UserName>().ok();
        let guessers = self.guessers(&attempt, name.as_ref()).await?;
        let answer = self.let_in(&attempt, name.as_ref(), &guessers).await;
        let (actor, result, detail) = match &answer {
            Ok((known, _)) => (known.user.name.to_string(), AuditResult::Done, None),
            Err(refused @ (LoginError::Wrong | LoginError::Slowed(_))) => {
                ("nobody".to_owned(), AuditResult::Refused, Some(refused.to_string()))
            }
            Err(failed) => ("nobody".to_owned(), AuditResult::Failed, Some(failed.to_string())),
        };
        let entry = AuditEntry {
            actor,
            address: Some(attempt.visitor.address.to_string()),
            operation: "log_in".to_owned(),
            // People type passwords where names belong: only what could be a name is written down.
            target: name.map(|name| name.to_string()),
            result,
            detail: detail.map(|detail| without_numbers(&detail)),
            times: 1,
        };
        self.audit.note(entry).await;
        answer.map(|(_, opened)| opened)
    }

    async fn guessers(&self, attempt: &Attempt<'_>, name: Option<&UserName>) -> Result<Vec<Guesser>, LedgerError> {
        let address = Guesser::Address(network::client(attempt.visitor.address));
        let device = attempt.device.map(secret::hash);
        if let (Some(name), Some(device)) = (name, device)
            && self.store.knows_device(name, &device).await?
        {
            return Ok(vec![Guesser::Device(format!("{name} {device:02x?}"))]);
        }
        // What is no name is counted too, as one account.
        let account = name.map(ToString::to_string).unwrap_or_default();
        Ok(vec![address, Guesser::Account(account)])
    }

    async fn let_in(
        &self,
        attempt: &Attempt<'_>,
        name: Option<&UserName>,
        guessers: &[Guesser],
    ) -> Result<(KnownUser, Opened), LoginError> {
        self.charge(guessers)?;
        let known = match name {
            Some(name) => self.store.user(name).await?.filter(|known| known.user.disabled_at.is_none()),
            None => None,
        };
        if is_too_long(attempt.password.expose_secret()) {
            return Err(LoginError::Wrong);
        }
        let kept = known.as_ref().and_then(|known| known.password.clone());
        let right = self.passwords.matches(attempt.password.clone(), kept).await?;
        let Some(known) = known.filter(|_| right) else { return Err(LoginError::Wrong) };
        self.throttle().refund(guessers);
        let opened = self.open_session(attempt.visitor, attempt.old, &known).await?;
        Ok((known, opened))
    }

    /// Lets somebody in whom the identity provider knows. Their role follows their groups at every login.
    pub async fn log_in_as(
        &self,
        identity: &Identity,
        groups: &Groups,
        visitor: &Visitor,
        old: Option<&str>,
    ) -> Result<Opened, LoginError> {
        let answer = self.admit(identity, groups, visitor, old).await;
        let (result, detail) = match &answer {
            Ok(_) => (AuditResult::Done, None),
            Err(refused) => (AuditResult::Refused, Some(refused.to_string())),
        };
        let entry = AuditEntry {
            actor: if answer.is_ok() { identity.name.clone() } else { "nobody".to_owned() },
            address: Some(visitor.address.to_string()),
            operation: "log_in".to_owned(),
            target: Some(identity.name.chars().take(64).collect()),
            result,
            detail,
            times: 1,
        };
        self.audit.note(entry).await;
        answer
    }

    async fn admit(
        &self,
        identity: &Identity,
        groups: &Groups,
        visitor: &Visitor,
        old: Option<&str>,
    ) -> Result<Opened, LoginError> {
        let name: UserName = identity.name.parse().map_err(|_| LoginError::NoAccess)?;
        let grant = groups.grant(identity.groups.iter().map(String::as_str)).ok_or(LoginError::NoAccess)?;
        let known = self.store.admit(&identity.subject, &name, &grant, self.clock.now()).await?;
        let known = known.filter(|known| known.user.disabled_at.is_none()).ok_or(LoginError::NoAccess)?;
        self.open_session(visitor, old, &known).await
    }

    /// Counts a guess, or tells how long it has to wait.
    pub(super) fn charge(&self, guessers: &[Guesser]) -> Result<(), LoginError> {
        let now = self.elapsed();
        let mut throttle = self.throttle();
        match throttle.pause(guessers, now) {
            0 => {
                throttle.charge(guessers, now);
                Ok(())
            }
            pause => Err(LoginError::Slowed(pause.div_ceil(1000))),
        }
    }

    async fn open_session(
        &self,
        visitor: &Visitor,
        old: Option<&str>,
        known: &KnownUser,
    ) -> Result<Opened, LoginError> {
        let (session, device) = (secret::cookie()?, secret::cookie()?);
        let new = NewSession {
            hash: secret::hash(session.expose_secret()),
            device: secret::hash(device.expose_secret()),
            user: known.id,
            address: visitor.address.to_string(),
            agent: visitor.agent.clone(),
        };
        self.store.begin_session(&new, Self::hash_of(old), self.clock.now()).await?;
        self.changed();
        Ok(Opened { session, device, password_is_temporary: known.user.password_is_temporary })
    }
}

/// Refusals that differ by the seconds to wait are alike.
fn without_numbers(detail: &str) -> String {
    detail.split(": try again").next().unwrap_or_default().to_owned()
}
