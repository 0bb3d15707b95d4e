//! A simulator in a directory of its own, and calls to it.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Options, Simulator};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};
use tokio_util::sync::CancellationToken;

/// A simulator that is being served.
pub(crate) struct Rig {
    pub(crate) simulator: Simulator,
    pub(crate) directory: TempDir,
    shutdown: CancellationToken,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Rig {
    pub(crate) async fn start(options: Options) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        Self::start_in(directory, options).await
    }

    pub(crate) async fn start_in(directory: TempDir, options: Options) -> Self {
        let simulator = Simulator::new(options);
        let listening = simulator.listen(directory.path().join("engine.sock")).await.expect("the socket opens");
        let shutdown = CancellationToken::new();
        tokio::spawn(listening.run(shutdown.clone()));
        Self { simulator, directory, shutdown }
    }

    /// One call; the answer as it came, or nothing if the connection closed first.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = UnixStream::connect(self.directory.path().join("engine.sock")).await.expect("it listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// One call with a JSON answer.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = self.raw(method, path, &body).await.expect("there is an answer");
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, &Value::Null).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub(crate) async fn create(&self, spec: &Value) {
        let (status, body) = self.call("POST", "/v1.41/services/create", spec).await;
        assert_eq!(status, 201, "{body}");
    }

    /// An update from the version that is there now.
    pub(crate) async fn update(&self, spec: &Value) {
        let name = spec["Name"].as_str().expect("a spec has a name");
        let version = self.get(&format!("/services/{name}")).await["Version"]["Index"].clone();
        let (status, body) = self.call("POST", &format!("/v1.41/services/{name}/update?version={version}"), spec).await;
        assert_eq!(status, 200, "{body}");
    }

    /// Lets time pass until something holds; for at most two minutes.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Simulator) -> bool) {
        for _ in 0..2_400 {
            if holds(&self.simulator) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what} never came about: {:#?}", self.simulator.services());
    }

    /// The images of the tasks that run, sorted.
    pub(crate) fn running(&self, service: &str) -> Vec<String> {
        running(&self.simulator, service)
    }

    /// Lets time pass until exactly these images run.
    pub(crate) async fn runs(&self, service: &str, images: &[&str]) {
        self.until(&format!("{images:?} running"), |simulator| running(simulator, service) == images).await;
    }
}

fn running(simulator: &Simulator, service: &str) -> Vec<String> {
    let is_running = |task: &&Value| task["Status"]["State"] == "running" && task["DesiredState"] == "running";
    let image = |task: &Value| task["Spec"]["ContainerSpec"]["Image"].as_str().unwrap_or_default().to_owned();
    let mut images: Vec<String> = simulator.tasks(service).iter().filter(is_running).map(image).collect();
    images.sort();
    images
}

/// `web`, replicated, with this image.
pub(crate) fn web(image: &str, replicas: u64) -> Value {
    json!({
        "Name": "web",
        "TaskTemplate": {
            "ContainerSpec": { "Image": image },
            "RestartPolicy": { "Condition": "any", "Delay": 100_000_000 },
        },
        "Mode": { "Replicated": { "Replicas": replicas } },
        "UpdateConfig": { "Parallelism": 1, "Monitor": 2_000_000_000_u64 },
    })
}

/// The state of the update of `web`.
pub(crate) fn update_state(simulator: &Simulator) -> String {
    let service = simulator.service("web").unwrap_or_default();
    service["UpdateStatus"]["State"].as_str().unwrap_or_default().to_owned()
}
