//! The order in which services are written.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::ServiceName;

/// The level of every service: 1 for those that wait for nobody, else one more than the highest that they wait for.
/// Services that nobody wrote down are not waited for; those of a circle share a level, after all others.
pub fn order(depends_on: &BTreeMap<ServiceName, BTreeSet<ServiceName>>) -> BTreeMap<ServiceName, u32> {
    let mut levels: BTreeMap<ServiceName, u32> = BTreeMap::new();
    let mut level = 1;
    while levels.len() < depends_on.len() {
        let ready: Vec<&ServiceName> = depends_on
            .iter()
            .filter(|(service, _)| !levels.contains_key(*service))
            .filter(|(_, before)| {
                before.iter().all(|other| !depends_on.contains_key(other) || levels.contains_key(other))
            })
            .map(|(service, _)| service)
            .collect();
        let now: Vec<ServiceName> = if ready.is_empty() {
            depends_on.keys().filter(|service| !levels.contains_key(*service)).cloned().collect()
        } else {
            ready.into_iter().cloned().collect()
        };
        levels.extend(now.into_iter().map(|service| (service, level)));
        level += 1;
    }
    levels
}
