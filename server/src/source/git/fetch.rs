//! Brings a branch of a repository elsewhere into the cache.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use git2::cert::Cert;
use git2::{
    AutotagOption, CertificateCheckStatus, Cred, CredentialType, Error, ErrorClass, ErrorCode, FetchOptions, Oid,
    ProxyOptions, RemoteCallbacks, RemoteRedirect, Repository, RepositoryInitOptions,
};
use release_manager::names::CommitSha;
use release_manager::ports::SourceError;
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::remote::Kind;
use super::{Credentials, GitSettings, failed, known_hosts, missing, unreachable};

/// No repository of stack files is larger than this, as packed by git.
const LARGEST_FETCH: usize = 512 * 1024 * 1024;

/// libgit2's word for "with the whole history".
const WHOLE: i32 = i32::MAX;

/// What is to be here afterwards.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// The newest revision of the branch.
    Branch,
    /// A certain revision of it, perhaps an old one.
    Revision(&'a CommitSha),
    /// Everything that led to the newest revision.
    History,
}

/// Every fetch leaves a pack. With more than these the copy is fetched anew, before looking things up grows slow.
const MOST_PACKS: usize = 100;

/// Fetches the branch and returns the repository with its head. What was fetched before stays, unless it has become
/// too many pieces: then only the newest revision stays, and older ones are fetched when they are asked for.
pub(super) fn fetch_branch(settings: &GitSettings, deadline: Instant) -> Result<(Repository, Oid), SourceError> {
    let repository = open_or_create(settings)?;
    if packs(repository.path()) <= MOST_PACKS {
        let head = fetch(&repository, settings, Wanted::Branch, deadline)?;
        return Ok((repository, head));
    }
    let (old, new) = (place(settings), place(settings).with_extension("new"));
    let told = |error: io::Error| unreachable(settings, format!("`{}` cannot be replaced: {error}", old.display()));
    if new.exists() {
        fs::remove_dir_all(&new).map_err(told)?;
    }
    let head = fetch(&open_or_create_at(settings, &new)?, settings, Wanted::Branch, deadline)?;
    drop(repository);
    fs::remove_dir_all(&old).and_then(|()| fs::rename(&new, &old)).map_err(told)?;
    Ok((open_or_create(settings)?, head))
}

fn packs(repository: &Path) -> usize {
    let Ok(entries) = fs::read_dir(repository.join("objects/pack")) else { return 0 };
    entries.flatten().filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack")).count()
}

/// The repository in the cache that belongs to the remote.
pub(super) fn open_or_create(settings: &GitSettings) -> Result<Repository, SourceError> {
    open_or_create_at(settings, &place(settings))
}

fn open_or_create_at(settings: &GitSettings, path: &Path) -> Result<Repository, SourceError> {
    let told = |error: Error| SourceError::Unreachable {
        host: settings.remote.host(),
        detail: format!(
            "the copy at `{}` cannot be used ({}): delete it, it is fetched anew",
            path.display(),
            error.message()
        ),
        source: Some(Box::new(error)),
    };
    match Repository::open_bare(path) {
        Ok(repository) => Ok(repository),
        Err(error) if error.code() == ErrorCode::NotFound => {
            let mut options = RepositoryInitOptions::new();
            options.bare(true).mkpath(true).external_template(false);
            Repository::init_opts(path, &options).map_err(told)
        }
        Err(error) => Err(told(error)),
    }
}

fn place(settings: &GitSettings) -> PathBuf {
    let digest = Sha256::digest(settings.remote.to_string());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    settings.cache.join(format!("{number:016x}.git"))
}

/// Fetches what is wanted, with as little history as the host and libgit2 can agree on. Returns the branch's head.
pub(super) fn fetch(
    repository: &Repository,
    settings: &GitSettings,
    wanted: Wanted<'_>,
    deadline: Instant,
) -> Result<Oid, SourceError> {
    let branch = format!("+{}:{}", settings.branch.reference(), settings.branch.kept_as());
    let attempt = |refspec: &str, depth| try_fetch(repository, settings, refspec, depth, deadline);
    let result = match wanted {
        // Where the whole history is here already, only what is new comes.
        Wanted::Branch if !repository.is_shallow() && !is_empty(repository) => attempt(&branch, 0),
        Wanted::Branch => match attempt(&branch, 1) {
            Err(error) if error.message().contains("shallow") => attempt(&branch, 0),
            other => other,
        },
        Wanted::History => attempt(&branch, if repository.is_shallow() { WHOLE } else { 0 }),
        Wanted::Revision(at) => {
            let single = format!("+{at}:refs/release-manager/{at}");
            // Not every host gives out a commit by its name; the whole branch holds it, unless it was rewritten.
            attempt(&single, 1).or_else(|_| attempt(&branch, if repository.is_shallow() { WHOLE } else { 0 }))
        }
    };
    match result.map_err(|error| failed(settings, error))? {
        Some(head) => Ok(head),
        None if Instant::now() > deadline => Err(unreachable(settings, "it took too long")),
        None => Err(missing(settings, format!("branch {} of {}", settings.branch, settings.remote))),
    }
}

/// Whether nothing was ever fetched.
fn is_empty(repository: &Repository) -> bool {
    packs(repository.path()) == 0
}

/// The branch's head at the host after the fetch.
fn try_fetch(
    repository: &Repository,
    settings: &GitSettings,
    refspec: &str,
    depth: i32,
    deadline: Instant,
) -> Result<Option<Oid>, Error> {
    let mut proxy = ProxyOptions::new();
    proxy.auto();
    let mut options = FetchOptions::new();
    options
        .depth(depth)
        .download_tags(AutotagOption::None)
        .update_fetchhead(false)
        .follow_redirects(RemoteRedirect::None)
        .proxy_options(proxy)
        .remote_callbacks(callbacks(settings, deadline));
    let mut remote = repository.remote_anonymous(&address(settings))?;
    remote.fetch(&[refspec], Some(&mut options), None)?;
    let reference = settings.branch.reference();
    Ok(remote.list()?.iter().find(|head| head.name() == reference).map(git2::RemoteHead::oid))
}

fn address(settings: &GitSettings) -> String {
    match settings.remote.kind() {
        Kind::Local(path) => path.display().to_string(),
        Kind::Web(url) | Kind::Ssh(url) => url.to_string(),
    }
}

fn callbacks(settings: &GitSettings, deadline: Instant) -> RemoteCallbacks<'_> {
    let mut callbacks = RemoteCallbacks::new();
    let mut asked = 0;
    callbacks.credentials(move |_, username, allowed| {
        asked += 1;
        // libgit2 asks for a login first, and then again as long as the host refuses what it gets.
        if asked > 3 {
            return Err(Error::new(ErrorCode::Auth, ErrorClass::Callback, "the host did not accept them"));
        }
        credentials(&settings.credentials, username, allowed)
    });
    callbacks.certificate_check(|certificate, _| check_host(certificate, settings));
    callbacks.transfer_progress(move |progress| Instant::now() < deadline && progress.received_bytes() < LARGEST_FETCH);
    callbacks.sideband_progress(move |_| Instant::now() < deadline);
    callbacks
}

fn credentials(given: &Credentials, username: Option<&str>, allowed: CredentialType) -> Result<Cred, Error> {
    let refuse = |text: &str| Err(Error::new(ErrorCode::Auth, ErrorClass::Callback, text));
    let username = given.username.as_deref().or(username).unwrap_or("git");
    if allowed.contains(CredentialType::USERNAME) {
        return Cred::username(username);
    }
    if allowed.contains(CredentialType::SSH_KEY) {
        let Some(key) = &given.ssh_key else { return refuse("it wants a private key, and none is set") };
        let passphrase = given.ssh_passphrase.as_ref().map(ExposeSecret::expose_secret);
        return Cred::ssh_key(username, None, key, passphrase);
    }
    if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
        let Some(token) = &given.token else { return refuse("it wants a token, and none is set") };
        return Cred::userpass_plaintext(username, token.expose_secret());
    }
    refuse("it wants another kind of proof than a token or a key")
}

/// A host that is reached by HTTPS is judged by libgit2, one that is reached by SSH by the file of known hosts alone.
fn check_host(certificate: &Cert<'_>, settings: &GitSettings) -> Result<CertificateCheckStatus, Error> {
    let Some(host_key) = certificate.as_hostkey() else {
        return Ok(CertificateCheckStatus::CertificatePassthrough);
    };
    let refuse = |text: String| Error::new(ErrorCode::Certificate, ErrorClass::Ssh, text);
    let (Kind::Ssh(url), Some(path)) = (settings.remote.kind(), &settings.credentials.known_hosts) else {
        return Err(refuse("there is no file of known hosts to compare its key with".to_owned()));
    };
    let known = fs::read_to_string(path)
        .map_err(|error| refuse(format!("the file of known hosts `{}` cannot be read: {error}", path.display())))?;
    let Some(key) = host_key.hostkey() else {
        return Err(refuse("its key cannot be read".to_owned()));
    };
    let host = url.host_str().unwrap_or_default();
    known_hosts::check(&known, host, url.port().unwrap_or(22), key)
        .map(|()| CertificateCheckStatus::CertificateOk)
        .map_err(|error| refuse(error.to_string()))
}
