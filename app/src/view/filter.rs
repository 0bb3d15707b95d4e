//! Which services are looked for, as it stands in the URL.

use release_manager::health::HealthStatus;
use release_manager::names::ServiceName;

use super::ServiceRow;

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
    /// Somebody else has changed it.
    Drifted,
    /// On its way.
    Progressing,
    /// Well.
    Healthy,
}

impl ServiceState {
    /// All, in the order in which people are shown them.
    pub const ALL: [Self; 5] = [Self::Troubled, Self::Newer, Self::Drifted, Self::Progressing, Self::Healthy];

    /// The word in the URL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Troubled => "troubled",
            Self::Newer => "newer",
            Self::Drifted => "drifted",
            Self::Progressing => "progressing",
            Self::Healthy => "healthy",
        }
    }

    /// The state of that word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Troubled => "Not healthy",
            Self::Newer => "Newer than the next",
            Self::Drifted => "Drifted",
            Self::Progressing => "Progressing",
            Self::Healthy => "Healthy",
        }
    }

    fn takes(self, row: &ServiceRow) -> bool {
        let status = row.health.as_ref().map(|health| health.status);
        match self {
            Self::Troubled => status != Some(HealthStatus::Healthy),
            Self::Newer => row.newer,
            Self::Drifted => row.drift.is_some(),
            Self::Progressing => status == Some(HealthStatus::Progressing),
            Self::Healthy => status == Some(HealthStatus::Healthy),
        }
    }
}

impl ServiceFilter {
    /// What the URL asks for.
    pub fn of(name: String, state: &str) -> Self {
        Self { name, state: ServiceState::of_word(state) }
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
        holds(name.as_str(), &self.name) && self.state.is_none_or(|state| state.takes(row))
    }
}

/// Whether letters stand in a text, whatever their case. The search of the standard library weighs a kilobyte.
pub fn holds(text: &str, letters: &str) -> bool {
    let letters = letters.trim().as_bytes();
    letters.is_empty() || text.as_bytes().windows(letters.len()).any(|part| part.eq_ignore_ascii_case(letters))
}

pub(super) fn address(path: &str, pairs: &[(&str, String)]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_shown_by_letters_and_state() {
        let row = ServiceRow { version: None, newer: true, health: None, drift: Some("Missing") };
        let name = "Grafana".parse().unwrap();
        for (letters, state, shown) in [
            ("", None, true),
            ("graf", None, true),
            (" FAN", None, true),
            ("grafana-and-more", None, false),
            ("loki", None, false),
            ("", Some(ServiceState::Newer), true),
            ("", Some(ServiceState::Drifted), true),
            ("", Some(ServiceState::Healthy), false),
            ("", Some(ServiceState::Troubled), true),
        ] {
            let filter = ServiceFilter { name: letters.to_owned(), state };
            assert_eq!(filter.takes(&name, &row), shown, "{filter:?}");
        }
        let filter = ServiceFilter::of("a b".to_owned(), "newer");
        assert_eq!(filter.url(), "/?q=a%20b&state=newer");
    }
}
