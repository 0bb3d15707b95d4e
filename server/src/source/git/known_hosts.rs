//! Whether a host shows a key that is known to be its own: the file format of OpenSSH.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// Why a host is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Distrust {
    /// Nothing is known of the host.
    #[error(
        "the file of known hosts has no key for it: add the output of `ssh-keyscan {0}` after comparing it with what the host publishes"
    )]
    Unknown(String),
    /// The host has other keys.
    #[error(
        "it shows a key that the file of known hosts does not have for it: it has a new key, or somebody else answers in its place; add the output of `ssh-keyscan {0}` only after comparing it with what the host publishes"
    )]
    OtherKey(String),
    /// The key must not be used any longer.
    #[error("it shows a key that the file of known hosts marks as revoked")]
    Revoked,
}

/// Looks for `key` (as it goes over the wire) among the keys of the host.
pub(super) fn check(known: &str, host: &str, port: u16, key: &[u8]) -> Result<(), Distrust> {
    let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
    let name = name.to_ascii_lowercase();
    let (mut is_known, mut has_key) = (false, false);
    for line in known.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        let (marker, hosts) =
            if first.starts_with('@') { (first, words.next().unwrap_or_default()) } else { ("", first) };
        let is_same = words.nth(1).and_then(|text| STANDARD.decode(text).ok()).is_some_and(|known| known == key);
        if !names(hosts, &name) {
            continue;
        }
        match marker {
            "@revoked" if is_same => return Err(Distrust::Revoked),
            "" => (is_known, has_key) = (true, has_key || is_same),
            _ => (),
        }
    }
    match (is_known, has_key) {
        (_, true) => Ok(()),
        (true, false) => Err(Distrust::OtherKey(host.to_owned())),
        (false, false) => Err(Distrust::Unknown(host.to_owned())),
    }
}

fn names(hosts: &str, name: &str) -> bool {
    if hosts.starts_with('|') {
        return is_hash_of(hosts, name).unwrap_or(false);
    }
    let mut is_named = false;
    for pattern in hosts.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => (),
            None => is_named = is_named || matches(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()),
        }
    }
    is_named
}

/// `*` stands for any number of characters, `?` for one.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => matches(rest, name) || (!name.is_empty() && matches(pattern, &name[1..])),
        (Some((b'?', rest)), Some((_, name))) => matches(rest, name),
        (Some((letter, rest)), Some((first, name))) => letter == first && matches(rest, name),
        _ => false,
    }
}

/// `|1|salt|hash`: HMAC-SHA1 of the name under the salt.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.strip_prefix("|1|")?.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    let mut block = [0_u8; 64];
    block.get_mut(..salt.len())?.copy_from_slice(&salt);
    let keyed = |pad: u8, message: &[u8]| {
        let key: Vec<u8> = block.iter().map(|byte| byte ^ pad).collect();
        Sha1::new().chain_update(key).chain_update(message).finalize()
    };
    Some(keyed(0x5c, &keyed(0x36, name.as_bytes()))[..] == hash[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"the key of the host";

    #[track_caller]
    fn check_line(line: &str, host: &str, port: u16, expected: &Result<(), Distrust>) {
        let line = line.replace("KEY", &STANDARD.encode(KEY)).replace("OTHER", &STANDARD.encode("another"));
        assert_eq!(&check(&line, host, port, KEY), expected, "{line}");
    }

    fn unknown() -> Result<(), Distrust> {
        Err(Distrust::Unknown("git.example.org".to_owned()))
    }

    fn other_key() -> Result<(), Distrust> {
        Err(Distrust::OtherKey("git.example.org".to_owned()))
    }

    #[test]
    fn a_key_that_is_known_is_believed() {
        for line in [
            "git.example.org ssh-ed25519 KEY a comment",
            "# comment\n\nother,git.example.org ssh-ed25519 KEY",
            "*.example.org ssh-ed25519 KEY",
            "GIT.example.org ssh-ed25519 KEY",
            "git.example.org ssh-rsa OTHER\ngit.example.org ssh-ed25519 KEY",
        ] {
            check_line(line, "git.example.org", 22, &Ok(()));
        }
        check_line("[git.example.org]:2222 ssh-ed25519 KEY", "git.example.org", 2222, &Ok(()));
    }

    #[test]
    fn a_key_of_somebody_else_is_not() {
        check_line("", "git.example.org", 22, &unknown());
        check_line("example.org ssh-ed25519 KEY", "git.example.org", 22, &unknown());
        check_line("*.example.org,!git.example.org ssh-ed25519 KEY", "git.example.org", 22, &unknown());
        check_line("git.example.org ssh-ed25519 KEY", "git.example.org", 2222, &unknown());
        check_line("git.example.org ssh-ed25519 OTHER", "git.example.org", 22, &other_key());
        check_line("git.example.org ssh-ed25519 ???", "git.example.org", 22, &other_key());
        check_line(
            "git.example.org ssh-ed25519 KEY\n@revoked * ssh-ed25519 KEY",
            "git.example.org",
            22,
            &Err(Distrust::Revoked),
        );
        check_line("@cert-authority * ssh-ed25519 KEY", "git.example.org", 22, &unknown());
    }

    #[test]
    fn a_name_that_was_hashed_is_found() {
        // The HMAC-SHA1 of `git.example.org` under the bytes 0 to 19.
        let hashed = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|gvHh3r1BCltA892h9G5kQrV6GG8= ssh-ed25519 KEY";
        check_line(hashed, "git.example.org", 22, &Ok(()));
        check_line(hashed, "git.example.net", 22, &Err(Distrust::Unknown("git.example.net".to_owned())));
    }
}
