//! Figures of many times.

use std::time::Duration;

use serde_json::{Value, json};

/// Median, 99th percentile and maximum, in milliseconds.
pub(crate) fn of(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).map(|time| time.as_secs_f64() * 1000.0)
    };
    json!({"p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100)})
}
