//! Three managers, each a daemon of its own: what becomes of a deployment when one of them dies, leads no more, is lost or
//! is drained. Each case has a Swarm of its own: after an outage in the middle of an update an old one may hold elections
//! for minutes.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::engine::{Engine, image, text};
use super::super::rig::Rig;
use super::super::script::Scenario;
use super::{TWICE, play_on, scenario};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/dockerd");

/// Which manager the process speaks to.
#[derive(Clone, Copy, PartialEq)]
enum Ours {
    Leads,
    Follows,
}

/// The Swarm: `scripts/dockerd` keeps its directory.
struct Trio(PathBuf);

impl Trio {
    fn start(name: &str) -> Self {
        let home = PathBuf::from(format!("/tmp/rm-{name}-{}", std::process::id()));
        let started = Command::new(SCRIPT).arg("trio").arg(&home).output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        Self(home)
    }

    /// The socket of a manager that leads, or of one that does not.
    async fn socket(&self, ours: Ours) -> PathBuf {
        let leader = leader(&Engine::Socket(self.0.join("1/docker.sock"))).await;
        let number = (1..=3).find(|number| (*number == leader) == (ours == Ours::Leads)).unwrap();
        self.0.join(format!("{number}/docker.sock"))
    }
}

impl Drop for Trio {
    fn drop(&mut self) {
        for number in 1..=3 {
            let _ = std::fs::remove_file(self.0.join(format!("{number}/again")));
        }
        let _ = Command::new(SCRIPT).arg("stop").arg(&self.0).output();
    }
}

/// The number of the manager that leads.
async fn leader(engine: &Engine) -> u32 {
    let nodes = engine.get("/nodes").await;
    let leads = |node: &&serde_json::Value| node["ManagerStatus"]["Leader"] == true;
    let node = nodes.as_array().into_iter().flatten().find(leads).expect("a manager leads");
    text(node, "/Description/Hostname")
        .strip_prefix("node-")
        .and_then(|number| number.parse().ok())
        .expect("its number")
}

fn number(socket: &Path) -> u32 {
    let home = socket.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    home.and_then(|name| name.parse().ok()).expect("a manager of three")
}

/// The directories of the managers that a step means: `leader`, `ours`, `others` (than ours), `other` (the first of them).
async fn meant(socket: &Path, who: &str) -> Vec<PathBuf> {
    let (home, ours) = (socket.ancestors().nth(2).expect("the directory of the three"), number(socket));
    let others = (1..=3).filter(|number| *number != ours);
    let numbers: Vec<u32> = match who {
        "leader" => vec![leader(&Engine::Socket(socket.to_owned())).await],
        "ours" => vec![ours],
        "others" => others.collect(),
        "other" => others.take(1).collect(),
        who => panic!("no manager is called {who}"),
    };
    numbers.into_iter().map(|number| home.join(number.to_string())).collect()
}

/// Does to daemons what a scenario's step says: `daemon others kill`.
pub(in crate::faults) async fn daemons(socket: &Path, who: &str, what: &str) {
    for home in meant(socket, who).await {
        super::daemon(&home.join("docker.sock"), what);
    }
}

/// Lets every daemon start that was killed.
pub(in crate::faults) fn start_all(socket: &Path) {
    let home = socket.ancestors().nth(2).expect("the directory of the three");
    for number in 1..=3 {
        let _ = std::fs::remove_file(home.join(format!("{number}/down")));
    }
}

/// Whether the daemon behind the socket is one of three.
pub(in crate::faults) fn is_of_three(socket: &Path) -> bool {
    socket.ancestors().nth(2).is_some_and(|home| home.join("3/docker.sock").exists())
}

/// Cuts managers off from the others, or lets them reach them again: `link other down`. `link app:2 down` waits for the
/// first task of that image which is given to another manager than ours, and cuts that one off.
pub(in crate::faults) async fn link(rig: &Rig, who: &str, state: &str) {
    let socket = rig.engine.socket();
    let homes = if who.contains(':') {
        rig.until(&format!("another manager is given {who}"), async |rig: &Rig| given(rig, who).await.is_some()).await;
        let number = given(rig, who).await.expect("it was given to one");
        vec![socket.ancestors().nth(2).expect("the directory of the three").join(number.to_string())]
    } else {
        meant(socket, who).await
    };
    for home in homes {
        let done = Command::new(SCRIPT).arg("link").arg(&home).arg(state).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

/// The manager other than ours that has been given a task of an image.
async fn given(rig: &Rig, wanted: &str) -> Option<u32> {
    let ours = number(rig.engine.socket());
    let nodes = rig.engine.get("/nodes").await;
    let number_of = |task: &serde_json::Value| {
        let node = nodes.as_array()?.iter().find(|node| node["ID"] == task["NodeID"])?;
        text(node, "/Description/Hostname").strip_prefix("node-")?.parse().ok()
    };
    let tasks = rig.engine.tasks().await;
    let of_image = tasks.iter().filter(|task| image(&task["Spec"]) == wanted);
    of_image.filter_map(number_of).find(|number| *number != ours)
}

/// The host name of a manager that a step means.
pub(in crate::faults) async fn host_name(socket: &Path, who: &str) -> String {
    format!("node-{}", number(&meant(socket, who).await[0].join("docker.sock")))
}

async fn play(case: &str, ours: Ours, scenario: &Scenario) {
    // Short: the path of a socket has 108 bytes at most.
    let number = case.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let trio = Trio::start(&format!("trio-{number:08x}"));
    let host = format!("unix://{}", trio.socket(ours).await.display());
    play_on(&host, &host, case, scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_quorum_that_is_lost_for_50_s_in_an_update() {
    let steps = "
        push web app:1 x3
        start
        ended 1
        push web app:2 x3 delay=5s
        phase web updating
        wait 1s
        daemon others kill
        pass 50s
        daemon start
        ended 2";
    let scenario = scenario(steps, TWICE, "preprod/web app:2 3/3");
    play("quorum_lost_for_50_s_in_an_update", Ours::Leads, &scenario).await;
}

/// The leader is killed while the write is held, and the write sent after that; `ours` says whose manager that is.
const LEADER_DIES: &str = "
    push web app:1 x3
    start
    ended 1
    hold before-write 1
    push web app:2 x3
    held
    daemon leader kill
    resume
    pass 20s
    daemon start
    ended 2";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn the_leader_dies_as_the_write_is_sent_to_another_manager() {
    let scenario = scenario(LEADER_DIES, TWICE, "preprod/web app:2 3/3");
    play("leader_killed_at_the_write_to_another_manager", Ours::Follows, &scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn the_leader_dies_as_the_write_is_sent_to_it() {
    let steps = "
        push web app:1 x3
        start
        ended 1
        hold before-write 1
        push web app:2 x3
        held
        resume
        daemon ours kill
        pass 20s
        daemon start
        ended 2";
    let scenario = scenario(steps, TWICE, "preprod/web app:2 3/3");
    play("leader_killed_at_the_write_to_it", Ours::Leads, &scenario).await;
}

/// The lost node has just been given a new task. Swarm's updater waits for that very task for ever, so that slots stay old;
/// unless it had told that the task runs before it was lost.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_node_that_is_lost_in_an_update() {
    let steps = "
        push web app:1 x3
        start
        ended 1
        push web app:2 x3
        link app:2 down
        ended 2";
    let record = "
        1 preprod sync success: web >1 succeeded
        2 preprod sync failed: web 1>2 failed/stalled
        or
        1 preprod sync success: web >1 succeeded
        2 preprod sync success: web 1>2 succeeded";
    let scenario = scenario(steps, record, "preprod/web app:2");
    play("node_lost_in_an_update", Ours::Leads, &scenario).await;
}

/// The updater is stuck in the same way, but no slot waits for it any more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_node_that_is_lost_in_an_update_of_all_tasks_at_once() {
    let steps = "
        push web app:1 x3
        start
        ended 1
        hold before-write 1
        push web app:2 x3 par=0
        held
        link other down
        resume
        ended 2";
    let record = "
        1 preprod sync success: web >1 succeeded
        2 preprod sync success: web 1>2 succeeded/warned";
    let scenario = scenario(steps, record, "preprod/web app:2 3/3 updating #2");
    play("node_lost_in_an_update_of_all_tasks_at_once", Ours::Leads, &scenario).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_node_that_is_drained_in_an_update() {
    let steps = "
        push web app:1 x3
        start
        ended 1
        push web app:2 x3 delay=5s
        phase web updating
        wait 1s
        hand drain other
        ended 2";
    let scenario = scenario(steps, TWICE, "preprod/web app:2");
    play("node_drained_in_an_update", Ours::Leads, &scenario).await;
}

/// What the update has just started is taken away again while Swarm still monitors it: it counts as a failure.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make battery"]
async fn a_node_that_is_drained_while_its_new_task_is_monitored() {
    let steps = "
        push web app:1 x3
        start
        ended 1
        push web app:2 x3 delay=10s monitor=30s
        hand drain app:2
        ended 2";
    let record = "
        1 preprod sync success: web >1 succeeded
        2 preprod sync failed: web 1>2 failed/paused";
    let scenario = scenario(steps, record, "preprod/web app:2");
    play("node_drained_while_its_new_task_is_monitored", Ours::Leads, &scenario).await;
}
