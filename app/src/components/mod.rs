//! What pages are made of. A component gets data and shows it; it neither fetches nor decides. An order is a form, except
//! that of `SyncButton`, which tells its outcome where one stands. Those that move are built for the browser too (`parts`),
//! the others for the server alone.

#[cfg(feature = "ssr")]
mod banners;
mod basics;
mod comparison;
mod environment_card;
mod evidence;
#[cfg(feature = "ssr")]
mod header;
mod hold;
#[cfg(feature = "ssr")]
mod loaded;
#[cfg(feature = "ssr")]
mod log_place;
mod plan;
mod progress;
mod reactive;
mod refused;
#[cfg(feature = "ssr")]
mod room;
mod services;
mod source;
mod watched;

use crate::icon;
pub use crate::icon::{Icon, Symbol};
#[cfg(feature = "ssr")]
pub use banners::Banners;
pub use basics::{
    Age, Badge, Banner, Commit, Elapsed, Empty, Field, Heading, HealthDot, Sha, VersionText, Versions, words,
};
pub use comparison::{ChangeTable, Choice, Findings};
pub use environment_card::EnvironmentCard;
pub use evidence::EvidenceView;
#[cfg(feature = "ssr")]
pub use header::Header;
pub use hold::HoldNotice;
#[cfg(feature = "ssr")]
pub use loaded::{Drawn, Loaded, PageHead, Skeleton};
#[cfg(feature = "ssr")]
pub use log_place::LogPlace;
pub use plan::PlanDetails;
pub use progress::{ProgressLink, Steps};
pub use reactive::{Seen, each, follow, memo};
pub use refused::Refused;
#[cfg(feature = "ssr")]
pub use room::{LiveRoom, Room};
pub use services::{Services, rows_of};
pub use source::SourceStrip;
pub use watched::{AfterNotes, AfterView, DriftNote, LeadNote, SoakNotes, Watching};
