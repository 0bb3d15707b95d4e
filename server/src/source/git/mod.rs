//! Any git repository: one on this machine is read where it stands, one elsewhere is fetched into a bare repository
//! beside the database.
//!
//! What is committed on the branch counts; a working copy is never looked at. Everything that touches a disk or a
//! network runs on a thread that may block, one fetch at a time, and libgit2 cannot be interrupted while it waits for
//! a host: a fetch that hangs keeps its thread and its turn, and whoever asks meanwhile is told so.

mod fetch;
mod known_hosts;
mod objects;
mod remote;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use git2::Repository;
use release_manager::names::{CommitSha, RepoPath};
use release_manager::ports::{Lineage, Source, SourceError};
use release_manager::revision::Revision;
use secrecy::SecretString;
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::fetch::Wanted;
use self::remote::Kind;
pub use self::remote::{InvalidRemote, Remote};
use super::names::BranchName;
use super::web_commit_url;

/// How a repository is reached.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// The repository.
    pub remote: Remote,
    /// The branch that is followed.
    pub branch: BranchName,
    /// The directory under which fetched repositories are kept. A repository on this machine needs none.
    pub cache: PathBuf,
    /// What proves who we are, and who the host is.
    pub credentials: Credentials,
    /// How long a fetch may take.
    pub timeout: Duration,
}

impl GitSettings {
    /// Without credentials, and with a minute for a fetch.
    pub fn new(remote: Remote, branch: BranchName, cache: PathBuf) -> Self {
        Self { remote, branch, cache, credentials: Credentials::default(), timeout: Duration::from_mins(1) }
    }
}

/// What proves who we are, and who the host is.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// For HTTPS: a token or a password.
    pub token: Option<SecretString>,
    /// For HTTPS: the login that belongs to it, where the host cares. `git` unless the address names one.
    pub username: Option<String>,
    /// For SSH: the file of the private key.
    pub ssh_key: Option<PathBuf>,
    /// For SSH: what unlocks the key.
    pub ssh_passphrase: Option<SecretString>,
    /// For SSH: the file with the keys of the hosts, as `ssh-keyscan` writes it.
    pub known_hosts: Option<PathBuf>,
}

/// A git repository.
#[derive(Debug)]
pub struct Git {
    settings: Arc<GitSettings>,
    turn: Arc<Mutex<()>>,
}

impl Git {
    /// Checks the settings; touches neither disk nor network.
    pub fn new(settings: GitSettings) -> Result<Self, InvalidRemote> {
        settings.remote.check(&settings.credentials)?;
        Ok(Self { settings: Arc::new(settings), turn: Arc::default() })
    }

    async fn fetched_head(&self) -> Result<Revision, SourceError> {
        let turn = self.turn().await?;
        self.blocking(turn, |settings, deadline| {
            let (repository, head) = fetch::fetch_branch(settings, deadline)?;
            objects::revision(&repository, settings, head)
        })
        .await
    }

    async fn fetched_file(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        let (wanted_path, wanted) = (path.clone(), at.clone());
        let found = self
            .blocking((), move |settings, _| {
                let repository = fetch::open_or_create(settings)?;
                if !objects::has_commit(&repository, &wanted) {
                    return Ok(None);
                }
                objects::file(&repository, settings, &wanted_path, &wanted).map(Some)
            })
            .await?;
        if let Some(content) = found {
            return Ok(content);
        }
        let (path, at) = (path.clone(), at.clone());
        let turn = self.turn().await?;
        self.blocking(turn, move |settings, deadline| {
            let repository = fetch::open_or_create(settings)?;
            if !objects::has_commit(&repository, &at) {
                fetch::fetch(&repository, settings, Wanted::Revision(&at), deadline)?;
            }
            objects::file(&repository, settings, &path, &at)
        })
        .await
    }

    /// Looks at what led to a revision. As a rule only the newest one is here: the rest is fetched for whoever wants to
    /// see it.
    async fn with_history<T: Send + 'static>(
        &self,
        to: CommitSha,
        look: impl FnOnce(&Repository, &GitSettings) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        if let Kind::Local(_) = self.settings.remote.kind() {
            return self.blocking((), move |settings, _| look(&open_local(settings)?, settings)).await;
        }
        let turn = self.turn().await?;
        self.blocking(turn, move |settings, deadline| {
            let repository = fetch::open_or_create(settings)?;
            if repository.is_shallow() || !objects::has_commit(&repository, &to) {
                fetch::fetch(&repository, settings, Wanted::History, deadline)?;
            }
            look(&repository, settings)
        })
        .await
    }

    async fn turn(&self) -> Result<OwnedMutexGuard<()>, SourceError> {
        let turn = Arc::clone(&self.turn).lock_owned();
        tokio::time::timeout(self.settings.timeout, turn).await.map_err(|_| {
            unreachable(&self.settings, "an earlier fetch has not come back yet; the host does not answer")
        })
    }

    /// Runs `work` where it may block. It holds its turn to its own end, also when nobody waits for it any longer.
    async fn blocking<T: Send + 'static>(
        &self,
        turn: impl Send + 'static,
        work: impl FnOnce(&GitSettings, Instant) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<T, SourceError> {
        let settings = Arc::clone(&self.settings);
        let timeout = settings.timeout;
        let deadline = Instant::now() + timeout;
        let running = tokio::task::spawn_blocking(move || {
            let result = work(&settings, deadline);
            drop(turn);
            result
        });
        match tokio::time::timeout(timeout, running).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(SourceError::Unreachable {
                host: self.settings.remote.host(),
                detail: "reading it ended in the middle".to_owned(),
                source: Some(Box::new(error)),
            }),
            Err(_) => Err(unreachable(&self.settings, format!("no answer within {} s", timeout.as_secs_f32()))),
        }
    }
}

#[async_trait]
impl Source for Git {
    fn name(&self) -> String {
        self.settings.remote.to_string()
    }

    fn branch(&self) -> String {
        self.settings.branch.to_string()
    }

    fn commit_url(&self) -> Option<String> {
        web_commit_url(&self.settings.remote.to_string())
    }

    async fn head(&self) -> Result<Revision, SourceError> {
        if let Kind::Local(_) = self.settings.remote.kind() {
            return self.blocking((), |settings, _| objects::head(&open_local(settings)?, settings)).await;
        }
        self.fetched_head().await
    }

    async fn commits(&self, from: &CommitSha, to: &CommitSha, limit: u32) -> Result<Vec<Revision>, SourceError> {
        let (from, to) = (from.clone(), to.clone());
        self.with_history(to.clone(), move |repository, settings| {
            objects::commits(repository, settings, [&from, &to], limit)
        })
        .await
    }

    async fn lineage(&self, old: &CommitSha, new: &CommitSha) -> Result<Lineage, SourceError> {
        let (old, new) = (old.clone(), new.clone());
        self.with_history(new.clone(), move |repository, settings| objects::lineage(repository, settings, [&old, &new]))
            .await
    }

    async fn read(&self, path: &RepoPath, at: &CommitSha) -> Result<Vec<u8>, SourceError> {
        if let Kind::Local(_) = self.settings.remote.kind() {
            let (path, at) = (path.clone(), at.clone());
            return self
                .blocking((), move |settings, _| objects::file(&open_local(settings)?, settings, &path, &at))
                .await;
        }
        self.fetched_file(path, at).await
    }
}

fn open_local(settings: &GitSettings) -> Result<Repository, SourceError> {
    let Kind::Local(path) = settings.remote.kind() else {
        return Err(unreachable(settings, "it is not on this machine"));
    };
    Repository::open(path).map_err(|error| failed(settings, error))
}

fn unreachable(settings: &GitSettings, detail: impl Into<String>) -> SourceError {
    SourceError::Unreachable { host: settings.remote.host(), detail: detail.into(), source: None }
}

fn missing(settings: &GitSettings, what: String) -> SourceError {
    SourceError::Missing { what, host: settings.remote.host() }
}

/// Sorts an error of libgit2 by what people can do about it. Its texts hold no credentials: it is given none.
fn failed(settings: &GitSettings, error: git2::Error) -> SourceError {
    let host = settings.remote.host();
    let text = error.message().to_owned();
    match error.code() {
        git2::ErrorCode::Auth => SourceError::Unauthorised { host, detail: text },
        git2::ErrorCode::NotFound => missing(settings, format!("repository {}", settings.remote)),
        git2::ErrorCode::Owner => SourceError::Unreachable {
            host,
            detail: "it belongs to another user of this machine: run as that user, or list it as `safe.directory` in the git configuration".to_owned(),
            source: Some(Box::new(error)),
        },
        _ if text.ends_with("status code: 404") => missing(settings, format!("repository {}", settings.remote)),
        _ if text.ends_with("status code: 401") || text.ends_with("status code: 403") => {
            SourceError::Unauthorised { host, detail: text }
        }
        _ => SourceError::Unreachable { host, detail: text, source: Some(Box::new(error)) },
    }
}
