//! Planted secrets: the real program is given one of every kind, does what it does, well and badly, and none of them is
//! found again in its log, its pages, its answers, its stream of events, its metrics or its notices. The database holds
//! what services are given, as it must, and nothing else.

use std::fs;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::fake_github::TOKEN;
use crate::program::{PATIENCE, Program, client};

/// What no text and no file may hold.
const PLANTED: &str = "planted";
/// What services are given: the database keeps it, so that a rollback needs nothing else.
const GIVEN: &str = "entrusted";

const STACK: &str = "
services:
  web:
    image: 127.0.0.1:1/app:${WEB_VERSION}
    command: ['--password=${DATABASE_PASSWORD}']
    environment:
      DATABASE_PASSWORD: ${DATABASE_PASSWORD}
    secrets: [certificate]
  talker:
    image: 127.0.0.1:1/app:1
    command: sh -c 'echo cannot log in with ${DATABASE_PASSWORD}; sleep ${LASTS}; exit 1'
secrets:
  certificate:
    file: ./certificate.pem
";

/// What crashes quotes the password: the Engine in its error, the program in its log.
fn env_file(version: &str, lasts: u32) -> String {
    format!("WEB_VERSION={version}\nDATABASE_PASSWORD={GIVEN}-variable\nLASTS={lasts}\n")
}

/// Everybody who is told of something, each with a secret.
fn pipeline(listener: &str) -> String {
    let environments = "[[environment]]\nname = \"preprod\"\nmode = \"auto\"\n\n\
                        [[environment]]\nname = \"prod\"\nmode = \"manual\"\npromotes_from = \"preprod\"\n\n";
    let at = "http://127.0.0.1:1";
    let targets = [
        format!("name = \"hook\"\nkind = \"webhook\"\nurl = \"{at}/{PLANTED}-hook\"\nsecret = \"{PLANTED}-key\""),
        format!("kind = \"ntfy\"\nurl = \"{at}/{PLANTED}-topic\"\ntoken = \"{PLANTED}-ntfy\""),
        format!("kind = \"discord\"\nurl = \"{at}/{PLANTED}-discord\""),
        format!("kind = \"slack\"\nurl = \"{at}/{PLANTED}-slack\""),
        format!("kind = \"telegram\"\napi = \"{at}\"\nchat = \"1\"\ntoken = \"{PLANTED}-bot\""),
        format!(
            "kind = \"email\"\nhost = \"127.0.0.1\"\nport = 1\nsecurity = \"none\"\nusername = \"mailer\"\n\
             password = \"{PLANTED}-smtp\"\nfrom = \"a@example.org\"\nto = [\"b@example.org\"]"
        ),
        "kind = \"commit_status\"".to_owned(),
        format!("name = \"listener\"\nkind = \"webhook\"\nurl = \"{listener}/{PLANTED}-listener\""),
    ];
    targets.iter().fold(environments.to_owned(), |file, target| format!("{file}[[notify]]\n{target}\n\n"))
}

/// A place that is told of everything and keeps it.
async fn listener() -> (String, Arc<Mutex<Vec<String>>>) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&heard);
    let hear = async move |body: String| kept.lock().unwrap().push(body);
    let app = axum::Router::new().fallback(hear);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, heard)
}

async fn start(listener: &str) -> Program {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    fs::write(path("release-manager.toml"), pipeline(listener)).unwrap();
    let login = STANDARD.encode(format!("{PLANTED}-user:{PLANTED}-registry"));
    fs::write(path("config.json"), json!({ "auths": { "127.0.0.1:1": { "auth": login } } }).to_string()).unwrap();
    let (config, docker) = (path("release-manager.toml"), path(""));
    let secret = |name: &str| format!("{PLANTED}-{name}");
    let (admin, webhook, provider) = (secret("admin-password"), secret("webhook-secret"), secret("client-secret"));
    let collector = format!("x-key={PLANTED}-collector");
    let settings = [
        ("CONFIG_FILE", config.as_str()),
        ("DOCKER_CONFIG", docker.as_str()),
        ("ADMIN_PASSWORD", admin.as_str()),
        ("WEBHOOK_SECRET", webhook.as_str()),
        ("PUBLIC_URL", "http://127.0.0.1"),
        ("OIDC_ISSUER", "http://127.0.0.1:1"),
        ("OIDC_CLIENT_ID", "release-manager"),
        ("OIDC_CLIENT_SECRET", provider.as_str()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", collector.as_str()),
        ("LOG_LEVEL", "trace"),
    ];
    let (preprod, prod) = (env_file("1", 1_000), env_file("1", 1_000));
    let certificate = format!("{GIVEN}-certificate\n");
    let files = [
        ("docker-swarm-stack.yml", STACK),
        ("certificate.pem", certificate.as_str()),
        ("env/.env.preprod", preprod.as_str()),
        ("env/.env.prod", prod.as_str()),
    ];
    let program = Program::start(home, &files, &settings).await;
    program.listening().await;
    program
}

/// Somebody's browser.
struct Browser<'a> {
    program: &'a Program,
    client: Client,
    cookies: String,
}

impl<'a> Browser<'a> {
    /// Logs in: with a wrong password first.
    async fn open(program: &'a Program) -> Self {
        let client = client();
        let log_in = async |password: &str| {
            let form = client.post(format!("{}/login", program.base)).header("sec-fetch-site", "same-origin");
            let form = form.header("content-type", "application/x-www-form-urlencoded");
            form.body(format!("name=admin&password={password}")).send().await.unwrap()
        };
        assert_eq!(log_in(&format!("{PLANTED}-wrong-guess")).await.status(), StatusCode::UNAUTHORIZED);
        let answer = log_in(&format!("{PLANTED}-admin-password")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookies = answer.headers().get_all("set-cookie").iter();
        let cookies: Vec<_> = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect();
        let cookies = cookies.join("; ");
        Self { program, client, cookies }
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.get(format!("{}{path}", self.program.base)).timeout(PATIENCE);
        request.header("cookie", &self.cookies)
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.program.base)).header("sec-fetch-site", "same-origin");
        request.header("cookie", &self.cookies)
    }

    /// The answer of a path. Who asks as much as this is told to wait, and waits: a refusal gives nothing away.
    async fn answer(&self, path: &str) -> reqwest::Response {
        loop {
            let answer = self.get(path).send().await.unwrap();
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                assert_looked_at(path, &answer);
                return answer;
            }
            let seconds = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        }
    }

    /// Every text that the program gives away.
    async fn texts(&self) -> Vec<(String, String)> {
        let description: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
        let described = description["paths"].as_object().unwrap().iter();
        let described = described.filter(|(path, methods)| methods.get("get").is_some() && *path != "/api/events");
        let functions = app::access::SERVER_FUNCTIONS.iter().map(|(path, _)| *path);
        let paths = described.map(|(path, _)| path.as_str()).chain(functions);
        let paths = paths.chain(app::access::PAGES.iter().map(|(path, _)| *path)).chain(["/login/oidc", "/nowhere"]);
        let mut texts = Vec::new();
        for path in paths {
            let path = path.replace("{environment}", "preprod").replace("{id}", "2").replace("{service}", "web");
            for query in ["", "?format=csv", "?environment=preprod&service=web&id=2&all=true", "?deployment_id=1"] {
                let answer = self.answer(&format!("{path}{query}")).await;
                let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
                if !kind.starts_with("text/event-stream") {
                    let headers = format!("{:?}", answer.headers());
                    texts.push((format!("the headers of {path}{query}"), headers));
                    texts.push((format!("{path}{query}"), answer.text().await.unwrap()));
                }
            }
        }
        let mut events = self.answer("/api/events").await;
        let first = events.chunk().await.unwrap().expect("the state is told at once");
        texts.push(("/api/events".to_owned(), String::from_utf8_lossy(&first).into_owned()));
        texts
    }
}

/// A refusal or an accident of ours says nothing of what the answer would have given away. Server functions answer 500 to
/// a question that lacks what they ask for, and the identity provider is not there.
#[track_caller]
fn assert_looked_at(path: &str, answer: &reqwest::Response) {
    let status = answer.status();
    assert_ne!(status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    let may_fail = path.starts_with("/rpc/") || path.starts_with("/login/oidc");
    assert!(may_fail || !status.is_server_error(), "{path} answered {status}");
}

#[track_caller]
fn check(secret: &str, place: &str, text: &str) {
    if let Some(at) = text.find(secret) {
        let around: String = text[..at].chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect();
        panic!("`{secret}` is found in {place}, behind: {around}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_any_kind_is_found_again() {
    let (url, heard) = listener().await;
    let program = start(&url).await;
    let browser = Browser::open(&program).await;
    let ask = |path: &'static str| browser.get(path).send();
    program
        .until("a success", async || ask("/api/deployments/1").await.unwrap(), |text| text.contains("\"success\""))
        .await;
    program.github.push("Break web", &[("env/.env.preprod", &env_file("2-bare", 0))]);
    program
        .until("a failure", async || ask("/api/deployments/2").await.unwrap(), |text| text.contains("\"failed\""))
        .await;
    program
        .until(
            "a notice",
            async || ask("/api/status").await.unwrap(),
            |_| heard.lock().unwrap().iter().any(|notice| notice.contains("release_manager.failed")),
        )
        .await;
    program.github.push("Write nonsense", &[("env/.env.preprod", &format!("{GIVEN}-line without a sign\n"))]);
    program.until("a hold", async || ask("/api/status").await.unwrap(), |text| text.contains("NAME=value")).await;

    let forged = browser.client.post(format!("{}/api/webhooks/gitlab", program.base));
    let forged = forged.header("x-gitlab-token", format!("{PLANTED}-forged")).body("{}").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
    let made = browser.post("/api/tokens").json(&json!({ "name": "ci", "role": "viewer" }));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let token = made["secret"].as_str().unwrap().to_owned();
    let me = browser.client.get(format!("{}/api/me", program.base)).bearer_auth(&token).send().await.unwrap();
    assert_eq!(me.status(), StatusCode::OK);
    let user = json!({ "name": "eve", "role": "viewer", "password": format!("{PLANTED}-new-password") });
    assert!(browser.post("/api/users").json(&user).send().await.unwrap().status().is_success());
    let mut texts = browser.texts().await;
    program.github.want_token(Some("another"));
    program
        .until("a lost source", async || ask("/api/source").await.unwrap(), |text| text.contains("\"problem\":{"))
        .await;
    for path in ["/api/source", "/api/status", "/rpc/compare?environment=prod"] {
        texts.push((format!("{path} without a source"), ask(path).await.unwrap().text().await.unwrap()));
    }
    // Last: it tells of all that was asked before.
    texts.push(("the log".to_owned(), program.log()));
    texts.extend(heard.lock().unwrap().iter().map(|notice| ("a notice".to_owned(), notice.clone())));

    let session = browser.cookies.split("; ").map(|pair| pair.split_once('=').unwrap().1.to_owned());
    let session = session.filter(|value| value.len() > 20);
    let login = STANDARD.encode(format!("{PLANTED}-user:{PLANTED}-registry"));
    let ours: Vec<String> = [PLANTED.to_owned(), TOKEN.to_owned(), token, login].into_iter().chain(session).collect();
    let given = [GIVEN.to_owned(), STANDARD.encode(format!("{GIVEN}-certificate\n"))];
    for (place, text) in &texts {
        for secret in ours.iter().chain(&given) {
            check(secret, place, text);
        }
    }
    let is_told = |place: &str, words: &str| texts.iter().any(|(at, text)| at.contains(place) && text.contains(words));
    assert!(is_told("/rpc/", "DATABASE_PASSWORD"), "names are shown, values are not");
    assert!(is_told("a notice", "--password=(hidden)"), "the error is told without the value");
    let kept = texts.iter().find(|(at, _)| at == "/api/deployments/2").map(|(_, text)| text.as_str());
    assert!(is_told("/api/", "cannot log in with (hidden)"), "the log is kept without the value: {kept:?}");
    for file in ["release-manager.db", "release-manager.db-wal"] {
        let bytes = fs::read(program.home.path().join(file)).unwrap_or_default();
        for secret in &ours {
            check(secret, file, &String::from_utf8_lossy(&bytes));
        }
    }
}
