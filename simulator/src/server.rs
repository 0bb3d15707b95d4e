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
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{UnixListener, UnixStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    api::{self, Refused},
    error::Refusal,
    faults::Trouble,
    simulator::Shared,
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

async fn converse(stream: UnixStream, shared: Arc<Shared>, router: Router) {
    let answer = service_fn(move |request| answer(request, Arc::clone(&shared), router.clone()));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(%error, "A connection ended early");
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>, router: Router) -> Result<Response, Cut> {
    let mut request = request.map(Body::new);
    if let Err(refusal) = api::strip_version(&mut request) {
        return Ok(Refused(refusal).into());
    }
    let trouble = shared.faults.take(request.method().as_str(), request.uri().path());
    let work = async {
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
