//! Git repositories on another host.

use std::time::{Duration, Instant};

use release_manager::ports::{Lineage, Source as _, SourceError};
use server::source::{Git, GitSettings};
use tempfile::TempDir;

use super::git::{FILE, Fixture};
use super::git_http::{Door, GitHttp};
use super::{path, sha};

struct Host {
    fixture: Fixture,
    http: GitHttp,
    cache: TempDir,
}

impl Host {
    async fn start(door: Door) -> Self {
        let fixture = Fixture::new(true);
        let http = GitHttp::start(fixture.path(), door).await;
        Self { fixture, http, cache: TempDir::new().unwrap() }
    }

    fn settings(&self) -> GitSettings {
        let remote = format!("{}/me/lab.git", self.http.address).parse().unwrap();
        let cache = self.cache.path().join("git");
        GitSettings { timeout: Duration::from_secs(10), ..GitSettings::new(remote, "main".parse().unwrap(), cache) }
    }

    fn source(&self) -> Git {
        Git::new(self.settings()).unwrap()
    }
}

fn with_token(mut settings: GitSettings, token: &str) -> Git {
    settings.credentials.token = Some(token.into());
    Git::new(settings).unwrap()
}

#[tokio::test]
async fn a_push_is_seen_and_its_files_are_read_at_it() {
    let host = Host::start(Door::Open).await;
    let source = host.source();
    for text in [b"1", b"2", b"3"] {
        let pushed = host.fixture.commit("main", &[("a", FILE, text)]);
        for _ in 0..2 {
            let head = source.head().await.unwrap();
            assert_eq!(head.sha.as_str(), pushed.to_string());
            assert_eq!(source.read(&path("a"), &head.sha).await.unwrap(), text);
        }
    }
}

#[tokio::test]
async fn what_led_to_a_revision_is_fetched_when_it_is_asked_for() {
    let host = Host::start(Door::Open).await;
    let first = host.fixture.commit("main", &[("a", FILE, b"1")]);
    host.fixture.commit("main", &[("a", FILE, b"2")]);
    let source = host.source();
    source.head().await.unwrap();
    let third = host.fixture.commit("main", &[("a", FILE, b"3")]);
    let [first, third] = [first, third].map(|id| sha(&id.to_string()));
    assert_eq!(source.commits(&first, &third, 9).await.unwrap().len(), 2);
    assert_eq!(source.head().await.unwrap().sha, third);
}

#[tokio::test]
async fn what_was_fetched_is_read_without_the_host() {
    let host = Host::start(Door::Open).await;
    host.fixture.commit("main", &[("a", FILE, b"1")]);
    let source = host.source();
    let head = source.head().await.unwrap();
    let settings = host.settings();
    drop(host.http);
    assert_eq!(source.read(&path("a"), &head.sha).await.unwrap(), b"1");
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    // After a restart as well.
    assert_eq!(Git::new(settings).unwrap().read(&path("a"), &head.sha).await.unwrap(), b"1");
}

#[tokio::test]
async fn an_old_revision_is_fetched_when_it_is_asked_for() {
    for gives_any_commit in [false, true] {
        let host = Host::start(Door::Open).await;
        let mut config = host.fixture.repository.config().unwrap();
        config.set_bool("uploadpack.allowAnySHA1InWant", gives_any_commit).unwrap();
        let old = host.fixture.commit("main", &[("a", FILE, b"old")]);
        host.fixture.commit("main", &[("a", FILE, b"middle")]);
        host.fixture.commit("main", &[("a", FILE, b"new")]);
        let source = host.source();
        let head = source.head().await.unwrap();
        assert_eq!(source.read(&path("a"), &sha(&old.to_string())).await.unwrap(), b"old");
        assert_eq!(source.read(&path("a"), &head.sha).await.unwrap(), b"new");
        let error = source.read(&path("a"), &sha(&"0".repeat(40))).await.unwrap_err();
        assert!(error.to_string().starts_with("revision 0000000"), "{error}");
        assert!(source.head().await.is_ok());
    }
}

#[tokio::test]
async fn a_rewritten_branch_shows_its_new_head_and_old_files_stay_readable() {
    let host = Host::start(Door::Open).await;
    host.fixture.commit("main", &[("a", FILE, b"1")]);
    let source = host.source();
    let before = source.head().await.unwrap();
    host.fixture.delete_branch("main");
    let error = source.head().await.unwrap_err();
    assert!(error.to_string().starts_with("branch main of http"), "{error}");
    host.fixture.commit("main", &[("a", FILE, b"rewritten")]);
    let after = source.head().await.unwrap();
    assert_ne!(after.sha, before.sha);
    assert_eq!(source.read(&path("a"), &before.sha).await.unwrap(), b"1");
}

#[tokio::test]
async fn a_branch_that_only_grows_is_told_from_one_that_was_rewritten() {
    let host = Host::start(Door::Open).await;
    let first = host.fixture.commit("main", &[("a", FILE, b"1")]);
    let source = host.source();
    let mut followed = source.head().await.unwrap().sha;
    for content in [b"2", b"3", b"4"] {
        host.fixture.commit("main", &[("a", FILE, content)]);
        let head = source.head().await.unwrap().sha;
        assert_eq!(source.lineage(&followed, &head).await.unwrap(), Lineage::Ahead);
        followed = head;
    }
    host.fixture.reset("main", first);
    let back = source.head().await.unwrap().sha;
    assert_eq!(source.lineage(&followed, &back).await.unwrap(), Lineage::Behind);
    host.fixture.commit("main", &[("a", FILE, b"5")]);
    let other = source.head().await.unwrap().sha;
    assert_eq!(source.lineage(&followed, &other).await.unwrap(), Lineage::Diverged);
    // Whoever lost the copy knows nothing of what no branch leads to.
    let elsewhere = GitSettings { cache: host.cache.path().join("other"), ..host.settings() };
    let elsewhere = Git::new(elsewhere).unwrap();
    elsewhere.head().await.unwrap();
    assert_eq!(elsewhere.lineage(&followed, &other).await.unwrap(), Lineage::Lost);
}

#[tokio::test]
async fn a_token_opens_a_locked_repository_and_stays_secret() {
    let host = Host::start(Door::Locked).await;
    host.fixture.commit("main", &[("a", FILE, b"1")]);
    let source = with_token(host.settings(), "hunter2");
    assert!(source.head().await.is_ok());
    assert!(!format!("{source:?}").contains("hunter2"));
    for (source, expected) in [
        (host.source(), "it wants a token, and none is set"),
        (with_token(host.settings(), "hunter3"), "did not accept them"),
    ] {
        let error = source.head().await.unwrap_err();
        assert!(matches!(error, SourceError::Unauthorised { .. }), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(expected) && !text.contains("hunter"), "{text}");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_apart() {
    let host = Host::start(Door::Open).await;
    let empty = host.source().head().await.unwrap_err();
    assert!(matches!(&empty, SourceError::Missing { what, .. } if what.starts_with("branch main")), "{empty}");
    let mut settings = host.settings();
    settings.remote = format!("{}/me/other.git", host.http.address).parse().unwrap();
    let missing = Git::new(settings).unwrap().head().await.unwrap_err();
    assert!(matches!(&missing, SourceError::Missing { what, .. } if what.starts_with("repository")), "{missing}");
}

#[tokio::test]
async fn a_host_that_is_silent_is_given_up() {
    let host = Host::start(Door::Open).await;
    host.fixture.commit("main", &[("a", FILE, b"1")]);
    host.http.set_door(Door::Silent);
    let source = Git::new(GitSettings { timeout: Duration::from_millis(300), ..host.settings() }).unwrap();
    let begun = Instant::now();
    for expected in ["no answer within 0.3 s", "an earlier fetch has not come back yet"] {
        let error = source.head().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_copy_that_is_damaged_is_named() {
    let host = Host::start(Door::Open).await;
    host.fixture.commit("main", &[("a", FILE, b"1")]);
    let source = host.source();
    source.head().await.unwrap();
    let copy = std::fs::read_dir(host.cache.path().join("git")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(copy.join("config"), "[core\n").unwrap();
    let error = source.head().await.unwrap_err().to_string();
    assert!(error.contains(copy.to_str().unwrap()) && error.contains("delete it"), "{error}");
}

#[tokio::test]
async fn a_copy_of_too_many_pieces_is_fetched_anew() {
    let host = Host::start(Door::Open).await;
    let old = host.fixture.commit("main", &[("a", FILE, b"1")]);
    let source = host.source();
    source.head().await.unwrap();
    let copy = std::fs::read_dir(host.cache.path().join("git")).unwrap().next().unwrap().unwrap().path();
    for number in 0..100 {
        std::fs::write(copy.join(format!("objects/pack/pack-{number}.pack")), "").unwrap();
    }
    host.fixture.commit("main", &[("a", FILE, b"2")]);
    let head = source.head().await.unwrap();
    assert_eq!(std::fs::read_dir(copy.join("objects/pack")).unwrap().count(), 2, "one pack and its index");
    assert_eq!(source.read(&path("a"), &head.sha).await.unwrap(), b"2");
    assert_eq!(source.read(&path("a"), &sha(&old.to_string())).await.unwrap(), b"1");
    assert_eq!(std::fs::read_dir(host.cache.path().join("git")).unwrap().count(), 1);
}

#[tokio::test]
async fn two_that_ask_at_once_both_get_an_answer() {
    let host = Host::start(Door::Open).await;
    host.fixture.commit("main", &[("a", FILE, b"1")]);
    let source = host.source();
    let (first, second) = tokio::join!(source.head(), source.head());
    assert_eq!(first.unwrap(), second.unwrap());
}
