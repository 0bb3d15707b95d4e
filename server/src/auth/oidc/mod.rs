//! Logging in at an identity provider by `OpenID` Connect: the authorisation code with PKCE.
//!
//! Every login has a state of its own, which the browser's cookie must name too, a nonce that comes back in the signed
//! token, and a verifier that only we know. Each works once.

mod jwt;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use release_manager::time::Timestamp;
use reqwest::Client;
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use url::Url;

use super::secret::{self, NoRandomness};
use crate::source::tls;
use jwt::{Claims, Keys};

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_mins(10);
/// How many may be there at once.
const AT_ONCE: usize = 1000;
/// And from one client.
const AT_ONCE_OF_CLIENT: usize = 20;
/// How long the provider may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// What the provider has told of itself is asked again after this time.
const FRESH: Duration = Duration::from_hours(1);

/// How an identity provider is reached, and what its claims mean.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    /// Its address, exactly as it names itself.
    pub issuer: Url,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; none for a public client.
    pub client_secret: Option<SecretString>,
    /// What is asked for.
    pub scopes: String,
    /// The claim that names somebody.
    pub name_claim: String,
    /// The claim with the groups.
    pub groups_claim: String,
    /// Where people come back to.
    pub redirect: Url,
}

/// Who the provider says somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Issuer and subject: it never changes.
    pub subject: String,
    /// The name, in lower case.
    pub name: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Where they wanted to go.
    pub next: String,
}

/// Why somebody does not come in by the provider.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// It was not begun in this browser, took too long, or was used already.
    #[error("this login was not begun here, took too long, or was used already: begin again")]
    Unknown,
    /// Too many are logging in.
    #[error("too many people log in at this moment: try again in a few minutes")]
    Busy,
    /// The provider cannot be reached, or its answer cannot be used.
    #[error("the identity provider cannot be used ({0})")]
    Unusable(String),
    /// Its token is not what it should be.
    #[error("the identity provider's token is refused ({0})")]
    Token(String),
    /// Nothing safe could be made.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// An identity provider.
#[derive(Debug)]
pub struct Provider {
    settings: OidcSettings,
    client: Client,
    known: tokio::sync::Mutex<Option<Known>>,
    pending: Mutex<HashMap<[u8; 32], Pending>>,
}

/// What the provider has told of itself.
#[derive(Debug, Clone)]
struct Known {
    authorization: Url,
    token: Url,
    keys: Keys,
    at: Instant,
}

#[derive(Debug)]
struct Pending {
    nonce: String,
    verifier: SecretString,
    next: String,
    client: String,
    at: Instant,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    /// Ready to send people there; nothing is asked yet.
    pub fn new(settings: OidcSettings) -> Result<Self, OidcError> {
        let unusable = |error: &dyn std::error::Error| OidcError::Unusable(error.to_string());
        let is_https = settings.issuer.scheme() == "https";
        let tls = if is_https { tls::client_config(None) } else { tls::no_client_config() };
        let builder = Client::builder().redirect(Policy::none()).timeout(ANSWER).https_only(is_https);
        let builder = builder.tls_backend_preconfigured(tls.map_err(|error| unusable(&error))?);
        let client = builder.build().map_err(|error| unusable(&error))?;
        Ok(Self { settings, client, known: tokio::sync::Mutex::default(), pending: Mutex::default() })
    }

    /// Where to send a browser, and the state that its cookie must bring back. One client, as [`super::client`] has it,
    /// cannot take all places.
    pub async fn begin(&self, next: &str, client: &str) -> Result<(Url, SecretString), OidcError> {
        let known = self.known(false).await?;
        let (state, nonce, verifier) = (secret::cookie()?, secret::cookie()?, secret::cookie()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
        let mut url = known.authorization;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", self.settings.redirect.as_str())
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", state.expose_secret())
            .append_pair("nonce", nonce.expose_secret())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|_, begun| begun.at.elapsed() < PATIENCE);
        let of_client = pending.values().filter(|begun| begun.client == client).count();
        if pending.len() >= AT_ONCE || of_client >= AT_ONCE_OF_CLIENT {
            return Err(OidcError::Busy);
        }
        let begun = Pending {
            nonce: nonce.expose_secret().to_owned(),
            verifier,
            next: next.to_owned(),
            client: client.to_owned(),
            at: Instant::now(),
        };
        pending.insert(secret::hash(state.expose_secret()), begun);
        Ok((url, state))
    }

    /// Who has come back. `cookie` is the state that the browser's cookie names.
    pub async fn finish(
        &self,
        state: &str,
        cookie: Option<&str>,
        code: &str,
        now: Timestamp,
    ) -> Result<Identity, OidcError> {
        if cookie != Some(state) {
            return Err(OidcError::Unknown);
        }
        let begun = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.remove(&secret::hash(state)).filter(|begun| begun.at.elapsed() < PATIENCE)
        };
        let begun = begun.ok_or(OidcError::Unknown)?;
        let known = self.known(false).await?;
        let tokens = self.exchange(&known.token, code, &begun.verifier).await?;
        let claims = match jwt::read(&tokens.id_token, &known.keys) {
            // The provider may have changed its keys since they were read.
            Err(jwt::JwtError::UnknownKey) => jwt::read(&tokens.id_token, &self.known(true).await?.keys),
            read => read,
        };
        let claims = claims.map_err(|error| OidcError::Token(error.to_string()))?;
        self.check(&claims, &begun.nonce, now)?;
        self.identity(&claims, begun.next)
    }

    fn check(&self, claims: &Claims, nonce: &str, now: Timestamp) -> Result<(), OidcError> {
        let refused = |why: &str| Err(OidcError::Token(why.to_owned()));
        if claims.iss != issuer(&self.settings.issuer) && claims.iss != self.settings.issuer.as_str() {
            return refused("it is of another issuer");
        }
        if !claims.aud.contains(&self.settings.client_id) {
            return refused("it is for somebody else");
        }
        if claims.aud.len() > 1 && claims.azp.as_deref() != Some(self.settings.client_id.as_str()) {
            return refused("it is for several, and not for us first");
        }
        // Two minutes for clocks that differ.
        if claims.exp.saturating_mul(1000) + 120_000 < now.as_millis() {
            return refused("it has expired: compare the clocks of both machines");
        }
        if claims.nonce.as_deref() != Some(nonce) {
            return refused("it was made for another login");
        }
        Ok(())
    }

    fn identity(&self, claims: &Claims, next: String) -> Result<Identity, OidcError> {
        let name = claims.more.get(&self.settings.name_claim).and_then(serde_json::Value::as_str);
        let name = name.ok_or_else(|| OidcError::Token(format!("it has no claim `{}`", self.settings.name_claim)))?;
        let groups = match claims.more.get(&self.settings.groups_claim) {
            Some(serde_json::Value::Array(all)) => {
                all.iter().filter_map(|one| one.as_str()).map(str::to_owned).collect()
            }
            Some(serde_json::Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        let subject = format!("{} {}", claims.iss, claims.sub);
        Ok(Identity { subject, name: name.to_ascii_lowercase(), groups, next })
    }

    async fn exchange(&self, endpoint: &Url, code: &str, verifier: &SecretString) -> Result<Tokens, OidcError> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.settings.redirect.as_str()),
            ("code_verifier", verifier.expose_secret()),
        ];
        let mut request = self.client.post(endpoint.clone());
        if let Some(secret) = &self.settings.client_secret {
            // RFC 6749, 2.3.1: both are form-encoded first.
            request = request.basic_auth(encoded(&self.settings.client_id), Some(encoded(secret.expose_secret())));
        } else {
            fields.push(("client_id", &self.settings.client_id));
        }
        let pairs: Vec<String> = fields.into_iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        answer(request.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&"))).await
    }

    /// What the provider tells of itself, from memory while that is fresh.
    async fn known(&self, anew: bool) -> Result<Known, OidcError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| !anew && known.at.elapsed() < FRESH) {
            return Ok(known.clone());
        }
        let base = issuer(&self.settings.issuer);
        let found: Discovery = answer(self.client.get(format!("{base}/.well-known/openid-configuration"))).await?;
        if found.issuer.trim_end_matches('/') != base {
            return Err(OidcError::Unusable(format!("it names itself `{}`: set OIDC_ISSUER to that", found.issuer)));
        }
        let keys: jwt::KeySet = answer(self.client.get(found.jwks_uri)).await?;
        let place = |text: &str| Url::parse(text).map_err(|error| OidcError::Unusable(format!("`{text}`: {error}")));
        let fresh = Known {
            authorization: place(&found.authorization_endpoint)?,
            token: place(&found.token_endpoint)?,
            keys: keys.into(),
            at: Instant::now(),
        };
        *known = Some(fresh.clone());
        Ok(fresh)
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The issuer without the slash that a URL puts behind a bare host.
fn issuer(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

async fn answer<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, OidcError> {
    // Without the address: it may hold a code.
    let unusable = |error: reqwest::Error| OidcError::Unusable(error.without_url().to_string());
    let response = request.send().await.map_err(unusable)?;
    let status = response.status();
    if !status.is_success() {
        return Err(OidcError::Unusable(format!("it answered {status}")));
    }
    response.json().await.map_err(unusable)
}
