//! How things are said: words, tones and ages. Pure functions, so that the same thing is said the same way everywhere.

mod filter;
#[cfg(feature = "ssr")]
mod history;
mod log;
mod outcomes;
mod places;
mod progress;
mod sentence;
mod span;
mod time;
mod versions;
mod words;

pub use filter::{ServiceFilter, ServiceState, encoded, holds};
#[cfg(feature = "ssr")]
pub use history::{Further, HistoryQuery};
pub use log::{LOG_LINES, Log, LogLine, make_room};
pub use outcomes::{Stands, ended};
pub use places::{Place, matching, places};
pub use progress::{ServiceLine, counts, lines, percent, steps};
pub use sentence::{grouped, parts, reason, sentence, short_digest};
pub use span::Span;
pub use time::{absolute, age, date, day, duration, short};
pub use versions::{Bump, bump, compare_url, short_version};
#[cfg(feature = "ssr")]
pub use words::actor_named;
pub use words::{
    actor, cause, cause_kind, change, drift, failure, health, mode, phase, roll_up, soak, status, status_sentence,
    step, step_state, verdict, verdict_message,
};

use std::collections::BTreeMap;

use release_manager::health::ServiceHealth;
use release_manager::live::LiveEnvironment;
use release_manager::names::{CommitSha, ServiceName};
use release_manager::release::{Release, ServiceVersion};
use release_manager::views::{Comparison, EnvironmentView};

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
    /// How somebody else has made it differ from the release, in a word.
    pub drift: Option<&'static str>,
}

/// Every service that an environment should run or does run.
pub fn services(environment: &EnvironmentView, live: Option<&LiveEnvironment>) -> BTreeMap<ServiceName, ServiceRow> {
    let mut rows = BTreeMap::new();
    for (name, version) in environment.release.iter().flat_map(|release| &release.services) {
        let version = Some(version.version.to_string());
        let newer = environment.newer.contains(name);
        rows.insert(name.clone(), ServiceRow { version, newer, health: None, drift: None });
    }
    for (name, health) in live.into_iter().flat_map(|live| &live.health.services) {
        let row = rows.entry(name.clone()).or_insert_with(|| {
            let version = ServiceVersion::of_image(&health.image).map(|read| read.version.to_string());
            ServiceRow { version, newer: false, health: None, drift: None }
        });
        row.health = Some(health.clone());
    }
    for (name, drift) in live.into_iter().flat_map(|live| &live.watched.drift.services) {
        if let Some(row) = rows.get_mut(name) {
            row.drift = Some(words::drift(drift).word);
        }
    }
    rows
}

/// The services that are of another revision than the one that is told, put together by theirs; `None`: adopted.
pub fn in_part(release: &Release) -> Vec<(Option<CommitSha>, Vec<ServiceName>)> {
    let mut parts: Vec<(Option<CommitSha>, Vec<ServiceName>)> = Vec::new();
    for (service, revision) in &release.elsewhere {
        let sha = revision.as_ref().map(|revision| &revision.sha);
        match parts.iter_mut().find(|(known, _)| known.as_ref() == sha) {
            Some((_, services)) => services.push(service.clone()),
            None => parts.push((sha.cloned(), vec![service.clone()])),
        }
    }
    parts
}

/// The services that a plan takes out.
pub fn removed(comparison: &Comparison) -> Vec<ServiceName> {
    let gone = comparison.actions.iter().filter(|(_, action)| action.verb == "remove");
    gone.map(|(service, _)| service.clone()).collect()
}

/// A field of a spec as people call it: without the parts that say where the Engine keeps it.
pub fn field(path: &str) -> &str {
    let path = path.strip_prefix("TaskTemplate.").unwrap_or(path);
    path.strip_prefix("ContainerSpec.").unwrap_or(path)
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
    use release_manager::diff::{ChangeType, ServiceChange};
    use release_manager::revision::Revision;
    use release_manager::time::Timestamp;
    use release_manager::views::PlannedAction;
    use release_manager::watched::ServiceDrift;

    use super::*;

    #[test]
    fn things_are_counted_as_people_count() {
        assert_eq!(count(0, "service", "services"), "0 services");
        assert_eq!(count(1, "service", "services"), "1 service");
        assert_eq!(title("preprod"), "Preprod");
        assert_eq!(title(""), "");
    }

    #[test]
    fn a_field_is_named_without_where_the_engine_keeps_it() {
        for (path, expected) in [
            ("TaskTemplate.ContainerSpec.Image", "Image"),
            ("TaskTemplate.Placement.Constraints", "Placement.Constraints"),
            ("EndpointSpec.Ports", "EndpointSpec.Ports"),
        ] {
            assert_eq!(field(path), expected);
        }
    }

    #[test]
    fn a_service_that_somebody_else_has_changed_is_marked_in_its_row() {
        let environment: EnvironmentView = serde_json::from_value(serde_json::json!({
            "name": "prod", "mode": "manual", "stack": "homelab", "promotes_from": null, "release": null,
            "deployed_at": null, "deployed_by": null, "newer": [],
        }))
        .unwrap();
        let health = |status: &str| {
            serde_json::json!({
                "status": status, "running": 1, "desired": 1, "error": null, "running_since": null,
                "image": "web:1", "restarts": 0, "unreachable": 0,
            })
        };
        let mut live: LiveEnvironment = serde_json::from_value(serde_json::json!({
            "health": { "checked_at": null, "services": { "web": health("healthy"), "db": health("healthy") } },
            "deployment": null, "problem": null, "hold": null,
        }))
        .unwrap();
        live.watched.drift.services.insert("web".parse().unwrap(), ServiceDrift::Foreign);
        let rows = services(&environment, Some(&live));
        let marked: Vec<_> =
            rows.iter().filter(|(_, row)| row.drift.is_some()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(marked, ["web"]);
    }

    #[test]
    fn what_only_runs_otherwise_is_a_change_too() {
        let change = |service: &str, change_type| ServiceChange {
            service: service.parse().unwrap(),
            from: Some("1".parse().unwrap()),
            to: Some("1".parse().unwrap()),
            change_type,
        };
        let action = PlannedAction { verb: "update".to_owned(), reason: String::new(), fields: Vec::new() };
        let comparison = Comparison {
            from: "preprod".parse().unwrap(),
            to: "prod".parse().unwrap(),
            changes: vec![
                change("bumped", ChangeType::VersionBump),
                change("same", ChangeType::NoChange),
                change("settings", ChangeType::NoChange),
            ],
            from_sha: None,
            commits_from: None,
            commits_to: None,
            to_sha: None,
            actions: [("settings".parse().unwrap(), action)].into(),
            blockers: Vec::new(),
            warnings: Vec::new(),
            plan_hash: None,
            soak: BTreeMap::new(),
        };
        let changed: Vec<String> = comparison.changed().iter().map(ToString::to_string).collect();
        assert_eq!(changed, ["bumped", "settings"]);
    }

    #[test]
    fn the_services_of_other_revisions_are_put_together_by_them() {
        let revision = |digit: &str| Revision {
            sha: digit.repeat(40).parse().unwrap(),
            author: String::new(),
            committed_at: Timestamp::from_millis(0),
            message: String::new(),
        };
        let services = [("a", Some("1")), ("b", Some("2")), ("c", None), ("d", Some("1")), ("e", Some("3"))];
        let version = ServiceVersion::of_image("app:1").unwrap();
        let release = Release::mixed(
            Some(revision("3")),
            services.map(|(name, own)| (name.parse().unwrap(), (version.clone(), own.map(revision)))),
        );
        let told = in_part(&release).into_iter().map(|(sha, services)| {
            let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
            format!("{} {}", sha.as_ref().map_or("-", CommitSha::short), names.join(","))
        });
        assert_eq!(told.collect::<Vec<_>>(), ["1111111 a,d", "2222222 b", "- c"]);
    }
}
