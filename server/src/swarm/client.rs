//! Questions to the Engine, each within its own time: through bollard where its types lose nothing, as plain JSON where
//! they would.

use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use futures::TryFutureExt;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use release_manager::ports::SwarmError;
use serde_json::Value;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::errors::{Trouble, is_version_refusal, message_of};
use super::host::{Endpoint, InvalidDockerHost};
use super::registries;
use super::tls::EngineTls;
use super::wire::{Body, Wire};
use super::within::Dial;

/// How long a read may take.
pub(super) const READ: Duration = Duration::from_secs(5);
/// How long a write may take: managers that lose their quorum need 30 s to say so.
pub(super) const WRITE: Duration = Duration::from_secs(30);
/// bollard's own limit. Ours are shorter, and cover an answer's body too.
const NEVER_S: u64 = 3_600;

/// One Engine.
pub(super) struct Client {
    host: String,
    base: String,
    wire: Arc<Wire>,
    negotiated: Mutex<Option<Negotiated>>,
}

/// A bollard that speaks the version of the Engine that was there when it was made.
struct Negotiated {
    docker: Docker,
    spoken: u32,
}

/// A question in plain JSON.
pub(super) struct Question<'a> {
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    body: Option<&'a Value>,
    /// Credentials for a registry.
    auth: Option<HeaderValue>,
}

impl<'a> Question<'a> {
    /// `GET`.
    pub(super) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, query: &[], body: None, auth: None }
    }

    /// `POST` of a body.
    pub(super) fn post(path: &'a str, body: &'a Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    pub(super) fn with_query(self, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { query, ..self }
    }

    pub(super) fn with_auth(self, auth: Option<HeaderValue>) -> Self {
        Self { auth, ..self }
    }
}

impl Client {
    pub(super) fn new(host: &str, tls: Option<EngineTls>) -> Result<Self, InvalidDockerHost> {
        let endpoint = Endpoint::parse(host)?;
        let endpoint = match tls {
            Some(tls) => endpoint.with_tls(host, tls)?,
            None => endpoint,
        };
        Ok(Self {
            host: host.to_owned(),
            base: endpoint.base(),
            wire: Arc::new(Wire::new(&endpoint)),
            negotiated: Mutex::default(),
        })
    }

    /// The client of an Engine within this process.
    pub(super) fn within(host: &str, dial: Dial) -> Self {
        Self {
            host: host.to_owned(),
            base: "http://docker".to_owned(),
            wire: Arc::new(Wire::within(dial)),
            negotiated: Mutex::default(),
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn trouble(&self, limit: Duration) -> Trouble<'_> {
        Trouble { host: &self.host, limit }
    }

    /// `GET`, read as JSON.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, SwarmError> {
        self.answer(READ, &Question::get(path).with_query(query)).await
    }

    /// The answer to a question, read as JSON.
    pub(super) async fn answer(&self, limit: Duration, question: &Question<'_>) -> Result<Value, SwarmError> {
        self.bounded(limit, self.json(limit, question)).await
    }

    /// `GET` of an answer that goes on; only its head must come in time.
    pub(super) async fn open(&self, path: &str, query: &[(&str, &str)]) -> Result<Incoming, SwarmError> {
        let question = Question::get(path).with_query(query);
        let response = self.bounded(READ, self.exchange(READ, &question)).await?;
        Ok(response.into_body())
    }

    /// Asks by means of bollard.
    pub(super) async fn ask<T, F, Q>(&self, limit: Duration, question: Q) -> Result<T, SwarmError>
    where
        F: Future<Output = Result<T, bollard::errors::Error>> + Send,
        Q: Fn(Docker) -> F + Send + Sync,
    {
        let trouble = self.trouble(limit);
        let work = async {
            let docker = self.docker(&trouble).await?;
            question(docker).await.map_err(|error| trouble.bollard(&error))
        };
        self.bounded(limit, work).await
    }

    async fn bounded<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, SwarmError>>,
    ) -> Result<T, SwarmError> {
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(self.trouble(limit).timed_out()))
    }

    async fn json(&self, limit: Duration, question: &Question<'_>) -> Result<Value, SwarmError> {
        let trouble = self.trouble(limit);
        let body = self.exchange(limit, question).await?.into_body();
        let body = body.collect().await.map_err(|error| trouble.broken(&error))?.to_bytes();
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| trouble.unreadable(format!("`{}`: {error}", question.path)))
    }

    /// Sends a question and takes care of answers that are no success. An Engine that was exchanged for an older one
    /// refuses the first question unread: it is asked again in its own version, which is safe for writes too.
    async fn exchange(&self, limit: Duration, question: &Question<'_>) -> Result<Response<Incoming>, SwarmError> {
        let trouble = self.trouble(limit);
        let mut asked_before = false;
        loop {
            let version = self.docker(&trouble).await?.client_version();
            let request = self.request(&format!("/v{version}"), question, &trouble)?;
            let response = match self.wire.send(request).await {
                Ok(response) => response,
                Err(error) => {
                    self.forget_version().await;
                    return Err(trouble.broken(&error));
                }
            };
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let body = response.into_body().collect().await.map_err(|error| trouble.broken(&error))?.to_bytes();
            let message = message_of(&body);
            if asked_before || !is_version_refusal(status, &message) {
                return Err(trouble.refusal(status.as_u16(), &message));
            }
            asked_before = true;
            self.forget_version().await;
        }
    }

    fn request(
        &self,
        version: &str,
        question: &Question<'_>,
        trouble: &Trouble<'_>,
    ) -> Result<Request<Body>, SwarmError> {
        let mut uri = format!("{}{version}{}", self.base, question.path);
        if !question.query.is_empty() {
            uri.push('?');
            uri.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(question.query).finish());
        }
        let body = question.body.map(Value::to_string).unwrap_or_default();
        let mut request =
            Request::builder().method(question.method.clone()).uri(uri).header(CONTENT_TYPE, "application/json");
        if let Some(auth) = &question.auth {
            request = request.header(registries::HEADER, auth);
        }
        request.body(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync()).map_err(|error| {
            trouble.refusal(StatusCode::BAD_REQUEST.as_u16(), &format!("`{}`: {error}", question.path))
        })
    }

    /// bollard, speaking the newest version that both it and the Engine know.
    async fn docker(&self, trouble: &Trouble<'_>) -> Result<Docker, SwarmError> {
        let mut negotiated = self.negotiated.lock().await;
        if let Some(known) = negotiated.as_ref().filter(|known| known.spoken == self.wire.spoken()) {
            return Ok(known.docker.clone());
        }
        let wire = Arc::clone(&self.wire);
        let transport = move |request: BollardRequest| {
            let wire = Arc::clone(&wire);
            async move { wire.send(request.map(BodyExt::boxed_unsync)).err_into().await }
        };
        let docker = Docker::connect_with_custom_transport(transport, Some(&*self.base), NEVER_S, API_DEFAULT_VERSION)
            .map_err(|error| trouble.bollard(&error))?
            .negotiate_version()
            .await
            .map_err(|error| trouble.bollard(&error))?;
        *negotiated = Some(Negotiated { docker: docker.clone(), spoken: self.wire.spoken() });
        Ok(docker)
    }

    async fn forget_version(&self) {
        *self.negotiated.lock().await = None;
    }
}

/// A filter of the Engine's list calls.
pub(super) fn filter(name: &str, values: &[&str]) -> Value {
    serde_json::json!({ name: values })
}

/// An id or name as one segment of a path.
pub(super) fn segment(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
