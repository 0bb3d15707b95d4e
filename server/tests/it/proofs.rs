//! The real program, as git hosts, people and programs meet it over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use hmac::Mac as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::program::{HOMELAB, PATIENCE, Program, client};

const PASSWORD: &str = "correct horse battery";
const SECRET: &str = "of-the-webhook";

/// A program that asks the repository by itself only when an hour has passed.
async fn start() -> Program {
    let home = tempfile::tempdir().unwrap();
    let settings = [("ADMIN_PASSWORD", PASSWORD), ("WEBHOOK_SECRET", SECRET), ("POLL_INTERVAL_SECONDS", "3600")];
    let program = Program::start(home, &HOMELAB, &settings).await;
    program.listening().await;
    program
}

/// Logs in and returns the cookies.
async fn log_in(program: &Program, client: &Client) -> String {
    let form = client.post(format!("{}/login", program.base)).header("sec-fetch-site", "same-origin");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(format!("name=admin&password={}", PASSWORD.replace(' ', "+"))).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let given = answer.headers().get_all("set-cookie").iter();
    given.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_push_is_answered_at_once_and_what_was_pushed_is_deployed() {
    let program = start().await;
    let client = client();
    let cookies = log_in(&program, &client).await;
    let get = |path: &'static str| client.get(format!("{}{path}", program.base)).header("cookie", &cookies).send();
    let succeeded = |text: &str| text.contains("\"success\"");
    program.until("the first release", async || get("/api/deployments/1").await.unwrap(), succeeded).await;
    program.github.push("Update web", &[("env/.env.preprod", "WEB_VERSION=2\n")]);
    let body = json!({ "ref": "refs/heads/main" }).to_string();
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("{:x}", mac.finalize().into_bytes());
    let push = client.post(format!("{}/api/webhooks/github", program.base)).header("x-github-event", "push");
    let push = push.header("x-hub-signature-256", format!("sha256={signature}")).body(body).send().await.unwrap();
    assert_eq!(push.status(), StatusCode::ACCEPTED);
    assert_eq!(push.json::<Value>().await.unwrap()["looking"], true);
    program.until("what was pushed", async || get("/api/deployments/2").await.unwrap(), succeeded).await;
    let metrics = get("/metrics").await.unwrap().text().await.unwrap();
    let polls = metrics.lines().find(|line| line.contains("source_polls_total{result=\"ok\"}"));
    let polls: u64 =
        polls.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{metrics}"));
    assert!(polls >= 2, "the look at the start and the one for the push are counted: {polls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_names_the_person_or_the_token_that_gave_the_order() {
    let program = start().await;
    let client = client();
    let cookies = log_in(&program, &client).await;
    let get = |path: &'static str| client.get(format!("{}{path}", program.base)).header("cookie", &cookies).send();
    let post = |path: &str| client.post(format!("{}{path}", program.base)).header("sec-fetch-site", "same-origin");
    let over = |text: &str| text.contains("\"success\"");
    program.until("the first release", async || get("/api/deployments/1").await.unwrap(), over).await;
    let made = post("/api/tokens").header("cookie", &cookies).json(&json!({ "name": "ci", "role": "deployer" }));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let promoted =
        post("/api/deploy/prod").header("cookie", &cookies).json(&json!({ "confirm": true })).send().await.unwrap();
    assert_eq!(promoted.status(), StatusCode::ACCEPTED, "{}", promoted.text().await.unwrap());
    program.until("the promotion", async || get("/api/deployments/2").await.unwrap(), over).await;
    let restarted =
        client.post(format!("{}/api/restart/prod/web", program.base)).bearer_auth(made["secret"].as_str().unwrap());
    let restarted = restarted.send().await.unwrap();
    assert_eq!(restarted.status(), StatusCode::ACCEPTED, "{}", restarted.text().await.unwrap());
    program.until("the restart", async || get("/api/deployments/3").await.unwrap(), over).await;
    let history: Value = get("/api/history").await.unwrap().json().await.unwrap();
    let rows = history["deployments"].as_array().unwrap();
    let by: Vec<&str> = rows.iter().map(|row| row["deployed_by"].as_str().unwrap()).collect();
    assert_eq!(by, ["token:ci", "admin", "system"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let program = start().await;
    let address = program.base.strip_prefix("http://").unwrap().to_owned();
    let ask = async |path: &'static str| {
        let address = address.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(&address).unwrap();
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\nconnection: close\r\n");
            let kind = "content-type: application/x-www-form-urlencoded\r\nsec-fetch-site: same-origin\r\n\r\n";
            stream.write_all(format!("{head}{kind}name=ad").as_bytes()).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it is answered and closed");
            answer
        });
        answer.await.unwrap()
    };
    let (form, webhook) = tokio::join!(ask("/login"), ask("/api/webhooks/github"));
    assert!(form.starts_with("HTTP/1.1 4"), "{form}");
    assert!(webhook.starts_with("HTTP/1.1 4"), "{webhook}");
    let alive = client().get(format!("{}/healthz", program.base)).timeout(Duration::from_secs(30)).send().await;
    assert_eq!(alive.unwrap().status(), StatusCode::OK);
}
