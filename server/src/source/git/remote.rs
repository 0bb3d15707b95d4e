//! The address of a git repository.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::{Host, Url};

use super::Credentials;

/// The address of a git repository: `https://…`, `ssh://…`, `user@host:path`, `file://…` or a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote(Kind);

/// How a repository is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// On this machine.
    Local(PathBuf),
    /// `https`, or `http` without credentials.
    Web(Url),
    /// Always written as `ssh://user@host/path`.
    Ssh(Url),
}

/// An address, or what belongs to it, that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRemote {
    /// The text is no address of a repository.
    #[error(
        "GIT_URL `{0}` is no git repository: use `https://…`, `ssh://…`, `user@host:path`, `file://…`, or a directory that begins with `/` or `.`"
    )]
    Address(String),
    /// A password that would be shown wherever the address is.
    #[error("GIT_URL at {0} holds a password: leave it out and give it as GIT_TOKEN")]
    Password(String),
    /// The token would be sent for everybody to read.
    #[error("GIT_TOKEN would go to {0} unencrypted: use `https`")]
    Unencrypted(String),
    /// SSH without what it needs.
    #[error("{host} is reached by SSH, which needs {what}")]
    Ssh {
        /// The host.
        host: String,
        /// What is missing, and how to get it.
        what: &'static str,
    },
}

impl Remote {
    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }

    /// The host, or the path on this machine.
    pub(super) fn host(&self) -> String {
        match &self.0 {
            Kind::Local(path) => path.display().to_string(),
            Kind::Web(url) | Kind::Ssh(url) => host_of(url),
        }
    }

    /// Whether the credentials suffice to try at all.
    pub(super) fn check(&self, credentials: &Credentials) -> Result<(), InvalidRemote> {
        match &self.0 {
            Kind::Web(url) if url.scheme() == "http" && credentials.token.is_some() && !is_loopback(url) => {
                Err(InvalidRemote::Unencrypted(host_of(url)))
            }
            Kind::Ssh(url) => {
                let what = if credentials.ssh_key.is_none() {
                    "a private key: set GIT_SSH_KEY_FILE to the file of a deploy key"
                } else if credentials.known_hosts.is_none() {
                    "the keys of the host, so that nobody can take its place: write them to a file with `ssh-keyscan HOST`, compare them with those that the host publishes, and set GIT_KNOWN_HOSTS_FILE"
                } else {
                    return Ok(());
                };
                Err(InvalidRemote::Ssh { host: host_of(url), what })
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Remote {
    type Err = InvalidRemote;

    fn from_str(raw: &str) -> Result<Self, InvalidRemote> {
        let raw = raw.trim();
        let kind = if raw.contains("://") {
            from_url(raw)?
        } else if let Some((login, path)) = scp(raw) {
            let url = Url::parse(&format!("ssh://{login}/{}", path.trim_start_matches('/')));
            Kind::Ssh(url.map_err(|_| InvalidRemote::Address(raw.to_owned()))?)
        } else if Path::new(raw).is_absolute() || raw.starts_with('.') {
            Kind::Local(PathBuf::from(raw))
        } else {
            return Err(InvalidRemote::Address(raw.chars().take(200).collect()));
        };
        Ok(Self(kind))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Local(path) => path.display().fmt(formatter),
            Kind::Web(url) | Kind::Ssh(url) => without_userinfo(url).fmt(formatter),
        }
    }
}

fn from_url(raw: &str) -> Result<Kind, InvalidRemote> {
    let mut url = Url::parse(raw).map_err(|_| InvalidRemote::Address(scheme_of(raw)))?;
    let shown = InvalidRemote::Address(without_userinfo(&url).to_string());
    if url.password().is_some() {
        return Err(InvalidRemote::Password(host_of(&url)));
    }
    match url.scheme() {
        "file" => url.to_file_path().map(Kind::Local).map_err(|()| shown),
        "http" | "https" if url.query().is_none() && url.fragment().is_none() => Ok(Kind::Web(url)),
        "ssh" | "git+ssh" if url.host_str().is_some_and(|host| !host.is_empty()) => {
            if url.username().is_empty() && url.set_username("git").is_err() {
                return Err(shown);
            }
            Ok(Kind::Ssh(url))
        }
        _ => Err(shown),
    }
}

/// What can be shown of an address that cannot be read: there may be a password in the rest.
fn scheme_of(raw: &str) -> String {
    raw.split_once("://").map_or_else(String::new, |(scheme, _)| format!("{scheme}://…"))
}

/// `user@host:path`: a colon before any slash.
fn scp(raw: &str) -> Option<(&str, &str)> {
    let (login, path) = raw.split_once(':')?;
    let is_login = login.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    (is_login && !login.contains('/') && !path.is_empty()).then_some((login, path))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn without_userinfo(url: &Url) -> Url {
    let mut url = url.clone();
    // Fails only for addresses that cannot hold any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expected: Result<&str, &str>) {
        let shown = raw.parse::<Remote>().map(|remote| remote.to_string()).map_err(|error| error.to_string());
        match (shown, expected) {
            (Ok(shown), Ok(expected)) => assert_eq!(shown, expected, "for `{raw}`"),
            (Err(shown), Err(part)) => assert!(shown.contains(part), "for `{raw}`: {shown}"),
            (shown, expected) => panic!("`{raw}` gives {shown:?} and not {expected:?}"),
        }
    }

    #[test]
    fn an_address_is_shown_without_credentials() {
        check("https://me@git.example.org/lab.git", Ok("https://git.example.org/lab.git"));
        check("git@git.example.org:me/lab.git", Ok("ssh://git.example.org/me/lab.git"));
        check("ssh://git@git.example.org:2222/me/lab.git", Ok("ssh://git.example.org:2222/me/lab.git"));
        check("/srv/lab", Ok("/srv/lab"));
        check("file:///srv/lab", Ok("/srv/lab"));
        check("./lab", Ok("./lab"));
    }

    #[test]
    fn an_address_that_cannot_work_is_refused_without_repeating_a_secret() {
        check("https://me:hunter2@git.example.org/lab.git", Err("give it as GIT_TOKEN"));
        check("git://git.example.org/lab", Err("is no git repository"));
        check("lab", Err("a directory that begins"));
        check("", Err("a directory that begins"));
        for raw in ["https://me:hunter2@git.example.org/lab", "ftp://me:hunter2@x/lab", "ht tp://me:hunter2@x"] {
            let error = raw.parse::<Remote>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn ssh_needs_a_key_and_the_keys_of_the_host() {
        let remote: Remote = "git@git.example.org:me/lab.git".parse().unwrap();
        let mut credentials = Credentials::default();
        assert!(remote.check(&credentials).unwrap_err().to_string().contains("private key"));
        credentials.ssh_key = Some("/run/secrets/key".into());
        assert!(remote.check(&credentials).unwrap_err().to_string().contains("ssh-keyscan"));
        credentials.known_hosts = Some("/run/secrets/known_hosts".into());
        assert_eq!(remote.check(&credentials), Ok(()));
    }

    #[test]
    fn a_token_is_not_sent_unencrypted() {
        let remote: Remote = "http://git.example.org/lab".parse().unwrap();
        let credentials = Credentials { token: Some("t".into()), ..Credentials::default() };
        assert!(matches!(remote.check(&credentials), Err(InvalidRemote::Unencrypted(_))));
    }
}
