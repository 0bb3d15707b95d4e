//! What GitHub's answers say, as far as they can be believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use release_manager::names::RepoPath;
use release_manager::ports::Lineage;
use release_manager::revision::Revision;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http::Answer;

#[derive(Deserialize)]
struct Commit {
    sha: String,
    #[serde(rename = "commit")]
    text: CommitText,
    author: Option<Account>,
}

#[derive(Deserialize)]
struct CommitText {
    message: String,
    author: Option<Signature>,
    committer: Option<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    name: String,
    date: String,
}

/// Empty where the author's address belongs to no account.
#[derive(Deserialize)]
struct Account {
    login: Option<String>,
}

/// What lies between two commits.
#[derive(Deserialize)]
struct Comparison {
    total_commits: usize,
    commits: Vec<Commit>,
}

/// Reads a page of a comparison: its commits, oldest first, and how many there are on all pages.
pub(super) fn comparison(answer: &Answer) -> Result<(Vec<Revision>, usize), String> {
    let comparison: Comparison = json(answer)?;
    let commits = comparison.commits.into_iter().map(described).collect::<Result<_, _>>()?;
    Ok((commits, comparison.total_commits))
}

/// How the end of a comparison stands to its beginning.
#[derive(Deserialize)]
struct Standing {
    status: String,
}

/// Reads how the newer commit of a comparison stands to the older one.
pub(super) fn lineage(answer: &Answer) -> Result<Lineage, String> {
    match json::<Standing>(answer)?.status.as_str() {
        "ahead" | "identical" => Ok(Lineage::Ahead),
        "behind" => Ok(Lineage::Behind),
        "diverged" => Ok(Lineage::Diverged),
        other => Err(format!("it calls a comparison `{other}`, which is not known here")),
    }
}

/// Reads the description of a commit.
pub(super) fn revision(answer: &Answer) -> Result<Revision, String> {
    described(json(answer)?)
}

fn described(commit: Commit) -> Result<Revision, String> {
    let sha = commit.sha.parse().map_err(|error| format!("its answer names no commit: {error}"))?;
    let Some(signature) = commit.text.committer.as_ref().or(commit.text.author.as_ref()) else {
        return Err("its answer does not say when the commit was made".to_owned());
    };
    let committed_at = signature.date.parse().map_err(|error| format!("its answer has a wrong date: {error}"))?;
    let account = commit.author.and_then(|account| account.login);
    let author = account.or(commit.text.author.map(|author| author.name)).unwrap_or_default();
    Ok(Revision { sha, author, committed_at, message: commit.text.message })
}

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Entry {
    File {
        size: usize,
        /// The id that git gives to the content.
        blob: String,
        /// `None` where GitHub does not put it into JSON.
        content: Option<Vec<u8>>,
    },
    /// Something else, with its article.
    Other(&'static str),
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    sha: String,
    size: usize,
    #[serde(default)]
    encoding: String,
    #[serde(default, rename = "content")]
    text: String,
    submodule_git_url: Option<String>,
}

/// Reads the description of what stands at `path`.
pub(super) fn entry(answer: &Answer, path: &RepoPath) -> Result<Entry, String> {
    let value: Value = json(answer)?;
    if value.is_array() {
        return Ok(Entry::Other("a directory"));
    }
    let content: Content =
        serde_json::from_value(value).map_err(|error| format!("its answer about `{path}` cannot be read: {error}"))?;
    match content.kind.as_str() {
        "file" if content.submodule_git_url.is_some() => return Ok(Entry::Other("a submodule")),
        "file" if content.path == path.as_str() => (),
        "file" => return Err(format!("it answered with `{}` where `{path}` was asked for", content.path)),
        "dir" => return Ok(Entry::Other("a directory")),
        "symlink" => return Ok(Entry::Other("a symbolic link")),
        "submodule" => return Ok(Entry::Other("a submodule")),
        other => return Err(format!("it calls `{path}` a `{other}`, which is not known here")),
    }
    let bytes = match content.encoding.as_str() {
        "base64" if content.size == 0 || !content.text.is_empty() => Some(decode(&content.text, path)?),
        _ => None,
    };
    Ok(Entry::File { size: content.size, blob: content.sha, content: bytes })
}

fn decode(text: &str, path: &RepoPath) -> Result<Vec<u8>, String> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|error| format!("the content that it gave for `{path}` is damaged: {error}"))
}

/// A login page or a proxy's own page has a status of 200 as well.
fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, String> {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence != "application/json" && !essence.ends_with("+json") {
        let essence: String = essence.chars().take(60).collect();
        return Err(format!(
            "it answered with `{essence}` where JSON is due: check GITHUB_API_URL, and whether a login page or a proxy stands in between"
        ));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("its answer cannot be read: {error}"))
}

/// The status, and GitHub's own words where there are any.
pub(super) fn told(answer: &Answer) -> String {
    let message = serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .and_then(|value| {
            value["message"].as_str().map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect())
        })
        .filter(|text: &String| !text.is_empty());
    match message {
        Some(message) => format!("{}: {message}", answer.status.as_u16()),
        None => answer.status.to_string(),
    }
}
