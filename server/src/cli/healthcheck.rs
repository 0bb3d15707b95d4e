//! `release-manager healthcheck`: is the server on this machine well?

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Failure;
use super::serve::ProcessEnvironment;
use crate::config::Settings;

/// Asks `/healthz` on the port of `WEB_PORT`; fails unless the answer is 200 within 3 seconds.
pub(super) async fn run() -> Result<(), Failure> {
    let port = ProcessEnvironment.get("WEB_PORT").unwrap_or_else(|| "8080".to_owned());
    let port: u16 = port.parse().map_err(|_| Failure::setting(format!("WEB_PORT: `{port}` is no port")))?;
    let answer = tokio::time::timeout(Duration::from_secs(3), ask(port)).await;
    let answer = answer.map_err(|_| Failure::new("no answer within 3 s"))?.map_err(Failure::new)?;
    let status = answer.lines().next().unwrap_or_default().to_owned();
    if status.contains(" 200 ") { Ok(()) } else { Err(Failure::new(format!("the server answered `{status}`"))) }
}

async fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
