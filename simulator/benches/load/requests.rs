//! Clients that ask again as soon as they have their answer, each on a connection of its own that stays open.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::header::{ACCEPT, HOST};
use axum::http::{Request, StatusCode};
use futures::future::try_join_all;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{Failure, figures};

/// What one client has seen.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    bytes: usize,
    failed: usize,
}

/// Asks for the paths on standard input in turn.
pub(crate) async fn measure(address: &str, connections: usize, seconds: f64) -> Result<Value, Failure> {
    let mut paths = String::new();
    std::io::stdin().read_to_string(&mut paths)?;
    let paths: Arc<Vec<String>> = Arc::new(paths.lines().map(str::to_owned).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(seconds);
    let clients = (0..connections).map(|_| client(address, &paths, &next, end));
    let seen = try_join_all(clients).await?;
    let took = began.elapsed().as_secs_f64();
    let count = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    let (answered, bytes, failed) =
        (count(|seen| seen.times.len()), count(|seen| seen.bytes), count(|seen| seen.failed));
    let mut figures = figures::of(seen.into_iter().flat_map(|seen| seen.times).collect());
    figures["requests"] = json!(answered);
    figures["per_second"] = json!(u32::try_from(answered).map_or(f64::NAN, f64::from) / took);
    figures["bytes"] = json!(bytes / answered.max(1));
    figures["failed"] = json!(failed);
    Ok(figures)
}

async fn client(address: &str, paths: &[String], next: &AtomicUsize, end: Instant) -> Result<Seen, Failure> {
    let mut sender = connect(address).await?;
    let mut seen = Seen::default();
    while Instant::now() < end {
        let path = &paths[next.fetch_add(1, Ordering::Relaxed) % paths.len()];
        let request = Request::get(path).header(HOST, address).header(ACCEPT, "*/*").body(Empty::<Bytes>::new())?;
        let began = Instant::now();
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        seen.bytes += answer.into_body().collect().await?.to_bytes().len();
        seen.times.push(began.elapsed());
        seen.failed += usize::from(status != StatusCode::OK);
    }
    Ok(seen)
}

async fn connect(address: &str) -> Result<SendRequest<Empty<Bytes>>, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
