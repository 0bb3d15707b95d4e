//! `[[notify]]` of the configuration file.

use std::collections::BTreeSet;

use release_manager::names::EnvironmentName;
use release_manager::notice::Event;
use secrecy::SecretString;
use serde::Deserialize;

use super::Settings;
use crate::notify::{Channel, Email, Security, Target, check_email};

/// What every target may say, and how it is reached.
#[derive(Deserialize)]
pub(super) struct Entry {
    name: Option<String>,
    events: Option<BTreeSet<Event>>,
    environments: Option<BTreeSet<EnvironmentName>>,
    #[serde(flatten)]
    kind: Kind,
}

/// Each kind accepts its own keys and no others.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Kind {
    Webhook { url: Option<String>, url_file: Option<String>, secret: Option<String>, secret_file: Option<String> },
    Ntfy { url: Option<String>, url_file: Option<String>, token: Option<String>, token_file: Option<String> },
    Discord { url: Option<String>, url_file: Option<String> },
    Slack { url: Option<String>, url_file: Option<String> },
    Telegram { chat: String, token: Option<String>, token_file: Option<String>, api: Option<String> },
    Email(MailEntry),
    CommitStatus {},
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailEntry {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    security: Security,
    username: Option<String>,
    password: Option<String>,
    password_file: Option<String>,
    from: String,
    to: Vec<String>,
}

/// The repository on GitHub, for the status of its commits.
pub(super) struct Repository {
    /// `https://api.github.com/repos/OWNER/NAME`.
    pub(super) url: String,
    /// The token that reads it.
    pub(super) token: Option<SecretString>,
}

/// The targets, each with a name of its own. An error names the target and what is wrong with it.
pub(super) fn targets(
    entries: Vec<Entry>,
    known: &[EnvironmentName],
    repository: Option<&Repository>,
    settings: &dyn Settings,
) -> Result<Vec<Target>, String> {
    let mut targets: Vec<Target> = Vec::new();
    for entry in entries {
        let target = target(entry, repository, settings)?;
        if targets.iter().any(|other| other.name == target.name) {
            return Err(format!("two [[notify]] are named `{}`: give each a `name` of its own", target.name));
        }
        let unknown = target.environments.iter().flatten().find(|name| !known.contains(name));
        if let Some(unknown) = unknown {
            return Err(format!("notify `{}`: there is no environment `{unknown}`", target.name));
        }
        targets.push(target);
    }
    Ok(targets)
}

fn target(entry: Entry, repository: Option<&Repository>, settings: &dyn Settings) -> Result<Target, String> {
    let (usual, channel) = match entry.kind {
        Kind::Webhook { url, url_file, secret, secret_file } => {
            let channel = secret_of("url", url, url_file, settings).and_then(|url| {
                let secret = secret_of("secret", secret, secret_file, settings)?;
                Ok(Channel::Webhook { url: required("url", url)?, secret })
            });
            ("webhook", channel)
        }
        Kind::Ntfy { url, url_file, token, token_file } => {
            let channel = secret_of("url", url, url_file, settings).and_then(|url| {
                let token = secret_of("token", token, token_file, settings)?;
                Ok(Channel::Ntfy { url: required("url", url)?, token })
            });
            ("ntfy", channel)
        }
        Kind::Discord { url, url_file } => {
            let url = secret_of("url", url, url_file, settings).and_then(|url| required("url", url));
            ("discord", url.map(|url| Channel::Discord { url }))
        }
        Kind::Slack { url, url_file } => {
            let url = secret_of("url", url, url_file, settings).and_then(|url| required("url", url));
            ("slack", url.map(|url| Channel::Slack { url }))
        }
        Kind::Telegram { chat, token, token_file, api } => {
            let api = api.unwrap_or_else(|| "https://api.telegram.org".to_owned());
            let token = secret_of("token", token, token_file, settings).and_then(|token| required("token", token));
            ("telegram", token.map(|token| Channel::Telegram { api, token, chat }))
        }
        Kind::Email(mail) => ("email", email(mail, settings)),
        Kind::CommitStatus {} => ("commit_status", commit_status(repository)),
    };
    let name = entry.name.unwrap_or_else(|| usual.to_owned());
    let channel = channel.map_err(|problem| format!("notify `{name}`: {problem}"))?;
    Ok(Target { name, events: entry.events, environments: entry.environments, channel })
}

fn email(mail: MailEntry, settings: &dyn Settings) -> Result<Channel, String> {
    let password = secret_of("password", mail.password, mail.password_file, settings)?;
    let login = match (mail.username, password) {
        (Some(name), Some(password)) => Some((name, password)),
        (None, None) => None,
        _ => return Err("`username` and a password belong together: set both or neither".to_owned()),
    };
    let email =
        Email { host: mail.host, port: mail.port, security: mail.security, login, from: mail.from, to: mail.to };
    check_email(&email)?;
    Ok(Channel::Email(email))
}

fn commit_status(repository: Option<&Repository>) -> Result<Channel, String> {
    let repository = repository.ok_or("it needs GITHUB_REPO: only GitHub's commits have a status here")?;
    let token = repository.token.clone().ok_or("it needs GITHUB_TOKEN, with the right to write commit statuses")?;
    Ok(Channel::CommitStatus { repository: repository.url.clone(), token })
}

fn required(key: &str, value: Option<SecretString>) -> Result<SecretString, String> {
    value.ok_or_else(|| format!("`{key}` or `{key}_file` is missing"))
}

fn secret_of(
    key: &str,
    value: Option<String>,
    file: Option<String>,
    settings: &dyn Settings,
) -> Result<Option<SecretString>, String> {
    match (value, file) {
        (Some(_), Some(_)) => Err(format!("set `{key}` or `{key}_file`, not both")),
        (Some(value), None) => Ok(Some(value.into())),
        (None, None) => Ok(None),
        (None, Some(path)) => {
            let content = settings.file(&path).map_err(|error| format!("{key}_file: `{path}` {error}"))?;
            match content.trim() {
                "" => Err(format!("{key}_file: `{path}` is empty")),
                content => Ok(Some(content.into())),
            }
        }
    }
}
