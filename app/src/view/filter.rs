//! What is looked for, as it stands in the URL.

use std::collections::BTreeMap;

use leptos_router::params::ParamsMap;
use release_manager::deployment::{CauseKind, HistoryFilter, HistoryRow, Status};
use release_manager::health::HealthStatus;
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::time::Timestamp;

use super::ServiceRow;

const PAGE: u32 = 25;
const DAY_MILLIS: i64 = 86_400_000;

/// Which services of a dashboard are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceFilter {
    /// Letters of the name.
    pub name: String,
    /// How it is.
    pub state: Option<ServiceState>,
}

/// How a service must be to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceState {
    /// Anything but healthy.
    Troubled,
    /// Another version than in the environment that comes next.
    Newer,
    /// On its way.
    Progressing,
    /// Well.
    Healthy,
}

impl ServiceState {
    /// All, in the order in which people are shown them.
    pub const ALL: [Self; 4] = [Self::Troubled, Self::Newer, Self::Progressing, Self::Healthy];

    /// The word in the URL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Troubled => "troubled",
            Self::Newer => "newer",
            Self::Progressing => "progressing",
            Self::Healthy => "healthy",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Troubled => "Not healthy",
            Self::Newer => "Newer than the next",
            Self::Progressing => "Progressing",
            Self::Healthy => "Healthy",
        }
    }

    fn takes(self, row: &ServiceRow) -> bool {
        let status = row.health.as_ref().map(|health| health.status);
        match self {
            Self::Troubled => status != Some(HealthStatus::Healthy),
            Self::Newer => row.newer,
            Self::Progressing => status == Some(HealthStatus::Progressing),
            Self::Healthy => status == Some(HealthStatus::Healthy),
        }
    }
}

impl ServiceFilter {
    /// Reads it off the URL.
    pub fn of(query: &ParamsMap) -> Self {
        let state = query.get_str("state");
        Self {
            name: query.get_str("q").unwrap_or_default().to_owned(),
            state: ServiceState::ALL.into_iter().find(|known| Some(known.word()) == state),
        }
    }

    /// The URL of the dashboard that shows this.
    pub fn url(&self) -> String {
        let pairs =
            [("q", self.name.trim().to_owned()), ("state", self.state.map_or("", ServiceState::word).to_owned())];
        address("/", &pairs)
    }

    /// Whether everything is shown.
    pub fn is_all(&self) -> bool {
        self.name.trim().is_empty() && self.state.is_none()
    }

    /// Whether a service is shown.
    pub fn takes(&self, name: &ServiceName, row: &ServiceRow) -> bool {
        let letters = self.name.trim().to_ascii_lowercase();
        name.as_str().to_ascii_lowercase().contains(&letters) && self.state.is_none_or(|state| state.takes(row))
    }
}

/// Which rows of history are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this service.
    pub service: Option<ServiceName>,
    /// Only what stands so.
    pub status: Option<Status>,
    /// Only deployments of this kind.
    pub cause: Option<CauseKind>,
    /// Only what this person started.
    pub actor: String,
    /// Only from this day on, as `2025-10-31`.
    pub from: String,
    /// Only up to this day.
    pub to: String,
    /// Only what stands behind this row.
    pub before: Option<i64>,
}

impl HistoryQuery {
    /// Reads it off the URL. What cannot be read asks for nothing.
    pub fn of(query: &ParamsMap) -> Self {
        let text = |name| query.get_str(name).map(str::trim).unwrap_or_default();
        let day_text = |name| day(text(name)).map_or_else(String::new, |_| text(name).to_owned());
        Self {
            environment: text("environment").parse().ok(),
            service: text("service").parse().ok(),
            status: Status::of_word(text("status")),
            cause: CauseKind::of_word(text("cause")),
            actor: text("actor").to_owned(),
            from: day_text("from"),
            to: day_text("to"),
            before: text("before").parse().ok(),
        }
    }

    fn pairs(&self) -> [(&'static str, String); 8] {
        let word = |text: Option<&str>| text.unwrap_or_default().to_owned();
        [
            ("environment", word(self.environment.as_ref().map(EnvironmentName::as_str))),
            ("service", word(self.service.as_ref().map(ServiceName::as_str))),
            ("status", word(self.status.map(Status::as_str))),
            ("cause", word(self.cause.map(CauseKind::as_str))),
            ("actor", self.actor.clone()),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("before", self.before.map_or_else(String::new, |before| before.to_string())),
        ]
    }

    /// The URL of the page that shows this.
    pub fn url(&self) -> String {
        address("/history", &self.pairs())
    }

    /// The URL of a file that holds all of this, `csv` or `json`.
    pub fn export_url(&self, format: &str) -> String {
        let all = Self { before: None, ..self.clone() };
        let mut pairs = all.pairs().to_vec();
        pairs.push(("format", format.to_owned()));
        address("/api/history/export", &pairs)
    }

    /// Whether anything is left out.
    pub fn is_narrowed(&self) -> bool {
        Self { before: None, ..self.clone() } != Self::default()
    }

    /// What the ledger is asked.
    pub fn filter(&self) -> HistoryFilter {
        HistoryFilter {
            environment: self.environment.clone(),
            service: self.service.clone(),
            deployment: None,
            status: self.status,
            cause: self.cause,
            actor: (!self.actor.is_empty()).then(|| self.actor.clone().into()),
            since: day(&self.from),
            until: day(&self.to).map(|day| Timestamp::from_millis(day.as_millis() + DAY_MILLIS)),
            before: self.before,
            limit: PAGE,
            offset: 0,
        }
    }
}

/// The beginning of a day, in UTC.
fn day(text: &str) -> Option<Timestamp> {
    if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { None }
}

fn address(path: &str, pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A text as part of a URL.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                encoded.push('%');
                encoded.push(char::from(HEX[usize::from(byte >> 4)]));
                encoded.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    encoded
}

/// The newest page together with what was shown before, newest first. Where the two have no row in common, what was
/// shown before is let go: rows in between would be missing.
pub fn merged(page: &[HistoryRow], older: &[HistoryRow]) -> Vec<HistoryRow> {
    let lowest = page.iter().map(|row| row.id).min();
    let highest = older.iter().map(|row| row.id).max();
    let connected = lowest.is_none_or(|lowest| highest.is_none_or(|highest| highest >= lowest));
    let mut rows: BTreeMap<i64, &HistoryRow> = BTreeMap::new();
    if connected {
        rows.extend(older.iter().map(|row| (row.id, row)));
    }
    rows.extend(page.iter().map(|row| (row.id, row)));
    rows.into_values().rev().cloned().collect()
}

#[cfg(test)]
mod tests {
    use release_manager::names::{Actor, DeploymentId};

    use super::*;

    fn query(pairs: &[(&'static str, &str)]) -> ParamsMap {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_url_asks_for_reads_back() {
        let asked = HistoryQuery::of(&query(&[
            ("environment", "prod"),
            ("status", "failed"),
            ("cause", "rollback"),
            ("actor", "Ada L"),
            ("from", "2025-10-31"),
            ("to", "2025-10-31"),
        ]));
        assert_eq!(
            asked.url(),
            "/history?environment=prod&status=failed&cause=rollback&actor=Ada%20L&from=2025-10-31&to=2025-10-31"
        );
        let filter = asked.filter();
        assert_eq!(filter.until.unwrap().as_millis() - filter.since.unwrap().as_millis(), DAY_MILLIS);
        assert!(asked.export_url("csv").ends_with("&format=csv"));
    }

    #[test]
    fn what_cannot_be_read_asks_for_nothing() {
        let asked = HistoryQuery::of(&query(&[("environment", "<b>"), ("from", "yesterday"), ("status", "odd")]));
        assert_eq!(asked, HistoryQuery::default());
        assert_eq!(asked.url(), "/history");
    }

    #[test]
    fn a_service_is_shown_by_letters_and_state() {
        let row = ServiceRow { version: None, newer: true, health: None };
        let name = "Grafana".parse().unwrap();
        for (letters, state, shown) in [
            ("", None, true),
            ("graf", None, true),
            ("loki", None, false),
            ("", Some(ServiceState::Newer), true),
            ("", Some(ServiceState::Healthy), false),
            ("", Some(ServiceState::Troubled), true),
        ] {
            let filter = ServiceFilter { name: letters.to_owned(), state };
            assert_eq!(filter.takes(&name, &row), shown, "{filter:?}");
        }
        let filter = ServiceFilter::of(&query(&[("q", "a b"), ("state", "newer")]));
        assert_eq!(filter.url(), "/?q=a%20b&state=newer");
    }

    fn row(id: i64) -> HistoryRow {
        HistoryRow {
            id,
            deployment: DeploymentId(1),
            environment: "prod".parse().unwrap(),
            service: "web".parse().unwrap(),
            version: "1".parse().unwrap(),
            from: None,
            commit_sha: None,
            status: Status::Success,
            actor: Actor::System,
            verdict: None,
            evidence: None,
            started_at: Timestamp::from_millis(0),
            completed_at: None,
            after: None,
        }
    }

    #[test]
    fn what_was_loaded_stays_while_news_come_in() {
        let rows = |ids: &[i64]| ids.iter().map(|id| row(*id)).collect::<Vec<_>>();
        for (page, older, expected) in [
            (vec![9, 8], vec![8, 7, 6], vec![9, 8, 7, 6]),
            (vec![9, 8], vec![], vec![9, 8]),
            (vec![9, 8], vec![7, 6], vec![9, 8]),
        ] {
            let ids: Vec<i64> = merged(&rows(&page), &rows(&older)).iter().map(|row| row.id).collect();
            assert_eq!(ids, expected);
        }
    }
}
