//! GitHub over REST, against a GitHub that can be told to fail.

use std::time::Duration;

use release_manager::names::CommitSha;
use release_manager::ports::{Lineage, Source as _, SourceError};
use server::source::{BranchName, GitHub, GitHubSettings, Timeouts};

use super::{path, sha};
use crate::fake_github::{Entry, FakeGitHub, Fault, TOKEN};

const MIB: usize = 1024 * 1024;

fn source(github: &FakeGitHub) -> GitHub {
    GitHub::new(github.settings()).unwrap()
}

async fn with_a_commit() -> (FakeGitHub, GitHub) {
    let github = FakeGitHub::start().await;
    github.push("Start", &[("env/.env.preprod", "A=1\n"), ("stack.yml", "services: {}\n")]);
    let source = source(&github);
    (github, source)
}

/// The error says `part`, and nowhere the token.
#[track_caller]
fn check_error(error: &SourceError, part: &str) {
    let text = error.to_string();
    assert!(text.contains(part), "`{part}` is not in: {text}");
    assert!(!text.contains(TOKEN) && !format!("{error:?}").contains(TOKEN), "the token is in: {error:?}");
}

#[tokio::test]
async fn a_push_is_seen_and_its_files_are_read_at_it() {
    let (github, source) = with_a_commit().await;
    let first = source.head().await.unwrap();
    let pushed = github.push("Update A\n\nBecause.", &[("env/.env.preprod", "A=2\n")]);
    let head = source.head().await.unwrap();
    assert_eq!((&head.sha, head.author.as_str(), head.subject()), (&pushed, "arna", "Update A"));
    assert_eq!(head.committed_at.to_string(), "2025-10-31T10:31:00Z");
    assert_eq!(source.read(&path("env/.env.preprod"), &head.sha).await.unwrap(), b"A=2\n");
    assert_eq!(source.read(&path("env/.env.preprod"), &first.sha).await.unwrap(), b"A=1\n");
    assert_eq!(source.read(&path("stack.yml"), &head.sha).await.unwrap(), b"services: {}\n");
}

#[tokio::test]
async fn without_a_branch_the_hosts_default_is_followed_by_conditional_requests() {
    let github = FakeGitHub::start().await;
    let pushed = github.push("Start", &[("stack.yml", "services: {}\n")]);
    let source = GitHub::new(GitHubSettings { branch: BranchName::of_host(), ..github.settings() }).unwrap();
    for _ in 0..2 {
        assert_eq!(source.head().await.unwrap().sha, pushed);
    }
    let asked = github.requests();
    assert!(asked.iter().all(|one| one.target == "/repos/me/homelab/commits/HEAD?per_page=1"));
    assert_eq!(asked.iter().map(|one| one.status).collect::<Vec<_>>(), [Some(200), Some(304)]);
}

#[tokio::test]
async fn the_commits_between_two_revisions_come_newest_first() {
    let (github, source) = with_a_commit().await;
    let first = source.head().await.unwrap().sha;
    let mut last = first.clone();
    for number in 1..=103 {
        last = github.push(&format!("Update {number}"), &[("stack.yml", &format!("# {number}\n"))]);
    }
    let subjects = async |from: &CommitSha, to: &CommitSha, limit| {
        let commits = source.commits(from, to, limit).await.unwrap();
        commits.iter().map(|commit| commit.subject().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(subjects(&first, &last, 2).await, ["Update 103", "Update 102"]);
    assert_eq!(subjects(&last, &last, 9).await, [""; 0]);
    let error = source.commits(&sha(&"e".repeat(40)), &last, 9).await.unwrap_err();
    check_error(&error, "revision eeeeeee");
}

#[tokio::test]
async fn a_public_repository_needs_no_token() {
    let (github, _) = with_a_commit().await;
    github.want_token(None);
    let source = GitHub::new(GitHubSettings { token: None, ..github.settings() }).unwrap();
    assert!(source.head().await.is_ok());
    assert!(!github.requests()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn an_unchanged_branch_costs_nothing() {
    let (github, source) = with_a_commit().await;
    let first = source.head().await.unwrap();
    github.allow(1);
    for _ in 0..5 {
        assert_eq!(source.head().await.unwrap(), first);
    }
    assert_eq!(github.statuses(), [200, 304, 304, 304, 304, 304]);
}

#[tokio::test]
async fn a_new_token_costs_one_whole_answer_and_changes_nothing() {
    let (github, source) = with_a_commit().await;
    let first = source.head().await.unwrap();
    github.want_token(Some("ghp_rotated"));
    let rotated = GitHub::new(GitHubSettings { token: Some("ghp_rotated\n".into()), ..github.settings() }).unwrap();
    assert_eq!(rotated.head().await.unwrap(), first);
    assert_eq!(rotated.head().await.unwrap(), first);
    assert_eq!(github.statuses(), [200, 200, 304]);
}

#[tokio::test]
async fn a_file_is_fetched_once() {
    let (github, source) = with_a_commit().await;
    let head = source.head().await.unwrap();
    for _ in 0..3 {
        source.read(&path("stack.yml"), &head.sha).await.unwrap();
    }
    let targets: Vec<_> = github.requests().into_iter().map(|request| request.target).collect();
    let file = format!("/repos/me/homelab/contents/stack.yml?ref={}", head.sha);
    assert_eq!(targets, ["/repos/me/homelab/commits/heads/main?per_page=1", &file]);
}

#[tokio::test]
async fn a_path_with_odd_characters_is_read() {
    let github = FakeGitHub::start().await;
    let at = github.push("Odd", &[("a b/ä#?%25+&.yml", "x")]);
    assert_eq!(source(&github).read(&path("a b/ä#?%25+&.yml"), &at).await.unwrap(), b"x");
}

#[tokio::test]
async fn no_request_is_sent_while_the_limit_lasts() {
    let (github, source) = with_a_commit().await;
    // The host's clock is ten years behind ours: only the difference counts.
    let headers = vec![
        ("date", "Sat, 31 Oct 2015 10:30:00 GMT".to_owned()),
        ("x-ratelimit-remaining", "0".to_owned()),
        ("x-ratelimit-reset", "1446287401".to_owned()),
    ];
    github.fail_next("/commits/", Fault::Status(403, headers, "API rate limit exceeded"));
    for _ in 0..3 {
        let error = source.head().await.unwrap_err();
        assert!(matches!(error, SourceError::RateLimited { retry_after, .. } if retry_after <= Duration::from_secs(3)));
    }
    let error = source.read(&path("stack.yml"), &sha(&"a".repeat(40))).await.unwrap_err();
    check_error(&error, "allows no more requests for another");
    assert_eq!(github.requests().len(), 1, "limits hold for every request");
    tokio::time::sleep(Duration::from_millis(2300)).await;
    assert!(source.head().await.is_ok());
}

#[tokio::test]
async fn a_spent_budget_is_a_limit() {
    let (github, source) = with_a_commit().await;
    github.allow(0);
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::RateLimited { retry_after, .. } if retry_after > Duration::from_secs(3500)));
}

#[tokio::test]
async fn a_secondary_limit_lasts_a_minute_at_least() {
    let (github, source) = with_a_commit().await;
    github.fail_next("/commits/", Fault::Status(403, vec![], "You have exceeded a secondary rate limit"));
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::RateLimited { retry_after, .. } if retry_after >= Duration::from_mins(1)));
    let (github, source) = with_a_commit().await;
    github.fail_next("/commits/", Fault::Status(429, vec![("retry-after", "30".to_owned())], ""));
    let error = source.head().await.unwrap_err();
    assert!(matches!(error, SourceError::RateLimited { retry_after, .. } if retry_after.as_secs() / 10 == 3));
}

#[tokio::test]
async fn a_failing_host_is_asked_once_for_the_head_and_twice_for_a_file() {
    let (github, source) = with_a_commit().await;
    github.fail_next("/commits/", Fault::status(502));
    check_error(&source.head().await.unwrap_err(), "it answered 502: Scripted");
    assert_eq!(github.statuses(), [502]);
    let head = source.head().await.unwrap();
    github.fail_next("/contents/", Fault::status(500));
    assert!(source.read(&path("stack.yml"), &head.sha).await.is_ok());
    github.fail_next("/contents/", Fault::status(500));
    github.fail_next("/contents/", Fault::status(503));
    check_error(&source.read(&path("env/.env.preprod"), &head.sha).await.unwrap_err(), "it answered 503");
    assert_eq!(github.statuses(), [502, 200, 500, 200, 500, 503]);
}

#[tokio::test]
async fn half_an_answer_is_an_error_and_never_a_shorter_file() {
    let (github, source) = with_a_commit().await;
    let at = source.head().await.unwrap().sha;
    let whole = github.whole_answer("/repos/me/homelab/contents/stack.yml?ref=", &at);
    assert!(whole > 100);
    for length in 0..whole {
        github.fail_next("/contents/", Fault::Cut(length));
        github.fail_next("/contents/", Fault::Cut(length));
        let error = source.read(&path("stack.yml"), &at).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable { .. }), "cut at {length}: {error}");
    }
    github.push("More", &[("stack.yml", "services: {a: {}}\n")]);
    github.fail_next("/commits/", Fault::Cut(100));
    check_error(&source.head().await.unwrap_err(), "its answer broke off");
    github.fail_next("/contents/", Fault::Cut(100));
    assert!(source.read(&path("stack.yml"), &at).await.is_ok(), "one broken read is repeated");
}

#[tokio::test]
async fn a_host_that_is_slow_is_given_up() {
    let (github, _) = with_a_commit().await;
    let [connect, read, total] = [2000, 400, 1500].map(Duration::from_millis);
    let timeouts = Timeouts { connect, read, total };
    let source = GitHub::new(GitHubSettings { timeouts, ..github.settings() }).unwrap();
    github.fail_next("/commits/", Fault::Silence);
    check_error(&source.head().await.unwrap_err(), "no answer within 0.4 s");
    github.fail_next("/commits/", Fault::Trickle(Duration::from_millis(100)));
    check_error(&source.head().await.unwrap_err(), "no whole answer within 1.5 s");
    assert!(source.head().await.is_ok());
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unreachable() {
    let mut settings = FakeGitHub::start().await.settings();
    tokio::time::sleep(Duration::from_millis(50)).await;
    check_error(&GitHub::new(settings.clone()).unwrap().head().await.unwrap_err(), "Connection refused");
    settings.api_url = "http://nowhere.invalid/".parse().unwrap();
    settings.token = None;
    let error = GitHub::new(settings).unwrap().head().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { ref host, .. } if host == "nowhere.invalid"), "{error}");
}

#[tokio::test]
async fn a_renamed_repository_is_followed_on_the_same_host() {
    let (github, source) = with_a_commit().await;
    let before = source.head().await.unwrap();
    github.rename("me/lab");
    assert_eq!(source.head().await.unwrap().sha, before.sha);
    let at = github.push("More", &[("stack.yml", "services: {a: {}}\n")]);
    assert_eq!(source.head().await.unwrap().sha, at);
    assert!(source.read(&path("stack.yml"), &at).await.is_ok());
    assert!(github.requests().iter().all(|request| request.headers.contains_key("authorization")));
}

#[tokio::test]
async fn a_redirect_elsewhere_is_not_followed() {
    let (github, source) = with_a_commit().await;
    let stranger = FakeGitHub::start().await;
    for to in [stranger.url().as_str(), "http://169.254.169.254/latest", "file:///etc/passwd", "//evil.example/x"] {
        for status in [301, 302, 307] {
            github.fail_next("/commits/", Fault::Redirect(status, to.to_owned()));
            check_error(&source.head().await.unwrap_err(), "which is not followed");
        }
    }
    assert!(stranger.requests().is_empty(), "the token went to a stranger");
}

#[tokio::test]
async fn a_redirect_without_an_end_is_given_up() {
    let (github, source) = with_a_commit().await;
    for _ in 0..4 {
        github.fail_next("/commits/", Fault::Redirect(302, "/repos/me/homelab/commits/heads/main".to_owned()));
    }
    check_error(&source.head().await.unwrap_err(), "redirects more than 3 times");
}

#[tokio::test]
async fn a_login_page_is_no_answer() {
    let (github, source) = with_a_commit().await;
    github.fail_next("/commits/", Fault::Html);
    check_error(&source.head().await.unwrap_err(), "`text/html` where JSON is due");
    let head = source.head().await.unwrap();
    github.fail_next("/contents/", Fault::Html);
    check_error(&source.read(&path("stack.yml"), &head.sha).await.unwrap_err(), "`text/html` where JSON is due");
}

#[tokio::test]
async fn a_rewritten_branch_shows_its_new_head_and_old_files_stay_readable() {
    let (github, source) = with_a_commit().await;
    let first = source.head().await.unwrap();
    let second = github.push("Second", &[("stack.yml", "services: {a: {}}\n")]);
    assert_eq!(source.head().await.unwrap().sha, second);
    github.reset(&first.sha);
    assert_eq!(source.head().await.unwrap(), first);
    assert_eq!(source.read(&path("stack.yml"), &second).await.unwrap(), b"services: {a: {}}\n");
}

#[tokio::test]
async fn a_branch_that_only_grows_is_told_from_one_that_was_rewritten() {
    let (github, source) = with_a_commit().await;
    let first = source.head().await.unwrap().sha;
    let second = github.push("Second", &[("a", "2")]);
    let third = github.push("Third", &[("a", "3")]);
    github.reset(&first);
    let other = github.push("Other", &[("a", "4")]);
    for (old, new, expected) in [
        (&first, &third, Lineage::Ahead),
        (&third, &third, Lineage::Ahead),
        (&third, &first, Lineage::Behind),
        (&second, &other, Lineage::Diverged),
    ] {
        assert_eq!(source.lineage(old, new).await.unwrap(), expected, "{old}...{new}");
    }
    github.lose(&third);
    assert_eq!(source.lineage(&third, &other).await.unwrap(), Lineage::Lost);
    github.fail_next("compare", Fault::Status(500, vec![], "Server Error"));
    github.fail_next("compare", Fault::Status(500, vec![], "Server Error"));
    check_error(&source.lineage(&second, &other).await.unwrap_err(), "it answered 500");
}

#[tokio::test]
async fn what_is_missing_is_told_apart() {
    let (github, source) = with_a_commit().await;
    let head = source.head().await.unwrap();
    let error = source.read(&path("env/.env.prod"), &head.sha).await.unwrap_err();
    assert!(matches!(error, SourceError::NoFile { .. }), "{error}");
    let error = source.read(&path("stack.yml"), &sha(&"0".repeat(40))).await.unwrap_err();
    check_error(&error, "repository me/homelab, or revision 0000000 in it, was not found at 127.0.0.1");
    let gone = github.remove("Remove it", &["stack.yml"]);
    let error = source.read(&path("stack.yml"), &gone).await.unwrap_err();
    assert!(matches!(error, SourceError::NoFile { .. }), "{error}");

    github.rename_branch("trunk");
    check_error(&source.head().await.unwrap_err(), "branch main of me/homelab was not found");
    github.rename_branch("main");
    github.fail_next("/commits/", Fault::Status(404, vec![], "Not Found"));
    check_error(&source.head().await.unwrap_err(), "repository me/homelab was not found");
    assert!(source.head().await.is_ok(), "it recovers by itself");
    let empty = FakeGitHub::start().await;
    check_error(&self::source(&empty).head().await.unwrap_err(), "branch main of me/homelab (the repository is empty)");
}

#[tokio::test]
async fn a_private_repository_without_a_token_is_missing() {
    let (github, _) = with_a_commit().await;
    let source = GitHub::new(GitHubSettings { token: None, ..github.settings() }).unwrap();
    check_error(&source.head().await.unwrap_err(), "that the token may read it");
}

#[tokio::test]
async fn a_revoked_token_is_not_shown_again_and_again() {
    let (github, source) = with_a_commit().await;
    github.want_token(Some("ghp_another"));
    for _ in 0..6 {
        let error = source.head().await.unwrap_err();
        assert!(matches!(error, SourceError::Unauthorised { .. }), "{error}");
        check_error(&error, "refused the credentials");
    }
    assert_eq!(github.statuses(), [401, 401, 401]);
}

#[tokio::test]
async fn a_token_that_may_not_is_told_so_in_the_hosts_words() {
    let (github, source) = with_a_commit().await;
    github.fail_next("/commits/", Fault::Status(403, vec![], "Resource not accessible by personal access token"));
    check_error(&source.head().await.unwrap_err(), "(403: Resource not accessible by personal access token)");
}

#[tokio::test]
async fn a_file_is_read_up_to_one_mebibyte() {
    let github = FakeGitHub::start().await;
    let source = source(&github);
    for (size, fits) in [(0, true), (1_000_000, true), (MIB - 1, true), (MIB, true), (MIB + 1, false), (5 * MIB, false)]
    {
        let at = github.push_entry("stack.yml", Entry::File(vec![b'x'; size]));
        match source.read(&path("stack.yml"), &at).await {
            Ok(content) => assert!(fits && content.len() == size, "{size} bytes"),
            Err(error) => assert!(!fits && matches!(error, SourceError::TooLarge { .. }), "{size} bytes: {error}"),
        }
    }
}

#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let (github, _) = with_a_commit().await;
    for fault in [Fault::Bomb(12 * MIB), Fault::Endless] {
        let source = self::source(&github);
        github.fail_next("/commits/", fault.clone());
        check_error(&source.head().await.unwrap_err(), "larger than any that makes sense");
        let head = source.head().await.unwrap();
        github.fail_next("/contents/", fault);
        let error = source.read(&path("stack.yml"), &head.sha).await.unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_file_is_named_for_what_it_is() {
    let (github, source) = with_a_commit().await;
    github.push_entry("link", Entry::Symlink("/etc/passwd".to_owned()));
    github.push("Put it elsewhere", &[("pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")]);
    let at = github.push_entry("module", Entry::Submodule);
    for (name, expected) in [
        ("link", "a symbolic link"),
        ("module", "a submodule"),
        ("env", "a directory"),
        ("pointer", "a Git LFS pointer"),
    ] {
        let error = source.read(&path(name), &at).await.unwrap_err();
        assert!(matches!(error, SourceError::NotAFile { found, .. } if found == expected), "{name}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_asked_for_is_not_believed() {
    let (github, source) = with_a_commit().await;
    let head = source.head().await.unwrap();
    // `A=1\n` and `A=9\n` in base64.
    for (from, to, expected) in [
        ("QT0xCg==", "QT05Cg==", "is not the one whose id it named"),
        ("env/.env.preprod", "env/.env.prod", "it answered with `env/.env.prod`"),
        ("QT0xCg==", "?", "is damaged"),
        ("\"type\":\"file\"", "\"type\":\"blob\"", "calls `env/.env.preprod` a `blob`"),
        ("\"size\"", "\"length\"", "cannot be read"),
    ] {
        github.fail_next("/contents/", Fault::Replace(from.to_owned(), to.to_owned()));
        check_error(&source.read(&path("env/.env.preprod"), &head.sha).await.unwrap_err(), expected);
    }
    let pushed = github.push("More", &[("stack.yml", "services: {a: {}}\n")]);
    github.fail_next("/commits/", Fault::Replace(pushed.to_string(), "HEAD".to_owned()));
    check_error(&source.head().await.unwrap_err(), "names no commit");
    github.fail_next("/commits/", Fault::Replace("2025-10-31T".to_owned(), "yesterday".to_owned()));
    check_error(&source.head().await.unwrap_err(), "has a wrong date");
}

#[tokio::test]
async fn an_unasked_not_modified_is_no_answer() {
    let (github, source) = with_a_commit().await;
    github.fail_next("/commits/", Fault::status(304));
    assert!(matches!(source.head().await, Err(SourceError::Unreachable { .. })));
    assert!(source.head().await.is_ok());
}

#[tokio::test]
async fn the_token_is_in_no_debug_output() {
    let (github, source) = with_a_commit().await;
    source.head().await.unwrap();
    assert!(!format!("{source:?} {:?}", github.settings()).contains(TOKEN));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    #[track_caller]
    fn check(api_url: &str, token: Option<&str>, expected: &str) {
        let settings = GitHubSettings {
            api_url: api_url.parse().unwrap(),
            token: token.map(Into::into),
            ..GitHubSettings::new("me/homelab".parse().unwrap(), "main".parse().unwrap())
        };
        let error = GitHub::new(settings).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
    check("ftp://github.example/", None, "is no web address");
    check("https://me:hunter2@github.example/", None, "holds credentials");
    check("https://github.example/?x=1", None, "after the path");
    check("http://github.example/", Some("t"), "would send the token unencrypted");
    check("http://127.0.0.1/", Some("hunter2\nX-Header: 1"), "characters that no token has");
}

#[test]
fn a_commit_has_a_page() {
    #[track_caller]
    fn check(api_url: &str, expected: &str) {
        let settings = GitHubSettings {
            api_url: api_url.parse().unwrap(),
            ..GitHubSettings::new("me/homelab".parse().unwrap(), "main".parse().unwrap())
        };
        assert_eq!(GitHub::new(settings).unwrap().commit_url().as_deref(), Some(expected));
    }
    check("https://api.github.com", "https://github.com/me/homelab/commit/");
    check("https://api.acme.ghe.com/", "https://acme.ghe.com/me/homelab/commit/");
    check("https://git.example.org:8443/api/v3", "https://git.example.org:8443/me/homelab/commit/");
}
