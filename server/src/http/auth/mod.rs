//! The one gate. Every request passes it before a page, a server function or the REST API sees it: who is asking, whether
//! they may, whether they ask too much, and what is written into the audit log.

mod caller;
mod client;
mod cookies;
mod gate;
mod login;
mod seats;
pub(super) mod table;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::{HeaderMap, StatusCode};
use release_manager::access::throttle::Buckets;
use release_manager::access::{Principal, Visit, Who};
use release_manager::names::UserName;
use release_manager::ports::LedgerError;
use secrecy::ExposeSecret;

pub(super) use caller::Caller;
pub(super) use client::{Client, Encrypted};
pub(super) use cookies::has_session;
pub(super) use gate::{gate, too_many, turned_away};
pub(super) use login::{from_provider, log_in, log_out, to_provider};

use super::error::Problem;
use super::guard::Hosts;
use crate::auth::oidc::{OidcError, Provider};
use crate::auth::{Auth, AuthSettings, Doorkeeper, client};
use caller::Credential;
use seats::{Guest, Seat, Seats};
use table::Table;

/// The gate, and what it knows. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

struct Inner {
    keeper: Arc<Doorkeeper>,
    settings: AuthSettings,
    hosts: Hosts,
    table: Table,
    /// `None` where only this machine can ask, and nobody has to log in.
    limits: Option<Limits>,
    seats: Seats,
    provider: Option<Provider>,
    started: Instant,
}

struct Limits {
    reads: Mutex<Buckets<String>>,
    writes: Mutex<Buckets<String>>,
}

/// Who a request comes from.
enum Found {
    Somebody(Visit, Credential),
    Nobody,
    /// They showed a token or a name that does not open anything.
    Impostor(&'static str),
}

impl Gate {
    /// A gate to what is served at that address.
    pub fn new(keeper: Arc<Doorkeeper>, settings: AuthSettings, listen: SocketAddr) -> Result<Self, OidcError> {
        let provider = settings.oidc.clone().map(Provider::new).transpose()?;
        let limits = || Limits {
            reads: Mutex::new(Buckets::new(settings.reads)),
            writes: Mutex::new(Buckets::new(settings.writes)),
        };
        let private = settings.auth == Auth::None && listen.ip().is_loopback();
        let inner = Inner {
            hosts: Hosts::of(listen, &settings),
            table: Table::new(),
            limits: (!private).then(limits),
            seats: Seats::default(),
            provider,
            started: Instant::now(),
            keeper,
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Users, sessions and tokens.
    pub(super) fn keeper(&self) -> &Arc<Doorkeeper> {
        &self.inner.keeper
    }

    /// The identity provider, if there is one.
    pub(super) fn provider(&self) -> Option<&Provider> {
        self.inner.provider.as_ref()
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.inner.hosts
    }

    pub(super) fn settings(&self) -> &AuthSettings {
        &self.inner.settings
    }

    async fn find(&self, headers: &HeaderMap, client: &Client) -> Result<Found, LedgerError> {
        if let Some(token) = bearer(headers) {
            let known = self.inner.keeper.token(token).await?;
            return Ok(known.map_or(Found::Impostor("the API token is wrong, revoked or expired"), |visit| {
                Found::Somebody(visit, Credential::Token(token.into()))
            }));
        }
        if let Some(found) = self.vouched(headers, client).await? {
            return Ok(found);
        }
        if let Some(cookie) = cookies::session(headers, client.is_https)
            && let Some(visit) = self.inner.keeper.session(cookie).await?
        {
            return Ok(Found::Somebody(visit, Credential::Cookie(cookie.into())));
        }
        Ok(match self.inner.settings.auth {
            Auth::None => Found::Somebody(Visit::of(Principal::anybody()), Credential::None),
            Auth::Login => Found::Nobody,
        })
    }

    /// Who a trusted proxy says it is; `None` where none says anything.
    async fn vouched(&self, headers: &HeaderMap, client: &Client) -> Result<Option<Found>, LedgerError> {
        let Some(login) = self.inner.settings.proxy_login.as_ref().filter(|_| client.by_proxy) else { return Ok(None) };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let Some(name) = text(&login.user).filter(|name| !name.is_empty()) else { return Ok(None) };
        let impostor = Found::Impostor("the proxy vouches for somebody who has no access here");
        let Ok(name) = name.to_ascii_lowercase().parse::<UserName>() else { return Ok(Some(impostor)) };
        let groups = login.groups.as_ref().and_then(text).unwrap_or_default();
        let granted = self.inner.settings.groups.grant(groups.split(',').map(str::trim));
        let visit = self.inner.keeper.vouched(name, granted).await?;
        Ok(Some(visit.map_or(impostor, |visit| Found::Somebody(visit, Credential::Proxy))))
    }

    /// A place for a stream, for as long as it is kept.
    pub(super) fn seat(&self, caller: &Caller) -> Result<Seat, Problem> {
        let one = match caller.credential {
            Credential::None => None,
            _ => Some(caller.counted_as()),
        };
        let person = match (&caller.principal().who, &one) {
            (Who::Person(name), Some(_)) => Some(name.to_string()),
            _ => None,
        };
        let address = client(caller.client.address);
        let guest = Guest { one: one.as_deref(), person: person.as_deref(), address: &address };
        self.inner.seats.take(guest).ok_or_else(|| {
            let detail = "too many streams are open: close a tab, or try again later".to_owned();
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", detail)
        })
    }

    /// Ends when somebody has lost the right that a stream needs: it goes on no longer.
    pub(super) async fn shut_out(self, caller: Caller, may: impl Fn(&Principal) -> bool) {
        let mut changes = self.inner.keeper.changes();
        while changes.changed().await.is_ok() {
            let keeper = &self.inner.keeper;
            let visit = match &caller.credential {
                Credential::Cookie(cookie) => keeper.look(cookie.expose_secret()).await,
                Credential::Token(token) => keeper.token(token.expose_secret()).await,
                Credential::Proxy => match &caller.principal().who {
                    Who::Person(name) => keeper.vouched(name.clone(), Some(caller.principal().grant.clone())).await,
                    Who::Token(_) | Who::Anybody => continue,
                },
                Credential::None => continue,
            };
            // A database in trouble shuts nobody out.
            if let Ok(visit) = visit
                && !visit.is_some_and(|visit| may(&visit.principal))
            {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Whether a client may ask now; otherwise in how many seconds.
    pub(super) fn take(&self, client: String, is_change: bool) -> Result<(), u64> {
        let Some(limits) = &self.inner.limits else { return Ok(()) };
        let now = u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let buckets = if is_change { &limits.writes } else { &limits.reads };
        buckets.lock().unwrap_or_else(PoisonError::into_inner).take(client, now)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
