//! What pages are made of. A component gets data and shows it; it neither fetches nor decides.

mod banners;
mod basics;
mod comparison;
mod environment_card;
mod evidence;
mod header;
mod hold;
mod icon;
mod loaded;
mod log_view;
mod palette;
mod progress;
mod source;
mod toast_region;
mod watched;

pub use banners::{Banner, Banners};
pub use basics::{Age, Badge, Commit, Elapsed, Empty, Field, HealthDot, PageHead, Sha, VersionText, Versions};
pub use comparison::{ChangeTable, Choice, Findings, PlanDetails};
pub use environment_card::EnvironmentCard;
pub use evidence::EvidenceView;
pub use header::Header;
pub use hold::HoldNotice;
pub use icon::{Icon, Symbol};
pub use loaded::{Drawn, Loaded, Refused, Skeleton};
pub use log_view::LogView;
pub use palette::CommandPalette;
pub use progress::{ProgressLink, Steps};
pub use source::SourceStrip;
pub use toast_region::ToastRegion;
pub use watched::{AfterNotes, AfterView, DriftNote, LeadNote, SoakNotes, Watching};

use leptos::prelude::*;

/// Follows one part of something that changes, and keeps the last value once that part is gone.
pub fn follow<T>(initial: T, pick: impl Fn() -> Option<T> + Send + Sync + 'static) -> Memo<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    Memo::new(move |last: Option<&T>| pick().or_else(|| last.cloned()).unwrap_or_else(|| initial.clone()))
}
