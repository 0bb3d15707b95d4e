//! Which of the changes are to be promoted.

use std::collections::BTreeSet;

use release_manager::names::{EnvironmentName, ServiceName};

use crate::view;

/// Which of the changes are to be promoted.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// All that there are.
    All,
    /// These, as far as they are there.
    Only(BTreeSet<ServiceName>),
}

impl Selection {
    /// What a form has put into the URL. Once it was sent, nothing chosen is nothing and not everything.
    pub fn of_query(services: &[String], sent: bool) -> Self {
        let mut known = BTreeSet::new();
        for name in services.iter().filter_map(|name| name.parse().ok()) {
            known.insert(name);
        }
        if known.is_empty() && !sent { Self::All } else { Self::Only(known) }
    }

    /// What of it can be chosen.
    pub(super) fn among(&self, changed: &BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
        match self {
            Self::All => changed.clone(),
            Self::Only(services) => {
                let mut found = changed.clone();
                found.retain(|service| services.contains(service));
                found
            }
        }
    }

    /// With a service chosen or left out.
    pub(super) fn toggled(&self, changed: &BTreeSet<ServiceName>, service: ServiceName, chosen: bool) -> Self {
        let mut services = self.among(changed);
        if chosen {
            services.insert(service);
        } else {
            services.remove(&service);
        }
        if services == *changed { Self::All } else { Self::Only(services) }
    }

    /// The address of the page on which this is chosen.
    pub(super) fn url(&self, target: &EnvironmentName) -> String {
        match self {
            Self::All => format!("/changes/{target}"),
            Self::Only(services) => {
                let mut url = format!("/changes/{target}?chosen=1");
                for service in services {
                    url.push_str("&services=");
                    url.push_str(&view::encoded(service.as_str()));
                }
                url
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> BTreeSet<ServiceName> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn choosing_every_change_is_choosing_all() {
        let changed = set("a b");
        let without = Selection::All.toggled(&changed, "b".parse().unwrap(), false);
        assert_eq!(without, Selection::Only(set("a")));
        assert_eq!(without.toggled(&changed, "b".parse().unwrap(), true), Selection::All);
    }

    #[test]
    fn what_no_longer_changes_is_no_longer_chosen() {
        assert_eq!(Selection::Only(set("a gone")).among(&set("a b")), set("a"));
    }

    #[test]
    fn a_query_without_services_chooses_all() {
        assert_eq!(Selection::of_query(&[], false), Selection::All);
        assert_eq!(Selection::of_query(&["a".into(), "<b>".into()], false), Selection::Only(set("a")));
    }

    #[test]
    fn a_form_without_services_chooses_none() {
        assert_eq!(Selection::of_query(&[], true), Selection::Only(set("")));
    }

    #[test]
    fn what_is_chosen_stands_in_the_address() {
        let target = "prod".parse().unwrap();
        assert_eq!(Selection::All.url(&target), "/changes/prod");
        assert_eq!(Selection::Only(set("a b")).url(&target), "/changes/prod?chosen=1&services=a&services=b");
        assert_eq!(Selection::Only(set("")).url(&target), "/changes/prod?chosen=1");
    }
}
