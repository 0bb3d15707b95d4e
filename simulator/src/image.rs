//! Image references, as far as a pretended registry needs them.

use sha2::{Digest, Sha256};

use crate::ids::hex;

/// The familiar form without the digest: `docker.io/library/app:1@sha256:…` is `app:1`.
pub(crate) fn without_digest(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let name = name.strip_prefix("index.docker.io/").or_else(|| name.strip_prefix("docker.io/")).unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name).to_owned()
}

/// The tag of a reference without digest.
pub(crate) fn tag(name: &str) -> Option<&str> {
    let last = name.rsplit('/').next()?;
    last.split_once(':').map(|(_, tag)| tag)
}

/// The digest that the registry has for a reference. The same reference always has the same.
pub(crate) fn digest(image: &str) -> String {
    if let Some((_, digest)) = image.split_once('@') {
        return digest.to_owned();
    }
    let mut name = without_digest(image);
    if tag(&name).is_none() {
        name.push_str(":latest");
    }
    format!("sha256:{}", hex(&Sha256::digest(name.as_bytes())))
}

/// Whether it follows the grammar of references.
pub(crate) fn is_valid(image: &str) -> bool {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let (repository, tag) = match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    };
    is_repository(repository) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

fn is_repository(repository: &str) -> bool {
    let (host, path) = match repository.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), path),
        _ => (None, repository),
    };
    let host_is_valid =
        host.is_none_or(|host| host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':')));
    host_is_valid && repository.len() <= 255 && path.split('/').all(is_path_component)
}

fn is_path_component(component: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    component.starts_with(is_word)
        && component.ends_with(is_word)
        && component.chars().all(|c| is_word(c) || matches!(c, '.' | '_' | '-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(is_word) && tag.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty() && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_follow_the_grammar() {
        for valid in
            ["app", "app:1", "localhost:5000/a/b_c:X.1", "ghcr.io/u/app:1@sha256:0123456789abcdef0123456789abcdef"]
        {
            assert!(is_valid(valid), "{valid}");
        }
        for invalid in ["", "App:1", "UPPER:bad tag", "app:", "app:-x", "a//b", "app@sha256", "app:1:2"] {
            assert!(!is_valid(invalid), "{invalid}");
        }
    }

    #[test]
    fn a_reference_always_has_the_same_digest() {
        assert_eq!(digest("app"), digest("docker.io/library/app:latest"));
        assert_ne!(digest("app:1"), digest("app:2"));
        assert_eq!(digest("app:1@sha256:00"), "sha256:00");
    }
}
