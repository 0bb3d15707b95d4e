//! Git repositories on this machine.

use std::path::Path;

use git2::{Oid, Repository, RepositoryInitOptions, Signature, Time};
use release_manager::names::CommitSha;
use release_manager::ports::{Lineage, Source as _, SourceError};
use server::source::{Git, GitSettings};
use tempfile::TempDir;

use super::{path, sha};

const MIB: usize = 1024 * 1024;
const LINK: i32 = 0o120_000;
const SUBMODULE: i32 = 0o160_000;
pub(super) const FILE: i32 = 0o100_644;

/// A repository in a directory of its own.
pub(super) struct Fixture {
    directory: TempDir,
    pub(super) repository: Repository,
}

impl Fixture {
    pub(super) fn new(is_bare: bool) -> Self {
        let directory = TempDir::new().unwrap();
        let mut options = RepositoryInitOptions::new();
        options.initial_head("main").bare(is_bare).external_template(false);
        let repository = Repository::init_opts(directory.path(), &options).unwrap();
        Self { directory, repository }
    }

    /// Commits entries at the top of the tree, without a working copy.
    pub(super) fn commit(&self, branch: &str, entries: &[(&str, i32, &[u8])]) -> Oid {
        let mut tree = self.repository.treebuilder(None).unwrap();
        for (name, mode, content) in entries {
            let id = match *mode {
                SUBMODULE => Oid::from_str(&"1".repeat(40)).unwrap(),
                _ => self.repository.blob(content).unwrap(),
            };
            tree.insert(name, id, *mode).unwrap();
        }
        let tree = self.repository.find_tree(tree.write().unwrap()).unwrap();
        let author = Signature::new("Ärna", "arna@example.org", &Time::new(1_750_000_000, 120)).unwrap();
        let reference = format!("refs/heads/{branch}");
        let parent = self.repository.find_reference(&reference).ok().map(|head| head.peel_to_commit().unwrap());
        let parents: Vec<_> = parent.iter().collect();
        self.repository
            .commit(Some(&reference), &author, &author, "Say hello\n\nAt length.\n", &tree, &parents)
            .unwrap()
    }

    pub(super) fn delete_branch(&self, branch: &str) {
        self.repository.find_reference(&format!("refs/heads/{branch}")).unwrap().delete().unwrap();
    }

    /// Sets a branch to a commit, as a forced push does.
    pub(super) fn reset(&self, branch: &str, to: Oid) {
        self.repository.reference(&format!("refs/heads/{branch}"), to, true, "reset").unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn source(&self, branch: &str) -> Git {
        source(self.directory.path().to_str().unwrap(), branch)
    }
}

fn source(remote: &str, branch: &str) -> Git {
    let settings = GitSettings::new(remote.parse().unwrap(), branch.parse().unwrap(), "/nowhere".into());
    Git::new(settings).unwrap()
}

#[tokio::test]
async fn without_a_branch_the_one_that_the_repository_calls_its_default_is_followed() {
    let fixture = Fixture::new(true);
    fixture.commit("main", &[("a", FILE, b"1")]);
    let other = fixture.commit("trunk", &[("a", FILE, b"2")]);
    fixture.repository.set_head("refs/heads/trunk").unwrap();
    assert_eq!(fixture.source("HEAD").head().await.unwrap().sha.as_str(), other.to_string());
}

#[tokio::test]
async fn the_head_is_what_is_committed_on_the_branch() {
    for is_bare in [false, true] {
        let fixture = Fixture::new(is_bare);
        let first = fixture.commit("main", &[("a", FILE, b"1")]);
        let second = fixture.commit("main", &[("a", FILE, b"2")]);
        fixture.commit("other", &[("a", FILE, b"3")]);
        let source = fixture.source("main");
        let head = source.head().await.unwrap();
        assert_eq!(head.sha.as_str(), second.to_string());
        assert_eq!((head.author.as_str(), head.subject()), ("Ärna", "Say hello"));
        assert_eq!(head.committed_at.to_string(), "2025-06-15T15:06:40Z");
        assert_eq!(source.read(&path("a"), &head.sha).await.unwrap(), b"2");
        assert_eq!(source.read(&path("a"), &sha(&first.to_string())).await.unwrap(), b"1");
    }
}

#[tokio::test]
async fn the_commits_between_two_revisions_come_newest_first() {
    let fixture = Fixture::new(true);
    let [first, second, third] = [b"1", b"2", b"3"].map(|content| fixture.commit("main", &[("a", FILE, content)]));
    let source = fixture.source("main");
    let [first, second, third] = [first, second, third].map(|id| sha(&id.to_string()));
    let between = async |from: &CommitSha, to: &CommitSha, limit| {
        let commits = source.commits(from, to, limit).await.unwrap();
        commits.into_iter().map(|commit| commit.sha).collect::<Vec<_>>()
    };
    assert_eq!(between(&first, &third, 9).await, [third.clone(), second.clone()]);
    assert_eq!(between(&first, &third, 1).await, [&third].map(Clone::clone));
    assert_eq!(between(&third, &first, 9).await, []);
    let unknown = source.commits(&sha(&"0".repeat(40)), &third, 9).await.unwrap_err();
    assert!(unknown.to_string().starts_with("revision 0000000"), "{unknown}");
}

#[tokio::test]
async fn a_branch_that_only_grows_is_told_from_one_that_was_rewritten() {
    let fixture = Fixture::new(true);
    let [first, second] = [b"1", b"2"].map(|content| fixture.commit("main", &[("a", FILE, content)]));
    fixture.reset("main", first);
    let other = fixture.commit("main", &[("a", FILE, b"3")]);
    let [first, second, other] = [first, second, other].map(|id| sha(&id.to_string()));
    let source = fixture.source("main");
    for (old, new, expected) in [
        (&first, &other, Lineage::Ahead),
        (&other, &other, Lineage::Ahead),
        (&second, &first, Lineage::Behind),
        (&second, &other, Lineage::Diverged),
        (&sha(&"0".repeat(40)), &other, Lineage::Lost),
    ] {
        assert_eq!(source.lineage(old, new).await.unwrap(), expected, "{old}...{new}");
    }
}

#[tokio::test]
async fn a_working_copy_is_not_looked_at() {
    let fixture = Fixture::new(false);
    fixture.commit("main", &[("a", FILE, b"committed")]);
    std::fs::write(fixture.directory.path().join("a"), "not committed").unwrap();
    let source = fixture.source("main");
    let head = source.head().await.unwrap();
    assert_eq!(source.read(&path("a"), &head.sha).await.unwrap(), b"committed");
}

#[tokio::test]
async fn a_repository_is_found_by_a_file_url_as_well() {
    let fixture = Fixture::new(true);
    fixture.commit("main", &[("a", FILE, b"1")]);
    let url = url::Url::from_directory_path(fixture.directory.path()).unwrap();
    assert!(source(url.as_str(), "main").head().await.is_ok());
}

#[tokio::test]
async fn what_is_no_file_is_named_for_what_it_is() {
    let fixture = Fixture::new(true);
    let large = vec![b'x'; MIB + 1];
    let id = fixture.commit(
        "main",
        &[
            ("link", LINK, b"/etc/passwd"),
            ("module", SUBMODULE, b""),
            ("large", FILE, &large),
            ("fits", FILE, &large[1..]),
            ("empty", FILE, b""),
            ("pointer", FILE, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        ],
    );
    let (source, at) = (fixture.source("main"), sha(&id.to_string()));
    for (name, expected) in [
        ("link", "is a symbolic link and not a file"),
        ("module", "is a submodule and not a file"),
        ("pointer", "is a Git LFS pointer and not a file"),
        ("large", "is larger than 1 MiB"),
        ("missing", "does not exist at"),
        ("fits/deeper", "does not exist at"),
    ] {
        let error = source.read(&path(name), &at).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    assert_eq!(source.read(&path("fits"), &at).await.unwrap().len(), MIB);
    assert_eq!(source.read(&path("empty"), &at).await.unwrap(), b"");
}

#[tokio::test]
async fn a_directory_is_no_file() {
    let directory = TempDir::new().unwrap();
    server::demo::homelab::create(directory.path()).unwrap();
    let source = source(directory.path().to_str().unwrap(), "main");
    let head = source.head().await.unwrap();
    let error = source.read(&path("env"), &head.sha).await.unwrap_err();
    assert!(matches!(error, SourceError::NotAFile { found: "a directory", .. }), "{error}");
    let text = source.read(&path("env/.env.preprod"), &head.sha).await.unwrap();
    assert!(text.starts_with(b"#"));
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let fixture = Fixture::new(true);
    let empty = fixture.source("main").head().await.unwrap_err();
    assert!(empty.to_string().starts_with("branch main was not found at"), "{empty}");
    fixture.commit("main", &[("a", FILE, b"1")]);
    let branch = fixture.source("mian").head().await.unwrap_err();
    assert!(branch.to_string().starts_with("branch mian was not found at"), "{branch}");
    let revision = fixture.source("main").read(&path("a"), &sha(&"0".repeat(40))).await.unwrap_err();
    assert!(revision.to_string().starts_with("revision 0000000"), "{revision}");
    let nowhere = Path::new("/nowhere/lab");
    let repository = source(nowhere.to_str().unwrap(), "main").head().await.unwrap_err();
    assert!(
        matches!(&repository, SourceError::Missing { what, .. } if what == "repository /nowhere/lab"),
        "{repository}"
    );
}

#[tokio::test]
async fn a_directory_inside_a_repository_is_not_taken_for_one() {
    let fixture = Fixture::new(false);
    fixture.commit("main", &[("a", FILE, b"1")]);
    let inside = fixture.directory.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    assert!(source(inside.to_str().unwrap(), "main").head().await.is_err());
}
