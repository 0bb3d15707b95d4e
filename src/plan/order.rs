//! The order in which services are written.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::ServiceName;

/// The level of every service: 1 for those that wait for nobody, else one more than the highest that they wait for.
/// Services that nobody wrote down are not waited for; those of a circle share a level, after all others.
pub fn order(depends_on: &BTreeMap<ServiceName, BTreeSet<ServiceName>>) -> BTreeMap<ServiceName, u32> {
    let mut open: BTreeMap<&ServiceName, usize> = BTreeMap::new();
    let mut followers: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
    for (service, before) in depends_on {
        let before = before.iter().filter(|other| depends_on.contains_key(*other));
        open.insert(service, before.clone().count());
        before.for_each(|other| followers.entry(other).or_default().push(service));
    }
    let mut levels: BTreeMap<ServiceName, u32> = BTreeMap::new();
    let mut ready: Vec<&ServiceName> =
        open.iter().filter(|(_, open)| **open == 0).map(|(service, _)| *service).collect();
    let mut level = 1;
    while !ready.is_empty() {
        let mut next = Vec::new();
        for service in ready {
            levels.insert(service.clone(), level);
            for follower in followers.get(service).into_iter().flatten() {
                if let Some(open) = open.get_mut(follower) {
                    *open -= 1;
                    if *open == 0 {
                        next.push(*follower);
                    }
                }
            }
        }
        ready = next;
        level += 1;
    }
    for service in depends_on.keys() {
        levels.entry(service.clone()).or_insert(level);
    }
    levels
}
