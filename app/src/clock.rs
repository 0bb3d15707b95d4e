//! The present: on the server the moment at which a page is drawn, in the browser the moment at which one asks. Ages that
//! stand on the page tick by themselves (`client/ticks.rs`).

use release_manager::time::Timestamp;

/// The present, as far as the page is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    #[cfg(not(feature = "browser"))]
    stopped_at: Timestamp,
}

#[cfg(not(feature = "browser"))]
impl Clock {
    /// Stops the clock for the page that is drawn: it shows the same moment from its top to its end.
    pub fn provide() {
        leptos::prelude::provide_context(Self { stopped_at: wall_clock() });
    }

    /// Now.
    pub fn now(self) -> Timestamp {
        self.stopped_at
    }
}

/// The page's clock.
#[cfg(not(feature = "browser"))]
pub fn use_clock() -> Clock {
    leptos::prelude::expect_context()
}

#[cfg(feature = "browser")]
impl Clock {
    /// Now, by the server's clock.
    pub fn now(self) -> Timestamp {
        crate::client::now()
    }
}

/// The page's clock.
#[cfg(feature = "browser")]
pub fn use_clock() -> Clock {
    Clock {}
}

/// The server's clock.
#[cfg(not(feature = "browser"))]
pub(crate) fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
