//! Between columns and the core's types.

use std::str::FromStr;

use release_manager::deployment::Status;
use release_manager::ports::{BoxedError, LedgerError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::unreadable;

/// A value as JSON text.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the core's types have text as map keys, so they always serialise")
}

/// A value out of JSON text; `what` names the place: `the plan of deployment 7`.
pub(super) fn from_json<T: DeserializeOwned>(text: &str, what: impl FnOnce() -> String) -> Result<T, LedgerError> {
    serde_json::from_str(text).map_err(|error| unreadable(&what(), error))
}

/// A name out of text.
pub(super) fn parse<T>(text: &str, what: impl FnOnce() -> String) -> Result<T, LedgerError>
where
    T: FromStr,
    T::Err: Into<BoxedError>,
{
    text.parse().map_err(|error: T::Err| unreadable(&what(), error))
}

/// The same where there may be none.
pub(super) fn parse_optional<T>(text: Option<&str>, what: impl FnOnce() -> String) -> Result<Option<T>, LedgerError>
where
    T: FromStr,
    T::Err: Into<BoxedError>,
{
    text.map(|text| parse(text, what)).transpose()
}

/// A status out of its word.
pub(super) fn status(word: &str, what: impl FnOnce() -> String) -> Result<Status, LedgerError> {
    serde_json::from_value(word.into()).map_err(|error| unreadable(&what(), error))
}
