//! How things are said: words, tones and ages. Pure functions, so that the same thing is said the same way everywhere.

mod progress;
mod time;
mod versions;
mod words;

pub use progress::{ServiceLine, counts, lines, percent, steps};
pub use time::{absolute, age, date, duration};
pub use versions::{Bump, bump, short_version};
pub use words::{
    actor, cause, change, failure, health, mode, phase, roll_up, status, status_sentence, step, step_state, verdict,
    verdict_message,
};

use std::collections::{BTreeMap, BTreeSet};

use release_manager::diff::{ChangeType, ServiceChange};
use release_manager::health::{EnvironmentHealth, ServiceHealth};
use release_manager::names::ServiceName;
use release_manager::release::ServiceVersion;
use release_manager::views::EnvironmentView;

/// The feeling of a word: its colour, in CSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Well.
    Good,
    /// Not well.
    Bad,
    /// Worth a look.
    Warn,
    /// On its way.
    Busy,
    /// Nothing to say.
    Idle,
    /// New here.
    Fresh,
}

impl Tone {
    /// The class that carries the colour.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Busy => "busy",
            Self::Idle => "idle",
            Self::Fresh => "fresh",
        }
    }
}

/// A word with its feeling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// The word.
    pub word: &'static str,
    /// The feeling.
    pub tone: Tone,
}

pub(crate) const fn said(word: &'static str, tone: Tone) -> Said {
    Said { word, tone }
}

/// One service of an environment, as a card shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceRow {
    /// Its version; `None` where the image names none.
    pub version: Option<String>,
    /// Whether the environment that comes next has another one.
    pub newer: bool,
    /// How it is; `None` while nobody has looked, or where it does not run.
    pub health: Option<ServiceHealth>,
}

/// Every service that an environment should run or does run.
pub fn services(
    environment: &EnvironmentView,
    health: Option<&EnvironmentHealth>,
) -> BTreeMap<ServiceName, ServiceRow> {
    let released = environment.release.iter().flat_map(|release| &release.services);
    let mut rows: BTreeMap<ServiceName, ServiceRow> = released
        .map(|(name, version)| {
            let version = Some(version.version.to_string());
            (name.clone(), ServiceRow { version, newer: environment.newer.contains(name), health: None })
        })
        .collect();
    for (name, health) in health.into_iter().flat_map(|health| &health.services) {
        let row = rows.entry(name.clone()).or_insert_with(|| {
            let version = ServiceVersion::of_image(&health.image).map(|read| read.version.to_string());
            ServiceRow { version, newer: false, health: None }
        });
        row.health = Some(health.clone());
    }
    rows
}

/// The services that a promotion would change.
pub fn changed(changes: &[ServiceChange]) -> BTreeSet<ServiceName> {
    let differing = changes.iter().filter(|change| change.change_type != ChangeType::NoChange);
    differing.map(|change| change.service.clone()).collect()
}

/// `1 service`, `3 services`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// A name with a capital letter, for headings: `Preprod`.
pub fn title(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted_as_people_count() {
        assert_eq!(count(0, "service", "services"), "0 services");
        assert_eq!(count(1, "service", "services"), "1 service");
        assert_eq!(title("preprod"), "Preprod");
        assert_eq!(title(""), "");
    }
}
