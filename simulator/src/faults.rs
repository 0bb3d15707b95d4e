//! Faults: calls that fail, hang or lose their answer, as data.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Something that goes wrong with some calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Only calls of this method; of any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Only calls whose path, without its version prefix, contains this.
    #[serde(default)]
    pub path: String,
    /// How many matching calls are let through first.
    #[serde(default)]
    pub skip: u32,
    /// How many calls go wrong after that.
    #[serde(default = "once")]
    pub times: u32,
    /// What goes wrong.
    pub trouble: Trouble,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The answer is this refusal, and nothing is done.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The text.
        message: String,
    },
    /// The answer comes late by so many milliseconds; the work is done at once.
    Delay(u64),
    /// Nothing is done and no answer ever comes.
    Hang,
    /// The connection is closed before anything is done.
    Reset,
    /// The work is done, then the connection is closed instead of an answer.
    LoseAnswer,
    /// The work is done, and the answer breaks off in the middle.
    CutAnswer,
    /// The work is done, and no answer ever comes.
    Swallow,
    /// The work is done only after so many milliseconds, whether the client still waits for it or not.
    Late(u64),
    /// The work is done, and the answer is a refusal all the same.
    DoneButRefused {
        /// The HTTP status.
        status: u16,
        /// The text.
        message: String,
    },
    /// The work is done, and the answer is no JSON.
    Garbled,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// The next call of `method` whose path contains `path` goes wrong.
    pub fn next(method: &str, path: &str, trouble: Trouble) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), skip: 0, times: 1, trouble }
    }

    /// The call after so many others that match.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// So many calls instead of one.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method)) && path.contains(&self.path)
    }
}

impl Trouble {
    /// A delay.
    pub fn delay(by: Duration) -> Self {
        Self::Delay(u64::try_from(by.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The faults that still wait for their call, and how many calls have gone wrong.
#[derive(Debug)]
pub(crate) struct Faults {
    waiting: Mutex<Vec<Fault>>,
    met: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { waiting: Mutex::default(), met: watch::Sender::new(0) }
    }
}

impl Faults {
    /// Adds one.
    pub(crate) fn add(&self, fault: Fault) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// How many calls have gone wrong so far, now and from now on.
    pub(crate) fn met(&self) -> watch::Receiver<u64> {
        self.met.subscribe()
    }

    /// Drops all.
    pub(crate) fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What goes wrong with this call; the first fault that matches is used up by one.
    pub(crate) fn take(&self, method: &str, path: &str) -> Option<Trouble> {
        let mut faults = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let position = faults.iter().position(|fault| fault.matches(method, path))?;
        let fault = &mut faults[position];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        let trouble = fault.trouble.clone();
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            faults.remove(position);
        }
        drop(faults);
        self.met.send_modify(|met| *met += 1);
        Some(trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_the_calls_that_it_names_and_no_more() {
        let faults = Faults::default();
        faults.add(Fault { skip: 1, ..Fault::next("POST", "/update", Trouble::Reset).times(2) });
        let calls =
            [("GET", "/services/x/update"), ("POST", "/a/update"), ("POST", "/b/update"), ("POST", "/c/update")];
        let met: Vec<bool> = calls.iter().map(|(method, path)| faults.take(method, path).is_some()).collect();
        assert_eq!(met, [false, false, true, true]);
        assert_eq!(faults.take("POST", "/d/update"), None);
    }
}
