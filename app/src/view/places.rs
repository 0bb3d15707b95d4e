//! Where the palette leads to.

use release_manager::views::Overview;
use serde::{Deserialize, Serialize};

/// A place to go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What it is called.
    pub name: String,
    /// What kind of place it is.
    pub kind: String,
    /// Where it is.
    pub href: String,
}

const PAGES: [(&str, &str); 6] = [
    ("Dashboard", "/"),
    ("History", "/history"),
    ("Health", "/health"),
    ("Insights", "/insights"),
    ("Settings", "/settings"),
    ("About", "/settings/about"),
];

/// Every page, every promotion, the history of every environment, and every service.
pub fn places(overview: Option<&Overview>) -> Vec<Place> {
    let place = |name: String, kind: &str, href| Place { name, kind: kind.to_owned(), href };
    let mut places: Vec<Place> =
        PAGES.iter().map(|(name, href)| place((*name).to_owned(), "Page", (*href).to_owned())).collect();
    let environments = overview.map_or(&[][..], |overview| &overview.environments);
    for environment in environments {
        let name = &environment.name;
        if environment.promotes_from.is_some() {
            places.push(place(format!("Changes to {name}"), "Changes", format!("/changes/{name}")));
        }
        places.push(place(format!("History of {name}"), "Page", format!("/history?environment={name}")));
    }
    let mut services: Vec<String> = environments
        .iter()
        .filter_map(|environment| environment.release.as_ref())
        .flat_map(|release| release.services.keys().map(ToString::to_string))
        .collect();
    services.sort_unstable();
    services.dedup();
    places.extend(services.into_iter().map(|name| {
        let href = format!("/services/{name}");
        place(name, "Service", href)
    }));
    places
}

/// The places whose name holds what was typed, those that begin with it first; at most `most`.
pub fn matching(places: &[Place], typed: &str, most: usize) -> Vec<Place> {
    let begins = |place: &&Place| place.name.get(..typed.trim().len()).is_some_and(|start| super::holds(start, typed));
    let (first, second): (Vec<&Place>, Vec<&Place>) =
        places.iter().filter(|place| super::holds(&place.name, typed)).partition(begins);
    first.into_iter().chain(second).take(most).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_the_letters_comes_first() {
        let places = places(None);
        let names = |typed| matching(&places, typed, 9).into_iter().map(|place| place.name).collect::<Vec<_>>();
        assert_eq!(names("h"), ["History", "Health", "Dashboard", "Insights"]);
        assert_eq!(names(" SETT "), ["Settings"]);
        assert_eq!(names("nothing"), [""; 0]);
        assert_eq!(matching(&places, "", 2).len(), 2);
    }
}
