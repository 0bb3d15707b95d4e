//! Time: tokio's clock for what happens, a wall clock that follows it for what is written down.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

/// A point in the simulator's life: the time since it started.
pub(crate) type Moment = Duration;

/// A moment that never comes.
pub(crate) const NEVER: Moment = Duration::MAX;

/// Tells the time since the start, by tokio's clock, so that a paused clock drives the simulator too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    epoch: OffsetDateTime,
}

impl Clock {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), epoch: OffsetDateTime::now_utc() }
    }

    /// The time since the start.
    pub(crate) fn now(&self) -> Moment {
        self.start.elapsed()
    }

    /// The instant to sleep until, for a moment that does come.
    pub(crate) fn instant(&self, moment: Moment) -> Option<Instant> {
        self.start.checked_add(moment)
    }

    /// The wall clock's reading at the start.
    pub(crate) fn epoch(&self) -> OffsetDateTime {
        self.epoch
    }
}

/// Writes a time as the Engine does: RFC 3339 in UTC, down to the nanosecond.
pub(crate) fn stamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("years up to 9999 can be formatted")
}
