//! Open streams are bounded: for each session or token, for each address, and in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// As many tabs as a browser can keep connected over HTTP/1.1.
const OF_ONE: usize = 6;
/// Behind a proxy that is not listed in `TRUSTED_PROXIES`, everybody has one address.
const OF_ADDRESS: usize = 200;
const IN_ALL: usize = 1000;

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<String, usize>,
}

/// One open stream, until it is dropped.
#[derive(Debug)]
pub(in crate::http) struct Seat {
    taken: Arc<Mutex<Taken>>,
    keys: [String; 2],
}

impl Seats {
    /// A seat for `one` (a session, a token) at an address; `None` where there is none left. `one` alone is not bounded
    /// where everybody is the same.
    pub(super) fn take(&self, one: Option<&str>, address: &str) -> Option<Seat> {
        let keys = [format!("at {address}"), one.map_or_else(String::new, |one| format!("of {one}"))];
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |key: &String| taken.by.get(key).copied().unwrap_or_default();
        if taken.all >= IN_ALL || count(&keys[0]) >= OF_ADDRESS || (one.is_some() && count(&keys[1]) >= OF_ONE) {
            return None;
        }
        taken.all += 1;
        for key in &keys {
            *taken.by.entry(key.clone()).or_default() += 1;
        }
        drop(taken);
        Some(Seat { taken: Arc::clone(&self.taken), keys })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        for key in &self.keys {
            if let Some(count) = taken.by.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    taken.by.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_that_is_left_can_be_taken_again() {
        let seats = Seats::default();
        let mut held: Vec<_> = (0..OF_ONE).map(|_| seats.take(Some("ada"), "10.0.0.1").unwrap()).collect();
        assert!(seats.take(Some("ada"), "10.0.0.2").is_none());
        assert!(seats.take(Some("eve"), "10.0.0.1").is_some());
        held.pop();
        assert!(seats.take(Some("ada"), "10.0.0.2").is_some());
        drop(held);
        assert!(seats.taken.lock().unwrap().by.is_empty());
    }

    #[test]
    fn there_is_an_end_for_all_together() {
        let seats = Seats::default();
        let held: Vec<_> =
            (0..IN_ALL).map(|one| seats.take(None, &format!("10.0.{}", one / OF_ADDRESS)).unwrap()).collect();
        assert!(seats.take(None, "10.1.0.0").is_none());
        drop(held);
        assert!(seats.take(None, "10.1.0.0").is_some());
    }
}
