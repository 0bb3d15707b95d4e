//! One request at a time: time-outs, redirects, sizes, and no request at all while none is allowed.

use std::error::Error;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, IF_NONE_MATCH, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use release_manager::ports::BoxedError;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::limits::{Limits, Seen};
use super::{GitHubSettings, InvalidGitHub, Timeouts, tls};
use crate::metrics::RateLimitLeft;

const MOST_REDIRECTS: usize = 3;
const API_VERSION: &str = "2022-11-28";
const AGENT: &str = concat!("release-manager/", env!("CARGO_PKG_VERSION"));

/// The connection to the API.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    base: Url,
    host: String,
    token: Option<HeaderValue>,
    timeouts: Timeouts,
    limits: Mutex<Limits>,
    left: RateLimitLeft,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) accept: &'static str,
    pub(super) etag: Option<&'a HeaderValue>,
    /// The largest body that is accepted, unpacked.
    pub(super) cap: usize,
}

/// What came back, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back that could be looked at.
#[derive(Debug)]
pub(super) enum Failure {
    /// No more requests for so long.
    Limited(Duration),
    /// The token was refused too often.
    Locked(String),
    /// It took too long.
    TimedOut(String),
    /// No connection, or half a body.
    Broken { detail: String, source: Option<BoxedError> },
    /// More than the cap.
    TooLarge,
}

impl Failure {
    fn broken(detail: impl Into<String>) -> Self {
        Self::Broken { detail: detail.into(), source: None }
    }
}

impl Http {
    pub(super) fn new(settings: &GitHubSettings) -> Result<Self, InvalidGitHub> {
        check_api_url(&settings.api_url, settings.token.is_some())?;
        let token = settings.token.as_ref().map(bearer).transpose().map_err(InvalidGitHub::Token)?;
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(settings.timeouts.connect)
            .read_timeout(settings.timeouts.read);
        let is_https = settings.api_url.scheme() == "https";
        let tls = if is_https { tls::client_config(settings.authority.as_deref()) } else { tls::no_client_config() };
        builder = builder
            .https_only(is_https)
            .tls_backend_preconfigured(tls.map_err(|error| InvalidGitHub::Tls(error.to_string()))?);
        let client = builder.build().map_err(InvalidGitHub::Client)?;
        let base = settings.api_url.clone();
        let host = match (base.host_str().unwrap_or_default(), base.port()) {
            ("api.github.com", None) => "github.com".to_owned(),
            (host, None) => host.to_owned(),
            (host, Some(port)) => format!("{host}:{port}"),
        };
        Ok(Self {
            client,
            base,
            host,
            token,
            timeouts: settings.timeouts,
            limits: Mutex::default(),
            left: RateLimitLeft::default(),
        })
    }

    /// The address of the API.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The host as people know it, without credentials.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// How many requests the host said that it still allows.
    pub(super) fn left(&self) -> RateLimitLeft {
        self.left.clone()
    }

    /// Asks once. Every status is an answer; a limit, a lost connection and too large a body are not.
    pub(super) async fn get(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        self.may_ask()?;
        let total = self.timeouts.total;
        let answer = tokio::time::timeout(total, self.follow(request))
            .await
            .map_err(|_| Failure::TimedOut(format!("no whole answer within {} s", total.as_secs_f32())))??;
        let now = Instant::now();
        let seen = Seen { status: answer.status, headers: &answer.headers, body: &answer.body };
        if let Some(left) = seen.left() {
            self.left.set(left);
        }
        match self.limits().note(&seen, now, jitter()) {
            Some(closed) => Err(Failure::Limited(closed.left(now))),
            None => Ok(answer),
        }
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_ask(&self) -> Result<(), Failure> {
        let now = Instant::now();
        match self.limits().closed(now) {
            None => Ok(()),
            Some(closed) if closed.refused => Err(Failure::Locked(format!(
                "several times in a row; it is asked again in {} s, or after a restart",
                closed.left(now).as_secs()
            ))),
            Some(closed) => Err(Failure::Limited(closed.left(now))),
        }
    }

    async fn follow(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        let mut url = request.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send(&url, request).await?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return receive(response, request.cap).await;
            }
            url = self.next(&url, response.headers())?;
        }
        Err(Failure::broken(format!("it redirects more than {MOST_REDIRECTS} times")))
    }

    async fn send(&self, url: &Url, request: &Request<'_>) -> Result<Response, Failure> {
        let mut builder = self
            .client
            .get(url.clone())
            .header(ACCEPT, request.accept)
            .header(USER_AGENT, AGENT)
            .header("x-github-api-version", API_VERSION);
        if let Some(token) = &self.token {
            builder = builder.header(AUTHORIZATION, token.clone());
        }
        if let Some(etag) = request.etag {
            builder = builder.header(IF_NONE_MATCH, etag.clone());
        }
        builder.send().await.map_err(|error| self.lost(error))
    }

    /// A renamed repository leads on at the same place. Anywhere else the token has no business.
    fn next(&self, from: &Url, headers: &HeaderMap) -> Result<Url, Failure> {
        let location = headers.get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
        let to = from.join(location).map_err(|_| Failure::broken("it redirects to nowhere"))?;
        if to.origin() == self.base.origin() && to.username().is_empty() && to.password().is_none() {
            return Ok(to);
        }
        let place = to.host_str().map_or_else(|| format!("a `{}:` address", to.scheme()), |host| format!("`{host}`"));
        Err(Failure::broken(format!("it redirects to {place}, which is not followed: check GITHUB_API_URL")))
    }

    fn lost(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        if error.is_timeout() {
            let (what, limit) = if error.is_connect() {
                ("no connection", self.timeouts.connect)
            } else {
                ("no answer", self.timeouts.read)
            };
            return Failure::TimedOut(format!("{what} within {} s", limit.as_secs_f32()));
        }
        Failure::Broken { detail: innermost(&error), source: Some(Box::new(error)) }
    }
}

async fn receive(mut response: Response, cap: usize) -> Result<Answer, Failure> {
    let (status, headers) = (response.status(), response.headers().clone());
    // The words of a refusal are short; what is longer is somebody's error page.
    let cap = if status.is_success() { cap } else { cap.min(64 * 1024) };
    let announced = headers.get(CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse::<usize>().ok());
    if status.is_success() && announced.is_some_and(|length| length > cap) {
        return Err(Failure::TooLarge);
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= cap => body.extend_from_slice(&chunk),
            Ok(Some(_)) if status.is_success() => return Err(Failure::TooLarge),
            Ok(Some(_) | None) => break,
            Err(error) => {
                let error = error.without_url();
                if error.is_timeout() {
                    return Err(Failure::TimedOut("its answer stopped in the middle".to_owned()));
                }
                let detail = format!("its answer broke off: {}", innermost(&error));
                return Err(Failure::Broken { detail, source: Some(Box::new(error)) });
            }
        }
    }
    Ok(Answer { status, headers, body })
}

fn check_api_url(url: &Url, has_token: bool) -> Result<(), InvalidGitHub> {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let problem = if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        "is no web address: use `https://api.github.com`, or `https://HOST/api/v3` for GitHub Enterprise"
    } else if !url.username().is_empty() || url.password().is_some() {
        "holds credentials: give them as GITHUB_TOKEN"
    } else if url.query().is_some() || url.fragment().is_some() {
        "has something after the path: leave out everything from `?` or `#` on"
    } else if url.scheme() == "http" && has_token && !is_local {
        "would send the token unencrypted: use `https`"
    } else {
        return Ok(());
    };
    let mut found = url.clone();
    // Fails only for addresses that cannot hold credentials.
    let _ = found.set_username("");
    let _ = found.set_password(None);
    found.set_query(None);
    found.set_fragment(None);
    Err(InvalidGitHub::ApiUrl { found: found.to_string(), problem })
}

fn bearer(token: &SecretString) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret().trim()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The cause that people can act on stands at the end of the chain.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A number from 0 to 1 that differs from call to call.
fn jitter() -> f64 {
    let number = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
    f64::from(number) / f64::from(u32::MAX)
}
