//! Secrets that are not chosen by people: of sessions, browsers and API tokens. What is kept of them is a hash; they have
//! 256 bits, so a plain SHA-256 is enough.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::store::SecretHash;

/// What every API token begins with, so that scanners and people recognise one.
pub const TOKEN_PREFIX: &str = "rm_";
const HEX: usize = 64;
const CHECKSUM: usize = 8;
/// How much of a token is shown later, to tell it from others.
const SHOWN: usize = TOKEN_PREFIX.len() + 6;

/// The system has no randomness to give: nothing can be made safely.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandomness(getrandom::Error);

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// A secret for a cookie: 256 bits.
pub fn cookie() -> Result<SecretString, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?).into())
}

/// A password that can be read out and typed: 20 of 32 characters, 100 bits.
pub fn password() -> Result<SecretString, NoRandomness> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let characters = random::<20>()?.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    let groups: Vec<String> = characters.chunks(5).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-").into())
}

/// An API token: prefix, 256 bits in hex, and a checksum of both.
pub fn token() -> Result<SecretString, NoRandomness> {
    let mut token = TOKEN_PREFIX.to_owned();
    for byte in random::<32>()? {
        // Writing to a `String` cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    let checksum = crc32(token.as_bytes());
    let _ = write!(token, "{checksum:08x}");
    Ok(token.into())
}

/// What a token begins with.
pub fn start(token: &SecretString) -> String {
    token.expose_secret().chars().take(SHOWN).collect()
}

/// Whether a text can be a token at all; what is not need not be looked up.
pub fn is_token(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(TOKEN_PREFIX) else { return false };
    if rest.len() != HEX + CHECKSUM || !rest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return false;
    }
    let (token, checksum) = text.split_at(text.len() - CHECKSUM);
    format!("{:08x}", crc32(token.as_bytes())) == checksum
}

/// What is kept of a secret.
pub fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret).into()
}

/// CRC-32 as in zlib.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_token_is_told_from_what_is_none() {
        let token = token().unwrap();
        let token = token.expose_secret();
        assert!(is_token(token));
        let mut mistyped = token.to_owned();
        mistyped.replace_range(10..11, if &token[10..11] == "0" { "1" } else { "0" });
        for other in [mistyped.as_str(), "", "rm_", &token[1..], &token.to_uppercase(), &format!("{token}0")] {
            assert!(!is_token(other), "{other}");
        }
    }

    #[test]
    fn a_made_up_password_can_be_read_out() {
        let password = password().unwrap();
        let password = password.expose_secret();
        assert_eq!(password.len(), 23);
        assert!(password.chars().all(|c| matches!(c, 'a'..='z' | '2'..='9' | '-') && !matches!(c, 'l' | 'o')));
    }
}
