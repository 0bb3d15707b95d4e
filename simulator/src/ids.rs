//! Identifiers in the Engine's forms.

use std::hash::{BuildHasher, Hasher, RandomState};

use sha2::{Digest, Sha256};

/// Hands out identifiers that no two runs share, unless they are given the same seed.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    count: u64,
}

impl Ids {
    /// Begins with this seed, or with one of its own.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { seed: seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()), count: 0 }
    }

    fn next(&mut self) -> [u8; 32] {
        self.count += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(self.count.to_le_bytes());
        hash.finalize().into()
    }

    /// The form of swarm objects: 25 letters and digits.
    pub(crate) fn object(&mut self) -> String {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        self.next()[..25].iter().map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()])).collect()
    }

    /// The form of containers and local networks: 64 hexadecimal digits.
    pub(crate) fn hex(&mut self) -> String {
        hex(&self.next())
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
