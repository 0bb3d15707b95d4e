//! Sends closed spans to the collector, in batches. Traces are a help and no more: what cannot be sent is lost, and said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::settings::TraceSettings;
use crate::source::tls::{TlsError, client_config};

/// The most spans in one request.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const PAUSE: Duration = Duration::from_secs(2);
/// A collector that takes longer is down.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long is waited before a batch is sent once more.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Sends what was traced.
pub struct Exporter {
    settings: TraceSettings,
    waiting: mpsc::Receiver<Value>,
    batch: Vec<Value>,
    lost: Arc<AtomicU64>,
    failing: bool,
}

impl Exporter {
    pub(super) fn new(settings: TraceSettings, waiting: mpsc::Receiver<Value>, lost: Arc<AtomicU64>) -> Self {
        Self { settings, waiting, batch: Vec::new(), lost, failing: false }
    }

    /// Sends until `stop`, and then what is left.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), TlsError> {
        let client = Client::builder()
            .redirect(Policy::none())
            .referer(false)
            .timeout(TIMEOUT)
            .tls_backend_preconfigured(client_config(None)?)
            .build()
            .map_err(|error| TlsError::Authority(error.to_string()))?;
        while stop.run_until_cancelled(self.fill()).await.is_some_and(|filled| filled) {
            let batch = std::mem::take(&mut self.batch);
            self.deliver(&client, &batch, &stop).await;
        }
        while let Ok(span) = self.waiting.try_recv() {
            self.batch.push(span);
        }
        for batch in std::mem::take(&mut self.batch).chunks(BATCH) {
            self.deliver(&client, batch, &stop).await;
        }
        Ok(())
    }

    /// Waits until a batch is full, or its first span has waited long enough; `false` once nothing can come any more.
    async fn fill(&mut self) -> bool {
        let Some(first) = self.waiting.recv().await else { return false };
        self.batch.push(first);
        let full = async {
            while self.batch.len() < BATCH
                && let Some(span) = self.waiting.recv().await
            {
                self.batch.push(span);
            }
        };
        // Either is well.
        let _ = tokio::time::timeout(PAUSE, full).await;
        true
    }

    async fn deliver(&mut self, client: &Client, batch: &[Value], stop: &CancellationToken) {
        let body = self.body(batch);
        let mut sent = self.send(client, &body).await;
        for wait in AGAIN {
            if !matches!(sent, Err(Trouble { passing: true, .. })) || stop.is_cancelled() {
                break;
            }
            stop.run_until_cancelled(tokio::time::sleep(wait)).await;
            sent = self.send(client, &body).await;
        }
        match sent {
            Ok(()) if self.failing => {
                self.failing = false;
                info!(lost = self.lost.swap(0, Ordering::Relaxed), "Traces arrive again");
            }
            Ok(()) => (),
            Err(trouble) => {
                self.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                if !self.failing {
                    warn!(problem = %trouble.said, "Traces do not arrive: check OTEL_EXPORTER_OTLP_ENDPOINT");
                }
                self.failing = true;
            }
        }
    }

    fn body(&self, spans: &[Value]) -> String {
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let version = env!("CARGO_PKG_VERSION");
        json!({
            "resourceSpans": [{
                "resource": {
                    "attributes": [text("service.name", &self.settings.service), text("service.version", version)],
                },
                "scopeSpans": [{ "scope": { "name": "release-manager", "version": version }, "spans": spans }],
            }],
        })
        .to_string()
    }

    async fn send(&self, client: &Client, body: &str) -> Result<(), Trouble> {
        let mut request = client.post(self.settings.url.clone()).header(CONTENT_TYPE, "application/json");
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        let answer = request.body(body.to_owned()).send().await;
        let answer = answer.map_err(|error| Trouble { said: error.without_url().to_string(), passing: true })?;
        let status = answer.status();
        // Those that the specification calls retryable.
        let passing = matches!(status.as_u16(), 429 | 502..=504);
        if status == StatusCode::OK { Ok(()) } else { Err(Trouble { said: format!("it answered {status}"), passing }) }
    }
}

/// Why a batch did not arrive.
struct Trouble {
    said: String,
    /// Whether the same may well work a moment later.
    passing: bool,
}
