//! What handlers take out of a request. What cannot be read is answered with a problem.

use std::ops::RangeInclusive;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts};
use http::StatusCode;
use serde::Deserialize;

use super::error::Problem;

/// The placeholders of a path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(super) struct Path<T>(pub(super) T);

/// What stands behind the `?`.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(super) struct Query<T>(pub(super) T);

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(super) struct Json<T>(pub(super) T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::of_status(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::of_status(rejection.status(), rejection.body_text())
    }
}

/// Nothing has an impossible name: a path that cannot be read leads nowhere.
impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        match rejection.status() {
            StatusCode::BAD_REQUEST => Self::new(StatusCode::NOT_FOUND, "not-found", rejection.body_text()),
            status => Self::of_status(status, rejection.body_text()),
        }
    }
}

/// Behind which entry a page begins: the number that the page before has told, or 0 for the newest.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
pub(super) struct Cursor(i64);

impl Cursor {
    /// The entry before which the page begins; `None` for the newest.
    pub(super) fn before(self) -> Option<i64> {
        Some(self.0).filter(|number| *number > 0)
    }
}

impl TryFrom<i64> for Cursor {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        if number < 0 { Err(format!("{number} was read: use 0 or more")) } else { Ok(Self(number)) }
    }
}

/// How many entries a page has: what was asked for, or the usual number. More than `most`, or none, is refused.
pub(super) fn page_length(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    number("limit", asked, usual, 1..=most)
}

/// The number that was asked for by this name, or the usual one. What is not allowed is refused.
pub(super) fn number(name: &str, asked: Option<u32>, usual: u32, allowed: RangeInclusive<u32>) -> Result<u32, Problem> {
    let number = asked.unwrap_or(usual);
    if allowed.contains(&number) {
        return Ok(number);
    }
    let detail = format!("`{name}`: {number} was read: use {} to {}", allowed.start(), allowed.end());
    Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail))
}

/// An order that cannot be taken back says so in words.
pub(super) fn confirmed(confirm: bool, to: &str) -> Result<(), Problem> {
    if confirm {
        return Ok(());
    }
    let detail = format!("send `\"confirm\": true` to {to}");
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not-confirmed", detail))
}
