//! The socket: accepts connections, lets faults happen, and hands calls to the API.

use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use futures::StreamExt;
use http_body_util::BodyExt;
use hyper::{Request, body::Incoming, header::CONTENT_LENGTH, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::UnixListener,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    api::{self, Refused},
    error::Refusal,
    faults::Trouble,
    simulator::{Daemon, Shared},
};

/// An open socket that nobody answers on yet.
#[derive(Debug)]
pub struct Listening {
    shared: Arc<Shared>,
    listener: UnixListener,
    path: PathBuf,
}

impl Listening {
    /// Opens the socket in place of whatever file is there.
    pub(crate) async fn open(shared: Arc<Shared>, path: &Path) -> io::Result<Self> {
        match tokio::fs::remove_file(path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { shared, listener: UnixListener::bind(path)?, path: path.to_owned() })
    }

    /// Answers until `shutdown`; open connections then end at once, as when a daemon is killed.
    pub async fn run(self, shutdown: CancellationToken) -> io::Result<()> {
        let router = api::router(Arc::clone(&self.shared));
        let mut connections = JoinSet::new();
        let driver = self.shared.drive(shutdown.clone());
        tokio::pin!(driver);
        loop {
            tokio::select! {
                () = &mut driver => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(_) if *self.shared.daemon.borrow() == Daemon::Gone => {}
                    Ok((stream, _)) => {
                        connections.spawn(converse(stream, Arc::clone(&self.shared), router.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "Could not accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
        self.shared.save().await;
        tokio::fs::remove_file(&self.path).await
    }
}

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut on purpose")]
struct Cut;

/// How many bytes lie between the two ends of a connection within the process.
const HELD_BETWEEN: usize = 64 * 1024;

/// Opens a connection within the process and answers on it until its client goes.
pub(crate) fn connect(shared: &Arc<Shared>) -> io::Result<DuplexStream> {
    if *shared.daemon.borrow() == Daemon::Gone {
        return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
    }
    let (ours, theirs) = tokio::io::duplex(HELD_BETWEEN);
    let router = api::router(Arc::clone(shared));
    // It ends with the connection, and with the runtime at the latest.
    tokio::spawn(converse(ours, Arc::clone(shared), router));
    Ok(theirs)
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>, router: Router) {
    let mut daemon = shared.daemon.subscribe();
    let answer = service_fn(move |request| answer(request, Arc::clone(&shared), router.clone()));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::debug!(%error, "A connection ended early");
        },
        // A killed daemon takes its connections with it.
        () = async { drop(daemon.wait_for(|daemon| *daemon == Daemon::Gone).await) } => {}
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>, router: Router) -> Result<Response, Cut> {
    // As long as the daemon is frozen, whoever asks waits.
    drop(shared.daemon.subscribe().wait_for(|daemon| *daemon != Daemon::Frozen).await);
    let mut request = request.map(Body::new);
    if let Err(refusal) = api::strip_version(&mut request) {
        return Ok(Refused(refusal).into());
    }
    let trouble = shared.faults.take(request.method().as_str(), request.uri().path());
    let work = async move {
        let response = router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
        shared.save().await;
        response
    };
    match trouble {
        None => Ok(work.await),
        Some(Trouble::Refuse { status, message }) => Ok(Refused(Refusal::new(status, message)).into()),
        Some(Trouble::Delay(ms)) => {
            let response = work.await;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(response)
        }
        Some(Trouble::Hang) => std::future::pending().await,
        Some(Trouble::Reset) => Err(Cut),
        Some(Trouble::LoseAnswer) => {
            work.await;
            Err(Cut)
        }
        Some(Trouble::CutAnswer) => Ok(half(work.await).await),
        Some(Trouble::Swallow) => {
            work.await;
            std::future::pending().await
        }
        Some(Trouble::Late(ms)) => {
            // A daemon does what it was asked also when nobody waits for the answer any more.
            let late = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                work.await
            });
            late.await.map_err(|_| Cut)
        }
        Some(Trouble::DoneButRefused { status, message }) => {
            work.await;
            Ok(Refused(Refusal::new(status, message)).into())
        }
        Some(Trouble::Garbled) => {
            let (mut parts, _) = work.await.into_parts();
            parts.headers.remove(CONTENT_LENGTH);
            Ok(Response::from_parts(parts, Body::from("<html>")))
        }
    }
}

/// The first half of an answer, after which the connection breaks.
async fn half(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let first = futures::stream::iter([Ok(bytes.slice(..bytes.len() / 2))]);
    let cut = futures::stream::iter([Err(Cut)]);
    Response::from_parts(parts, Body::from_stream(first.chain(cut)))
}
