//! What a repository's object database says. No network, no working copy.

use std::path::Path;

use git2::{Commit, ErrorCode, ObjectType, Oid, Repository, Sort};
use release_manager::names::{CommitSha, RepoPath};
use release_manager::ports::{Lineage, SourceError};
use release_manager::revision::Revision;
use release_manager::time::Timestamp;

use super::{GitSettings, failed, missing};
use crate::source::{LARGEST_FILE, refuse_pointer};

const MODE_LINK: i32 = 0o120_000;

/// The newest revision of the branch.
pub(super) fn head(repository: &Repository, settings: &GitSettings) -> Result<Revision, SourceError> {
    let reference = repository.find_reference(&settings.branch.reference()).map_err(|error| match error.code() {
        ErrorCode::NotFound => missing(settings, format!("branch {}", settings.branch)),
        _ => failed(settings, error),
    })?;
    let commit = reference.peel_to_commit().map_err(|error| failed(settings, error))?;
    describe(&commit, settings)
}

/// The commit, described.
pub(super) fn revision(repository: &Repository, settings: &GitSettings, id: Oid) -> Result<Revision, SourceError> {
    let commit = repository.find_commit(id).map_err(|error| failed(settings, error))?;
    describe(&commit, settings)
}

fn describe(commit: &Commit<'_>, settings: &GitSettings) -> Result<Revision, SourceError> {
    let sha = commit.id().to_string().parse();
    let author = commit.author();
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    Ok(Revision {
        sha: sha.map_err(|_| missing(settings, "the full name of the newest commit".to_owned()))?,
        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        committed_at: Timestamp::from_millis(commit.time().seconds().saturating_mul(1000)),
        message,
    })
}

/// Whether the commit is here.
pub(super) fn has_commit(repository: &Repository, at: &CommitSha) -> bool {
    Oid::from_str(at.as_str()).is_ok_and(|id| repository.find_commit(id).is_ok())
}

/// The commits that are in `to` and not in `from`, newest first, at most `limit`.
pub(super) fn commits(
    repository: &Repository,
    settings: &GitSettings,
    [from, to]: [&CommitSha; 2],
    limit: u32,
) -> Result<Vec<Revision>, SourceError> {
    let id = |sha: &CommitSha| {
        let known = Oid::from_str(sha.as_str()).ok().filter(|id| repository.find_commit(*id).is_ok());
        known.ok_or_else(|| missing(settings, format!("revision {} of {}", sha.short(), settings.branch)))
    };
    let (from, to) = (id(from)?, id(to)?);
    let told = |error: git2::Error| failed(settings, error);
    let mut walk = repository.revwalk().map_err(told)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).map_err(told)?;
    walk.push(to).and_then(|()| walk.hide(from)).map_err(told)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    walk.take(limit).map(|id| revision(repository, settings, id.map_err(told)?)).collect()
}

/// How `new` stands to `old`, which may be gone.
pub(super) fn lineage(
    repository: &Repository,
    settings: &GitSettings,
    [old, new]: [&CommitSha; 2],
) -> Result<Lineage, SourceError> {
    let id = |sha: &CommitSha| Oid::from_str(sha.as_str()).ok().filter(|id| repository.find_commit(*id).is_ok());
    let (Some(old), Some(new)) = (id(old), id(new)) else { return Ok(Lineage::Lost) };
    let descends =
        |younger, older| repository.graph_descendant_of(younger, older).map_err(|error| failed(settings, error));
    if new == old || descends(new, old)? {
        return Ok(Lineage::Ahead);
    }
    Ok(if descends(old, new)? { Lineage::Behind } else { Lineage::Diverged })
}

/// The content of a file.
pub(super) fn file(
    repository: &Repository,
    settings: &GitSettings,
    path: &RepoPath,
    at: &CommitSha,
) -> Result<Vec<u8>, SourceError> {
    let no_revision = |error: git2::Error| match error.code() {
        ErrorCode::NotFound => missing(settings, format!("revision {} of {}", at.short(), settings.branch)),
        _ => failed(settings, error),
    };
    let id = Oid::from_str(at.as_str()).map_err(|_| missing(settings, format!("revision {}", at.short())))?;
    let tree = repository.find_commit(id).and_then(|commit| commit.tree()).map_err(no_revision)?;
    let entry = tree.get_path(Path::new(path.as_str())).map_err(|error| match error.code() {
        ErrorCode::NotFound => SourceError::NoFile { path: path.clone(), at: at.clone() },
        _ => failed(settings, error),
    })?;
    let other = |found| SourceError::NotAFile { path: path.clone(), at: at.clone(), found };
    match entry.kind() {
        Some(ObjectType::Blob) if entry.filemode() == MODE_LINK => return Err(other("a symbolic link")),
        Some(ObjectType::Blob) => (),
        Some(ObjectType::Tree) => return Err(other("a directory")),
        Some(ObjectType::Commit) => return Err(other("a submodule")),
        _ => return Err(other("an object of an unknown kind")),
    }
    let database = repository.odb().map_err(|error| failed(settings, error))?;
    let (size, _) = database.read_header(entry.id()).map_err(|error| failed(settings, error))?;
    if size > LARGEST_FILE {
        return Err(SourceError::TooLarge { path: path.clone(), at: at.clone() });
    }
    let object = database.read(entry.id()).map_err(|error| failed(settings, error))?;
    refuse_pointer(path, at, object.data().to_owned())
}
