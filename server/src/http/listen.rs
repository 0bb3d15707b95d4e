//! Accepting connections. `axum::serve` waits for ever for a client that never ends its headers; here every connection
//! has its time, and there is an end to how many there are.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::{HOST, HeaderValue};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::auth::Encrypted;
use crate::auth::{client, plain};

/// For the headers of a request, the first as well as a later one on the same connection: silence is not kept longer.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// For the handshake of TLS.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Headers and the line before them, in bytes; more is answered with 431.
const HEADER_LIMIT: usize = 16 * 1024;
/// Connections at once.
const IN_ALL: usize = 1024;
/// Connections at once from one address: behind a proxy everybody has the proxy's.
const OF_ADDRESS: usize = 512;
/// And so many more from this machine: its health check must not be kept out by strangers.
const OF_LOOPBACK: usize = 16;
/// For a client to take what is sent to it. A stream that is open for days sends something every few seconds.
const WRITE_TIME: Duration = Duration::from_mins(1);
/// When the machine is out of file descriptors there is nothing to do but to wait.
const PAUSE: Duration = Duration::from_millis(200);

/// Serving HTTPS by ourselves.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file holds no certificate or key as PEM.
    #[error("`{}` holds no {what} as PEM ({detail})", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        detail: String,
    },
    /// They do not belong together, or are of an unknown kind.
    #[error("certificate and key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// Reads a chain of certificates and its key.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let unusable = |path: &Path, what| {
            let path = path.to_owned();
            move |error: rustls::pki_types::pem::Error| TlsError::File { path, what, detail: error.to_string() }
        };
        let chain = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(unusable(certificates, "certificate"))?;
        if chain.is_empty() {
            return Err(unusable(certificates, "certificate")(rustls::pki_types::pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(unusable(key, "private key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Serves until the token is cancelled and the requests under way are answered.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    serve_tls(listener, router, None, stop).await
}

/// The same over HTTPS, if there is a certificate.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    stop: CancellationToken,
) -> io::Result<()> {
    let (tracker, places) = (TaskTracker::new(), Places::default());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "A connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(place) = places.take(peer.ip()) else {
            debug!(%peer, "There are too many connections");
            continue;
        };
        let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
        tracker.spawn(async move {
            let _place = place;
            connection(stream, peer, router, tls, stop).await;
        });
    }
    tracker.close();
    tracker.wait().await;
    Ok(())
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, tls: Option<Tls>, stop: CancellationToken) {
    // Small answers and events are sent at once.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME));
    let stream = Box::pin(stream);
    let Some(Tls(acceptor)) = tls else { return speak_http1(stream, service(router, peer, false), stop).await };
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await else { return };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service(router, peer, true);
    if is_http2 { speak_http2(stream, service, stop).await } else { speak_http1(stream, service, stop).await }
}

/// The router, told who is at the other end.
fn service(
    router: Router,
    peer: SocketAddr,
    encrypted: bool,
) -> impl Service<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible, Future: Send + 'static>
+ Clone
+ Send
+ 'static {
    service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        // HTTP/2 has no `Host`: the address says it.
        let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        if let Some(host) = host {
            request.headers_mut().entry(HOST).or_insert(host);
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        if encrypted {
            request.extensions_mut().insert(Encrypted);
        }
        router.clone().oneshot(request)
    })
}

async fn speak_http1<S>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: S,
    stop: CancellationToken,
) where
    S: Service<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEADER_LIMIT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "A connection ended badly");
    }
}

async fn speak_http2<S>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: S,
    stop: CancellationToken,
) where
    S: Service<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(HEADER_TIME))
        .keep_alive_timeout(HEADER_TIME)
        .max_concurrent_streams(64)
        .max_header_list_size(u32::try_from(HEADER_LIMIT).unwrap_or(u32::MAX));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "A connection ended badly");
    }
}

/// How many connections there are, in all and of each client.
#[derive(Debug, Clone, Default)]
struct Places(Arc<Mutex<HashMap<String, usize>>>);

struct Place {
    places: Places,
    client: String,
}

impl Places {
    fn take(&self, address: IpAddr) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let client = client(address);
        let own = taken.get(&client).copied().unwrap_or_default();
        let most = if plain(address).is_loopback() { IN_ALL + OF_LOOPBACK } else { IN_ALL };
        if all >= most || own >= OF_ADDRESS {
            return None;
        }
        taken.insert(client.clone(), own + 1);
        drop(taken);
        Some(Place { places: self.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_keep_this_machine_out() {
        let places = Places::default();
        let take = |address: &str| places.take(address.parse().unwrap());
        let one: Vec<_> = (0..1_000).filter_map(|number| take(&format!("2001:db8::{number:x}"))).collect();
        assert_eq!(one.len(), OF_ADDRESS, "a whole /64 is one client");
        let other: Vec<_> = (0..1_000).filter_map(|_| take("192.0.2.7")).collect();
        assert_eq!(one.len() + other.len(), IN_ALL);
        assert!(take("192.0.2.8").is_none());
        let own = take("127.0.0.1");
        assert!(own.is_some());
        drop((one, own));
        assert!(take("192.0.2.8").is_some(), "a place that is left is free");
    }
}
