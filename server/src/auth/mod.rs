//! Who somebody is: passwords, sessions, API tokens, and what a proxy says. It knows no HTTP; the gate in `http/auth`
//! asks it.

mod accounts;
mod audit;
mod first_start;
mod groups;
mod login;
mod network;
pub mod oidc;
mod password;
pub mod secret;
mod settings;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use release_manager::access::throttle::Throttle;
use release_manager::access::{Grant, Principal, Visit, Who, session_is_over};
use release_manager::names::UserName;
use release_manager::ports::{Clock, LedgerError};
use release_manager::time::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use audit::AuditLog;
pub use first_start::{FirstStart, first_start};
pub use groups::Groups;
pub use login::{Attempt, LoginError, Opened};
pub use network::{Network, client, plain};
pub use password::{PasswordError, Passwords, check as check_password};
pub use settings::{Auth, AuthSettings, OIDC_CALLBACK, ProxyLogin};

use crate::store::{OpenSession, SecretHash, Store};

/// A session's last use is noted at most this often, in milliseconds.
const NOTE_SESSION: i64 = 5 * 60 * 1000;
/// A token's last use is noted at most this often, in milliseconds.
const NOTE_TOKEN: i64 = 60 * 1000;
/// A browser in which nobody has logged in for so long is a stranger again, in milliseconds.
const DEVICE_KNOWN: i64 = 180 * 24 * 60 * 60 * 1000;
/// How often old sessions are forgotten, and refusals written that were counted.
const ROUND: Duration = Duration::from_mins(1);

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The address of the client, not of a trusted proxy.
    pub address: IpAddr,
    /// What the browser or program calls itself, cut to 200 characters.
    pub agent: String,
}

/// Knows who may come in.
pub struct Doorkeeper {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    passwords: Passwords,
    throttle: Mutex<Throttle>,
    started: Instant,
    /// The audit log.
    pub audit: AuditLog,
    /// Grows when somebody may have lost what they had: open streams then look again.
    changes: watch::Sender<u64>,
}

impl Doorkeeper {
    /// Knows who is in the store.
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Result<Self, PasswordError> {
        Ok(Self {
            audit: AuditLog::new(Arc::clone(&store), Arc::clone(&clock)),
            passwords: Passwords::new()?,
            throttle: Mutex::default(),
            started: Instant::now(),
            changes: watch::Sender::new(0),
            store,
            clock,
        })
    }

    /// Whose session the cookie is, if it is not over. They have been here, and are not idle.
    pub async fn session(&self, cookie: &str) -> Result<Option<Visit>, LedgerError> {
        let Some(open) = self.going_on(cookie).await? else { return Ok(None) };
        let now = self.clock.now();
        if now.as_millis() - open.last_seen_at.as_millis() >= NOTE_SESSION {
            self.store.saw_session(open.id, now).await?;
        }
        Ok(Some(visit(open)))
    }

    /// The same, asked by ourselves, which makes nobody less idle.
    pub async fn look(&self, cookie: &str) -> Result<Option<Visit>, LedgerError> {
        Ok(self.going_on(cookie).await?.map(visit))
    }

    async fn going_on(&self, cookie: &str) -> Result<Option<OpenSession>, LedgerError> {
        let open = self.store.session(&secret::hash(cookie)).await?;
        let now = self.clock.now();
        let goes_on = |open: &OpenSession| {
            open.user.disabled_at.is_none() && !session_is_over(open.created_at, open.last_seen_at, now)
        };
        Ok(open.filter(goes_on))
    }

    /// What the API token may do, if it works: never more than whoever made it may do now.
    pub async fn token(&self, token: &str) -> Result<Option<Visit>, LedgerError> {
        if !secret::is_token(token) {
            return Ok(None);
        }
        let Some(known) = self.store.token(&secret::hash(token)).await? else { return Ok(None) };
        let now = self.clock.now();
        if known.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        let noted = known.last_used_at.map_or(0, Timestamp::as_millis);
        if now.as_millis() - noted >= NOTE_TOKEN {
            self.store.used_token(known.id, now).await?;
        }
        let grant = known.owner.map_or_else(|| known.grant.clone(), |owner| known.grant.common(&owner));
        Ok(Some(Visit::of(Principal { who: Who::Token(known.name), grant })))
    }

    /// Who a trusted proxy or identity provider says somebody is. A user of that name counts as they stand here, others
    /// by their groups.
    pub async fn vouched(&self, name: UserName, granted: Option<Grant>) -> Result<Option<Visit>, LedgerError> {
        let grant = match self.store.user(&name).await? {
            Some(known) if known.user.disabled_at.is_some() => None,
            Some(known) => Some(known.user.grant),
            None => granted,
        };
        Ok(grant.map(|grant| Visit::of(Principal { who: Who::Person(name), grant })))
    }

    /// Ends the session of a cookie.
    pub async fn log_out(&self, cookie: &str) -> Result<(), LedgerError> {
        self.store.end_session(&secret::hash(cookie)).await?;
        self.changed();
        Ok(())
    }

    /// Tells when somebody may have lost what they had.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Forgets old sessions and writes what was counted, until it is told to stop.
    pub async fn keep_house(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(ROUND) => (),
            }
            self.audit.flush(false).await;
            let ago = |millis| Timestamp::from_millis(self.clock.now().as_millis() - millis);
            let (begun, seen) =
                (ago(release_manager::access::SESSION_LONGEST), ago(release_manager::access::SESSION_IDLE));
            if let Err(error) = self.store.forget_sessions(begun, seen, ago(DEVICE_KNOWN)).await {
                tracing::warn!(%error, "Old sessions could not be forgotten");
            }
            // Whoever was shut out by the command line, in another process, is found by looking again.
            self.changed();
        }
        self.audit.flush(true).await;
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds of a clock that never goes back.
    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn hash_of(cookie: Option<&str>) -> Option<SecretHash> {
        cookie.map(secret::hash)
    }
}

fn visit(open: OpenSession) -> Visit {
    let password_is_temporary = open.user.password_is_temporary;
    let principal = Principal { who: Who::Person(open.user.name), grant: open.user.grant };
    Visit { principal, session: Some(open.id), password_is_temporary }
}
