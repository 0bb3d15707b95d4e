//! Requests to the server, and its refusals as failures with the right exit code.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::cli::Failure;
use crate::source::tls;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take: an order reads the repository and asks the registry first.
const ANSWER: Duration = Duration::from_mins(1);
/// A stream says something at least every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// A running server.
pub(super) struct Api {
    base: Url,
    client: Client,
}

impl Api {
    /// Checks the address; sends nothing.
    pub(super) fn new(url: &str, token: Option<SecretString>) -> Result<Self, Failure> {
        let wrong = |problem: &str| Failure::setting(format!("--url: `{url}` {problem}"));
        let base = Url::parse(url).map_err(|error| wrong(&format!("is no address: {error}")))?;
        let is_https = base.scheme() == "https";
        if !is_https && base.scheme() != "http" {
            return Err(wrong("is no address of a web server: use http:// or https://"));
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| Failure::setting("--token has characters that no token has"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let tls = if is_https { tls::client_config(None) } else { tls::no_client_config() };
        let client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("release-manager/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            // A token must not follow a redirect to another server.
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(tls.map_err(Failure::new)?)
            .build()
            .map_err(Failure::new)?;
        Ok(Self { base, client })
    }

    /// The JSON that a path answers. `path` is below the server's address and begins with `api/`.
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let response = self.client.get(self.url(path, query)?).timeout(ANSWER).send().await;
        self.answer(response).await
    }

    /// Gives an order that is carried out once, however often it has to be sent.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let key = format!("cli-{:016x}", RandomState::new().build_hasher().finish());
        let request = || {
            let url = self.url(path, &[])?;
            let request = self.client.request(Method::POST, url).timeout(ANSWER).json(body);
            Ok::<_, Failure>(request.header("idempotency-key", &key))
        };
        let first = request()?.send().await;
        // Nobody knows whether it arrived: sent again with its key it is not carried out twice.
        let response =
            if first.as_ref().is_err_and(|error| !error.is_connect()) { request()?.send().await } else { first };
        self.answer(response).await
    }

    /// An answer that goes on: events, log lines.
    pub(super) async fn stream(&self, path: &str, query: &[(&str, String)]) -> Result<Response, Failure> {
        let response =
            self.client.get(self.url(path, query)?).send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        let mut segments = url.path_segments_mut().map_err(|()| Failure::setting("--url leads nowhere"))?;
        segments.pop_if_empty().extend(path.split('/'));
        drop(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn answer(&self, response: reqwest::Result<Response>) -> Result<Value, Failure> {
        let response = response.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_str(&text).map_err(|_| {
            Failure::new(format!("what is at {} is no Release Manager, or stands behind a login page", self.base))
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        // The innermost error says what happened; the outer ones repeat the address.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let (host, port) = (self.base.host_str().unwrap_or_default(), self.base.port_or_known_default());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Failure::unavailable(format!("{host}{port} cannot be reached ({cause}): check --url and that the server runs"))
    }
}

/// What the server refused, with the exit code that a script can tell it by.
async fn refusal(response: Response) -> Failure {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    let detail = problem["detail"].as_str().map_or_else(|| format!("the server answered {status}"), super::text::plain);
    let message = match problem["deployment_id"].as_i64() {
        Some(id) => format!("{detail} (follow it with `release-manager wait {id}`)"),
        None => detail,
    };
    let kind = problem["type"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    match (status.as_u16(), kind) {
        (_, "up-to-date") => Failure::nothing_to_do(message),
        (_, "busy" | "stopping" | "database" | "unavailable" | "too-many-requests") => Failure::temporary(message),
        (401, _) => Failure::permission(format!("{message}: give a token with --token-file or RELEASE_MANAGER_TOKEN")),
        (403, _) => Failure::permission(message),
        (500.., _) => Failure::unavailable(message),
        _ => Failure::new(message),
    }
}
