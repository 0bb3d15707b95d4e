//! The gate itself: tokens, limits, streams, other sites, headers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use release_manager::access::throttle::Allowance;
use release_manager::access::{Accounts, NewToken, Principal, Role};
use release_manager::time::Timestamp;
use reqwest::header::COOKIE;
use reqwest::{Method, StatusCode};
use server::auth::{Auth, AuthSettings};

use super::house::{House, everywhere, patient};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_works_until_it_is_revoked_or_expires() {
    let house = House::new().await;
    let now = Timestamp::from_millis(1_761_906_600_000 + 60_000);
    let new = NewToken { name: "ci".parse().unwrap(), grant: everywhere(Role::Viewer), expires_at: Some(now) };
    let short = house.keeper.create_token(&Principal::anybody(), new).await.unwrap().secret;
    let long = house.token("long", everywhere(Role::Viewer)).await;
    let ask = |token: &str| house.get("/api/status").bearer_auth(token).send();
    assert_eq!(ask(&short).await.unwrap().status(), StatusCode::OK);
    house.clock.advance(Duration::from_mins(1));
    let expired = ask(&short).await.unwrap();
    assert_eq!(
        (expired.status(), &expired.headers()["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
    assert_eq!(ask(&long).await.unwrap().status(), StatusCode::OK);
    house.keeper.revoke_token(&"long".parse().unwrap()).await.unwrap();
    let revoked = ask(&long).await.unwrap();
    assert_eq!(revoked.headers()["content-type"], "application/problem+json");
    let problem: serde_json::Value = revoked.json().await.unwrap();
    assert_eq!(problem["detail"], "the API token is wrong, revoked or expired");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_not_helped_by_a_good_session() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    let session = house.session("ada").await;
    let request = house.get("/api/me").header(COOKIE, &session).bearer_auth("rm_wrong");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_another_site_or_without_a_browser_is_refused_although_there_is_a_session() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    let session = house.session("ada").await;
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://evil.test"),
        ("origin", "null"),
        ("x-none", "of both"),
    ] {
        for path in ["/rpc/retry", "/api/deploy/prod", "/logout", "/login"] {
            let change = house.request(Method::POST, path).header(COOKIE, &session).header(header, value);
            assert_eq!(change.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{path} {header}: {value}");
        }
    }
    assert_eq!(house.who(&session).await, StatusCode::OK);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_much_is_told_when_to_ask_again() {
    let few = Allowance { burst: 3, per_second: 1 };
    let house = House::with(AuthSettings { reads: few, writes: few, ..patient() }).await;
    let token = house.token("ci", everywhere(Role::Viewer)).await;
    let other = house.token("other", everywhere(Role::Viewer)).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(house.get("/api/status").bearer_auth(&token).send().await.unwrap());
    }
    let last = answers.last().unwrap();
    assert_eq!((last.status(), &last.headers()["retry-after"]), (StatusCode::TOO_MANY_REQUESTS, &"1".parse().unwrap()));
    assert_eq!(house.get("/api/status").bearer_auth(&other).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(house.get("/healthz").send().await.unwrap().status(), StatusCode::OK, "signs of life are always given");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_sent_fifty_times_at_once_counts_once_and_another_one_counts_again() {
    let few = Allowance { burst: 1, per_second: 1 };
    let house = House::with(AuthSettings { writes: few, ..patient() }).await;
    let token = house.token("ci", everywhere(Role::Deployer)).await;
    let hold = |key: &str| {
        let order = house.post("/api/environments/prod/hold").bearer_auth(&token).header("idempotency-key", key);
        order.json(&serde_json::json!({ "reason": "moving house" })).send()
    };
    let answers = futures::future::join_all((0..50).map(|_| hold("double-click"))).await;
    let mut bodies = std::collections::BTreeSet::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        bodies.insert(answer.text().await.unwrap());
    }
    assert_eq!(bodies.len(), 1, "each gets the same answer");
    let others = futures::future::join_all(["a", "b", "c", "d", "e"].map(&hold)).await;
    let refused = others.iter().filter(|answer| answer.as_ref().unwrap().status() == StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.count() >= 3, "new orders count one by one");
    assert_eq!(hold("double-click").await.unwrap().status(), StatusCode::OK, "what was done is told at any time");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_and_end_with_the_session() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let session = house.session("ada").await;
    let mut streams = Vec::new();
    for _ in 0..6 {
        let stream = house.get("/api/events").header(COOKIE, &session).send().await.unwrap();
        assert_eq!(stream.status(), StatusCode::OK);
        streams.push(stream);
    }
    let seventh = house.get("/api/events").header(COOKIE, &session).send().await.unwrap();
    assert_eq!(seventh.status(), StatusCode::OK);
    let told = tokio::time::timeout(Duration::from_secs(10), seventh.text()).await.expect("it is told once").unwrap();
    assert!(told.starts_with("retry: 10000\n") && told.contains("data:"), "{told}");
    let mut stream = streams.pop().unwrap();
    assert!(stream.chunk().await.unwrap().is_some(), "the first value comes at once");
    house.post("/logout").header(COOKIE, &session).send().await.unwrap();
    let ended = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("the stream ends with the session");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_keep_a_page_safe() {
    let proxied = AuthSettings { proxies: vec!["127.0.0.1".parse().unwrap()], ..patient() };
    let house = House::with(proxied).await;
    for path in ["/login", "/nowhere", "/api/status", "/healthz", "/favicon.svg", "/pkg/x/y.js"] {
        let answer = house.get(path).header("x-forwarded-proto", "https").send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(!header("content-security-policy").contains("unsafe-inline"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert!(matches!(header("referrer-policy"), "no-referrer" | "same-origin"), "{path}");
        assert_eq!(header("strict-transport-security"), "max-age=31536000", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
    }
    let answer = house.get("/login").send().await.unwrap();
    assert!(!answer.headers().contains_key("strict-transport-security"), "over HTTP it would be ignored, or lock out");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused() {
    let house = House::new().await;
    let token = house.token("ci", everywhere(Role::Admin)).await;
    let large = house.post("/api/tokens").bearer_auth(&token).header("content-type", "application/json");
    let large = large.body("x".repeat(100_000)).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let long = house.get("/api/status").bearer_auth(&token).header("x-long", "x".repeat(40_000)).send().await;
    assert!(long.is_err() || long.unwrap().status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_half_open_connections_are_closed_and_others_are_served_meanwhile() {
    let house = House::new().await;
    let address = house.get("/").build().unwrap().url().socket_addrs(|| None).unwrap()[0];
    let mut half: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in half.iter_mut().skip(100) {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ").unwrap();
    }
    assert_eq!(house.get("/healthz").send().await.unwrap().status(), StatusCode::OK);
    let closed = tokio::task::spawn_blocking(move || {
        half.iter_mut().all(|stream| {
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            // Closed, with or without a word.
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).is_ok()
        })
    });
    assert!(closed.await.unwrap(), "a connection was still open after 30 s");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_has_to_log_in_whoever_comes_may_and_a_token_is_still_named() {
    let house = House::with(AuthSettings { auth: Auth::None, ..patient() }).await;
    let who = async |request: reqwest::RequestBuilder| {
        let me: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        me["deployed_by"].clone()
    };
    assert_eq!(who(house.get("/api/me")).await, "manual");
    let token = house.token("ci", everywhere(Role::Viewer)).await;
    let named = who(house.get("/api/me").bearer_auth(token)).await;
    assert_eq!(named, "token:ci");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_served_with_a_certificate_and_its_cookies_are_for_https_only() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let home = tempfile::tempdir().unwrap();
    let (certificate, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let stop = tokio_util::sync::CancellationToken::new();
    let tls = server::http::Tls::read(&certificate, &key).unwrap();
    let serving = tokio::spawn(server::http::serve_tls(listener, house.router.clone(), Some(tls), stop.clone()));
    let root = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    let request = client.post(format!("{url}/login")).header("origin", &url);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body("name=ada&password=correct+horse+battery").send().await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::SEE_OTHER, reqwest::Version::HTTP_2));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-release-manager=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(answer.headers().contains_key("strict-transport-security"));
    let wrong = server::http::Tls::read(&key, &certificate).err().unwrap().to_string();
    assert!(wrong.contains("key.pem` holds no certificate as PEM"), "{wrong}");
    drop(client);
    stop.cancel();
    serving.await.unwrap().unwrap();
    house.close().await;
}
