//! Icons: one path each on a grid of 24, drawn in the colour of the text around them.

use leptos::prelude::*;

/// What an icon shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// The dashboard.
    Dashboard,
    /// History.
    History,
    /// Health.
    Health,
    /// A promotion.
    Promote,
    /// One after the other.
    ArrowRight,
    /// Done.
    Check,
    /// Wrong.
    Cross,
    /// Worth a look.
    Warning,
    /// Good to know.
    Info,
    /// Once more.
    Retry,
    /// Git.
    Branch,
    /// Follow the system.
    System,
    /// Light.
    Sun,
    /// Dark.
    Moon,
    /// Opens.
    Chevron,
    /// No connection.
    Offline,
    /// Nothing there.
    Box,
    /// A demonstration.
    Flask,
    /// Insights.
    Chart,
    /// Settings.
    Sliders,
    /// Look for something.
    Search,
    /// To be told of.
    Bell,
    /// An account.
    Person,
    /// Held.
    Pause,
}

impl Symbol {
    fn path(self) -> &'static str {
        match self {
            Self::Dashboard => "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
            Self::Person => "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.7-3.9 3.5-6 7.5-6s6.8 2.1 7.5 6",
            Self::History => "M3.5 12a8.5 8.5 0 1 0 2.6-6.1L3.5 8.4M3.5 3.5v5h5M12 7.5V12l3 2",
            Self::Health => "M3 12h4l2.5-7 5 14L17 12h4",
            Self::Promote => "M12 20V5M5.5 11.5 12 5l6.5 6.5",
            Self::ArrowRight => "M4 12h15M13 6l6 6-6 6",
            Self::Check => "M5 12.5 10 17.5 19.5 7",
            Self::Cross => "M6 6l12 12M18 6 6 18",
            Self::Warning => "M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.3",
            Self::Info => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.5M12 7.6v.3",
            Self::Retry => "M20.5 12a8.5 8.5 0 1 1-2.6-6.1l2.6 2.5M20.5 3.5v5h-5",
            Self::Branch => {
                "M7 4v11M7 20a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM17 9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM17 9c0 4-4 5-10 6.5"
            }
            Self::System => "M3 4.5h18v11.5H3zM9 20h6M12 16v4",
            Self::Sun => {
                "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4"
            }
            Self::Moon => "M20 14.2A8.3 8.3 0 0 1 9.8 4 8.3 8.3 0 1 0 20 14.2z",
            Self::Chevron => "M9 5.5l6.5 6.5L9 18.5",
            Self::Offline => {
                "M3 3l18 18M8.5 16.3a5 5 0 0 1 7 0M5 12.7a10 10 0 0 1 5-2.7M14.5 10.2A10 10 0 0 1 19 12.7M2 9a15 15 0 0 1 4.3-2.8M10.7 5A15 15 0 0 1 22 9M12 20h.01"
            }
            Self::Box => "M12 3l8.5 4.7v8.6L12 21l-8.5-4.7V7.7zM3.5 7.7 12 12.4l8.5-4.7M12 12.4V21",
            Self::Chart => "M4 4v16h16M8.5 16v-5M13 16V7.5M17.5 16v-3",
            Self::Sliders => {
                "M4 7h9M17 7h3M4 17h3M11 17h9M15 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM9 19.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"
            }
            Self::Search => "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 20.5 20.5",
            Self::Bell => "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 21.2h4",
            Self::Pause => "M8.5 5v14M15.5 5v14",
            Self::Flask => "M9 3h6M10 3v6.5L4.8 18a2 2 0 0 0 1.7 3h11a2 2 0 0 0 1.7-3L14 9.5V3M7.5 14.5h9",
        }
    }
}

/// An icon, silent for screen readers: the text beside it speaks.
#[component]
pub fn Icon(symbol: Symbol) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=symbol.path()></path>
        </svg>
    }
}
