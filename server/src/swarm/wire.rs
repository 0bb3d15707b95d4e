//! The connections to one Engine: a pool that bollard and our own requests share.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use release_manager::ports::BoxedError;
use tokio::net::UnixStream;
use tower::Service;
use tracing::{Instrument as _, Span, info_span};

use super::host::Endpoint;
use super::tls::TlsConnector;
use super::within::{Dial, DialConnector};

/// The body of a request.
pub(super) type Body = UnsyncBoxBody<Bytes, BoxedError>;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// After how long an unused connection is given up.
const IDLE: Duration = Duration::from_mins(1);

/// The connections to one Engine, and the newest API version that it said it speaks.
pub(super) struct Wire {
    pool: Pool,
    spoken: AtomicU32,
}

enum Pool {
    Unix(Client<UnixConnector, Body>),
    Tcp(Client<HttpConnector, Body>),
    Tls(Client<TlsConnector, Body>),
    Within(Client<DialConnector, Body>),
}

impl Wire {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        let pool = match endpoint {
            Endpoint::Unix(path) => Pool::Unix(builder.build(UnixConnector(Arc::clone(path)))),
            Endpoint::Tcp(_) => Pool::Tcp(builder.build(tcp())),
            Endpoint::Tls(_, tls) => {
                let mut tcp = tcp();
                // The addresses of requests say https.
                tcp.enforce_http(false);
                Pool::Tls(builder.build(TlsConnector { tcp, tls: tls.clone() }))
            }
        };
        Self { pool, spoken: AtomicU32::new(0) }
    }

    /// Connections within this process.
    pub(super) fn within(dial: Dial) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        Self { pool: Pool::Within(builder.build(DialConnector(dial))), spoken: AtomicU32::new(0) }
    }

    /// Sends one request and waits for the head of its answer.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let span = traced(&request);
        let answer = match &self.pool {
            Pool::Unix(client) => client.request(request),
            Pool::Tcp(client) => client.request(request),
            Pool::Tls(client) => client.request(request),
            Pool::Within(client) => client.request(request),
        };
        let response = answer.instrument(span).await?;
        if let Some(version) = spoken(response.headers()) {
            self.spoken.store(version, Ordering::Relaxed);
        }
        Ok(response)
    }

    /// Tells Engines of different API versions apart. Every answer of an Engine names its version, so that an Engine
    /// that was exchanged is noticed without asking; 0 as long as none has answered.
    pub(super) fn spoken(&self) -> u32 {
        self.spoken.load(Ordering::Relaxed)
    }
}

fn tcp() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    // An event stream is silent for hours: without this a dead peer would never be noticed.
    connector.set_keepalive(Some(Duration::from_secs(30)));
    connector
}

/// A call is traced within what it is for; the looks that come by themselves all the time are not.
fn traced(request: &Request<Body>) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    info_span!("engine", method = %request.method(), path = request.uri().path())
}

fn spoken(headers: &HeaderMap) -> Option<u32> {
    let (major, minor) = headers.get("api-version")?.to_str().ok()?.split_once('.')?;
    Some(u32::from(major.parse::<u16>().ok()?) << 16 | u32::from(minor.parse::<u16>().ok()?))
}

/// Connects to the one socket, whatever host a request names.
#[derive(Clone)]
struct UnixConnector(Arc<Path>);

impl Service<Uri> for UnixConnector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = Arc::clone(&self.0);
        Box::pin(async move {
            let connecting = tokio::time::timeout(CONNECT, UnixStream::connect(&path)).await;
            connecting.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map(TokioIo::new)
        })
    }
}
