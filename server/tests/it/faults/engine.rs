//! The Engine as somebody with curl sees it. Shares nothing with the product: what it does and says is the other side of
//! every test.

use std::path::PathBuf;

use serde_json::{Value, json};
use simulator::Simulator;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

/// Where the Engine is.
#[derive(Debug, Clone)]
pub(super) enum Engine {
    /// In this process.
    Simulated(Simulator),
    /// Behind a socket.
    Socket(PathBuf),
}

impl Engine {
    pub(super) fn socket(&self) -> &std::path::Path {
        match self {
            Self::Socket(socket) => socket,
            Self::Simulated(_) => panic!("a simulated Engine has no socket here"),
        }
    }

    /// One call: the status and the JSON of the answer. `None` where nobody answers.
    pub(super) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        match self {
            Self::Simulated(simulator) => exchange(simulator.connect().ok()?, method, path, body).await,
            Self::Socket(socket) => exchange(UnixStream::connect(socket).await.ok()?, method, path, body).await,
        }
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call("GET", path, None).await.unwrap_or_else(|| panic!("nobody answers {path}"));
        assert_eq!(status, 200, "GET {path}: {answer}");
        answer
    }

    /// Every service, by name.
    pub(super) async fn services(&self) -> std::collections::BTreeMap<String, Value> {
        let list = self.get("/services?status=true").await;
        let named = |service: Value| (text(&service, "/Spec/Name").to_owned(), service);
        list.as_array().cloned().unwrap_or_default().into_iter().map(named).collect()
    }

    /// Every task.
    pub(super) async fn tasks(&self) -> Vec<Value> {
        self.get("/tasks").await.as_array().cloned().unwrap_or_default()
    }

    /// Changes a service as a person with the docker command does: reads it, changes it, writes it back.
    pub(super) async fn change(&self, name: &str, query: &str, change: impl Fn(&mut Value)) {
        for _ in 0..20 {
            let service = self.get(&format!("/services/{name}")).await;
            let mut spec = service["Spec"].clone();
            change(&mut spec);
            let path = format!("/services/{name}/update?version={}{query}", service["Version"]["Index"]);
            let (status, answer) = self.call("POST", &path, Some(&spec)).await.expect("the Engine answers");
            if status == 200 {
                return;
            }
            assert!(answer.to_string().contains("out of sequence"), "{name}: {status} {answer}");
        }
        panic!("{name} never stood still");
    }

    pub(super) async fn create(&self, spec: &Value) {
        let (status, answer) =
            self.call("POST", "/services/create?by=hand", Some(spec)).await.expect("the Engine answers");
        assert_eq!(status, 201, "{answer}");
    }

    pub(super) async fn remove(&self, name: &str) {
        let (status, answer) =
            self.call("DELETE", &format!("/services/{name}"), None).await.expect("the Engine answers");
        assert_eq!(status, 200, "{answer}");
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Option<(u16, Value)> {
    let body = body.map(Value::to_string).unwrap_or_default();
    // HTTP/1.0, so that the answer comes in one piece and ends with the connection.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The image of a service or task spec, without its digest.
pub(super) fn image(template: &Value) -> String {
    text(template, "/ContainerSpec/Image").split('@').next().unwrap_or_default().to_owned()
}

/// A service that is nobody's business.
pub(super) fn stranger(name: &str) -> Value {
    json!({
        "Name": name,
        "Labels": {"com.docker.stack.namespace": "stranger"},
        "TaskTemplate": {"ContainerSpec": {"Image": "app:1"}},
        "Mode": {"Replicated": {"Replicas": 1}},
    })
}
