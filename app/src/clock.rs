//! The time that ages are told by: the server's at first, so that both sides draw the same page, then ticking.

use leptos::prelude::*;
use release_manager::time::Timestamp;

/// The present, as far as the page is concerned.
#[derive(Clone, Copy)]
pub struct Clock(RwSignal<Timestamp>);

impl Clock {
    /// Starts from the server's time and ticks in the browser once the page is alive.
    pub fn provide() {
        let rendered_at = SharedValue::new(wall_clock).into_inner();
        let now = RwSignal::new(rendered_at);
        provide_context(Self(now));
        Effect::new(move |_| {
            // A browser whose clock is wrong would tell wrong ages; one that is right needs no correction for the
            // time that the page took to load.
            let skew = rendered_at.as_millis() - wall_clock().as_millis();
            let skew = if skew.abs() < 60_000 { 0 } else { skew };
            let tick = move || now.set(Timestamp::from_millis(wall_clock().as_millis() + skew));
            tick();
            if let Ok(handle) = set_interval_with_handle(tick, std::time::Duration::from_secs(1)) {
                on_cleanup(move || handle.clear());
            }
        });
    }

    /// Now, to the second; whoever reads it is told of each tick.
    pub fn now(self) -> Timestamp {
        self.0.get()
    }
}

/// The page's clock.
pub fn use_clock() -> Clock {
    expect_context()
}

#[cfg(not(feature = "hydrate"))]
fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(feature = "hydrate")]
fn wall_clock() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a date in milliseconds fits, and saturates if it does not")]
    Timestamp::from_millis(js_sys::Date::now() as i64)
}
