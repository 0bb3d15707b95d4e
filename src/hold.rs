//! Holds: an environment to which nothing new is brought until it is resumed.

use serde::{Deserialize, Serialize};

use crate::names::{Actor, CommitSha, HoldReason};
use crate::time::Timestamp;

/// Why nothing new is brought to an environment: neither by a sync nor by a promotion. Rolling back and restarting stay
/// possible, as they are what a hold is there for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who holds it.
    pub by: Actor,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: HoldReason,
    /// The hold ends by itself with the first revision that is not this one; `None`: only a person ends it.
    pub newer_than: Option<CommitSha>,
}

impl Hold {
    /// Whether that revision, the newest of the source, ends it.
    pub fn ends_with(&self, head: &CommitSha) -> bool {
        self.newer_than.as_ref().is_some_and(|known| known != head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hold_of_a_rollback_ends_with_another_revision() {
        let sha = |digit: char| digit.to_string().repeat(40).parse::<CommitSha>().unwrap();
        let hold = |newer_than| Hold {
            by: Actor::Person("ada".to_owned()),
            since: Timestamp::from_millis(0),
            reason: "moving house".parse().unwrap(),
            newer_than,
        };
        assert!(!hold(None).ends_with(&sha('b')));
        assert!(!hold(Some(sha('a'))).ends_with(&sha('a')));
        assert!(hold(Some(sha('a'))).ends_with(&sha('b')));
    }
}
