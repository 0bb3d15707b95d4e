//! GitHub over its REST API: one conditional request tells whether there is anything new, and files are read at the
//! revision that it named.
//!
//! An answer is believed only as far as it proves itself: the id of a file's content is computed again, since a proxy
//! or a cache in between can serve something else. Nothing is retried here but a broken read, once: whoever polls
//! asks again. While GitHub allows no requests, none is sent.

mod answer;
mod cache;
mod http;
mod limits;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::http::HeaderValue;
use ::http::StatusCode;
use ::http::header::{ETAG, InvalidHeaderValue};
use async_trait::async_trait;
use release_manager::names::{CommitSha, RepoPath};
use release_manager::ports::{Lineage, Source, SourceError};
use release_manager::revision::Revision;
use secrecy::SecretString;
use url::Url;

use self::answer::Entry;
use self::cache::Cache;
use self::http::{Answer, Failure, Http, Request};
use super::LARGEST_FILE;
use super::names::{BranchName, RepoSlug};
use super::{refuse_pointer, tls};
use crate::metrics::RateLimitLeft;

/// A JSON answer holds a file in base64, with some fields around it.
const LARGEST_JSON: usize = LARGEST_FILE * 3 / 2 + 64 * 1024;

/// The description of a commit may hold a part of its changes.
const LARGEST_COMMIT: usize = 8 * 1024 * 1024;

/// How many commits GitHub puts on one page of a comparison at most.
const COMPARED: usize = 100;

const JSON: &str = "application/vnd.github+json";
const RAW: &str = "application/vnd.github.raw+json";

/// How GitHub is reached.
#[derive(Debug, Clone)]
pub struct GitHubSettings {
    /// `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server.
    pub api_url: Url,
    /// The repository.
    pub repo: RepoSlug,
    /// The branch that is followed.
    pub branch: BranchName,
    /// Without it only public repositories can be read, at most sixty times an hour.
    pub token: Option<SecretString>,
    /// The certificates (PEM) of a private authority that is trusted besides the machine's own.
    pub authority: Option<Vec<u8>>,
    /// How long is waited.
    pub timeouts: Timeouts,
}

impl GitHubSettings {
    /// The public GitHub, without a token.
    pub fn new(repo: RepoSlug, branch: BranchName) -> Self {
        let api_url = Url::parse("https://api.github.com").expect("a constant that is a URL");
        Self { api_url, repo, branch, token: None, authority: None, timeouts: Timeouts::default() }
    }
}

/// How long a host may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the first byte, and from each to the next.
    pub read: Duration,
    /// For the whole request.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), read: Duration::from_secs(10), total: Duration::from_secs(30) }
    }
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum InvalidGitHub {
    /// The address of the API.
    #[error("GITHUB_API_URL `{found}` {problem}")]
    ApiUrl {
        /// The address, without credentials.
        found: String,
        /// What is wrong with it and what is allowed.
        problem: &'static str,
    },
    /// The token.
    #[error("GITHUB_TOKEN has characters that no token has: look for a line break or a quote in it")]
    Token(#[source] InvalidHeaderValue),
    /// The proof of who the host is.
    #[error("{0}")]
    Tls(String),
    /// The HTTP client.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// A repository at GitHub.
#[derive(Debug)]
pub struct GitHub {
    http: Http,
    repo: RepoSlug,
    branch: BranchName,
    seen: Mutex<Option<Seen>>,
    files: Mutex<Cache>,
}

/// The newest answer about the branch.
#[derive(Debug, Clone)]
struct Seen {
    etag: HeaderValue,
    revision: Revision,
}

impl GitHub {
    /// Checks the settings; sends nothing.
    pub fn new(settings: GitHubSettings) -> Result<Self, InvalidGitHub> {
        let http = Http::new(&settings)?;
        Ok(Self { http, repo: settings.repo, branch: settings.branch, seen: Mutex::default(), files: Mutex::default() })
    }

    /// How many requests GitHub said that it still allows.
    pub fn rate_limit_left(&self) -> RateLimitLeft {
        self.http.left()
    }

    fn url(&self, end_point: &[&str], path: &str, query: Option<(&str, &str)>) -> Url {
        let segments = ["repos"].into_iter().chain(self.repo.as_str().split('/'));
        let segments = segments.chain(end_point.iter().copied()).chain(path.split('/').filter(|part| !part.is_empty()));
        let mut url = self.http.base().clone();
        if let Ok(mut all) = url.path_segments_mut() {
            all.pop_if_empty().extend(segments);
        }
        if let Some((name, value)) = query {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }

    fn host(&self) -> String {
        self.http.host().to_owned()
    }

    fn unreachable(&self, detail: impl Into<String>) -> SourceError {
        SourceError::Unreachable { host: self.host(), detail: detail.into(), source: None }
    }

    fn missing_repository(&self) -> SourceError {
        SourceError::Missing { what: format!("repository {}", self.repo), host: self.host() }
    }

    fn missing_branch(&self, extra: &str) -> SourceError {
        SourceError::Missing { what: format!("branch {} of {}{extra}", self.branch, self.repo), host: self.host() }
    }

    fn refused(&self, answer: &Answer) -> SourceError {
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                SourceError::Unauthorised { host: self.host(), detail: answer::told(answer) }
            }
            _ => self.unreachable(format!("it answered {}", answer::told(answer))),
        }
    }

    fn failed(&self, failure: Failure) -> SourceError {
        match failure {
            Failure::Limited(retry_after) => SourceError::RateLimited { host: self.host(), retry_after },
            Failure::Locked(detail) => SourceError::Unauthorised { host: self.host(), detail },
            Failure::TimedOut(detail) => self.unreachable(detail),
            Failure::Broken { detail, source } => SourceError::Unreachable { host: self.host(), detail, source },
            Failure::TooLarge => self.unreachable("its answer is larger than any that makes sense"),
        }
    }

    fn remembered(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, seen: Option<Seen>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }

    /// Sends a read once more if the first answer broke off or the server failed: both pass quickly as a rule.
    async fn read_request(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        match self.http.get(request).await {
            Err(Failure::Broken { .. }) => self.http.get(request).await,
            Ok(answer) if answer.status.is_server_error() => self.http.get(request).await,
            first => first,
        }
    }

    async fn fetch(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        let url = self.url(&["contents"], path.as_str(), Some(("ref", at.as_str())));
        let request = Request { url: &url, accept: JSON, etag: None, cap: LARGEST_JSON };
        let answer = match self.read_request(&request).await {
            Err(Failure::TooLarge) => return Err(SourceError::TooLarge { path: path.clone(), at: at.clone() }),
            other => other.map_err(|failure| self.failed(failure))?,
        };
        match answer.status {
            StatusCode::OK => (),
            StatusCode::NOT_FOUND => return Err(self.why_not_found(path, at).await),
            _ => return Err(self.refused(&answer)),
        }
        match answer::entry(&answer, path).map_err(|detail| self.unreachable(detail))? {
            Entry::Other(found) => Err(SourceError::NotAFile { path: path.clone(), at: at.clone(), found }),
            Entry::File { size, .. } if size > LARGEST_FILE => {
                Err(SourceError::TooLarge { path: path.clone(), at: at.clone() })
            }
            Entry::File { blob, content: Some(content), .. } => self.proven(path, at, &blob, content),
            Entry::File { blob, content: None, .. } => {
                let content = self.fetch_raw(&url, path, at).await?;
                self.proven(path, at, &blob, content)
            }
        }
    }

    /// The content alone, for files that GitHub does not put into JSON.
    async fn fetch_raw(&self, url: &Url, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        let request = Request { url, accept: RAW, etag: None, cap: LARGEST_FILE };
        match self.read_request(&request).await {
            Ok(answer) if answer.status == StatusCode::OK => Ok(answer.body),
            Ok(answer) => Err(self.refused(&answer)),
            Err(Failure::TooLarge) => Err(SourceError::TooLarge { path: path.clone(), at: at.clone() }),
            Err(failure) => Err(self.failed(failure)),
        }
    }

    /// One page of what lies between two commits, oldest first, and how many there are in all.
    async fn compared(
        &self,
        from: &CommitSha,
        to: &CommitSha,
        page: usize,
    ) -> Result<(Vec<Revision>, usize), SourceError> {
        let mut url = self.url(&["compare"], &format!("{from}...{to}"), None);
        url.query_pairs_mut().append_pair("per_page", &COMPARED.to_string()).append_pair("page", &page.to_string());
        let request = Request { url: &url, accept: JSON, etag: None, cap: LARGEST_COMMIT };
        let answer = self.read_request(&request).await.map_err(|failure| self.failed(failure))?;
        match answer.status {
            StatusCode::OK => answer::comparison(&answer).map_err(|detail| self.unreachable(detail)),
            StatusCode::NOT_FOUND => Err(SourceError::Missing {
                what: format!("revision {} or {} of {}", from.short(), to.short(), self.repo),
                host: self.host(),
            }),
            _ => Err(self.refused(&answer)),
        }
    }

    fn proven(&self, path: &RepoPath, at: &CommitSha, blob: &str, content: Vec<u8>) -> Result<Vec<u8>, SourceError> {
        let is_proven = git2::Oid::hash_object(git2::ObjectType::Blob, &content).is_ok_and(|id| id.to_string() == blob);
        if is_proven {
            return refuse_pointer(path, at, content);
        }
        Err(self.unreachable(format!("the content that it gave for `{path}` is not the one whose id it named")))
    }

    /// GitHub gives the same 404 for a file that is not there and for a repository that may not be seen.
    async fn why_not_found(&self, path: &RepoPath, at: &CommitSha) -> SourceError {
        let url = self.url(&["git", "commits"], at.as_str(), None);
        let request = Request { url: &url, accept: JSON, etag: None, cap: LARGEST_COMMIT };
        match self.read_request(&request).await {
            Ok(answer) if answer.status == StatusCode::OK => SourceError::NoFile { path: path.clone(), at: at.clone() },
            Ok(answer) if matches!(answer.status.as_u16(), 404 | 409 | 422) => SourceError::Missing {
                what: format!("repository {}, or revision {} in it,", self.repo, at.short()),
                host: self.host(),
            },
            Ok(answer) => self.refused(&answer),
            Err(failure) => self.failed(failure),
        }
    }
}

#[async_trait]
impl Source for GitHub {
    fn name(&self) -> String {
        self.repo.to_string()
    }

    fn branch(&self) -> String {
        self.branch.to_string()
    }

    fn commit_url(&self) -> Option<String> {
        let mut web = self.http.base().clone();
        let host = web.host_str()?.to_owned();
        if let Some(host) = host.strip_prefix("api.").filter(|host| *host == "github.com" || host.ends_with(".ghe.com"))
        {
            web.set_host(Some(host)).ok()?;
        }
        let origin = web.origin().ascii_serialization();
        Some(format!("{origin}/{}/commit/", self.repo))
    }

    async fn head(&self) -> Result<Revision, SourceError> {
        // The full name: a tag or a commit of the same name would come first otherwise.
        let branch = if self.branch.is_of_host() { self.branch.to_string() } else { format!("heads/{}", self.branch) };
        // One file at most is described, where there would be hundreds.
        let url = self.url(&["commits"], &branch, Some(("per_page", "1")));
        let seen = self.remembered();
        let etag = seen.as_ref().map(|seen| &seen.etag);
        let request = Request { url: &url, accept: JSON, etag, cap: LARGEST_COMMIT };
        let answer = self.http.get(&request).await.map_err(|failure| self.failed(failure))?;
        match (answer.status, seen) {
            (StatusCode::NOT_MODIFIED, Some(seen)) => Ok(seen.revision),
            (StatusCode::OK, _) => {
                let revision = answer::revision(&answer).map_err(|detail| self.unreachable(detail))?;
                let etag = answer.headers.get(ETAG).cloned();
                self.remember(etag.map(|etag| Seen { etag, revision: revision.clone() }));
                Ok(revision)
            }
            (StatusCode::NOT_FOUND, _) => Err(self.missing_repository()),
            (StatusCode::CONFLICT, _) => Err(self.missing_branch(" (the repository is empty)")),
            (StatusCode::UNPROCESSABLE_ENTITY, _) => Err(self.missing_branch("")),
            _ => Err(self.refused(&answer)),
        }
    }

    async fn commits(&self, from: &CommitSha, to: &CommitSha, limit: u32) -> Result<Vec<Revision>, SourceError> {
        let (mut commits, total) = self.compared(from, to, 1).await?;
        // GitHub begins with the oldest.
        if total > COMPARED {
            commits = self.compared(from, to, total.div_ceil(COMPARED)).await?.0;
        }
        commits.reverse();
        commits.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(commits)
    }

    async fn lineage(&self, old: &CommitSha, new: &CommitSha) -> Result<Lineage, SourceError> {
        let mut url = self.url(&["compare"], &format!("{old}...{new}"), None);
        // The commits themselves are not asked for.
        url.query_pairs_mut().append_pair("per_page", "1").append_pair("page", "2");
        let request = Request { url: &url, accept: JSON, etag: None, cap: LARGEST_COMMIT };
        let answer = self.read_request(&request).await.map_err(|failure| self.failed(failure))?;
        match answer.status {
            StatusCode::OK => answer::lineage(&answer).map_err(|detail| self.unreachable(detail)),
            // The branch has just named the newer one, so it is the older one that is gone.
            StatusCode::NOT_FOUND => Ok(Lineage::Lost),
            _ => Err(self.refused(&answer)),
        }
    }

    async fn read(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        if let Some(content) = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(path, at) {
            return Ok(content);
        }
        let content = self.fetch(path, at).await?;
        self.files.lock().unwrap_or_else(PoisonError::into_inner).put(path, at, &content);
        Ok(content)
    }
}
