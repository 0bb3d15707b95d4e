//! Configuration: read once at the start, from the process environment and the files that it names.

mod file;
mod notify;
mod pipeline;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub use pipeline::{EngineAddress, default_pipeline};
use release_manager::names::StackName;
use release_manager::pipeline::Pipeline;
use secrecy::SecretString;

use crate::auth::AuthSettings;
use crate::backups::BackupSettings;
use crate::notify::Target;
use crate::source::{BranchName, Credentials, GitHubSettings, GitSettings, Remote, RepoSlug, tls};

/// Where the database lies unless a setting says otherwise.
const DATABASE: &str = "./data/release-manager.db";

/// Where settings come from: a name to its value. `main` gives it the process environment.
pub trait Settings {
    /// The value of a setting; `None` and the empty text are the same.
    fn get(&self, name: &str) -> Option<String>;
    /// The content of a file that a setting names.
    fn file(&self, path: &str) -> Result<String, String>;
    /// Whether a file stands there.
    fn exists(&self, path: &str) -> bool;
}

/// A setting that stops the start: its name, what was read, what is allowed. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct WrongSetting {
    /// The setting, as it is written.
    pub name: String,
    /// What was read and what is allowed.
    pub problem: String,
}

/// Which repository is followed, and how it is reached.
#[derive(Debug, Clone)]
pub enum SourceSettings {
    /// GitHub or GitHub Enterprise, over REST.
    GitHub(GitHubSettings),
    /// Any other git remote.
    Git(GitSettings),
}

/// Everything that `serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The repository.
    pub source: SourceSettings,
    /// The environments.
    pub pipeline: Pipeline,
    /// Who is told of what.
    pub targets: Vec<Target>,
    /// The secret that webhooks of the git host are signed with.
    pub webhook_secret: Option<SecretString>,
    /// Where people find the pages, without a slash at the end.
    pub public_url: Option<String>,
    /// How often the repository is asked.
    pub poll_interval: Duration,
    /// The Engine.
    pub docker_host: String,
    /// The Engines of the stacks that run elsewhere.
    pub engines: BTreeMap<StackName, EngineAddress>,
    /// The database file.
    pub database: PathBuf,
    /// How long a deployment may take.
    pub deployment_timeout: Duration,
    /// How often health is looked at without being told of a change.
    pub health_interval: Duration,
    /// How long a service must stand to have succeeded.
    pub stability: Duration,
    /// Where relative bind mounts lead to on the nodes.
    pub bind_base: Option<String>,
    /// Where pages and API are served.
    pub listen: SocketAddr,
    /// Where copies of the database go by themselves; `None` makes none.
    pub backups: Option<BackupSettings>,
    /// Who may come in.
    pub auth: AuthSettings,
    /// Certificate and key, for serving HTTPS without a proxy.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl Config {
    /// Reads every setting, or names the first that is wrong.
    pub fn read(settings: &dyn Settings) -> Result<Self, WrongSetting> {
        let database = database(settings);
        let source = source(settings, &database)?;
        let (auth, host) = AuthSettings::read(settings)?;
        let port: u16 = parsed(settings, "WEB_PORT", "8080", "a port from 1 to 65535")?;
        let deployment_timeout = seconds(settings, "DEPLOYMENT_TIMEOUT_SECONDS", 300, 10, 86_400)?;
        let stability = seconds(settings, "STABILITY_SECONDS", 20, 1, 3_600)?;
        if stability >= deployment_timeout {
            let problem = format!(
                "it is {} and STABILITY_SECONDS is {}: no deployment could ever succeed. Make it more than \
                 STABILITY_SECONDS, or set that to less",
                deployment_timeout.as_secs(),
                stability.as_secs()
            );
            return Err(wrong("DEPLOYMENT_TIMEOUT_SECONDS", &problem));
        }
        let prefix = text(settings, "STACK_NAME").unwrap_or_else(|| repository_name(settings));
        let (pipeline, engines, targets) = file::read(settings, prefix, repository(&source).as_ref())?;
        Ok(Self {
            pipeline,
            targets,
            webhook_secret: secret(settings, "WEBHOOK_SECRET")?,
            public_url: auth.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            poll_interval: seconds(settings, "POLL_INTERVAL_SECONDS", 60, 2, 86_400)?,
            docker_host: docker_host(settings)?,
            engines,
            database,
            deployment_timeout,
            health_interval: seconds(settings, "HEALTH_CHECK_INTERVAL_SECONDS", 5, 1, 3_600)?,
            stability,
            bind_base: bind_base(settings)?,
            listen: SocketAddr::new(host, port),
            backups: backups(settings)?,
            tls: certificate(settings)?,
            auth,
            source,
        })
    }
}

/// Where the database lies.
pub(crate) fn database(settings: &dyn Settings) -> PathBuf {
    text(settings, "DATABASE_PATH").unwrap_or_else(|| DATABASE.to_owned()).into()
}

fn certificate(settings: &dyn Settings) -> Result<Option<(PathBuf, PathBuf)>, WrongSetting> {
    match (text(settings, "TLS_CERT_FILE"), text(settings, "TLS_KEY_FILE")) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some((certificate.into(), key.into()))),
        (Some(_), None) => Err(wrong("TLS_KEY_FILE", &"it is not set: TLS_CERT_FILE needs its key")),
        (None, Some(_)) => Err(wrong("TLS_CERT_FILE", &"it is not set: TLS_KEY_FILE needs its certificate")),
    }
}

/// The last part of the repository's name: `homelab` of `user/homelab` or `git@host:infra/homelab.git`.
fn repository_name(settings: &dyn Settings) -> String {
    let place = text(settings, "GITHUB_REPO").or_else(|| text(settings, "GIT_URL")).unwrap_or_default();
    let name = place.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    name.strip_suffix(".git").unwrap_or(name).to_owned()
}

fn source(settings: &dyn Settings, database: &Path) -> Result<SourceSettings, WrongSetting> {
    let branch = match text(settings, "GIT_BRANCH") {
        Some(_) => parsed(settings, "GIT_BRANCH", "", "the name of a branch")?,
        None => BranchName::of_host(),
    };
    match (text(settings, "GITHUB_REPO"), text(settings, "GIT_URL")) {
        (Some(_), Some(_)) => Err(wrong("GIT_URL", &"set it or GITHUB_REPO, not both")),
        (None, None) => Err(wrong("GITHUB_REPO", &"it is not set: use `owner/name`, or set GIT_URL for another host")),
        (Some(_), None) => {
            let repo: RepoSlug = parsed(settings, "GITHUB_REPO", "", "`owner/name`, without a host")?;
            let mut github = GitHubSettings::new(repo, branch);
            if text(settings, "GITHUB_API_URL").is_some() {
                github.api_url = parsed(settings, "GITHUB_API_URL", "", "an address such as https://HOST/api/v3")?;
            }
            github.token = secret(settings, "GITHUB_TOKEN")?;
            if let Some(path) = text(settings, "GITHUB_CA_FILE") {
                let content =
                    settings.file(&path).map_err(|error| wrong("GITHUB_CA_FILE", &format!("`{path}` {error}")))?;
                tls::check_authority(content.as_bytes())
                    .map_err(|error| wrong("GITHUB_CA_FILE", &format!("`{path}`: {error}")))?;
                github.authority = Some(content.into_bytes());
            }
            Ok(SourceSettings::GitHub(github))
        }
        (None, Some(url)) => {
            let remote: Remote = url.parse().map_err(|error| wrong("GIT_URL", &error))?;
            let cache = database.parent().unwrap_or(Path::new(".")).join("git");
            let mut git = GitSettings::new(remote, branch, cache);
            git.credentials = Credentials {
                token: secret(settings, "GIT_TOKEN")?,
                username: text(settings, "GIT_USERNAME"),
                ssh_key: text(settings, "GIT_SSH_KEY_FILE").map(PathBuf::from),
                ssh_passphrase: secret(settings, "GIT_SSH_PASSPHRASE")?,
                known_hosts: text(settings, "GIT_KNOWN_HOSTS_FILE").map(PathBuf::from),
            };
            Ok(SourceSettings::Git(git))
        }
    }
}

/// The repository on GitHub, where it is there.
fn repository(source: &SourceSettings) -> Option<notify::Repository> {
    let SourceSettings::GitHub(github) = source else { return None };
    let api = github.api_url.as_str().trim_end_matches('/');
    Some(notify::Repository { url: format!("{api}/repos/{}", github.repo), token: github.token.clone() })
}

fn backups(settings: &dyn Settings) -> Result<Option<BackupSettings>, WrongSetting> {
    let interval = seconds(settings, "BACKUP_INTERVAL_SECONDS", 86_400, 60, 2_678_400)?;
    let keep = parsed::<NonZeroUsize>(settings, "BACKUP_KEEP", "14", "a whole number of at least 1")?;
    Ok(text(settings, "BACKUP_DIR").map(|directory| BackupSettings { directory: directory.into(), interval, keep }))
}

fn is_docker_host(host: &str) -> bool {
    ["unix://", "tcp://", "http://"].iter().any(|scheme| host.starts_with(scheme))
}

fn docker_host(settings: &dyn Settings) -> Result<String, WrongSetting> {
    let host = text(settings, "DOCKER_HOST").unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
    if is_docker_host(&host) {
        return Ok(host);
    }
    Err(wrong("DOCKER_HOST", &format!("`{host}` was read: use unix:///path/to/docker.sock or tcp://host:port")))
}

fn bind_base(settings: &dyn Settings) -> Result<Option<String>, WrongSetting> {
    let base = text(settings, "BIND_BASE");
    match base {
        Some(base) if !base.starts_with('/') => {
            Err(wrong("BIND_BASE", &format!("`{base}` was read: use an absolute directory that is on every node")))
        }
        other => Ok(other),
    }
}

/// A secret, from the setting itself or from the file that its `_FILE` form names.
pub(crate) fn secret(settings: &dyn Settings, name: &str) -> Result<Option<SecretString>, WrongSetting> {
    let file_name = format!("{name}_FILE");
    match (text(settings, name), text(settings, &file_name)) {
        (Some(_), Some(_)) => Err(wrong(&file_name, &format!("set it or {name}, not both"))),
        (Some(value), None) => Ok(Some(SecretString::from(value))),
        (None, None) => Ok(None),
        (None, Some(path)) => {
            let content = settings.file(&path).map_err(|error| wrong(&file_name, &format!("`{path}` {error}")))?;
            let content = content.trim();
            if content.is_empty() {
                return Err(wrong(
                    &file_name,
                    &format!("`{path}` is empty: it should hold the secret and nothing else"),
                ));
            }
            Ok(Some(SecretString::from(content)))
        }
    }
}

fn seconds(settings: &dyn Settings, name: &str, usual: u64, least: u64, most: u64) -> Result<Duration, WrongSetting> {
    let Some(raw) = text(settings, name) else { return Ok(Duration::from_secs(usual)) };
    match raw.parse() {
        Ok(value) if (least..=most).contains(&value) => Ok(Duration::from_secs(value)),
        _ => Err(wrong(name, &format!("`{raw}` was read: use a whole number of seconds from {least} to {most}"))),
    }
}

pub(crate) fn parsed<T: FromStr>(
    settings: &dyn Settings,
    name: &str,
    usual: &str,
    allowed: &str,
) -> Result<T, WrongSetting> {
    let raw = text(settings, name).unwrap_or_else(|| usual.to_owned());
    raw.parse().map_err(|_| wrong(name, &format!("`{raw}` was read: use {allowed}")))
}

pub(crate) fn text(settings: &dyn Settings, name: &str) -> Option<String> {
    settings.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

pub(crate) fn wrong(name: &str, problem: &dyn fmt::Display) -> WrongSetting {
    WrongSetting { name: name.to_owned(), problem: problem.to_string() }
}

/// Settings that stand in a test.
#[cfg(test)]
pub(crate) mod testing {
    use std::collections::BTreeMap;

    use super::Settings;

    pub(crate) struct Fake(BTreeMap<String, String>);

    impl Fake {
        pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
            Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        }
    }

    impl Settings for Fake {
        fn get(&self, name: &str) -> Option<String> {
            self.0.get(name).cloned()
        }

        fn file(&self, path: &str) -> Result<String, String> {
            self.0.get(path).cloned().ok_or_else(|| "does not exist".to_owned())
        }

        fn exists(&self, path: &str) -> bool {
            self.0.contains_key(path)
        }
    }
}

#[cfg(test)]
mod documented;

#[cfg(test)]
mod tests {
    use super::testing::Fake;
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, WrongSetting> {
        Config::read(&Fake::of(pairs))
    }

    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        let error = read(&[("GITHUB_REPO", "user/homelab"), (name, value)]).unwrap_err().to_string();
        assert_eq!(error, expected);
    }

    #[test]
    fn a_wrong_setting_is_one_line_with_its_name_what_was_read_and_what_is_allowed() {
        check(
            "POLL_INTERVAL_SECONDS",
            "soon",
            "POLL_INTERVAL_SECONDS: `soon` was read: use a whole number of seconds from 2 to 86400",
        );
        check(
            "DEPLOYMENT_TIMEOUT_SECONDS",
            "15",
            "DEPLOYMENT_TIMEOUT_SECONDS: it is 15 and STABILITY_SECONDS is 20: no deployment could ever succeed. Make it \
             more than STABILITY_SECONDS, or set that to less",
        );
        check("WEB_PORT", "99999", "WEB_PORT: `99999` was read: use a port from 1 to 65535");
        check("DOCKER_HOST", "/x", "DOCKER_HOST: `/x` was read: use unix:///path/to/docker.sock or tcp://host:port");
        check("GITHUB_TOKEN_FILE", "/none", "GITHUB_TOKEN_FILE: `/none` does not exist");
        check("GITHUB_CA_FILE", "/none", "GITHUB_CA_FILE: `/none` does not exist");
        check("GITHUB_REPO", "homelab", "GITHUB_REPO: `homelab` was read: use `owner/name`, without a host");
        check(
            "STACK_FILE",
            "../x.yml",
            "STACK_FILE: `../x.yml` is not a path in the repository: use a relative path without `..`, backslashes or control characters, of at most 500 characters",
        );
    }

    #[test]
    fn the_authority_of_a_private_github_is_read_from_its_file() {
        let read_with = |content: &str| {
            read(&[("GITHUB_REPO", "user/homelab"), ("GITHUB_CA_FILE", "/ca.pem"), ("/ca.pem", content)])
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = rcgen::CertificateParams::default().self_signed(&key).unwrap().pem();
        let SourceSettings::GitHub(github) = read_with(&pem).unwrap().source else { panic!("it is at GitHub") };
        assert_eq!(github.authority.as_deref(), Some(pem.as_bytes()));
        let refused = read_with("no certificate").unwrap_err().to_string();
        assert!(refused.starts_with("GITHUB_CA_FILE: `/ca.pem`: "), "{refused}");
    }

    #[test]
    fn a_file_describes_the_environments_instead_of_the_default() {
        let file = "[[environment]]\nname = \"only\"\nmode = \"auto\"\n";
        let config = read(&[("GITHUB_REPO", "user/homelab"), ("release-manager.toml", file)]).unwrap();
        let stacks: Vec<_> = config.pipeline.environments().iter().map(|known| known.stack.to_string()).collect();
        assert_eq!(stacks, ["homelab-only"]);
        check("CONFIG_FILE", "/gone.toml", "CONFIG_FILE: `/gone.toml` does not exist");
    }

    #[test]
    fn the_stacks_are_named_after_the_repository() {
        let config = read(&[("GITHUB_REPO", "user/homelab")]).unwrap();
        let stacks: Vec<_> = config.pipeline.environments().iter().map(|known| known.stack.to_string()).collect();
        assert_eq!(stacks, ["homelab-preprod", "homelab-prod"]);
        assert_eq!(repository_name(&Fake::of(&[("GIT_URL", "git@host:infra/lab.git")])), "lab");
    }
}
