//! The least that a server can do: a handler that has its answer ready.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use hyper::body::Bytes;
use tokio::net::TcpListener;

use crate::Failure;

/// Answers every request with the bytes of a file, on a free port that it prints.
pub(crate) async fn serve(file: &str, content_type: &str) -> Result<(), Failure> {
    let bytes = Bytes::from(tokio::fs::read(file).await?);
    let content_type = HeaderValue::from_str(content_type)?;
    let answer = get(move || async move { ([(CONTENT_TYPE, content_type)], bytes) });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, Router::new().fallback_service(answer)).await?;
    Ok(())
}
