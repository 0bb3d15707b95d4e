//! The command line as a client of a running server, and beside it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use server::demo::homelab;

use super::world::World;
use crate::engines;

/// What a run of the program left.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs the program with nothing of this process' environment but what is given. Nobody is at a terminal.
async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_release-manager"));
    command.args(arguments).env_clear().envs(settings.iter().copied()).stdin(Stdio::null());
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

async fn ask(url: &str, arguments: &[&str]) -> Ran {
    run(arguments, &[("RELEASE_MANAGER_URL", url)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_can_look_promote_and_tell_what_came_of_it() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let url = world.listen().await;

    let status = ask(&url, &["status"]).await;
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.out.contains("preprod      web      1        healthy  1/1\n"), "{}", status.out);
    let status: Value = serde_json::from_str(&ask(&url, &["status", "--output", "json"]).await.out).unwrap();
    assert_eq!(status["environments"]["preprod"]["services"]["web"], "1");

    let diff = ask(&url, &["diff", "prod", "--exit-code"]).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    assert!(diff.out.contains("web      -     1   create"), "{}", diff.out);

    let unasked = ask(&url, &["promote", "prod"]).await;
    assert_eq!(unasked.code, 2, "without a terminal nobody can be asked: {unasked:?}");
    assert!(unasked.err.contains("say --yes"));

    let promoted = ask(&url, &["promote", "prod", "--yes", "--wait"]).await;
    assert_eq!(promoted.code, 0, "{promoted:?}");
    assert!(promoted.out.ends_with("deployment 2 of prod: success\n"), "{}", promoted.out);
    assert!(promoted.out.contains("web      -     1   succeeded"), "{}", promoted.out);
    assert!(promoted.err.contains("web     - -> 1  "), "progress is told beside the answer: {}", promoted.err);

    let again = ask(&url, &["promote", "prod", "--yes"]).await;
    assert_eq!((again.code, again.err.contains("already runs this")), (4, true), "{again:?}");
    let history = ask(&url, &["history", "prod", "--service", "web"]).await;
    assert!(history.out.ends_with("1 of 1 rows\n"), "{}", history.out);
    let diff = ask(&url, &["diff", "prod", "--exit-code"]).await;
    assert_eq!((diff.code, diff.out.as_str()), (0, "nothing would change\n"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_service_is_shown_and_followed_until_the_server_ends() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let url = world.listen().await;
    let last = ask(&url, &["logs", "preprod", "web", "--tail", "1"]).await;
    assert_eq!((last.code, last.out.lines().count()), (0, 1), "{last:?}");
    assert!(last.out.ends_with("Z listening on 0.0.0.0:8080\n"), "{last:?}");
    let nothing = ask(&url, &["logs", "preprod", "nothing"]).await;
    assert_eq!((nothing.code, nothing.err.contains("`nothing`")), (1, true), "{nothing:?}");

    let mut follow = Command::new(env!("CARGO_BIN_EXE_release-manager"));
    follow.args(["logs", "preprod", "web", "--follow"]).env_clear().env("RELEASE_MANAGER_URL", &url);
    let mut following =
        follow.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut out = BufReader::new(following.stdout.take().unwrap());
    let first = tokio::task::spawn_blocking(move || {
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        (first, out)
    });
    let (first, _out) = first.await.unwrap();
    assert!(first.contains(" starting app:1"), "{first}");
    world.stop().await;
    let ended = tokio::task::spawn_blocking(move || following.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.contains("Release Manager is stopping"), "{ended:?} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_shows_its_plan_and_orders_exactly_that() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let url = world.listen().await;
    world.source.commit("Update web", &[("env/.env.preprod", Some("WEB_VERSION=2\nWORKER_VERSION=1\n"))]);
    let synced = ask(&url, &["sync", "preprod", "--wait"]).await;
    assert_eq!(synced.code, 0, "{synced:?}");
    assert!(synced.out.contains("web      1     2   succeeded"), "{}", synced.out);

    let unasked = ask(&url, &["rollback", "preprod", "--to", "1"]).await;
    assert_eq!(unasked.code, 2, "without a terminal nobody can be asked: {unasked:?}");
    assert!(unasked.err.contains("web      2     1   update"), "{}", unasked.err);
    assert!(unasked.err.contains("it is held until a newer revision comes"), "{}", unasked.err);
    assert!(unasked.err.contains("Roll 1 services of preprod back to deployment 1 of "), "{}", unasked.err);

    let back = ask(&url, &["rollback", "preprod", "--to", "1", "--yes", "--wait"]).await;
    assert_eq!(back.code, 0, "{back:?}");
    assert!(back.out.contains("web      2     1   succeeded"), "{}", back.out);
    let again = ask(&url, &["rollback", "preprod", "--to", "1", "--yes"]).await;
    assert_eq!((again.code, again.err.contains("already runs this")), (4, true), "{again:?}");
    let held = ask(&url, &["sync", "preprod"]).await;
    assert_eq!((held.code, held.err.contains("is held")), (1, true), "{held:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_without_success_has_an_exit_code_of_its_own_and_shows_why() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let url = world.listen().await;
    world.source.commit("Break web", &[("env/.env.preprod", Some("WEB_VERSION=2-crash\nWORKER_VERSION=1\n"))]);
    let synced = ask(&url, &["sync", "--wait"]).await;
    assert_eq!((synced.code, synced.out.trim_end().ends_with(": Break web")), (0, true), "{synced:?}");
    let mut live = world.manager.live();
    live.wait_for(|live| {
        live.environments.values().any(|known| known.deployment.as_ref().is_some_and(|d| d.id.0 == 2))
    })
    .await
    .unwrap();
    let waited = ask(&url, &["wait", "2"]).await;
    assert_eq!(waited.code, 3, "{waited:?}");
    assert!(waited.out.contains("web      1     2-crash  failed"), "{}", waited.out);
    assert!(waited.err.ends_with("release-manager: deployment 2 ended as failed\n"), "{}", waited.err);
    let json: Value = serde_json::from_str(&ask(&url, &["wait", "2", "-o", "json"]).await.out).unwrap();
    assert_eq!(json["services"][0]["verdict"], "failed");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_away_before_is_said_to_be_away_at_once() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    world.source.set_unreachable(true);
    world.manager.look_now();
    world.manager.live().wait_for(|live| live.source.problem.is_some()).await.unwrap();
    let url = world.listen().await;
    let asked = std::time::Instant::now();
    let synced = ask(&url, &["sync", "--wait"]).await;
    assert_eq!(synced.code, 69, "{synced:?}");
    assert!(asked.elapsed() < std::time::Duration::from_mins(1), "it waits for one answer, not for another one");
    world.source.set_unreachable(false);
    assert_eq!(ask(&url, &["sync", "--wait"]).await.code, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_or_out_of_reach_has_an_exit_code_of_its_own() {
    let world = World::without_engine().await;
    let url = world.listen().await;
    let check = async |url: &str, arguments: &[&str], code: i32, words: &str| {
        let ran = ask(url, arguments).await;
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
    };
    check("http://127.0.0.1:1", &["status"], 69, "127.0.0.1:1 cannot be reached").await;
    check("ftp://127.0.0.1", &["status"], 78, "use http:// or https://").await;
    check(&url, &["wait", "99"], 1, "there is no deployment 99").await;
    check(&url, &["cancel", "99"], 1, "there is no deployment 99").await;
    check(&url, &["diff", "moon"], 1, "there is no environment `moon`").await;
    check(&url, &["status", "--token-file", "/nowhere"], 78, "--token-file").await;
    check(&url, &["history", "--limit", "0"], 2, "1..=500").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_beside_a_running_server_and_put_back_only_without_one() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let scratch = tempfile::tempdir().unwrap();
    let database = world.database().display().to_string();
    let directory = scratch.path().display().to_string();
    let settings = [("DATABASE_PATH", database.as_str()), ("BACKUP_DIR", directory.as_str())];
    let made = run(&["backup"], &settings).await;
    assert_eq!(made.code, 0, "{made:?}");
    let copy = made.out.trim();
    assert!(Path::new(copy).starts_with(scratch.path()) && Path::new(copy).exists(), "{copy}");
    let again = run(&["backup", copy], &settings).await;
    assert_eq!((again.code, again.err.contains("a backup never replaces a file")), (1, true), "{again:?}");
    let checked = run(&["restore", "--check", copy], &settings).await;
    assert!(checked.out.starts_with("good: 1 deployments, the newest of "), "{checked:?}");
    let refused = run(&["restore", copy], &settings).await;
    assert_eq!((refused.code, refused.err.contains("is in use by process")), (75, true), "{refused:?}");

    let elsewhere = scratch.path().join("moved.db").display().to_string();
    let settings = [("DATABASE_PATH", elsewhere.as_str())];
    let restored = run(&["restore", copy], &settings).await;
    assert_eq!(restored.code, 0, "{restored:?}");
    let restored = run(&["restore", copy], &settings).await;
    assert!(restored.out.contains("what was there before is kept as"), "{restored:?}");
    let opened = server::store::Store::open(Path::new(&elsewhere)).await.unwrap();
    opened.verify().await.unwrap();
    opened.close().await;

    std::fs::write(copy, "garbage").unwrap();
    let bad = run(&["restore", copy], &settings).await;
    assert_eq!((bad.code, bad.err.contains("the backup cannot be used")), (1, true), "{bad:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let engine = engines::simulated().await;
    let scratch = tempfile::tempdir().unwrap();
    let repository = scratch.path().join("homelab");
    homelab::create(&repository).unwrap();
    let (repository, host) = (repository.display().to_string(), engine.host());
    let database = scratch.path().join("data/release-manager.db").display().to_string();
    let good = [
        ("GIT_URL", repository.as_str()),
        ("DOCKER_HOST", host.as_str()),
        ("DATABASE_PATH", database.as_str()),
        ("WEB_PORT", "0"),
    ];
    let well = run(&["doctor"], &good).await;
    assert_eq!(well.code, 0, "{well:?}");
    assert!(!well.out.contains("BAD"), "{}", well.out);
    assert!(well.out.contains("will be made at the first start"), "{}", well.out);
    assert!(!Path::new(&database).exists(), "it changes nothing");

    let without_engine = [good[0], ("DOCKER_HOST", "unix:///nowhere/docker.sock"), good[2], good[3]];
    let ill = run(&["doctor", "--json"], &without_engine).await;
    assert_eq!(ill.code, 1, "{ill:?}");
    let findings: Value = serde_json::from_str(&ill.out).unwrap();
    let bad: Vec<&Value> = findings.as_array().unwrap().iter().filter(|known| known["verdict"] == "bad").collect();
    assert_eq!(bad.len(), 1, "{findings}");
    assert_eq!(bad[0]["check"], json!("engine"));
    assert!(bad[0]["message"].as_str().unwrap().contains("check DOCKER_HOST"), "{findings}");

    let nothing = run(&["doctor"], &[]).await;
    assert_eq!((nothing.code, nothing.out.contains("GITHUB_REPO")), (78, true), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_and_manual_know_every_command() {
    let help = run(&["help"], &[]).await.out;
    let names: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().display().to_string();
    let written = run(&["man", "--dir", &directory], &[]).await;
    assert_eq!(written.code, 0, "{written:?}");
    let bash = run(&["completions", "bash"], &[]).await.out;
    for name in ["status", "diff", "promote", "rollback", "history", "logs", "sync", "cancel", "doctor", "backup"] {
        assert!(names.contains(&name), "{help}");
        assert!(bash.contains(name), "{name}");
        assert!(scratch.path().join(format!("release-manager-{name}.1")).exists(), "{name}");
    }
    let manual = run(&["man"], &[]).await.out;
    assert!(manual.contains(".TH"), "{manual}");
}
