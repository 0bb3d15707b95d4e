//! How an answer can go wrong.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};

use super::answers::Answer;

/// What happens instead of the answer, or to it.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Another status, with these headers and GitHub's own form of a message.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// A status of 200 and a page for people.
    Html,
    /// A redirect with this status.
    Redirect(u16, String),
    /// No answer at all.
    Silence,
    /// The answer, one byte at a time.
    Trickle(Duration),
    /// The answer announced whole, and the connection lost after so many bytes.
    Cut(usize),
    /// The answer with the first text replaced by the second.
    Replace(String, String),
    /// JSON of so many bytes that has no end: a bomb, since it goes out compressed.
    Bomb(usize),
    /// The same without compression and without an announced length.
    Endless,
}

impl Fault {
    /// A bare status.
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, Vec::new(), "Scripted")
    }

    pub(super) async fn spoil(self, answer: Answer) -> Response {
        match self {
            Self::Status(status, headers, message) => {
                let mut answer = Answer::message(StatusCode::from_u16(status).unwrap(), message);
                answer.headers.extend(headers);
                answer.into_response()
            }
            Self::Html => {
                let body = Body::from("<!doctype html><title>Log in</title>");
                Response::builder().header(CONTENT_TYPE, "text/html; charset=utf-8").body(body).unwrap()
            }
            Self::Redirect(status, to) => {
                Response::builder().status(status).header(LOCATION, to).body(Body::empty()).unwrap()
            }
            Self::Silence => std::future::pending().await,
            Self::Trickle(pause) => {
                let bytes = stream::iter(answer.body.clone()).then(move |byte| async move {
                    tokio::time::sleep(pause).await;
                    Ok::<_, io::Error>(Bytes::from(vec![byte]))
                });
                with_body(&answer, Body::from_stream(bytes), None)
            }
            Self::Cut(length) => {
                let whole = answer.body.len();
                let part = Bytes::copy_from_slice(&answer.body[..length.min(whole)]);
                let lost = stream::once(async {
                    // What was written has to leave before the connection does.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    Err(io::Error::other("scripted"))
                });
                let broken = stream::iter([Ok(part)]).chain(lost);
                with_body(&answer, Body::from_stream(broken), Some(whole))
            }
            Self::Replace(from, to) => {
                let body = String::from_utf8(answer.body).unwrap();
                assert!(body.contains(&from), "`{from}` is not in {body}");
                Answer { body: body.replace(&from, &to).into_bytes(), ..answer }.into_response()
            }
            Self::Bomb(size) => {
                let chunks =
                    stream::iter(0..size / 65_536).map(|_| Ok::<_, io::Error>(Bytes::from(vec![b' '; 65_536])));
                let builder = Response::builder().header(CONTENT_TYPE, "application/json");
                builder.body(Body::from_stream(chunks)).unwrap()
            }
            Self::Endless => {
                let chunks = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from(vec![b' '; 16_384])));
                with_body(&answer, Body::from_stream(chunks), None)
            }
        }
    }
}

/// The answer's head over another body, which is not compressed.
fn with_body(answer: &Answer, body: Body, length: Option<usize>) -> Response {
    let mut builder = Response::builder().status(answer.status).header(CONTENT_ENCODING, "identity");
    for (name, value) in &answer.headers {
        builder = builder.header(*name, value);
    }
    if let Some(length) = length {
        builder = builder.header(CONTENT_LENGTH, length);
    }
    builder.body(body).unwrap()
}
