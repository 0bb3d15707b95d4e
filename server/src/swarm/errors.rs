//! What the Engine and the way to it answered, in the words of the port.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bollard::errors::Error as BollardError;
use http::StatusCode;
use release_manager::ports::SwarmError;
use serde_json::Value;

/// The Engine's own words are cut to this length.
const LONGEST_TEXT: usize = 2_000;

/// Puts what went wrong with one question into the words of the port.
pub(super) struct Trouble<'a> {
    /// `DOCKER_HOST`.
    pub(super) host: &'a str,
    /// How long the question may take.
    pub(super) limit: Duration,
}

impl Trouble<'_> {
    pub(super) fn timed_out(&self) -> SwarmError {
        SwarmError::TimedOut { host: self.host.to_owned(), after: self.limit }
    }

    pub(super) fn unreadable(&self, detail: impl Into<String>) -> SwarmError {
        SwarmError::Unreadable { host: self.host.to_owned(), detail: detail.into() }
    }

    fn unreachable(&self, detail: impl Into<String>) -> SwarmError {
        SwarmError::Unreachable { host: self.host.to_owned(), detail: detail.into() }
    }

    /// No connection, or one that broke off.
    pub(super) fn broken(&self, error: &(dyn StdError + 'static)) -> SwarmError {
        self.unreachable(kind_of_trouble(error))
    }

    /// An answer of bollard's that is no success.
    pub(super) fn bollard(&self, error: &BollardError) -> SwarmError {
        match error {
            BollardError::DockerResponseServerError { status_code, message } => self.refusal(*status_code, message),
            BollardError::RequestTimeoutError => self.timed_out(),
            BollardError::JsonDataError { .. }
            | BollardError::JsonSerdeError { .. }
            | BollardError::APIVersionParseError {}
            | BollardError::StrParseError { .. } => self.unreadable(error.to_string()),
            BollardError::DockerStreamError { error } => self.refusal(500, error),
            _ => self.broken(error),
        }
    }

    /// An answer with a status that is no success. The Engine's codes are not reliable (a bad constraint and a lost race
    /// are both 500), so that its words decide first.
    pub(super) fn refusal(&self, status: u16, message: &str) -> SwarmError {
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        let text = || engine_text(status, message);
        if says(&["update out of sequence"]) {
            return SwarmError::OutOfSequence;
        }
        if let Some((_, remedy)) = NO_MANAGER.iter().find(|(words, _)| message.contains(words)) {
            return SwarmError::NotManager { host: self.host.to_owned(), detail: format!("{}: {remedy}", text()) };
        }
        // The managers could not agree in time: what was asked may still come to pass.
        if says(&["context deadline exceeded"]) {
            return self.timed_out();
        }
        if says(&["lost leader", "code = Unavailable", "transport is closing"]) {
            return self.unreachable(format!("it could not reach the leader of its Swarm: {}", text()));
        }
        if says(&["HTTP request to an HTTPS server"]) {
            return self.unreachable("it wants TLS: name the directory of the certificates in DOCKER_CERT_PATH");
        }
        if says(&["page not found"]) {
            return self.unreadable("it does not know the request: is it a Docker Engine?");
        }
        if says(&["already exists", "name conflicts with an existing object"]) {
            return SwarmError::NameTaken(text());
        }
        if status == 404 || (status == 500 && says(&["not found"])) {
            return SwarmError::NotFound(text());
        }
        match status {
            502..=504 => self.unreachable(text()),
            _ => SwarmError::Refused(text()),
        }
    }
}

/// How the Engine says that it cannot decide for a Swarm, and what to do about it.
const NO_MANAGER: &[(&str, &str)] = &[
    ("does not have a leader", "bring back managers until most of them are reachable"),
    ("needs to be unlocked", "run `docker swarm unlock` there"),
    ("not a swarm manager", "name a manager in DOCKER_HOST"),
    ("not part of a swarm", "name a manager in DOCKER_HOST"),
];

/// Whether the Engine refused a request unread because it speaks other API versions.
pub(super) fn is_version_refusal(status: StatusCode, message: &str) -> bool {
    status == StatusCode::BAD_REQUEST && message.contains("client version") && message.contains("API version")
}

/// The text of an answer that is no success.
pub(super) fn message_of(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(members)) if members.get("message").is_some_and(Value::is_string) => {
            members["message"].as_str().unwrap_or_default().to_owned()
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

/// The Engine's words for people: on one line, without what gRPC puts before them, not longer than they are useful.
fn engine_text(status: u16, message: &str) -> String {
    let words = match message.strip_prefix("rpc error: code = ").and_then(|rest| rest.split_once(" desc = ")) {
        Some((_, words)) => words,
        None => message,
    };
    let clean: String = words.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(LONGEST_TEXT) {
        _ if clean.is_empty() => format!("HTTP status {status} without a word"),
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

/// What a handshake has failed over. The error lies within one of the operating system, which is no cause of its own.
fn of_tls(error: &(dyn StdError + 'static)) -> Option<String> {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let found = error.downcast_ref::<rustls::Error>();
    let found = found.or_else(|| inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()))?;
    Some(match found {
        rustls::Error::InvalidCertificate(why) => {
            format!(
                "its certificate is not believed ({why}): compare `ca.pem` with the authority that signed it, and the names in it with DOCKER_HOST"
            )
        }
        rustls::Error::AlertReceived(why) => {
            format!(
                "it does not believe our certificate ({why:?}): compare `cert.pem` with the authority that it knows"
            )
        }
        other => format!("no connection with TLS came about ({other}): does it speak TLS on this port?"),
    })
}

fn kind_of_trouble(error: &(dyn StdError + 'static)) -> String {
    let causes = || causes(error);
    if let Some(detail) = causes().find_map(of_tls) {
        return detail;
    }
    let io = causes().find_map(|error| error.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::NotFound) => "there is no such socket".to_owned(),
        Some(io::ErrorKind::ConnectionRefused) => "nobody listens there".to_owned(),
        Some(io::ErrorKind::PermissionDenied) => {
            "no permission to open its socket: run as root or in the socket's group".to_owned()
        }
        Some(io::ErrorKind::TimedOut) => "the connection does not come about".to_owned(),
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof,
        ) => "the connection broke off".to_owned(),
        _ if causes()
            .filter_map(|error| error.downcast_ref::<hyper::Error>())
            .any(hyper::Error::is_incomplete_message) =>
        {
            "the connection broke off".to_owned()
        }
        _ => causes().last().map_or_else(String::new, ToString::to_string),
    }
}

/// The error and what it was caused by, down to the first cause.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, message: &str, expected: &str) {
        let trouble = Trouble { host: "unix:///d", limit: Duration::from_secs(30) };
        let found = format!("{:?}", trouble.refusal(status, message));
        assert!(found.starts_with(expected), "{status} {message}\n gave {found}\n  not {expected}");
    }

    #[test]
    fn the_words_of_the_engine_decide_before_its_codes() {
        check(500, "rpc error: code = Unknown desc = update out of sequence", "OutOfSequence");
        check(
            409,
            "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service a already exists",
            r#"NameTaken("name conflicts with an existing object: service a already exists")"#,
        );
        check(409, "network with name a already exists", "NameTaken");
        check(404, "service a not found", r#"NotFound("service a not found")"#);
        check(500, "network a not found", r#"NotFound("network a not found")"#);
        check(
            500,
            "rpc error: code = Unknown desc = constraint expected one operator from ==, !=",
            "Refused(\"constraint",
        );
        check(
            400,
            "rpc error: code = InvalidArgument desc = port '18080' is already in use by service 'a'",
            "Refused(\"port",
        );
        check(
            400,
            "rpc error: code = InvalidArgument desc = secret 'x' is in use by the following service: y",
            "Refused",
        );
        check(
            501,
            "rpc error: code = Unimplemented desc = service mode change is not allowed",
            "Refused(\"service mode",
        );
        check(403, "The network a cannot be used with services.", "Refused(\"The network a");
        check(404, "page not found", "Unreadable");
    }

    #[test]
    fn an_engine_that_cannot_decide_is_no_manager() {
        check(503, "This node is not a swarm manager. Use \"docker swarm init\" or …", "NotManager");
        check(500, "The swarm does not have a leader. It's possible that too few managers are online.", "NotManager");
        check(503, "Swarm is encrypted and needs to be unlocked before it can be used.", "NotManager");
    }

    #[test]
    fn what_may_have_been_done_is_doubtful() {
        check(500, "rpc error: code = Unknown desc = context deadline exceeded", "TimedOut");
        check(500, "rpc error: code = Unavailable desc = transport is closing", "Unreachable");
        check(502, "<html>bad gateway</html>", "Unreachable");
        check(503, "", r#"Unreachable { host: "unix:///d", detail: "HTTP status 503 without a word" }"#);
    }

    #[test]
    fn long_answers_are_cut_and_controls_are_taken_out() {
        check(400, "a\nb\u{1b}[1m", r#"Refused("a b [1m")"#);
        let SwarmError::Refused(text) =
            (Trouble { host: "", limit: Duration::ZERO }).refusal(400, &"ä".repeat(LONGEST_TEXT + 1))
        else {
            panic!("a 400 is a refusal")
        };
        assert_eq!(text, "ä".repeat(LONGEST_TEXT) + "…");
    }
}
