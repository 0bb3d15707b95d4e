//! Who is told, and of what: `[[notify]]` in the configuration file.

use std::collections::BTreeSet;

use release_manager::names::EnvironmentName;
use release_manager::notice::{Event, Notice};
use secrecy::SecretString;

/// One place that is told.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the queue and the log: unique, and kept when the configuration changes.
    pub name: String,
    /// The events that it is told of; `None` for all.
    pub events: Option<BTreeSet<Event>>,
    /// The environments that it is told of; `None` for all. What is about no environment is told to all.
    pub environments: Option<BTreeSet<EnvironmentName>>,
    /// How it is reached.
    pub channel: Channel,
}

/// How a place is reached. Addresses are secrets where whoever knows them may post.
#[derive(Debug, Clone)]
pub enum Channel {
    /// JSON by POST, signed as Standard Webhooks are where there is a secret.
    Webhook {
        /// Where.
        url: SecretString,
        /// The key of the signature.
        secret: Option<SecretString>,
    },
    /// ntfy: the address of the topic.
    Ntfy {
        /// Where.
        url: SecretString,
        /// An access token.
        token: Option<SecretString>,
    },
    /// A webhook of a Discord channel.
    Discord {
        /// Where.
        url: SecretString,
    },
    /// An incoming webhook of Slack, or of what speaks like it (Mattermost, Rocket.Chat).
    Slack {
        /// Where.
        url: SecretString,
    },
    /// A bot of Telegram.
    Telegram {
        /// The server of the bot API, without a path.
        api: String,
        /// The bot's token.
        token: SecretString,
        /// The chat's number or `@name`.
        chat: String,
    },
    /// E-mail over SMTP.
    Email(Email),
    /// The status of the commit on GitHub.
    CommitStatus {
        /// `https://api.github.com/repos/OWNER/NAME`.
        repository: String,
        /// A token that may write statuses.
        token: SecretString,
    },
}

/// A mailbox and the server that takes mail for it.
#[derive(Debug, Clone)]
pub struct Email {
    /// The server.
    pub host: String,
    /// Its port; `None` for the usual one of `security`.
    pub port: Option<u16>,
    /// How the connection is kept private.
    pub security: Security,
    /// Name and password, where the server wants them.
    pub login: Option<(String, SecretString)>,
    /// The sender: `Release Manager <rm@example.org>`.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
}

/// How a connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS after a greeting in the clear; never without. Port 587.
    #[default]
    Starttls,
    /// TLS from the first byte. Port 465.
    Tls,
    /// None: for a server on this machine. Port 25.
    None,
}

impl Target {
    /// Whether this place is told of it.
    pub fn wants(&self, notice: &Notice) -> bool {
        let event = self.events.as_ref().is_none_or(|events| events.contains(&notice.event));
        let environment = match (&self.environments, &notice.environment) {
            (Some(wanted), Some(environment)) => wanted.contains(environment),
            _ => true,
        };
        let can = !matches!(self.channel, Channel::CommitStatus { .. }) || notice.commit.is_some();
        event && environment && can
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testkit::{failed, target};

    #[test]
    fn a_target_is_told_of_its_events_in_its_environments_and_of_what_concerns_all() {
        let slack = || Channel::Slack { url: "http://127.0.0.1/x".to_owned().into() };
        let check = |events: Option<&[Event]>, environments: Option<&[&str]>, notice: &Notice, expected| {
            let target = Target {
                events: events.map(|events| events.iter().copied().collect()),
                environments: environments.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
                ..target(slack())
            };
            assert_eq!(target.wants(notice), expected);
        };
        let of_all = Notice { environment: None, event: Event::SourceLost, ..failed() };
        check(None, None, &failed(), true);
        check(Some(&[Event::Failed]), Some(&["prod"]), &failed(), true);
        check(Some(&[Event::Succeeded]), None, &failed(), false);
        check(None, Some(&["preprod"]), &failed(), false);
        check(None, Some(&["preprod"]), &of_all, true);
    }
}
