//! What GitHub answers while all is well, and how it refuses.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::{ObjectType, Oid};
use http::header::{ACCEPT, AUTHORIZATION, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{Commit, Entry, World};

/// Above this GitHub puts no content into JSON.
const LARGEST_IN_JSON: usize = 1_000_000;

/// An answer before anything goes wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn json(value: &Value) -> Self {
        let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
        Self { status: StatusCode::OK, headers, body: value.to_string().into_bytes() }
    }

    pub(super) fn message(status: StatusCode, message: &str) -> Self {
        let value =
            json!({"message": message, "documentation_url": "https://docs.github.com/rest", "status": status.as_str()});
        Self { status, ..Self::json(&value) }
    }

    pub(super) fn into_response(self) -> Response {
        let builder = Response::builder().status(self.status);
        let builder = self.headers.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        builder.body(Body::from(self.body)).unwrap()
    }
}

pub(super) fn answer(world: &mut World, target: &str, headers: &HeaderMap) -> Answer {
    let mut answer = refuse(world, headers).unwrap_or_else(|| look_up(world, target, headers));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if answer.status == StatusCode::OK {
        let mut hasher = DefaultHasher::new();
        (&answer.body, text(AUTHORIZATION)).hash(&mut hasher);
        let etag = format!("W/\"{:016x}\"", hasher.finish());
        if text(IF_NONE_MATCH) == Some(etag.as_str()) {
            answer = Answer { status: StatusCode::NOT_MODIFIED, headers: Vec::new(), body: Vec::new() };
        }
        answer.headers.push(("etag", etag));
    }
    let is_free = answer.status == StatusCode::NOT_MODIFIED && text(AUTHORIZATION).is_some();
    if !is_free {
        world.remaining = world.remaining.saturating_sub(1);
    }
    let reset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3600;
    answer.headers.push(("x-ratelimit-remaining", world.remaining.to_string()));
    answer.headers.push(("x-ratelimit-reset", reset.to_string()));
    answer
}

/// What GitHub checks before it looks at the path.
fn refuse(world: &World, headers: &HeaderMap) -> Option<Answer> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let accept = text(ACCEPT.as_str()).unwrap_or_default();
    if text(USER_AGENT.as_str()).is_none_or(str::is_empty) {
        return Some(Answer::message(StatusCode::FORBIDDEN, "Please make sure your request has a User-Agent header"));
    }
    if !matches!(accept, "application/vnd.github+json" | "application/vnd.github.raw+json") {
        return Some(Answer::message(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported 'Accept' header"));
    }
    if text("x-github-api-version") != Some("2022-11-28") {
        return Some(Answer::message(StatusCode::BAD_REQUEST, "Unsupported API version"));
    }
    let wanted = world.token.as_ref().map(|token| format!("Bearer {token}"));
    match (text(AUTHORIZATION.as_str()), wanted) {
        (Some(given), wanted) if wanted.as_deref() != Some(given) => {
            Some(Answer::message(StatusCode::UNAUTHORIZED, "Bad credentials"))
        }
        (None, Some(_)) => Some(Answer::message(StatusCode::NOT_FOUND, "Not Found")),
        _ if world.remaining == 0 => Some(Answer::message(StatusCode::FORBIDDEN, "API rate limit exceeded")),
        _ => None,
    }
}

fn look_up(world: &World, target: &str, headers: &HeaderMap) -> Answer {
    let url = Url::parse("http://localhost").unwrap().join(target).unwrap();
    let segments: Vec<String> = url.path_segments().unwrap().map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let rest = match segments.as_slice() {
        ["repos", owner, name, rest @ ..] if format!("{owner}/{name}") == world.repo => rest,
        ["repositories", "42", rest @ ..] => rest,
        ["repos", "me", "homelab", ..] => {
            let moved = target.replacen("/repos/me/homelab", "repositories/42", 1);
            let mut answer = Answer::message(StatusCode::MOVED_PERMANENTLY, "Moved Permanently");
            answer.headers.push(("location", format!("{}{moved}", world.url)));
            return answer;
        }
        _ => return not_found(),
    };
    match rest {
        ["commits", reference @ ..] => commit(world, &reference.join("/")),
        ["compare", range] => {
            let page = url.query_pairs().find(|(name, _)| name == "page").map(|(_, value)| value.into_owned());
            compare(world, range, page.as_deref().unwrap_or("1").parse().unwrap())
        }
        ["git", "commits", sha] => match world.commits.get(*sha) {
            Some(commit) => Answer::json(&json!({"sha": sha, "message": commit.message})),
            None => not_found(),
        },
        ["contents", path @ ..] => {
            let reference = url.query_pairs().find(|(name, _)| name == "ref").map(|(_, value)| value.into_owned());
            let is_raw = headers[ACCEPT].to_str().unwrap().contains("raw");
            contents(world, &path.join("/"), reference.as_deref().unwrap_or_default(), is_raw)
        }
        _ => not_found(),
    }
}

fn decoded(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&[*high, *low]).unwrap(), 16).unwrap());
                rest = after;
            }
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn not_found() -> Answer {
    Answer::message(StatusCode::NOT_FOUND, "Not Found")
}

fn commit(world: &World, reference: &str) -> Answer {
    let Some(head) = &world.head else {
        return Answer::message(StatusCode::CONFLICT, "Git Repository is empty.");
    };
    let is_head = reference == "HEAD" || reference == format!("heads/{}", world.branch);
    let sha = if is_head { head.as_str() } else { reference };
    if let Some(commit) = world.commits.get(sha) {
        return Answer::json(&described(world, sha, commit));
    }
    Answer::message(StatusCode::UNPROCESSABLE_ENTITY, &format!("No commit found for SHA: {reference}"))
}

/// What leads from one commit to the other, a hundred on a page, oldest first.
fn compare(world: &World, range: &str, page: usize) -> Answer {
    let (from, to) = range.split_once("...").unwrap();
    if !world.commits.contains_key(from) || !world.commits.contains_key(to) {
        return not_found();
    }
    let (before, after) = (ancestry(world, from), ancestry(world, to));
    let status = match (after.contains(&from), before.contains(&to)) {
        (true, true) => "identical",
        (true, _) => "ahead",
        (_, true) => "behind",
        _ => "diverged",
    };
    let between = after.into_iter().filter(|sha| !before.contains(sha));
    let mut between: Vec<Value> = between.map(|sha| described(world, sha, &world.commits[sha])).collect();
    between.reverse();
    let shown: Vec<_> = between.chunks(100).nth(page - 1).unwrap_or_default().to_vec();
    Answer::json(&json!({"status": status, "total_commits": between.len(), "commits": shown, "files": []}))
}

/// A commit and what led to it, newest first.
fn ancestry<'a>(world: &'a World, from: &'a str) -> Vec<&'a str> {
    std::iter::successors(Some(from), |sha| world.commits[*sha].parent.as_deref()).collect()
}

fn described(world: &World, sha: &str, commit: &Commit) -> Value {
    let signature = json!({"name": "Ärna", "email": "arna@example.org", "date": commit.committed_at.to_string()});
    let parents: Vec<Value> = commit.parent.iter().map(|parent| json!({"sha": parent})).collect();
    json!({
        "sha": sha,
        "url": format!("{}repos/{}/commits/{sha}", world.url, world.repo),
        "commit": {"author": signature, "committer": signature, "message": commit.message},
        "author": {"login": "arna", "id": 1},
        "committer": {"login": "web-flow", "id": 2},
        "parents": parents,
        "files": [],
    })
}

fn contents(world: &World, path: &str, reference: &str, is_raw: bool) -> Answer {
    let Some(commit) = world.commits.get(reference) else {
        return Answer::message(StatusCode::NOT_FOUND, &format!("No commit found for the ref {reference}"));
    };
    match commit.tree.get(path) {
        Some(Entry::File(content)) if is_raw => Answer {
            status: StatusCode::OK,
            headers: vec![("content-type", "application/vnd.github.raw+json; charset=utf-8".to_owned())],
            body: content.clone(),
        },
        Some(Entry::File(content)) => Answer::json(&file(path, content)),
        Some(Entry::Symlink(to)) => Answer::json(&json!({
            "type": "symlink", "target": to, "size": to.len(), "name": path, "path": path, "sha": blob(to.as_bytes()),
        })),
        Some(Entry::Submodule) => Answer::json(&json!({
            "type": "submodule", "submodule_git_url": "https://example.org/x.git", "size": 0, "name": path, "path": path,
            "sha": "1".repeat(40),
        })),
        None if commit.tree.keys().any(|file| file.starts_with(&format!("{path}/"))) => Answer::json(&json!([])),
        None => not_found(),
    }
}

fn file(path: &str, content: &[u8]) -> Value {
    let (encoding, text) = if content.len() > LARGEST_IN_JSON {
        ("none", String::new())
    } else {
        let text = STANDARD.encode(content);
        let lines = text.as_bytes().chunks(60).map(|line| format!("{}\n", std::str::from_utf8(line).unwrap()));
        ("base64", lines.collect())
    };
    json!({
        "type": "file", "encoding": encoding, "size": content.len(), "name": path.rsplit('/').next(), "path": path,
        "content": text, "sha": blob(content),
    })
}

fn blob(content: &[u8]) -> String {
    Oid::hash_object(ObjectType::Blob, content).unwrap().to_string()
}
