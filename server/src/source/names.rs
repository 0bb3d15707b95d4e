//! The names by which a source is configured.

use std::fmt;
use std::str::FromStr;

use release_manager::names::InvalidName;

/// What git calls the branch that a repository gives to whoever names none.
const DEFAULT: &str = "HEAD";

/// A repository at GitHub: `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoSlug(String);

impl RepoSlug {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepoSlug {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        let allowed = |part: &str, longest: usize, extra: &[char]| {
            !matches!(part, "" | "." | "..")
                && part.len() <= longest
                && part.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
        };
        let valid = raw
            .split_once('/')
            .is_some_and(|(owner, name)| allowed(owner, 100, &['-', '_']) && allowed(name, 100, &['-', '_', '.']));
        if valid {
            Ok(Self(raw.to_owned()))
        } else {
            Err(invalid("a repository", raw, "use `owner/name`, without a host"))
        }
    }
}

impl fmt::Display for RepoSlug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of a branch, as git allows it, without `refs/heads/`. `HEAD` is the one that the host calls its default.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BranchName(String);

impl BranchName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whatever branch the host calls its default.
    pub fn of_host() -> Self {
        Self(DEFAULT.to_owned())
    }

    /// Whether it is the host that says which branch this is.
    pub fn is_of_host(&self) -> bool {
        self.0 == DEFAULT
    }

    /// The full name of the reference.
    pub fn reference(&self) -> String {
        if self.is_of_host() { DEFAULT.to_owned() } else { format!("refs/heads/{}", self.0) }
    }

    /// Where a copy of the repository keeps it.
    pub(super) fn kept_as(&self) -> String {
        // The copy has a HEAD of its own.
        if self.is_of_host() { "refs/release-manager/default".to_owned() } else { self.reference() }
    }
}

impl FromStr for BranchName {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        let forbidden = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
        let part_is_valid = |part: &str| {
            let extension = part.rsplit_once('.').map(|(_, extension)| extension);
            !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && extension != Some("lock")
        };
        let valid = raw.len() <= 244
            && !raw.starts_with(['-', '@'])
            && !raw.chars().any(forbidden)
            && !raw.contains("..")
            && !raw.contains("@{")
            && raw.split('/').all(part_is_valid);
        if valid {
            Ok(Self(raw.to_owned()))
        } else {
            Err(invalid("a branch", raw, "use the name that `git branch` shows, such as `main`"))
        }
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn invalid(what: &'static str, raw: &str, allowed: &'static str) -> InvalidName {
    InvalidName { what, found: raw.chars().take(80).collect(), allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: FromStr>(accepted: &[&str], refused: &[&str]) {
        for raw in accepted {
            assert!(raw.parse::<T>().is_ok(), "`{raw}` should be accepted");
        }
        for raw in refused {
            assert!(raw.parse::<T>().is_err(), "`{raw}` should be refused");
        }
    }

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        check::<RepoSlug>(
            &["me/homelab", "my-org/home.lab_2", "a_b/c"],
            &["", "homelab", "/homelab", "me/", "me/../x", "a/b/c", "me/..", "https://github.com/me/homelab", "m e/x"],
        );
    }

    #[test]
    fn a_branch_is_what_git_allows() {
        check::<BranchName>(
            &["main", "feature/x", "v1.2", "ärger", "a@b"],
            &["", "-x", "a b", "a..b", "a/", "/a", "a//b", "a.lock", "x/.y", "a~1", "a:b", "@{u}", "a\0b", "a\\b"],
        );
    }
}
