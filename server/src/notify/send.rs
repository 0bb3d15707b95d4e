//! Sending, once. No error that leaves here holds an address: some addresses are secrets.

use std::time::Duration;

use http::StatusCode;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use release_manager::notice::Notice;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use secrecy::ExposeSecret as _;

use super::message::{self, Message, plain};
use super::target::{Channel, Email, Security, Target};
use crate::source::tls::{TlsError, client_config};

/// A place that takes longer is down.
const TIMEOUT: Duration = Duration::from_secs(15);
const AGENT: &str = concat!("release-manager/", env!("CARGO_PKG_VERSION"));

/// Why a notice did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Trying again will not help.
    Refused(String),
    /// Trying again may help, at the earliest after so long where the place says so.
    Temporary(String, Option<Duration>),
}

/// The connections over which notices are sent.
pub(super) struct Sender {
    client: Client,
}

impl Sender {
    pub(super) fn new() -> Result<Self, TlsError> {
        let client = Client::builder()
            // A redirect would carry what is secret to another place.
            .redirect(Policy::none())
            .referer(false)
            .timeout(TIMEOUT)
            .user_agent(AGENT)
            .tls_backend_preconfigured(client_config(None)?)
            .build()
            .map_err(|error| TlsError::Authority(error.to_string()))?;
        Ok(Self { client })
    }

    /// Tells a target.
    pub(super) async fn send(
        &self,
        target: &Target,
        notice: &Notice,
        link: Option<&str>,
        id: i64,
        sent_at: i64,
    ) -> Result<(), Failure> {
        match (&target.channel, message::message(&target.channel, notice, link, id, sent_at)) {
            (_, Some(message)) => self.post(message).await,
            (Channel::Email(email), None) => mail(email, notice, link).await,
            (_, None) => Err(Failure::Refused("this channel has no form for it".to_owned())),
        }
    }

    async fn post(&self, message: Message) -> Result<(), Failure> {
        let mut request = self.client.post(&message.url).body(message.body);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(answer) => judge(answer).await,
            Err(error) if error.is_builder() => {
                Err(Failure::Refused(format!("the address cannot be used: {}", error.without_url())))
            }
            Err(error) => Err(Failure::Temporary(error.without_url().to_string(), None)),
        }
    }
}

async fn judge(answer: Response) -> Result<(), Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let wait = answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let said: String = answer.text().await.unwrap_or_default().chars().take(200).collect();
    let said = format!("the answer was {status}: {}", said.trim());
    let temporary =
        status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    Err(if temporary { Failure::Temporary(said, wait.map(Duration::from_secs)) } else { Failure::Refused(said) })
}

/// Whether the addresses of a mailbox can be used; said at the start, not when something has failed.
pub(super) fn check(email: &Email) -> Result<(), String> {
    for address in std::iter::once(&email.from).chain(&email.to) {
        address.parse::<Mailbox>().map_err(|error| format!("`{address}` is no mail address: {error}"))?;
    }
    if email.to.is_empty() {
        return Err("`to` is empty: name who gets the mail".to_owned());
    }
    Ok(())
}

async fn mail(email: &Email, notice: &Notice, link: Option<&str>) -> Result<(), Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
    let mailbox = |address: &String| address.parse::<Mailbox>().map_err(|error| refused(&error));
    let mut builder = lettre::Message::builder().from(mailbox(&email.from)?).subject(&notice.title);
    for to in &email.to {
        builder = builder.to(mailbox(to)?);
    }
    let message = builder.body(plain(notice, link)).map_err(|error| refused(&error))?;
    let transport = match email.security {
        Security::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&email.host),
        Security::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&email.host),
        Security::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&email.host)),
    };
    let mut transport = transport.map_err(|error| refused(&error))?.timeout(Some(TIMEOUT));
    if let Some(port) = email.port {
        transport = transport.port(port);
    }
    if let Some((name, password)) = &email.login {
        transport = transport.credentials(Credentials::new(name.clone(), password.expose_secret().to_owned()));
    }
    match transport.build().send(message).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_permanent() => Err(refused(&error)),
        Err(error) => Err(Failure::Temporary(error.to_string(), None)),
    }
}
