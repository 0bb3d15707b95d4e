//! Open pages: each follows the events and lets them pass.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::{Failure, figures};

/// A program lets one address have only so many streams.
const OF_ONE_ADDRESS: usize = 150;
/// No event is as short.
const SHORTEST: usize = 32;

/// What all viewers have seen.
#[derive(Default)]
struct Seen {
    open: usize,
    refused: usize,
    bytes: u64,
    /// When the first viewer got an event, by its content.
    first: HashMap<u64, Instant>,
    /// How much later every viewer got it.
    delays: Vec<Duration>,
}

/// Follows until standard input ends. Says `open` once all viewers are.
pub(crate) async fn watch(address: &str, count: usize) -> Result<Value, Failure> {
    let address: SocketAddr = address.parse()?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut viewers = JoinSet::new();
    for number in 0..count {
        let host = u8::try_from(2 + number / OF_ONE_ADDRESS)?;
        viewers.spawn(follow(address, Ipv4Addr::new(127, 0, 0, host), Arc::clone(&seen)));
        if number % 50 == 49 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    loop {
        let (open, refused) = with(&seen, |seen| (seen.open, seen.refused));
        if open + refused == count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("open");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    viewers.shutdown().await;
    Ok(with(&seen, |seen| {
        let delivered = seen.delays.len();
        let mut figures = figures::of(std::mem::take(&mut seen.delays));
        figures["open"] = json!(seen.open);
        figures["refused"] = json!(seen.refused);
        figures["bytes"] = json!(seen.bytes);
        figures["events"] = json!(seen.first.len());
        figures["delivered"] = json!(delivered);
        figures
    }))
}

fn with<T>(seen: &Mutex<Seen>, change: impl FnOnce(&mut Seen) -> T) -> T {
    change(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn follow(address: SocketAddr, from: Ipv4Addr, seen: Arc<Mutex<Seen>>) {
    // A stream that breaks off is seen in the figures: fewer events are delivered.
    let mut counted = false;
    if read(address, from, &seen, &mut counted).await.is_err() && !counted {
        with(&seen, |seen| seen.refused += 1);
    }
}

async fn read(address: SocketAddr, from: Ipv4Addr, seen: &Mutex<Seen>, counted: &mut bool) -> Result<(), Failure> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let mut stream = socket.connect(address).await?;
    let question = format!("GET /api/events HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut buffer = vec![0; 64 * 1024];
    let mut event = Event::default();
    loop {
        let read = stream.read(&mut buffer).await?;
        let mut bytes = &buffer[..read];
        if read == 0 {
            return if *counted { Ok(()) } else { Err("it was closed at once".into()) };
        }
        if !*counted {
            let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            let Some(head) = head.filter(|_| bytes.starts_with(b"HTTP/1.1 200")) else {
                return Err("it was refused".into());
            };
            bytes = &bytes[head + 4..];
            *counted = true;
            with(seen, |seen| seen.open += 1);
        }
        with(seen, |seen| {
            seen.bytes += read as u64;
            event.pass(bytes, |content| {
                let now = Instant::now();
                let first = *seen.first.entry(content).or_insert(now);
                seen.delays.push(now - first);
            });
        });
    }
}

/// The event that is being read.
#[derive(Default)]
struct Event {
    content: DefaultHasher,
    length: usize,
    ends_in_newline: bool,
}

impl Event {
    /// Takes bytes of the stream, and tells of every event that ends in them. What stands between the events to frame
    /// them is the same for every viewer.
    fn pass(&mut self, mut bytes: &[u8], mut ended: impl FnMut(u64)) {
        while let Some(end) = self.end(bytes) {
            let (last, rest) = bytes.split_at(end);
            self.content.write(last);
            // Less is a comment that keeps the connection open.
            if self.length + last.len() > SHORTEST {
                ended(self.content.finish());
            }
            *self = Self::default();
            bytes = rest;
        }
        self.content.write(bytes);
        self.length += bytes.len();
        self.ends_in_newline = bytes.last().map_or(self.ends_in_newline, |last| *last == b'\n');
    }

    /// Where the empty line ends that ends the event.
    fn end(&self, bytes: &[u8]) -> Option<usize> {
        if self.ends_in_newline && bytes.first() == Some(&b'\n') {
            return Some(1);
        }
        bytes.windows(2).position(|window| window == b"\n\n").map(|start| start + 2)
    }
}
