//! Who may change a stack: the rule of the lease that lies in the Swarm's own store.
//!
//! A lease is not renewed while nobody asks for it, so that an idle Release Manager writes nothing. Whoever wants it and
//! is not its holder writes a challenge into it. The holder answers by taking the challenge out again; a challenge that
//! stands for [`TERM`] has no holder to answer it, and the challenger takes over. Every write names the version that was
//! read, so that of several only one succeeds, and no two clocks are ever compared. See
//! `docs/decisions/0005-a-lease-that-is-challenged.md`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a challenge must stand unanswered before the challenger takes over.
pub const TERM: Duration = Duration::from_secs(45);
/// How often the lease is read.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long after an answer the same process waits before it challenges again.
pub const PEACE: Duration = Duration::from_mins(1);
/// Looks that are further apart prove nothing about what lies between them: the holder may have been kept from answering
/// by what kept us from looking.
const GAP: Duration = Duration::from_secs(25);

/// A process that may hold a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name of its database. A database is held by one process at a time, so that the next one takes over at once.
    pub database: String,
    /// The name of the process, another one at each start.
    pub process: String,
    /// Where it runs, in words for people.
    pub place: String,
}

/// What lies in the Swarm's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who may change the stack.
    pub holder: Holder,
    /// Grows with every holder.
    pub epoch: u64,
    /// Who wants to know whether the holder is still there.
    pub challenger: Option<Holder>,
}

/// A lease as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLease {
    /// The Engine's id of the object that holds it.
    pub id: String,
    /// `Version.Index`, which a write must name.
    pub version: u64,
    /// What it says.
    pub lease: Lease,
}

/// What follows from a look at the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is ours and nobody asks for it.
    Lead,
    /// Write this: the lease is then ours.
    Take(Lease),
    /// Write this: the lease stays somebody else's until the challenge has stood for its time.
    Challenge(Lease),
    /// It is somebody else's.
    Follow,
}

/// What one process remembers between its looks at one lease.
#[derive(Debug, Clone, Default)]
pub struct Keeper {
    /// Whether the lease has ever been ours. A process that lost it is a stranger from then on, even to its own database:
    /// another process has a copy of that.
    led: bool,
    /// Since when the challenge stands that was seen last, and by whom.
    challenge: Option<(String, Duration)>,
    /// When the lease was last read.
    looked: Option<Duration>,
    /// Whether we have challenged and have seen no answer.
    asked: bool,
    /// When our own challenge was last answered.
    answered: Option<Duration>,
}

impl Keeper {
    /// Notes that what [`Step::Take`] said was written.
    pub fn took(&mut self) {
        self.led = true;
    }

    /// Decides from a look. `at` is a moment of a clock that never goes back, the same for every look of a keeper.
    pub fn see(&mut self, me: &Holder, seen: Option<&SeenLease>, at: Duration) -> Step {
        let after_gap = self.looked.is_some_and(|looked| at.saturating_sub(looked) > GAP);
        self.looked = Some(at);
        let Some(SeenLease { lease, .. }) = seen else { return Step::Take(taken(me, 1)) };
        if lease.holder.process == me.process {
            self.led = true;
            self.challenge = None;
            return match lease.challenger {
                Some(_) => Step::Take(Lease { challenger: None, ..lease.clone() }),
                None => Step::Lead,
            };
        }
        if lease.holder.database == me.database && !self.led {
            return Step::Take(taken(me, lease.epoch + 1));
        }
        self.stand_behind(me, lease, at, after_gap)
    }

    fn stand_behind(&mut self, me: &Holder, lease: &Lease, at: Duration, after_gap: bool) -> Step {
        let Some(challenger) = &lease.challenger else {
            self.challenge = None;
            // Ours is gone: the holder has answered.
            if std::mem::take(&mut self.asked) {
                self.answered = Some(at);
            }
            let at_peace = self.answered.is_some_and(|answered| at.saturating_sub(answered) < PEACE);
            return if at_peace { Step::Follow } else { self.challenge(lease, me) };
        };
        let name = format!("{} of {}", challenger.process, lease.epoch);
        let own = challenger.process == me.process;
        let name = if own { me.process.clone() } else { name };
        let since = match &self.challenge {
            Some((known, since)) if *known == name && !after_gap => *since,
            _ => at,
        };
        self.challenge = Some((name, since));
        let stood = at.saturating_sub(since);
        match own {
            true if stood >= TERM => Step::Take(taken(me, lease.epoch + 1)),
            // Whoever challenged before us is gone too.
            false if stood >= 2 * TERM => self.challenge(lease, me),
            _ => Step::Follow,
        }
    }

    fn challenge(&mut self, lease: &Lease, me: &Holder) -> Step {
        self.asked = true;
        Step::Challenge(Lease { challenger: Some(me.clone()), ..lease.clone() })
    }
}

fn taken(me: &Holder, epoch: u64) -> Lease {
    Lease { holder: me.clone(), epoch, challenger: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(database: &str, process: &str) -> Holder {
        Holder { database: database.to_owned(), process: process.to_owned(), place: format!("{process} on a node") }
    }

    /// A lease in a store that counts its writes.
    #[derive(Default)]
    struct Store {
        lease: Option<Lease>,
        writes: u64,
    }

    impl Store {
        /// One look of one process, and the write that follows.
        fn look(&mut self, keeper: &mut Keeper, me: &Holder, at: u64) -> &'static str {
            let seen = self.lease.clone().map(|lease| SeenLease { id: "c".to_owned(), version: self.writes, lease });
            let step = keeper.see(me, seen.as_ref(), Duration::from_secs(at));
            let (word, lease) = match step {
                Step::Lead => return "leads",
                Step::Follow => return "follows",
                Step::Take(lease) => {
                    keeper.took();
                    ("takes", lease)
                }
                Step::Challenge(lease) => ("challenges", lease),
            };
            (self.lease, self.writes) = (Some(lease), self.writes + 1);
            word
        }
    }

    #[test]
    fn a_process_alone_writes_once_and_never_again() {
        let (mut store, mut keeper, me) = (Store::default(), Keeper::default(), holder("a", "1"));
        assert_eq!(store.look(&mut keeper, &me, 0), "takes");
        for at in (10..100_000).step_by(10) {
            assert_eq!(store.look(&mut keeper, &me, at), "leads");
        }
        assert_eq!(store.writes, 1);
    }

    #[test]
    fn a_holder_that_lives_answers_every_challenge() {
        let mut store = Store::default();
        let (mut first, one) = (Keeper::default(), holder("a", "1"));
        let (mut second, two) = (Keeper::default(), holder("b", "2"));
        store.look(&mut first, &one, 0);
        for at in (5..2_000).step_by(10) {
            assert_ne!(store.look(&mut second, &two, at), "takes");
            store.look(&mut first, &one, at + 5);
        }
        assert_eq!(store.lease.unwrap().holder, one);
        assert!(store.writes < 65, "a challenge a minute at most: {}", store.writes);
    }

    #[test]
    fn a_holder_that_is_gone_is_followed_after_the_term_and_no_sooner() {
        let mut store = Store::default();
        store.look(&mut Keeper::default(), &holder("a", "1"), 0);
        let (mut second, two) = (Keeper::default(), holder("b", "2"));
        assert_eq!(store.look(&mut second, &two, 100), "challenges");
        let seen: Vec<_> = (110..=160).step_by(10).map(|at| store.look(&mut second, &two, at)).collect();
        // The challenge is seen to stand from the first look after it was written.
        assert_eq!(seen, ["follows", "follows", "follows", "follows", "follows", "takes"]);
        assert_eq!(store.lease.unwrap().epoch, 2);
    }

    #[test]
    fn a_challenger_that_could_not_look_begins_to_count_anew() {
        let mut store = Store::default();
        store.look(&mut Keeper::default(), &holder("a", "1"), 0);
        let (mut second, two) = (Keeper::default(), holder("b", "2"));
        store.look(&mut second, &two, 100);
        store.look(&mut second, &two, 110);
        assert_eq!(store.look(&mut second, &two, 200), "follows", "nobody could answer meanwhile");
    }

    #[test]
    fn the_next_process_of_the_same_database_takes_over_at_once() {
        let mut store = Store::default();
        store.look(&mut Keeper::default(), &holder("a", "1"), 0);
        assert_eq!(store.look(&mut Keeper::default(), &holder("a", "2"), 1), "takes");
    }

    #[test]
    fn a_process_that_lost_the_lease_does_not_take_it_back_although_the_other_has_its_database() {
        let mut store = Store::default();
        let (mut first, one) = (Keeper::default(), holder("a", "1"));
        store.look(&mut first, &one, 0);
        // A copy of the database, on another machine.
        assert_eq!(store.look(&mut Keeper::default(), &holder("a", "2"), 2), "takes");
        assert_eq!(store.look(&mut first, &one, 10), "challenges");
        assert_eq!(store.look(&mut first, &one, 20), "follows");
    }

    #[test]
    fn of_two_challengers_the_second_waits_until_the_first_is_gone_too() {
        let mut store = Store::default();
        store.look(&mut Keeper::default(), &holder("a", "1"), 0);
        store.look(&mut Keeper::default(), &holder("b", "2"), 1);
        let (mut third, three) = (Keeper::default(), holder("c", "3"));
        let seen: Vec<_> = (0..=90).step_by(10).map(|at| store.look(&mut third, &three, 10 + at)).collect();
        assert_eq!(seen.iter().filter(|word| **word == "challenges").count(), 1);
        assert_eq!(seen.last(), Some(&"challenges"));
    }
}
