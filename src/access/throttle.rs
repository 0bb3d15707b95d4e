//! Slowing down: guesses of passwords, and clients that ask too much. Pure: the moment comes as milliseconds of a clock
//! that never goes back. Both tables have a size that nobody can exceed.

use std::collections::BTreeMap;
use std::hash::Hash;

/// So many wrong passwords are free within [`FORGET`].
const FREE: u32 = 5;
/// A pause without a wrong password after which all is forgotten.
const FORGET: u64 = 15 * 60 * 1000;
/// The first pause; each further failure doubles it.
const FIRST_PAUSE: u64 = 1000;
/// For one address: it may be an attacker's, so it can be made to wait.
const LONGEST_OF_ADDRESS: u64 = 15 * 60 * 1000;
/// For one account over all addresses: its owner may be the one who waits, so it is short.
const LONGEST_OF_ACCOUNT: u64 = 30 * 1000;
/// The most keys that are remembered.
const REMEMBERED: usize = 10_000;

/// What wrong passwords are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guesser {
    /// Everything from one address (or network of an IPv6 customer).
    Address(String),
    /// Everything for one account, whether or not there is one of that name.
    Account(String),
    /// A browser in which the account's owner has logged in before: others' guesses do not slow it down.
    Device(String),
}

impl Guesser {
    fn longest_pause(&self) -> u64 {
        match self {
            Self::Address(_) | Self::Device(_) => LONGEST_OF_ADDRESS,
            Self::Account(_) => LONGEST_OF_ACCOUNT,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: u64,
}

/// The wrong passwords of late.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: BTreeMap<Guesser, Failures>,
}

impl Throttle {
    /// How many milliseconds a guess has to wait; 0 if it may be tried now. Asking costs nothing: it is done before the
    /// password is looked at.
    pub fn pause(&self, guessers: &[Guesser], now: u64) -> u64 {
        guessers.iter().map(|guesser| self.pause_of(guesser, now)).max().unwrap_or_default()
    }

    fn pause_of(&self, guesser: &Guesser, now: u64) -> u64 {
        let Some(known) = self.failures.get(guesser).filter(|known| now.saturating_sub(known.last) < FORGET) else {
            return 0;
        };
        let Some(beyond) = known.count.checked_sub(FREE) else { return 0 };
        let pause = FIRST_PAUSE.saturating_mul(1 << beyond.min(20)).min(guesser.longest_pause());
        (known.last + pause).saturating_sub(now)
    }

    /// A guess that is about to be tried counts as wrong until it is known to be right: many at once gain nothing.
    pub fn charge(&mut self, guessers: &[Guesser], now: u64) {
        for guesser in guessers {
            if self.failures.len() >= REMEMBERED && !self.failures.contains_key(guesser) {
                self.make_room(now);
            }
            let known = self.failures.entry(guesser.clone()).or_insert(Failures { count: 0, last: now });
            if now.saturating_sub(known.last) >= FORGET {
                known.count = 0;
            }
            *known = Failures { count: known.count.saturating_add(1), last: now };
        }
    }

    /// The guess was right: what was counted for the account and the browser is forgotten; for the address only the
    /// guess itself, so that one good account does not buy guesses at others.
    pub fn refund(&mut self, guessers: &[Guesser]) {
        for guesser in guessers {
            if matches!(guesser, Guesser::Address(_))
                && let Some(known) = self.failures.get_mut(guesser).filter(|known| known.count > 1)
            {
                known.count -= 1;
            } else {
                self.failures.remove(guesser);
            }
        }
    }

    /// What is old goes first; if that is not enough, what has failed least.
    fn make_room(&mut self, now: u64) {
        self.failures.retain(|_, known| now.saturating_sub(known.last) < FORGET);
        if self.failures.len() < REMEMBERED {
            return;
        }
        let least = self.failures.values().map(|known| known.count).min().unwrap_or_default();
        let victim = self.failures.iter().find(|(_, known)| known.count == least).map(|(guesser, _)| guesser.clone());
        if let Some(victim) = victim {
            self.failures.remove(&victim);
        }
    }
}

/// How much a client may ask: so many at once, and so many a second in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// At once.
    pub burst: u32,
    /// A second.
    pub per_second: u32,
}

/// What each client has left of an allowance.
#[derive(Debug)]
pub struct Buckets<K> {
    allowance: Allowance,
    /// Thousandths of a request that are left, and when that was so.
    left: std::collections::HashMap<K, (u64, u64)>,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Nobody has asked anything yet.
    pub fn new(allowance: Allowance) -> Self {
        Self { allowance, left: std::collections::HashMap::new() }
    }

    /// Takes one request out, or tells in how many seconds there will be one.
    pub fn take(&mut self, client: K, now: u64) -> Result<(), u64> {
        let (full, rate) = (u64::from(self.allowance.burst) * 1000, u64::from(self.allowance.per_second.max(1)));
        if self.left.len() >= REMEMBERED {
            self.left.retain(|_, (left, at)| *left + now.saturating_sub(*at) * rate < full);
        }
        if self.left.len() >= REMEMBERED && !self.left.contains_key(&client) {
            // More clients than are remembered ask too much at the same moment: none of them is worth room.
            return Err(1);
        }
        let (left, at) = self.left.entry(client).or_insert((full, now));
        *left = (*left + now.saturating_sub(*at) * rate).min(full);
        *at = now;
        if *left < 1000 {
            return Err((1000 - *left).div_ceil(rate).div_ceil(1000).max(1));
        }
        *left -= 1000;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Guesser {
        Guesser::Address(text.to_owned())
    }

    fn account(text: &str) -> Guesser {
        Guesser::Account(text.to_owned())
    }

    #[test]
    fn five_guesses_are_free_and_then_each_waits_twice_as_long() {
        let mut throttle = Throttle::default();
        let guessers = [address("10.0.0.1")];
        let mut pauses = Vec::new();
        for _ in 0..8 {
            throttle.charge(&guessers, 0);
            pauses.push(throttle.pause(&guessers, 0) / 1000);
        }
        assert_eq!(pauses, [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(throttle.pause(&guessers, 8000), 0);
    }

    #[test]
    fn no_pause_is_for_ever() {
        let mut throttle = Throttle::default();
        let guessers = [address("10.0.0.1"), account("ada")];
        for _ in 0..10_000 {
            throttle.charge(&guessers, 0);
        }
        assert_eq!(throttle.pause(&guessers, 0), LONGEST_OF_ADDRESS);
        assert_eq!(throttle.pause(&guessers, FORGET), 0);
    }

    #[test]
    fn whoever_guesses_at_an_account_slows_its_owner_down_a_little_and_a_known_browser_not_at_all() {
        let mut throttle = Throttle::default();
        for attacker in 0..1000 {
            throttle.charge(&[address(&format!("10.1.{attacker}")), account("ada")], 0);
        }
        let owner = [address("192.168.0.7"), account("ada")];
        assert_eq!(throttle.pause(&owner, 0), LONGEST_OF_ACCOUNT);
        let known = [address("192.168.0.7"), Guesser::Device("d".to_owned())];
        assert_eq!(throttle.pause(&known, 0), 0);
    }

    #[test]
    fn a_good_login_does_not_buy_an_address_more_guesses() {
        let mut throttle = Throttle::default();
        let guessers = [address("10.0.0.1"), account("eve")];
        for _ in 0..9 {
            throttle.charge(&guessers, 0);
        }
        throttle.refund(&guessers);
        assert!(throttle.pause(&[account("eve")], 0) == 0 && throttle.pause(&guessers, 0) > 0);
    }

    #[test]
    fn the_table_of_failures_never_grows_beyond_its_size() {
        let mut throttle = Throttle::default();
        for _ in 0..9 {
            throttle.charge(&[account("ada")], 0);
        }
        for number in 0..REMEMBERED + 50 {
            throttle.charge(&[address(&number.to_string())], 0);
        }
        assert_eq!(throttle.failures.len(), REMEMBERED);
        assert!(throttle.pause(&[account("ada")], 0) > 0, "what failed most is remembered");
    }

    #[test]
    fn a_client_has_a_burst_and_then_a_rate() {
        let mut buckets = Buckets::new(Allowance { burst: 5, per_second: 2 });
        for _ in 0..5 {
            assert_eq!(buckets.take("a", 0), Ok(()));
        }
        assert_eq!(buckets.take("a", 0), Err(1));
        assert_eq!(buckets.take("b", 0), Ok(()));
        assert_eq!(buckets.take("a", 499), Err(1));
        assert_eq!(buckets.take("a", 500), Ok(()));
        assert_eq!(buckets.take("a", 500), Err(1));
    }

    #[test]
    fn more_clients_than_are_remembered_cost_no_more_memory() {
        let mut buckets = Buckets::new(Allowance { burst: 2, per_second: 1 });
        for client in 0..REMEMBERED {
            assert_eq!(buckets.take(client, 0), Ok(()));
        }
        assert_eq!(buckets.take(REMEMBERED, 0), Err(1));
        assert_eq!(buckets.take(REMEMBERED, 1000), Ok(()), "the others' buckets are full again");
        assert_eq!(buckets.left.len(), 1);
    }
}
