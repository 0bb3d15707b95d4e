//! A notice in the words and the form of each channel. Pure: nothing is sent here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use release_manager::notice::{Event, Notice, Tone};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::target::Channel;
use crate::standard_webhooks::sign;

/// The longest text that each channel takes, in characters (Discord: embed description; Telegram: message).
const MOST: usize = 3_500;

/// A request that tells. Everything in it may be secret, so it has no `Debug`.
pub(super) struct Message {
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// The request for a channel that is reached over HTTP; `None` for e-mail. `link` is the page that shows more, `id` names
/// the delivery, `sent_at` is in seconds since 1970.
pub(super) fn message(
    channel: &Channel,
    notice: &Notice,
    link: Option<&str>,
    id: i64,
    sent_at: i64,
) -> Option<Message> {
    Some(match channel {
        Channel::Webhook { url, secret } => webhook(url, secret.as_ref(), notice, link, id, sent_at),
        Channel::Ntfy { url, token } => ntfy(url, token.as_ref(), notice, link),
        Channel::Discord { url } => json_message(url.expose_secret(), &discord(notice, link)),
        Channel::Slack { url } => json_message(url.expose_secret(), &slack(notice, link)),
        Channel::Telegram { api, token, chat } => {
            let url = format!("{api}/bot{}/sendMessage", token.expose_secret());
            let text = cut(&plain(notice, link));
            json_message(&url, &json!({ "chat_id": chat, "text": text, "disable_web_page_preview": true }))
        }
        Channel::CommitStatus { repository, token } => commit_status(repository, token, notice, link)?,
        Channel::Email(_) => return None,
    })
}

/// Title and particulars as text.
pub(super) fn plain(notice: &Notice, link: Option<&str>) -> String {
    let mut lines = vec![format!("{} {}", mark(notice.event.tone()), notice.title)];
    lines.extend(notice.lines.iter().cloned());
    lines.extend(link.map(str::to_owned));
    lines.join("\n")
}

fn mark(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✅",
        Tone::Neutral => "⏹",
        Tone::Bad => "❌",
    }
}

fn json_message(url: &str, body: &Value) -> Message {
    let headers = vec![("content-type", "application/json".to_owned())];
    Message { url: url.to_owned(), headers, body: body.to_string().into_bytes() }
}

/// The notice as JSON, signed as Standard Webhooks 1.0 says.
fn webhook(
    url: &SecretString,
    secret: Option<&SecretString>,
    notice: &Notice,
    link: Option<&str>,
    id: i64,
    sent_at: i64,
) -> Message {
    let body = json!({
        "type": format!("release_manager.{}", notice.event.as_str()),
        "timestamp": notice.at,
        "data": {
            "environment": notice.environment,
            "deployment_id": notice.deployment,
            "commit_sha": notice.commit,
            "title": notice.title,
            "lines": notice.lines,
            "tone": notice.event.tone(),
            "url": link,
        },
    });
    let mut message = json_message(url.expose_secret(), &body);
    message.headers.push(("webhook-id", format!("rm_{id}")));
    message.headers.push(("webhook-timestamp", sent_at.to_string()));
    if let Some(secret) = secret {
        let signature = sign(secret, &format!("rm_{id}"), sent_at, &message.body);
        message.headers.push(("webhook-signature", signature));
    }
    message
}

/// ntfy takes the text as the body and the rest as headers; those are ASCII, or RFC 2047 as its documentation says.
fn ntfy(url: &SecretString, token: Option<&SecretString>, notice: &Notice, link: Option<&str>) -> Message {
    let (priority, tag) = match notice.event.tone() {
        Tone::Good => ("default", "white_check_mark"),
        Tone::Neutral => ("default", "stop_button"),
        Tone::Bad => ("high", "x"),
    };
    let title = format!("=?UTF-8?B?{}?=", STANDARD.encode(&notice.title));
    let mut headers = vec![("title", title), ("priority", priority.to_owned()), ("tags", tag.to_owned())];
    headers.extend(link.map(|link| ("click", link.to_owned())));
    headers.extend(token.map(|token| ("authorization", format!("Bearer {}", token.expose_secret()))));
    Message { url: url.expose_secret().to_owned(), headers, body: cut(&notice.lines.join("\n")).into_bytes() }
}

fn discord(notice: &Notice, link: Option<&str>) -> Value {
    let colour = match notice.event.tone() {
        Tone::Good => 0x002e_a043,
        Tone::Neutral => 0x006e_7681,
        Tone::Bad => 0x00da_3633,
    };
    let embed = json!({
        "title": notice.title,
        "description": cut(&escaped(&notice.lines.join("\n"), "\\`*_~|<>@#[]")),
        "url": link,
        "color": colour,
        "timestamp": notice.at,
    });
    // Nobody is called by what a log line says.
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn slack(notice: &Notice, link: Option<&str>) -> Value {
    // Slack's own rule for text: these three characters and no others.
    let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = match link {
        Some(link) => format!("<{link}|{}>", safe(&notice.title)),
        None => safe(&notice.title),
    };
    let text = format!("{} *{title}*\n{}", mark(notice.event.tone()), safe(&notice.lines.join("\n")));
    json!({ "text": cut(&text), "unfurl_links": false })
}

/// `POST /repos/{owner}/{repo}/statuses/{sha}`; descriptions have 140 characters at most.
fn commit_status(repository: &str, token: &SecretString, notice: &Notice, link: Option<&str>) -> Option<Message> {
    let (sha, environment) = (notice.commit.as_ref()?, notice.environment.as_ref()?);
    let state = match notice.event {
        Event::Succeeded | Event::Recovered | Event::Resolved => "success",
        Event::Cancelled | Event::Held | Event::Degraded | Event::Drifted | Event::SourceLost | Event::EngineLost => {
            "error"
        }
        Event::Failed | Event::RolledBack => "failure",
    };
    let description: String = notice.title.chars().take(140).collect();
    let body = json!({
        "state": state,
        "context": format!("release-manager/{environment}"),
        "description": description,
        "target_url": link,
    });
    let mut message = json_message(&format!("{repository}/statuses/{sha}"), &body);
    message.headers.push(("authorization", format!("Bearer {}", token.expose_secret())));
    message.headers.push(("accept", "application/vnd.github+json".to_owned()));
    Some(message)
}

fn escaped(text: &str, special: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if special.contains(character) {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testkit::failed;

    const LINK: &str = "https://rm.example.org/deployments/42";

    fn shown(channel: &Channel) -> String {
        let message = message(channel, &failed(), Some(LINK), 7, 1_700_000_000).unwrap();
        let headers: Vec<_> = message.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        format!("POST {}\n{}\n{}", message.url, headers.concat(), String::from_utf8(message.body).unwrap())
    }

    #[test]
    fn each_channel_gets_the_notice_in_its_own_form() {
        let url = || SecretString::from("http://127.0.0.1/hook");
        let token = || SecretString::from("token");
        insta::assert_snapshot!("webhook", shown(&Channel::Webhook { url: url(), secret: Some(token()) }));
        insta::assert_snapshot!("ntfy", shown(&Channel::Ntfy { url: url(), token: Some(token()) }));
        insta::assert_snapshot!("discord", shown(&Channel::Discord { url: url() }));
        insta::assert_snapshot!("slack", shown(&Channel::Slack { url: url() }));
        let (api, chat) = ("http://127.0.0.1".to_owned(), "-100".to_owned());
        insta::assert_snapshot!("telegram", shown(&Channel::Telegram { api, token: token(), chat }));
        let repository = "http://127.0.0.1/repos/user/homelab".to_owned();
        insta::assert_snapshot!("commit status", shown(&Channel::CommitStatus { repository, token: token() }));
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_says_so() {
        assert_eq!(cut(&"x".repeat(10_000)).chars().count(), MOST + 1);
    }
}
