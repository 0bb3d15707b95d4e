//! How the program begins and ends: what it refuses at once, and what it does when it is told to stop.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Output;
use std::time::{Duration, Instant};

use axum::Router;
use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::engines;
use crate::program::{HOMELAB, PATIENCE, Program, client};

/// What is sent along so that nobody has to log in.
const OPEN: (&str, &str) = ("AUTH", "none");

/// Runs the server with that Engine until it ends by itself.
async fn refused(docker_host: &str, user: Option<u32>) -> Output {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    // Where anybody may run it, wherever it was built.
    let program = home.path().join("release-manager");
    std::fs::copy(env!("CARGO_BIN_EXE_release-manager"), &program).unwrap();
    let mut command = Command::new(program);
    command
        .arg("serve")
        .env_clear()
        .env("GITHUB_REPO", "me/homelab")
        .env("GITHUB_API_URL", "http://127.0.0.1:1/")
        .env("DOCKER_HOST", docker_host)
        .env("DATABASE_PATH", home.path().join("release-manager.db"))
        .env("WEB_HOST", "127.0.0.1")
        .env("WEB_PORT", port.to_string())
        .env(OPEN.0, OPEN.1)
        .kill_on_drop(true);
    if let Some(user) = user {
        command.uid(user);
    }
    tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends by itself").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_may_not_be_opened_ends_the_start_with_what_to_do() {
    // Root may open every socket: only root can be somebody else.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let engine = engines::simulated().await;
    let socket = engine.host();
    std::fs::set_permissions(socket.trim_start_matches("unix://"), std::fs::Permissions::from_mode(0o600)).unwrap();
    if !is_root {
        return;
    }
    let ended = refused(&socket, Some(65_534)).await;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(78), "{said}");
    assert!(said.contains("DOCKER_HOST: user 65534 may not open") && said.contains("--group-add"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_no_manager_ends_the_start_with_what_to_do() {
    let answer = r#"{"message":"This node is not a swarm manager. Use \"docker swarm init\" to be one."}"#;
    let app = Router::new().fallback(async move || (StatusCode::SERVICE_UNAVAILABLE, answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let ended = refused(&host, None).await;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(78), "{said}");
    assert!(said.contains("not a swarm manager") && said.contains("docker swarm init"), "{said}");
}

async fn until_served(program: &Program) {
    let (client, url) = (client(), format!("{}/healthz", program.base));
    let started = Instant::now();
    while client.get(&url).send().await.is_err() {
        assert!(started.elapsed() < PATIENCE, "{}", program.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_within_seconds_and_a_stream_is_told() {
    let mut program = Program::start(tempfile::tempdir().unwrap(), &HOMELAB, &[OPEN]).await;
    until_served(&program).await;
    let mut stream = client().get(format!("{}/api/events", program.base)).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let told = Instant::now();
    let ended = program.stop().await;
    assert!(ended.success(), "{}", program.log());
    assert!(told.elapsed() < Duration::from_secs(9), "Docker kills after ten");
    let mut rest = Vec::new();
    while let Ok(Some(chunk)) = stream.chunk().await {
        rest.extend_from_slice(&chunk);
    }
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with("event: bye\nretry: 1000\ndata:\n\n"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let mut program = Program::start(tempfile::tempdir().unwrap(), &HOMELAB, &[OPEN]).await;
    until_served(&program).await;
    // Half an order, which a stop waits for: it is not answered before its body is there.
    let address = program.base.trim_start_matches("http://").to_owned();
    let mut half = TcpStream::connect(&address).await.unwrap();
    let head = "POST /api/deploy/prod HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    half.write_all(head.as_bytes()).await.unwrap();
    // Answered on another connection, so the first has been read by now.
    client().get(format!("{}/healthz", program.base)).send().await.unwrap();
    program.signal("-TERM").await;
    let started = Instant::now();
    while !program.log().contains("Stopping") {
        assert!(started.elapsed() < PATIENCE, "{}", program.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = Instant::now();
    let ended = program.stop().await;
    assert_eq!(ended.code(), Some(143), "{}", program.log());
    assert!(told.elapsed() < Duration::from_secs(3), "it waits for nothing any more");
    drop(half);
}
