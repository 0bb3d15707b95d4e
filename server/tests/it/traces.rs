//! Traces: from a request to the real program to a collector at a real socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::program::{HOMELAB, PATIENCE, Program, client};

const KEY: &str = "planted-collector-key";

/// A collector that takes nothing but what OTLP over HTTP says, and fails the first time.
struct Collector {
    url: String,
    spans: mpsc::UnboundedReceiver<Value>,
}

impl Collector {
    async fn start() -> Self {
        let (told, spans) = mpsc::unbounded_channel();
        let state = (told, Arc::new(AtomicBool::new(false)));
        let app = Router::new().route("/v1/traces", post(receive)).with_state(state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, spans }
    }

    /// The next span that fits.
    async fn span(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let span = self.spans.recv().await.expect("the collector lives");
                if fits(&span) {
                    return span;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never traced: {what}"))
    }
}

type Told = (mpsc::UnboundedSender<Value>, Arc<AtomicBool>);

async fn receive(State((told, failed)): State<Told>, headers: HeaderMap, body: String) -> StatusCode {
    if !failed.swap(true, Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if headers["content-type"] != "application/json" || headers["x-key"] != KEY {
        return StatusCode::UNAUTHORIZED;
    }
    let body: Value = serde_json::from_str(&body).unwrap();
    let resource = &body["resourceSpans"][0];
    assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "release-manager");
    for span in resource["scopeSpans"][0]["spans"].as_array().unwrap() {
        let hex = |name: &str, digits: usize| {
            let id = span[name].as_str().unwrap();
            assert!(id.len() == digits && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{span}");
        };
        hex("traceId", 32);
        hex("spanId", 16);
        let nanos = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
        told.send(span.clone()).unwrap();
    }
    StatusCode::OK
}

fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let all = span["attributes"].as_array()?;
    let value = &all.iter().find(|known| known["key"] == key)?["value"];
    value["stringValue"].as_str().or_else(|| value["intValue"].as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_and_a_deployment_are_traced_to_the_calls_that_they_make() {
    let mut collector = Collector::start().await;
    let headers = format!("x-key={KEY}");
    let settings = [
        ("AUTH", "none"),
        ("LOG_LEVEL", "warn"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", headers.as_str()),
    ];
    let mut program = Program::start(tempfile::tempdir().unwrap(), &HOMELAB, &settings).await;

    let call = collector.span("a write", |span| span["name"] == "engine" && attribute(span, "method") == Some("POST"));
    let call = call.await;
    assert!(attribute(&call, "path").unwrap().contains("/create"), "{call}");
    let deployment = collector.span("the deployment", |span| span["name"] == "deployment").await;
    assert_eq!(attribute(&deployment, "deployment.id"), Some("1"));
    assert_eq!(deployment["traceId"], call["traceId"], "the call belongs to it");

    let asked = client().get(format!("{}/api/environments", program.base)).header("x-request-id", "build-7");
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
    // The end does not wait for the next batch, and takes along what is left.
    assert!(program.stop().await.success(), "{}", program.log());
    let request = collector.span("the request", |span| attribute(span, "request.id") == Some("build-7")).await;
    assert_eq!((request["kind"].as_i64(), attribute(&request, "http.status")), (Some(2), Some("200")));
    assert!(!program.log().contains(KEY), "{}", program.log());
}
