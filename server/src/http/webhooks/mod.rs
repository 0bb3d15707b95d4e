//! `POST /api/webhooks/{forge}`: a git host says that something was pushed.
//!
//! A webhook has no authority and carries nothing that is believed: it means "look now". Its signature is checked so that
//! strangers cannot make us look; a replay costs at most one look in five seconds.

#[cfg(test)]
mod fuzz;
mod signature;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use release_manager::access::AuditResult;
use release_manager::manager::Manager;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::auth::{Client, Gate};
use super::error::Problem;
use crate::store::AuditEntry;
use signature::Forge;

/// The most that a webhook may carry. The poller finds what a larger push was about.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;
/// The least time between two looks that webhooks cause.
const PAUSE: Duration = Duration::from_secs(5);
/// How many webhooks are checked at once, and how many more in each second: a signature costs a hash over the body.
const BURST: f64 = 20.0;
const PER_SECOND: f64 = 10.0;
/// How many are read at once, and how long reading one may take: anybody may send one, and a body is held in memory.
const READ_AT_ONCE: usize = 4;
const READ_TIME: Duration = Duration::from_secs(20);

/// What receives webhooks. Without a secret there is nothing to receive.
pub struct Webhooks {
    secret: Option<SecretString>,
    branch: String,
    bell: Arc<Notify>,
    bucket: Mutex<Bucket>,
    reading: Semaphore,
}

/// There is no token left.
struct Empty;

/// A token bucket.
struct Bucket {
    left: f64,
    at: Instant,
}

/// What became of a webhook, for the log of the host.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(super) struct Received {
    /// Whether the repository is looked at.
    looking: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Webhooks {
    /// Rings the manager for pushes that are signed with `secret`, until `stop`.
    pub fn start(manager: &Manager, secret: Option<SecretString>, stop: CancellationToken) -> Self {
        let branch = manager.live().borrow().source.branch.clone();
        let bell = Arc::new(Notify::new());
        if secret.is_some() {
            let (manager, bell) = (manager.clone(), Arc::clone(&bell));
            tokio::spawn(async move { stop.run_until_cancelled(ring(&bell, || manager.look_now())).await });
        }
        Self::new(secret, branch, bell)
    }

    fn new(secret: Option<SecretString>, branch: String, bell: Arc<Notify>) -> Self {
        let bucket = Mutex::new(Bucket { left: BURST, at: Instant::now() });
        Self { secret, branch, bell, bucket, reading: Semaphore::new(READ_AT_ONCE) }
    }

    /// What is known before a byte of the body is: whether there is somebody to receive it.
    fn expected(&self, forge: &str) -> Result<(&SecretString, Forge), Problem> {
        let secret = self.secret.as_ref().ok_or_else(|| {
            let detail = "webhooks are off: set WEBHOOK_SECRET to receive them".to_owned();
            Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
        })?;
        let forge: Forge = forge.parse().map_err(|()| {
            let detail = format!("`{forge}` is no git host that is known here: use github, gitlab, gitea or forgejo");
            Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
        })?;
        Ok((secret, forge))
    }

    /// What becomes of a webhook that is expected.
    fn receive(
        &self,
        (secret, forge): (&SecretString, Forge),
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Received, Problem> {
        if let Err(problem) = forge.verify(secret, headers, body) {
            warn!(forge = forge.as_str(), problem, "A webhook was refused");
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "signature", problem.to_owned()));
        }
        let reason = not_ours(body, &self.branch);
        debug!(forge = forge.as_str(), reason, "A webhook was received");
        if reason.is_none() {
            self.bell.notify_one();
        }
        Ok(Received { looking: reason.is_none(), reason })
    }

    /// The body, if there are not too many of them, and it comes in time.
    async fn read(&self, body: Body) -> Result<Bytes, Response> {
        let place = self.reading.try_acquire();
        let taken = self.take(Instant::now());
        let (Ok(_place), Ok(())) = (place, taken) else {
            let detail = "too many webhooks: the repository is looked at in any case".to_owned();
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail);
            return Err(([(RETRY_AFTER, "1")], problem).into_response());
        };
        match tokio::time::timeout(READ_TIME, Bytes::from_request(Request::new(body), &())).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) => Err(Problem::of_status(error.status(), error.body_text()).into_response()),
            Err(_) => {
                let detail = format!("the body did not come within {} s", READ_TIME.as_secs());
                Err(Problem::of_status(StatusCode::REQUEST_TIMEOUT, detail).into_response())
            }
        }
    }

    /// Takes a token, if there is one.
    fn take(&self, now: Instant) -> Result<(), Empty> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = now.saturating_duration_since(bucket.at).as_secs_f64() * PER_SECOND;
        bucket.left = (bucket.left + filled).min(BURST);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(Empty);
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

/// Looks at the first ring at once, and at those that follow once it has paused.
async fn ring(bell: &Notify, look: impl Fn()) {
    loop {
        bell.notified().await;
        look();
        tokio::time::sleep(PAUSE).await;
    }
}

/// A git host says that something was pushed. It is answered at once: what follows from a push is not this request's
/// business, and the payload is not believed.
#[utoipa::path(post, path = "/api/webhooks/{forge}", tag = "Source",
    params(("forge" = String, Path, description = "`github`, `gitlab`, `gitea` or `forgejo`", example = "github")),
    request_body(content = Value, description = "What the host sends, with its signature in the headers that the host uses"),
    responses(
        (status = 202, description = "It was received", body = Received),
        (status = 401, description = "The signature is missing or wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Webhooks are off, or no such host is known", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many: the repository is looked at in any case", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn receive(
    State((webhooks, gate)): State<(Arc<Webhooks>, Gate)>,
    Path(forge): Path<String>,
    request: Request,
) -> Response {
    let expected = match webhooks.expected(&forge) {
        Ok(expected) => expected,
        Err(problem) => return problem.into_response(),
    };
    let (parts, body) = request.into_parts();
    let body = match webhooks.read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    match webhooks.receive(expected, &parts.headers, &body) {
        Ok(received) => (StatusCode::ACCEPTED, Json(received)).into_response(),
        Err(problem) => {
            let client = Client::of(gate.settings(), &parts.extensions, &parts.headers);
            gate.keeper().audit.note(unsigned(&forge, &client)).await;
            problem.into_response()
        }
    }
}

/// The line of the audit log about a webhook whose signature is not that of the secret.
fn unsigned(forge: &str, client: &Client) -> AuditEntry {
    AuditEntry {
        actor: "nobody".to_owned(),
        address: Some(client.address.to_string()),
        operation: "webhook".to_owned(),
        target: Some(forge.to_owned()),
        result: AuditResult::Refused,
        detail: Some("the signature is missing or wrong".to_owned()),
        times: 1,
    }
}

/// Why a signed webhook says nothing about the branch. What cannot be read may be about it.
fn not_ours(body: &[u8], branch: &str) -> Option<String> {
    let payload = payload(body)?;
    let Some(pushed) = payload.get("ref").and_then(Value::as_str) else {
        return Some("it tells of no push".to_owned());
    };
    // Which branch the host calls its default is known to the host alone: a look tells.
    let is_followed = match branch {
        "HEAD" => pushed.starts_with("refs/heads/"),
        branch => pushed == format!("refs/heads/{branch}"),
    };
    (!is_followed).then(|| format!("it tells of `{pushed}`, and `{branch}` is followed"))
}

/// The JSON of a webhook, also where GitHub was told to send it as a form.
fn payload(body: &[u8]) -> Option<Value> {
    if body.starts_with(b"payload=") {
        let (_, json) = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload")?;
        return serde_json::from_str(&json).ok();
    }
    serde_json::from_slice(body).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn webhooks(secret: Option<&str>) -> Webhooks {
        Webhooks::new(secret.map(SecretString::from), "main".to_owned(), Arc::default())
    }

    #[test]
    fn a_signed_push_to_the_branch_is_heeded_and_everything_else_says_why_not() {
        let check = |body: &str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([("x-gitlab-token".parse().unwrap(), "s".parse().unwrap())]);
            let webhooks = webhooks(Some("s"));
            let expected_here = webhooks.expected("gitlab").ok().unwrap();
            let received = webhooks.receive(expected_here, &headers, body.as_bytes()).unwrap();
            assert_eq!(received, Received { looking: expected.is_none(), reason: expected.map(str::to_owned) });
        };
        check(r#"{"ref":"refs/heads/main"}"#, None);
        check("payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D", None);
        check("not JSON", None);
        check(r#"{"ref":"refs/heads/other"}"#, Some("it tells of `refs/heads/other`, and `main` is followed"));
        check(r#"{"ref":"refs/tags/main"}"#, Some("it tells of `refs/tags/main`, and `main` is followed"));
        check(r#"{"zen":"…"}"#, Some("it tells of no push"));
    }

    #[test]
    fn where_the_host_names_the_branch_a_push_to_any_is_heeded_and_a_tag_is_not() {
        assert_eq!(not_ours(br#"{"ref":"refs/heads/other"}"#, "HEAD"), None);
        assert!(not_ours(br#"{"ref":"refs/tags/v1"}"#, "HEAD").is_some());
    }

    #[test]
    fn without_a_secret_there_is_nothing_to_receive() {
        let webhooks = webhooks(None);
        let refused = webhooks.expected("github").err().unwrap();
        assert_eq!(refused.into_response().status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_flood_is_stopped_before_any_signature_is_checked() {
        let webhooks = webhooks(Some("s"));
        let now = Instant::now();
        let taken = (0..1_000).filter(|_| webhooks.take(now).is_ok()).count();
        assert_eq!(taken, 20);
        assert!(webhooks.take(now + Duration::from_secs(1)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_webhooks_cause_one_look_at_once_and_one_more_after_a_pause() {
        let (bell, looks) = (Notify::new(), AtomicUsize::new(0));
        let ringing = async {
            for _ in 0..1_000 {
                bell.notify_one();
                tokio::task::yield_now().await;
            }
            let soon = looks.load(Ordering::Relaxed);
            tokio::time::sleep(PAUSE * 10).await;
            (soon, looks.load(Ordering::Relaxed))
        };
        let looking = ring(&bell, || {
            looks.fetch_add(1, Ordering::Relaxed);
        });
        let (soon, later) = tokio::select! {
            counted = ringing => counted,
            () = looking => unreachable!("it rings for ever"),
        };
        assert_eq!((soon, later), (1, 2));
    }
}
