//! The Engine itself: ping, version, info, swarm.

use axum::{
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    api::{Answer, App, ENGINE_VERSION, ok},
    simulator::SwarmTrouble,
    state::{World, node::NodeState},
};

pub(super) async fn ping() -> Response {
    let headers = [
        (CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (PRAGMA, "no-cache"),
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    (headers, "OK").into_response()
}

pub(super) async fn version(State(shared): App) -> Answer {
    let built = shared.with(|world| world.started.clone());
    ok(&json!({
        "Platform": { "Name": "Simulator" },
        "Components": [{
            "Name": "Engine",
            "Version": ENGINE_VERSION,
            "Details": {
                "ApiVersion": "1.41", "Arch": "amd64", "BuildTime": built, "Experimental": "false",
                "GitCommit": "simulated", "GoVersion": "go1.19.8", "KernelVersion": "6.1.0", "MinAPIVersion": "1.12",
                "Os": "linux",
            },
        }],
        "Version": ENGINE_VERSION,
        "ApiVersion": "1.41",
        "MinAPIVersion": "1.12",
        "GitCommit": "simulated",
        "GoVersion": "go1.19.8",
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "6.1.0",
        "BuildTime": built,
    }))
}

pub(super) async fn info(State(shared): App) -> Answer {
    shared.with(|world| {
        let node = world.nodes.first();
        let running =
            world.tasks().filter(|task| task.status.container.as_ref().is_some_and(|one| one.pid > 0)).count();
        ok(&json!({
            "ID": "SIMU:LATE:DENG:INE0:0000:0000:0000:0000:0000:0000:0000:0000",
            "Containers": running,
            "ContainersRunning": running,
            "ContainersPaused": 0,
            "ContainersStopped": 0,
            "Images": 0,
            "Driver": "overlay2",
            "LoggingDriver": "json-file",
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": "1",
            "KernelVersion": "6.1.0",
            "OperatingSystem": "Simulated Linux",
            "OSType": "linux",
            "Architecture": "x86_64",
            "NCPU": node.map_or(0, |node| node.nano_cpus / 1_000_000_000),
            "MemTotal": node.map_or(0, |node| node.memory_bytes),
            "Name": node.map_or("", |node| node.hostname.as_str()),
            "ServerVersion": ENGINE_VERSION,
            "SystemTime": world.stamp(),
            "IndexServerAddress": "https://index.docker.io/v1/",
            "ExperimentalBuild": false,
            "LiveRestoreEnabled": false,
            "Swarm": swarm_info(world),
            "Warnings": null,
        }))
    })
}

fn swarm_info(world: &World) -> Value {
    let node = world.nodes.first();
    let managers: Vec<Value> = world
        .nodes
        .iter()
        .filter(|node| node.manager)
        .map(|node| json!({ "NodeID": node.id, "Addr": format!("{}:2377", node.address) }))
        .collect();
    let is_manager = world.trouble != Some(SwarmTrouble::NotAManager);
    let mut info = json!({
        "NodeID": node.map_or("", |node| node.id.as_str()),
        "NodeAddr": node.map_or("", |node| node.address.as_str()),
        "LocalNodeState": if node.is_some_and(|node| node.state != NodeState::Down) { "active" } else { "error" },
        "ControlAvailable": is_manager,
        "Error": "",
        "RemoteManagers": managers,
    });
    match world.trouble {
        None => {
            info["Nodes"] = json!(world.nodes.len());
            info["Managers"] = json!(managers.len());
            info["Cluster"] = cluster(world);
        }
        Some(trouble @ SwarmTrouble::NoLeader) => {
            info["Error"] = json!(format!("rpc error: code = Unknown desc = {}", trouble.message()));
        }
        Some(SwarmTrouble::NotAManager) => {}
    }
    info
}

pub(super) async fn swarm(State(shared): App) -> Answer {
    shared.with(|world| {
        let mut swarm = cluster(world);
        swarm["JoinTokens"] = json!({ "Worker": "SWMTKN-1-simulated-worker", "Manager": "SWMTKN-1-simulated-manager" });
        ok(&swarm)
    })
}

fn cluster(world: &World) -> Value {
    json!({
        "ID": world.cluster,
        "Version": { "Index": 10 },
        "CreatedAt": world.started,
        "UpdatedAt": world.started,
        "Spec": {
            "Name": "default",
            "Labels": {},
            "Orchestration": { "TaskHistoryRetentionLimit": world.options.task_history_limit },
            "Raft": {
                "SnapshotInterval": 10000, "KeepOldSnapshots": 0, "LogEntriesForSlowFollowers": 500,
                "ElectionTick": 10, "HeartbeatTick": 1,
            },
            "Dispatcher": { "HeartbeatPeriod": 5_000_000_000_u64 },
            "CAConfig": { "NodeCertExpiry": 7_776_000_000_000_000_u64 },
            "TaskDefaults": {},
            "EncryptionConfig": { "AutoLockManagers": false },
        },
        "TLSInfo": {},
        "RootRotationInProgress": false,
        "DefaultAddrPool": null,
        "SubnetSize": 24,
        "DataPathPort": 4789,
    })
}
