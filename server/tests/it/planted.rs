//! Planted secrets: the real program is given one of every kind, does what it does, well and badly, and none of them is
//! found again in its log, its pages, its answers, its stream of events or its metrics.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::fake_github::TOKEN;
use crate::program::{PATIENCE, Program, client};

/// What no text may hold. GitHub's token is the one that the fake wants.
const PLANTED: &str = "planted";

const STACK: &str = "
services:
  web:
    image: app:${WEB_VERSION}
    environment:
      DATABASE_PASSWORD: ${DATABASE_PASSWORD}
    secrets: [certificate]
secrets:
  certificate:
    file: ./certificate.pem
";

fn env_file(version: &str) -> String {
    format!("WEB_VERSION={version}\nDATABASE_PASSWORD={PLANTED}-variable\n")
}

async fn start() -> Program {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let file = format!(
        "[[environment]]\nname = \"preprod\"\nmode = \"auto\"\n\n\
         [[environment]]\nname = \"prod\"\nmode = \"manual\"\npromotes_from = \"preprod\"\n\n\
         [[notify]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/{PLANTED}-hook\"\nsecret = \"{PLANTED}-key\"\n\n\
         [[notify]]\nname = \"phone\"\nkind = \"ntfy\"\nurl = \"http://127.0.0.1:1/{PLANTED}-topic\"\ntoken = \"{PLANTED}-ntfy\"\n\n\
         [[notify]]\nkind = \"telegram\"\napi = \"http://127.0.0.1:1\"\nchat = \"1\"\ntoken = \"{PLANTED}-bot\"\n",
    );
    fs::write(path("release-manager.toml"), file).unwrap();
    let login = STANDARD.encode(format!("{PLANTED}-user:{PLANTED}-registry"));
    fs::write(path("config.json"), json!({ "auths": { "127.0.0.1:1": { "auth": login } } }).to_string()).unwrap();
    let (config, docker, token) = (path("release-manager.toml"), path(""), TOKEN.to_owned());
    let password = format!("{PLANTED}-admin-password");
    let webhooks = format!("{PLANTED}-webhook-secret");
    let collector = format!("x-key={PLANTED}-collector");
    let settings = [
        ("CONFIG_FILE", config.as_str()),
        ("DOCKER_CONFIG", docker.as_str()),
        ("GITHUB_TOKEN", token.as_str()),
        ("ADMIN_PASSWORD", password.as_str()),
        ("WEBHOOK_SECRET", webhooks.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", collector.as_str()),
        ("LOG_LEVEL", "trace"),
    ];
    let (preprod, prod) = (env_file("1"), env_file("1"));
    let certificate = format!("{PLANTED}-certificate\n");
    let files = [
        ("docker-swarm-stack.yml", STACK),
        ("certificate.pem", certificate.as_str()),
        ("env/.env.preprod", preprod.as_str()),
        ("env/.env.prod", prod.as_str()),
    ];
    Program::start(home, &files, &settings).await
}

/// Logs in and returns the cookies of the session.
async fn log_in(program: &Program, client: &Client, password: &str) -> Option<String> {
    let form = client.post(format!("{}/login", program.base)).header("sec-fetch-site", "same-origin");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body(format!("name=admin&password={password}")).send().await.unwrap();
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies: Vec<_> = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
    (answer.status() == StatusCode::SEE_OTHER).then(|| cookies.join("; "))
}

/// Every text that the program gives away.
async fn texts(program: &Program, client: &Client, cookies: &str) -> Vec<(String, String)> {
    let description: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
    let described = description["paths"].as_object().unwrap().iter();
    let described = described.filter(|(path, methods)| methods.get("get").is_some() && *path != "/api/events");
    let paths = described.map(|(path, _)| path.as_str());
    let paths = paths.chain(app::access::PAGES.iter().map(|(path, _)| *path));
    let mut texts = vec![("the log".to_owned(), program.log())];
    for path in paths {
        let path = path.replace("{environment}", "prod").replace("{id}", "1").replace("{service}", "web");
        for query in ["", "?format=csv", "?environment=preprod", "?deployment_id=1"] {
            let request = client.get(format!("{}{path}{query}", program.base)).header("cookie", cookies);
            let answer = request.timeout(PATIENCE).send().await.unwrap();
            if !answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream") {
                texts.push((format!("{path}{query}"), answer.text().await.unwrap()));
            }
        }
    }
    let mut events = client.get(format!("{}/api/events", program.base)).header("cookie", cookies).send().await.unwrap();
    let first = events.chunk().await.unwrap().expect("the state is told at once");
    texts.push(("/api/events".to_owned(), String::from_utf8_lossy(&first).into_owned()));
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_any_kind_is_found_again() {
    let program = start().await;
    program.listening().await;
    let client = client();
    assert!(log_in(&program, &client, "planted-wrong-guess").await.is_none());
    let cookies = log_in(&program, &client, &format!("{PLANTED}-admin-password")).await.expect("the admin comes in");
    let get = |path: &'static str| {
        let request = client.get(format!("{}{path}", program.base)).header("cookie", &cookies);
        async { request.send().await.unwrap() }
    };
    program.until("a success", async || get("/api/deployments/1").await, |text| text.contains("\"success\"")).await;
    program.github.push("Break web", &[("env/.env.preprod", &env_file("2-crash"))]);
    program.until("a failure", async || get("/api/deployments/2").await, |text| text.contains("\"failed\"")).await;

    let hook = client.post(format!("{}/api/webhooks/gitlab", program.base));
    let forged = hook.header("x-gitlab-token", "planted-forged").body("{}").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
    let made = client.post(format!("{}/api/tokens", program.base)).header("cookie", &cookies);
    let made = made.header("sec-fetch-site", "same-origin").json(&json!({ "name": "ci", "role": "viewer" }));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let token = made["secret"].as_str().unwrap().to_owned();
    let bearer = client.get(format!("{}/api/me", program.base)).bearer_auth(&token).send().await.unwrap();
    assert_eq!(bearer.status(), StatusCode::OK);
    program.github.want_token(Some("another"));
    program.until("a lost source", async || get("/api/source").await, |text| text.contains("\"problem\":{")).await;

    let session = cookies.split("; ").map(|pair| pair.split_once('=').unwrap().1).filter(|value| value.len() > 20);
    let encoded = STANDARD.encode(format!("{PLANTED}-user:{PLANTED}-registry"));
    let secrets: Vec<&str> = [PLANTED, TOKEN, &token, &encoded].into_iter().chain(session).collect();
    for (place, text) in texts(&program, &client, &cookies).await {
        for &secret in &secrets {
            if let Some(at) = text.find(secret) {
                let around: String = text[..at].chars().rev().take(160).collect::<Vec<_>>().into_iter().rev().collect();
                panic!("`{secret}` is found in {place}, behind: {around}");
            }
        }
    }
}
