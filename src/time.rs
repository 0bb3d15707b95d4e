//! Wall-clock time, for people and for history. Time-outs never use it.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment in UTC, in milliseconds since 1970; RFC 3339 in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time as RFC 3339 writes it")]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// The moment so many milliseconds after 1970; what lies outside the years 0 to 9999 becomes their edge.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(-62_167_219_200_000, 253_402_300_799_999))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment so much later.
    #[must_use]
    pub fn plus(self, length: std::time::Duration) -> Self {
        let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.as_millis().saturating_add(length))
    }

    /// Seconds from `earlier` to this moment; zero if the clock was set back in between.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        let millis = u64::try_from(self.0 - earlier.0).unwrap_or_default();
        std::time::Duration::from_millis(millis).as_secs_f64()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        formatter.write_str(&text)
    }
}

impl std::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(raw: &str) -> Result<Self, InvalidTimestamp> {
        let moment = OffsetDateTime::parse(raw, &Rfc3339).map_err(|_| InvalidTimestamp(raw.to_owned()))?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
            .map(Self::from_millis)
            .map_err(|_| InvalidTimestamp(raw.to_owned()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(raw: String) -> Result<Self, InvalidTimestamp> {
        raw.parse()
    }
}

impl From<Timestamp> for String {
    fn from(moment: Timestamp) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_it_was_written() {
        for text in ["2025-10-31T10:30:00Z", "1970-01-01T00:00:00Z", "2038-01-19T03:14:08.25Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_duration_may_be_longer_than_49_days() {
        let day = 86_400_000;
        let seconds = Timestamp::from_millis(90 * day).seconds_since(Timestamp::from_millis(0));
        assert!((seconds - 7_776_000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_clock_set_back_gives_no_negative_duration() {
        assert!(Timestamp::from_millis(5).seconds_since(Timestamp::from_millis(9)).abs() < f64::EPSILON);
    }
}
