//! What a change of version means, where the tags tell.

use std::cmp::Ordering;

use super::{Said, Tone, said};

/// How far a version moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bump {
    /// The first number grows.
    Major,
    /// The second does.
    Minor,
    /// A later one does.
    Patch,
    /// It grows, and has one number only.
    Newer,
    /// It shrinks.
    Downgrade,
}

impl Bump {
    /// The word for it.
    pub fn said(self) -> Said {
        match self {
            Self::Major => said("Major", Tone::Warn),
            Self::Minor => said("Minor", Tone::Idle),
            Self::Patch => said("Patch", Tone::Idle),
            Self::Newer => said("Newer", Tone::Idle),
            Self::Downgrade => said("Downgrade", Tone::Warn),
        }
    }
}

/// How far a version moves; `None` where the tags do not tell (`latest`, digests, another scheme of numbers).
pub fn bump(from: &str, to: &str) -> Option<Bump> {
    let (old, new) = (numbers(from)?, numbers(to)?);
    if old.len() != new.len() {
        return None;
    }
    let (place, order) =
        old.iter().zip(&new).map(|(old, new)| new.cmp(old)).enumerate().find(|(_, order)| order.is_ne())?;
    match (order, place, old.len()) {
        (Ordering::Less, ..) => Some(Bump::Downgrade),
        (_, _, 1) => Some(Bump::Newer),
        (_, 0, _) => Some(Bump::Major),
        (_, 1, _) => Some(Bump::Minor),
        _ => Some(Bump::Patch),
    }
}

/// The numbers of `v1.2.3` or `1.2.3-alpine`.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let core = version.strip_prefix('v').unwrap_or(version);
    let core = core.split(['-', '_']).next().unwrap_or(core);
    core.split('.').map(|number| number.parse().ok()).collect()
}

/// A version short enough for a table: digests are cut as git cuts commits.
pub fn short_version(version: &str) -> String {
    match version.strip_prefix("sha256:") {
        Some(hex) => format!("sha256:{}", hex.get(..12).unwrap_or(hex)),
        None => version.to_owned(),
    }
}

/// The page on which a host compares two commits, from the address of its pages of commits. GitHub, GitLab, Gitea and
/// Forgejo all have it beside those; `None` where an address follows another pattern.
pub fn compare_url(commit_url: &str, from: &str, to: &str) -> Option<String> {
    let repository = commit_url.strip_suffix("/commit/")?;
    Some(format!("{repository}/compare/{from}...{to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_commits_are_compared_where_the_host_does_that() {
        for (commit_url, expected) in [
            ("https://github.com/me/lab/commit/", Some("https://github.com/me/lab/compare/a...b")),
            ("https://gitlab.com/me/lab/-/commit/", Some("https://gitlab.com/me/lab/-/compare/a...b")),
            ("https://bitbucket.org/me/lab/commits/", None),
        ] {
            assert_eq!(compare_url(commit_url, "a", "b").as_deref(), expected);
        }
    }

    #[test]
    fn a_bump_is_named_only_where_the_tags_tell() {
        for (from, to, expected) in [
            ("1.2.3", "2.0.0", Some(Bump::Major)),
            ("v1.2.3", "v1.3.0", Some(Bump::Minor)),
            ("1.2.3-alpine", "1.2.4-alpine", Some(Bump::Patch)),
            ("2025040803", "2025040900", Some(Bump::Newer)),
            ("1.10.0", "1.9.0", Some(Bump::Downgrade)),
            ("latest", "1.0", None),
            ("1.0", "1.0.1", None),
            ("1.0-a", "1.0-b", None),
        ] {
            assert_eq!(bump(from, to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn a_digest_is_cut() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(short_version(&digest), "sha256:aaaaaaaaaaaa");
        assert_eq!(short_version("1.2"), "1.2");
    }
}
