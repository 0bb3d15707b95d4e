//! Open streams are bounded: for each session or token, for each person, for each address, and in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// As many tabs as a browser can keep connected over HTTP/1.1.
const OF_ONE: usize = 6;
/// A few browsers' worth: a person who logs in again and again gets no more.
const OF_PERSON: usize = 24;
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
    keys: Vec<String>,
}

/// Who wants a seat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest<'a> {
    /// The session or token; `None` where everybody is the same.
    pub(super) one: Option<&'a str>,
    /// The person, who may have many sessions.
    pub(super) person: Option<&'a str>,
    /// Where the stream leads.
    pub(super) address: &'a str,
}

impl Seats {
    /// A seat; `None` where there is none left.
    pub(super) fn take(&self, guest: Guest<'_>) -> Option<Seat> {
        let bounds = [
            (Some(format!("at {}", guest.address)), OF_ADDRESS),
            (guest.one.map(|one| format!("of {one}")), OF_ONE),
            (guest.person.map(|person| format!("by {person}")), OF_PERSON),
        ];
        let bounds = bounds.into_iter().filter_map(|(key, most)| Some((key?, most)));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |(key, most): &(String, usize)| taken.by.get(key).is_none_or(|count| count < most);
        let bounds: Vec<_> = bounds.collect();
        if taken.all >= IN_ALL || !bounds.iter().all(is_free) {
            return None;
        }
        let keys: Vec<String> = bounds.into_iter().map(|(key, _)| key).collect();
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

    fn guest<'a>(one: &'a str, person: &'a str, address: &'a str) -> Guest<'a> {
        Guest { one: Some(one), person: Some(person), address }
    }

    #[test]
    fn a_seat_that_is_left_can_be_taken_again() {
        let seats = Seats::default();
        let mut held: Vec<_> = (0..OF_ONE).map(|_| seats.take(guest("1", "ada", "10.0.0.1")).unwrap()).collect();
        assert!(seats.take(guest("1", "ada", "10.0.0.2")).is_none());
        assert!(seats.take(guest("2", "eve", "10.0.0.1")).is_some());
        held.pop();
        assert!(seats.take(guest("1", "ada", "10.0.0.2")).is_some());
        drop(held);
        assert!(seats.taken.lock().unwrap().by.is_empty());
    }

    #[test]
    fn a_person_with_many_sessions_gets_no_more_than_a_few_browsers_need() {
        let seats = Seats::default();
        let sessions: Vec<String> = (0..OF_PERSON).map(|session| session.to_string()).collect();
        let held: Vec<_> = sessions.iter().map(|one| seats.take(guest(one, "ada", one)).unwrap()).collect();
        assert!(seats.take(guest("another", "ada", "10.0.0.9")).is_none());
        assert!(seats.take(guest("another", "eve", "10.0.0.9")).is_some());
        drop(held);
        assert!(seats.take(guest("another", "ada", "10.0.0.9")).is_some());
    }

    #[test]
    fn there_is_an_end_for_all_together() {
        let seats = Seats::default();
        let take = |address: &str| seats.take(Guest { one: None, person: None, address });
        let held: Vec<_> = (0..IN_ALL).map(|one| take(&format!("10.0.{}", one / OF_ADDRESS)).unwrap()).collect();
        assert!(take("10.1.0.0").is_none());
        drop(held);
        assert!(take("10.1.0.0").is_some());
    }
}
