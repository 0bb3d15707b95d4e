//! Planted secrets: none may be found again in the database, in pages, in answers or in the audit log.

use release_manager::access::Role;
use reqwest::header::COOKIE;
use serde_json::json;

use super::house::{House, PASSWORD, everywhere};

#[tokio::test(flavor = "multi_thread")]
async fn no_password_cookie_or_token_is_found_again() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    house.log_in("ada", "wrong CANARY-guess", "").await;
    house.log_in("CANARY-as-a-name!", "x", "").await;
    let session = house.session("ada").await;
    let token = house.token("ci", everywhere(Role::Admin)).await;
    let add = json!({"name": "eve", "role": "viewer", "password": "CANARY-new-password"});
    house.post("/api/users").bearer_auth(&token).json(&add).send().await.unwrap();
    house.get("/api/status").bearer_auth(format!("{token}CANARY")).send().await.unwrap();

    let mut texts = Vec::new();
    for path in ["/", "/account", "/settings/users", "/settings/tokens", "/audit", "/nowhere"] {
        let page = house.get(path).header(COOKIE, &session).header("accept", "text/html").send().await.unwrap();
        texts.push((path.to_owned(), page.text().await.unwrap()));
    }
    for path in ["/api/me", "/api/users", "/api/tokens", "/api/audit", "/api/status", "/api/history"] {
        let answer = house.get(path).bearer_auth(&token).send().await.unwrap();
        texts.push((path.to_owned(), answer.text().await.unwrap()));
    }
    house.store.backup_to(&house.home.path().join("copy")).await.unwrap();
    for file in ["release-manager.db", "release-manager.db-wal", "copy"] {
        let bytes = std::fs::read(house.home.path().join(file)).unwrap();
        texts.push((file.to_owned(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    let cookie_secrets = session.split("; ").map(|pair| pair.split_once('=').unwrap().1.to_owned());
    let planted = ["CANARY".to_owned(), PASSWORD.to_owned(), token].into_iter().chain(cookie_secrets);
    for secret in planted {
        for (place, text) in &texts {
            assert!(!text.contains(&secret), "a secret is found in {place}");
        }
    }
    house.close().await;
}
