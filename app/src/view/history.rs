//! Which rows of history are looked for, as it stands in the URL.

use leptos_router::params::ParamsMap;
use release_manager::deployment::{CauseKind, HistoryFilter, Status};
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::time::Timestamp;

use super::filter::address;

/// How many rows are shown at first, and how many come with each wish for more.
const PAGE: u32 = 25;
/// More than these make a page slow.
const MOST: u32 = 500;
const DAY_MILLIS: i64 = 86_400_000;

/// Which rows of history are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// How many rows; a page of them where nothing else is asked for.
    pub rows: u32,
}

/// The way to rows that are not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Further {
    /// Where it leads.
    pub url: String,
    /// What it is called.
    pub title: &'static str,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self {
            environment: None,
            service: None,
            status: None,
            cause: None,
            actor: String::new(),
            from: String::new(),
            to: String::new(),
            before: None,
            rows: PAGE,
        }
    }
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
            rows: text("rows").parse().unwrap_or(PAGE).clamp(PAGE, MOST),
        }
    }

    fn pairs(&self) -> [(&'static str, String); 9] {
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
            ("rows", if self.rows == PAGE { String::new() } else { self.rows.to_string() }),
        ]
    }

    /// The URL of the page that shows this.
    pub fn url(&self) -> String {
        address("/history", &self.pairs())
    }

    /// The URL of a file that holds all of this, `csv` or `json`.
    pub fn export_url(&self, format: &str) -> String {
        let all = Self { before: None, rows: PAGE, ..self.clone() };
        let mut pairs = all.pairs().to_vec();
        pairs.push(("format", format.to_owned()));
        address("/api/history/export", &pairs)
    }

    /// Whether anything is left out.
    pub fn is_narrowed(&self) -> bool {
        Self { before: None, rows: PAGE, ..self.clone() } != Self::default()
    }

    /// More rows below those that are shown, of which `last` is the last; where a page would grow too long, the ones behind
    /// it alone.
    pub fn further(&self, last: Option<i64>) -> Further {
        if self.rows + PAGE <= MOST {
            let more = Self { rows: self.rows + PAGE, ..self.clone() };
            return Further { url: more.url(), title: "Load more" };
        }
        let older = Self { before: last, rows: PAGE, ..self.clone() };
        Further { url: older.url(), title: "Older" }
    }

    /// What the ledger is asked.
    pub fn filter(&self) -> HistoryFilter {
        HistoryFilter {
            environment: self.environment.clone(),
            service: self.service.clone(),
            deployment: None,
            status: self.status,
            cause: self.cause,
            actor: (!self.actor.is_empty()).then(|| super::actor_named(&self.actor)),
            since: day(&self.from),
            until: day(&self.to).map(|day| Timestamp::from_millis(day.as_millis() + DAY_MILLIS)),
            before: self.before,
            limit: self.rows,
            offset: 0,
        }
    }
}

/// The beginning of a day, in UTC.
fn day(text: &str) -> Option<Timestamp> {
    if text.len() == 10 { format!("{text}T00:00:00Z").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
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
    fn a_person_without_a_name_is_found_by_what_people_are_told() {
        let asked = HistoryQuery::of(&query(&[("actor", &crate::view::actor(&"manual".to_owned().into()))]));
        assert_eq!(asked.filter().actor, Some("manual".to_owned().into()));
    }

    #[test]
    fn what_cannot_be_read_asks_for_nothing() {
        let asked = HistoryQuery::of(&query(&[("environment", "<b>"), ("from", "yesterday"), ("status", "odd")]));
        assert_eq!(asked, HistoryQuery::default());
        assert_eq!(asked.url(), "/history");
    }

    #[test]
    fn more_rows_are_added_until_a_page_is_long_and_then_come_alone() {
        let asked = HistoryQuery::of(&query(&[("service", "web")]));
        assert_eq!(asked.further(Some(7)).url, "/history?service=web&rows=50");
        let asked = HistoryQuery::of(&query(&[("rows", "500")]));
        assert_eq!(asked.filter().limit, 500);
        assert_eq!(asked.further(Some(7)), Further { url: "/history?before=7".to_owned(), title: "Older" });
        assert_eq!(HistoryQuery::of(&query(&[("rows", "100000")])).filter().limit, 500);
    }
}
