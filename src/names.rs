//! The names of things. A name that was checked is a different type from one that was not.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that was refused: what it was meant for, what was read, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {what}: {allowed}")]
pub struct InvalidName {
    /// What the text was meant to name, with its article: `a service name`.
    pub what: &'static str,
    /// The text that was read, cut to 80 characters.
    pub found: String,
    /// What would have been accepted.
    pub allowed: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $allowed:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(raw: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(raw) {
                    Ok(Self(raw.to_owned()))
                } else {
                    Err(InvalidName { what: $what, found: raw.chars().take(80).collect(), allowed: $allowed })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(raw: String) -> Result<Self, InvalidName> {
                raw.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

fn is_dns_like(raw: &str, longest: usize, extra: &[char]) -> bool {
    !raw.is_empty()
        && raw.len() <= longest
        && raw.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
        && raw.starts_with(|c: char| c.is_ascii_alphanumeric())
        && raw.ends_with(|c: char| c.is_ascii_alphanumeric())
}

name!(
    /// The name of an environment, such as `preprod`: it stands in URLs and in file names.
    EnvironmentName,
    "an environment name",
    "use 1 to 32 of a-z, 0-9 and `-`, with a letter or digit at both ends",
    |raw| is_dns_like(raw, 32, &['-']) && !raw.chars().any(|c| c.is_ascii_uppercase())
);

name!(
    /// The name of a stack: what `docker stack ls` shows. Its length leaves room for a service in Swarm's 63 characters.
    StackName,
    "a stack name",
    "use 1 to 61 of a-z, A-Z, 0-9, `-` and `_`, with a letter or digit at both ends",
    |raw| is_dns_like(raw, 61, &['-', '_'])
);

name!(
    /// A service as it stands in the stack file, without the stack's name (the key pattern of the compose schema).
    ServiceName,
    "a service name",
    "use 1 to 63 of a-z, A-Z, 0-9, `.`, `_` and `-`",
    |raw| {
        !raw.is_empty()
            && raw.len() <= 63
            && raw.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    }
);

name!(
    /// A version of a service: an image tag, or a digest. The grammar is that of the OCI distribution specification.
    Version,
    "a version",
    "use an image tag (1 to 128 of A-Z, a-z, 0-9, `_`, `.` and `-`, not beginning with `.` or `-`) or `sha256:` with 64 hex digits",
    |raw| is_tag(raw) || is_digest(raw)
);

name!(
    /// The digest of an image: `sha256:` and 64 hex digits.
    Digest,
    "an image digest",
    "use `sha256:` and 64 hex digits",
    is_digest
);

name!(
    /// The full name of a commit: 40 hex digits (SHA-1) or 64 (SHA-256).
    CommitSha,
    "a commit",
    "use 40 or 64 hex digits",
    |raw| matches!(raw.len(), 40 | 64) && raw.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
);

name!(
    /// A path inside the repository: relative, with `/`, and never leading out of it.
    RepoPath,
    "a path in the repository",
    "use a relative path without `..`, backslashes or control characters, of at most 500 characters",
    |raw| {
        !raw.is_empty()
            && raw.len() <= 500
            && !raw.chars().any(|c| c.is_control() || c == '\\')
            && raw.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
    }
);

name!(
    /// Why a person holds an environment.
    HoldReason,
    "a reason",
    "use 1 to 500 characters in one line, not only blanks",
    |raw| !raw.trim().is_empty() && raw.chars().count() <= 500 && !raw.chars().any(char::is_control)
);

name!(
    /// Who logs in, and whom history names. Some identity providers give e-mail addresses.
    UserName,
    "a user name",
    "use 1 to 64 of a-z, 0-9, `.`, `_`, `@`, `+` and `-`, with a letter or digit first; `system`, `manual` and `nobody` are taken",
    |raw| {
        !matches!(raw, "system" | "manual" | "nobody")
            && raw.len() <= 64
            && raw.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && raw.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '@' | '+' | '-'))
    }
);

name!(
    /// The name of an API token: history says `token:NAME`.
    TokenName,
    "the name of a token",
    "use 1 to 64 of a-z, 0-9, `.`, `_` and `-`, with a letter or digit first",
    |raw| {
        raw.len() <= 64
            && raw.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && raw.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'))
    }
);

fn is_tag(raw: &str) -> bool {
    !raw.is_empty()
        && raw.len() <= 128
        && raw.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        && !raw.starts_with(['.', '-'])
}

fn is_digest(raw: &str) -> bool {
    raw.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')))
}

impl CommitSha {
    /// The first seven digits, as people write them.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl StackName {
    /// The Swarm's name for a service of this stack.
    pub fn scope(&self, service: &ServiceName) -> String {
        format!("{}_{service}", self.0)
    }
}

/// The number of a deployment, as history and URLs show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(pub i64);

impl fmt::Display for DeploymentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Who asked for something: Release Manager itself, a person, or a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Actor {
    /// The poller or another machine-made decision; `system` in history.
    System,
    /// A person, by name; `manual` where nobody has to log in.
    Person(String),
    /// A program, by its API token; `token:NAME` in history. No user name has a colon in it.
    Token(TokenName),
}

impl From<String> for Actor {
    fn from(name: String) -> Self {
        let token = name.strip_prefix("token:").and_then(|token| token.parse().ok());
        match (name.as_str(), token) {
            ("system", _) => Self::System,
            (_, Some(token)) => Self::Token(token),
            (_, None) => Self::Person(name),
        }
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => formatter.write_str("system"),
            Self::Person(name) => formatter.write_str(name),
            Self::Token(name) => write!(formatter, "token:{name}"),
        }
    }
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
    fn an_environment_is_lower_case_and_safe_in_a_url() {
        check::<EnvironmentName>(&["prod", "pre-prod", "p1"], &["", "Prod", "-prod", "prod-", "a/b", "ä"]);
    }

    #[test]
    fn a_version_is_a_tag_or_a_digest_and_nothing_else() {
        let digest = format!("sha256:{}", "a".repeat(64));
        check::<Version>(
            &["1", "v3.4.4", "2025.04.0", "latest", "_x", &digest],
            &["", "$(rm)", "../x", "a b", "<script>", ".1", "-1", "sha256:abc", &"x".repeat(129)],
        );
    }

    #[test]
    fn a_reason_says_something_in_one_line() {
        check::<HoldReason>(&["moving house", "até amanhã"], &["", "   ", "one\ntwo", &"x".repeat(501)]);
    }

    #[test]
    fn a_path_never_leaves_the_repository() {
        check::<RepoPath>(
            &["a", "env/.env.preprod", "..a"],
            &["", "/etc/passwd", "../x", "a/../b", "./a", "a//b", "a\\b", "a\0b"],
        );
    }

    #[test]
    fn a_user_cannot_be_named_as_history_names_others() {
        check::<UserName>(
            &["ada", "ada.l@example.org", "0x1"],
            &["", "system", "manual", "nobody", "token:ci", "Ada", "-a", "a b", "ä", &"x".repeat(65)],
        );
        for text in ["system", "ada", "token:ci", "token:Not A Token"] {
            assert_eq!(Actor::from(text.to_owned()).to_string(), text);
        }
        assert_eq!(Actor::from("token:ci".to_owned()), Actor::Token("ci".parse().unwrap()));
    }

    #[test]
    fn a_commit_is_written_in_full() {
        check::<CommitSha>(&[&"a".repeat(40), &"0".repeat(64)], &["", "abc", &"g".repeat(40), &"A".repeat(40)]);
    }
}
