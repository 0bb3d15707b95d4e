//! The cases of the rule on a real Engine, and what only a real daemon can do. Takes minutes: `make battery` runs it and
//! writes a line for each verdict.

pub(super) mod trio;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::FutureExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::engine::{Engine, text};
use super::rig::{Rig, Terms};
use super::script::{Scenario, play};

/// Plays a scenario on the Engine that `TEST_DOCKER_HOST` names, and takes away what it leaves.
pub(super) async fn on_docker(case: &str, scenario: &Scenario) {
    let Some(host) = crate::engines::docker().await else {
        panic!("TEST_DOCKER_HOST names no Engine: see make battery")
    };
    play_on(&host, &host, case, scenario).await;
}

async fn play_on(host: &str, behind: &str, case: &str, scenario: &Scenario) {
    let mut terms = Terms::default();
    (scenario.terms)(&mut terms);
    // A name for each case, short enough for Swarm's limit.
    let number = case.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let mut rig = Rig::docker(host, behind, format!("b{number:08x}"), &terms);
    let began = std::time::Instant::now();
    let ended = AssertUnwindSafe(play(&mut rig, scenario)).catch_unwind().await;
    rig.crash().await;
    clean(&rig).await;
    if let Some(recorder) = &rig.recorder {
        recorder.write(case);
    }
    let verdict = if ended.is_ok() { "as expected" } else { "OTHERWISE" };
    note(case, verdict, began.elapsed());
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

/// Adds a line to the file that `BATTERY_VERDICTS` names.
fn note(case: &str, verdict: &str, took: Duration) {
    use std::io::Write;
    let Some(path) = std::env::var_os("BATTERY_VERDICTS") else { return };
    let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    writeln!(file, "| {} | {verdict} | {} s |", case.replace('_', " "), took.as_secs()).unwrap();
}

/// Removes everything whose name begins as the world's stacks do.
async fn clean(rig: &Rig) {
    for _ in 0..200 {
        let mut left = 0;
        for kind in ["services", "configs", "secrets", "networks"] {
            let list =
                rig.engine.call("GET", &format!("/{kind}"), None).await.map(|(_, list)| list).unwrap_or_default();
            for object in list.as_array().into_iter().flatten() {
                let pointer = if kind == "networks" { "/Name" } else { "/Spec/Name" };
                let name = text(object, pointer);
                if name.starts_with(rig.prefix()) || name == rig.stranger() {
                    left += 1;
                    let id = if kind == "networks" { text(object, "/Id") } else { text(object, "/ID") };
                    let _ = rig.engine.call("DELETE", &format!("/{kind}/{id}"), None).await;
                }
            }
        }
        if left == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A daemon of one's own, that may be frozen and killed: `scripts/dockerd` keeps its directory.
pub(super) struct OwnDaemon {
    home: PathBuf,
    pub(super) host: String,
}

impl OwnDaemon {
    fn start(name: &str) -> Self {
        let home = PathBuf::from(format!("/tmp/rm-{name}-{}", std::process::id()));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/dockerd");
        let started = std::process::Command::new(script).arg("start").arg(&home).output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        // From now on the daemon is started again whenever it ends.
        std::fs::write(home.join("again"), "").unwrap();
        let host = format!("unix://{}", home.join("docker.sock").display());
        Self { home, host }
    }
}

impl Drop for OwnDaemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.home.join("again"));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/dockerd");
        let _ = std::process::Command::new(script).arg("stop").arg(&self.home).output();
    }
}

/// Does to the daemon behind a socket what a scenario's step says.
pub(super) fn daemon(socket: &Path, what: &str) {
    let home = socket.parent().expect("a socket has a directory");
    let outer: u32 = std::fs::read_to_string(home.join("pid")).unwrap().trim().parse().unwrap();
    let signal = |signal: &str| {
        let dockerd = descendant(outer, "dockerd").expect("the daemon runs");
        let sent = std::process::Command::new("kill").args([signal, &dockerd.to_string()]).status().unwrap();
        assert!(sent.success());
    };
    match what {
        "freeze" => signal("-STOP"),
        "kill" => {
            std::fs::write(home.join("down"), "").unwrap();
            signal("-KILL");
        }
        "start" => match std::fs::remove_file(home.join("down")) {
            Ok(()) => (),
            Err(_) => signal("-CONT"),
        },
        other => panic!("no daemon can be told to {other}"),
    }
}

/// The process of that name below another one.
fn descendant(process: u32, name: &str) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
        let is_it = std::fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == name);
        if let Some(found) = if is_it { Some(child) } else { descendant(child, name) } {
            return Some(found);
        }
    }
    None
}

/// A way to the Engine on which the answer to the first matching write is lost.
fn losing_proxy(engine: PathBuf, home: &Path, path: &'static str) -> String {
    let socket = home.join("proxy.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let armed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, engine.clone(), path, std::sync::Arc::clone(&armed)));
        }
    });
    format!("unix://{}", socket.display())
}

async fn relay(
    mut client: UnixStream,
    engine: PathBuf,
    path: &'static str,
    armed: std::sync::Arc<std::sync::atomic::AtomicBool>,
) {
    let Ok(mut engine) = UnixStream::connect(engine).await else { return };
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut lose = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(read @ 1..) = read else { return };
                let said = String::from_utf8_lossy(&up[..read]);
                let matches = said.starts_with("POST ") && said.lines().next().is_some_and(|line| line.contains(path));
                lose |= matches && armed.swap(false, std::sync::atomic::Ordering::Relaxed);
                if engine.write_all(&up[..read]).await.is_err() {
                    return;
                }
            }
            read = engine.read(&mut down) => {
                let Ok(read @ 1..) = read else { return };
                // The Engine has done it, and nobody is told.
                if lose || client.write_all(&down[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn scenario(steps: &'static str, record: &'static str, world: &'static str) -> Scenario {
    Scenario { steps, record, world, terms: |_| () }
}

const TWICE: &str = "
    1 preprod sync success: web >1 succeeded
    2 preprod sync success: web 1>2 succeeded";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_real_daemon_that_is_killed_in_the_middle_of_an_update() {
    let own = OwnDaemon::start("kill");
    let steps = "
        push web app:1 x3
        start
        ended 1
        push web app:2 x3
        phase web updating
        wait 1s
        daemon kill
        wait 3s
        daemon start
        ended 2";
    let scenario = scenario(steps, TWICE, "preprod/web app:2 3/3");
    play_on(&own.host, &own.host, "daemon_killed_in_the_middle_of_an_update", &scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_real_daemon_that_is_frozen_for_a_while() {
    let own = OwnDaemon::start("stop");
    let steps = "
        push web app:1 x3
        start
        ended 1
        push web app:2 x3
        phase web updating
        daemon freeze
        wait 12s
        daemon start
        ended 2";
    let scenario = scenario(steps, TWICE, "preprod/web app:2 3/3 completed #2");
    play_on(&own.host, &own.host, "daemon_frozen_for_12_s", &scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_real_rollback_that_fails_too() {
    let own = OwnDaemon::start("back");
    // Tasks of the new version still run when Swarm begins to go back: those that its updater replaces are its failures.
    let steps = "
        push web app:1 x3
        start
        ended 1
        hand untag app:1
        push web app:2 x3 run='sleep 3; exit 3' fail=rollback par=0 monitor=10s
        ended 2";
    let record = "
        1 preprod sync success: web >1 succeeded
        2 preprod sync failed: web 1>2 failed/rollback_failed";
    let scenario = scenario(steps, record, "preprod/web app:1 0/3 rollback_paused");
    play_on(&own.host, &own.host, "a_rollback_that_fails_too_is_told_as_such", &scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_real_engine_that_keeps_no_old_tasks() {
    let own = OwnDaemon::start("past");
    let steps = "
        hand history 0
        push web app:1 run='exit 3'
        start
        ended 1";
    let record = "1 preprod sync failed: web >1 failed/crash_loop";
    let scenario = scenario(steps, record, "preprod/web app:1 0/1 - #1");
    play_on(&own.host, &own.host, "a_crash_loop_is_seen_although_the_engine_keeps_no_old_tasks", &scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn the_answer_to_a_real_update_is_lost() {
    let steps = "
        push web app:1 x2
        start
        ended 1
        push web app:2 x2
        ended 2";
    lost_answer("lost_answer_to_an_update", "/update", &scenario(steps, TWICE, "preprod/web app:2 2/2 completed #2"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn the_answer_to_a_real_creation_is_lost() {
    let steps = "
        push web app:1
        start
        ended 1";
    let record = "1 preprod sync success: web >1 succeeded";
    let scenario = scenario(steps, record, "preprod/web app:1 1/1 - #1");
    lost_answer("lost_answer_to_a_creation", "/services/create", &scenario).await;
}

async fn lost_answer(case: &str, path: &'static str, scenario: &Scenario) {
    let Some(host) = crate::engines::docker().await else {
        panic!("TEST_DOCKER_HOST names no Engine: see make battery")
    };
    let home = tempfile::tempdir().unwrap();
    let engine = PathBuf::from(host.strip_prefix("unix://").unwrap());
    let proxy = losing_proxy(engine, home.path(), path);
    play_on(&proxy, &host, case, scenario).await;
}

/// Ends the container of a task, as a crash does.
pub(super) async fn kill_container(engine: &Engine, full_name: &str) {
    let service = engine.get(&format!("/services/{full_name}")).await;
    let tasks = engine.tasks().await;
    let runs = |task: &&Value| task["ServiceID"] == service["ID"] && text(task, "/Status/State") == "running";
    let task = tasks.iter().find(runs).expect("a task runs");
    let container = text(task, "/Status/ContainerStatus/ContainerID");
    let (status, answer) = engine.call("POST", &format!("/containers/{container}/kill"), None).await.unwrap();
    assert_eq!(status, 204, "{answer}");
}
