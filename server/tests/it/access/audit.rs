//! The audit log: what stands in it, and that nobody can change it unseen.

use axum::body::Body;
use axum::http::Request;
use futures::{StreamExt, stream};
use release_manager::access::throttle::Allowance;
use release_manager::access::{Accounts, AuditFilter, AuditRow, Role};
use reqwest::{Method, StatusCode};
use serde_json::json;
use server::auth::AuthSettings;
use server::store::{Broken, VerifyError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::oneshot;
use tower::ServiceExt;

use super::house::{House, PASSWORD, everywhere, patient};

async fn rows(house: &House) -> Vec<AuditRow> {
    house.keeper.audit(&AuditFilter { limit: 100, ..AuditFilter::default() }).await.unwrap().rows
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_refusals_stand_there_with_who_what_and_how_it_ended() {
    let house = House::new().await;
    let admin = house.token("root", everywhere(Role::Admin)).await;
    let viewer = house.token("eye", everywhere(Role::Viewer)).await;
    let add = json!({"name": "ada", "role": "deployer", "environments": ["preprod"], "password": "a secret password"});
    let added = house.post("/api/users").bearer_auth(&admin).json(&add).send().await.unwrap();
    assert_eq!(added.status(), StatusCode::CREATED);
    let again = house.post("/api/users").bearer_auth(&admin).json(&add).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::CONFLICT);
    let refused = house.post("/api/deploy/prod").bearer_auth(&viewer).json(&json!({"confirm": true})).send().await;
    assert_eq!(refused.unwrap().status(), StatusCode::FORBIDDEN);
    house.get("/api/users").bearer_auth(&viewer).send().await.unwrap();
    house.get("/api/status").bearer_auth(&viewer).send().await.unwrap();
    house.post("/api/deploy/prod").bearer_auth("rm_wrong").send().await.unwrap();

    let mut told = rows(&house).await;
    told.reverse();
    let told: Vec<_> = told
        .iter()
        .map(|row| {
            let target = row.target.as_deref().unwrap_or_default();
            format!("{} {} {target} {}", row.actor, row.operation, row.result.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            "token:root manage_access user ada done",
            "token:root manage_access user ada failed",
            "token:eye promote prod refused",
            "token:eye manage_access /api/users refused",
            "nobody promote prod refused",
        ]
    );
    let csv = house.get("/api/audit?format=csv").bearer_auth(&admin).send().await.unwrap().text().await.unwrap();
    assert!(csv.contains(",added as deployer in preprod\r\n"), "{csv}");
    assert!(!csv.contains("a secret password"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_never_reach_the_gate_stand_there_too() {
    let house = House::with(AuthSettings { writes: Allowance { burst: 1, per_second: 1 }, ..patient() }).await;
    let admin = house.token("root", everywhere(Role::Admin)).await;
    let hold_in = |name: &str| {
        let path = format!("/api/environments/{name}/hold");
        house.request(Method::POST, &path).json(&json!({ "reason": "to see" }))
    };
    let hold = || hold_in("prod");
    let answers = [
        hold().header("sec-fetch-site", "cross-site").send().await.unwrap().status(),
        hold_in("preprod").header("host", "evil.test").bearer_auth(&admin).send().await.unwrap().status(),
        hold().bearer_auth(&admin).send().await.unwrap().status(),
        hold().bearer_auth(&admin).send().await.unwrap().status(),
        house
            .request(Method::POST, "/api/webhooks/gitlab")
            .header("x-gitlab-token", "x")
            .send()
            .await
            .unwrap()
            .status(),
    ];
    assert_eq!(answers.map(|status| status.as_u16()), [403, 421, 200, 429, 401]);
    house.get("/healthz").header("host", "evil.test").send().await.unwrap();

    let told = rows(&house).await.into_iter().rev().filter(|row| row.result.as_str() == "refused");
    let told: Vec<_> = told
        .map(|row| format!("{} {} {}: {}", row.actor, row.operation, row.target.unwrap(), row.detail.unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            "nobody hold prod: it came from a page of another site",
            "nobody hold preprod: it was sent to a host that is not served here",
            "token:root hold prod: too many requests",
            "nobody webhook gitlab: the signature is missing or wrong",
        ]
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_changed_or_taken_out_is_named() {
    for (statement, line) in [
        ("update audit set actor = 'eve' where id = 2", 2),
        ("update audit set times = 9 where id = 3", 3),
        ("delete from audit where id = 1", 2),
        ("delete from audit where id = 3", 3),
    ] {
        let house = House::new().await;
        let admin = house.token("root", everywhere(Role::Admin)).await;
        for number in 0..3 {
            let body = json!({"name": format!("t{number}"), "role": "viewer"});
            house.post("/api/tokens").bearer_auth(&admin).json(&body).send().await.unwrap();
        }
        house.store.verify().await.unwrap();
        let path = house.home.path().join("release-manager.db");
        let mut shell = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        assert!(sqlx::raw_sql(statement).execute(&mut shell).await.is_err(), "the schema forbids it");
        let unguarded = "drop trigger audit_stays; drop trigger audit_never_changes";
        sqlx::raw_sql(unguarded).execute(&mut shell).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut shell).await.unwrap();
        shell.close().await.unwrap();
        match house.store.verify().await {
            Err(VerifyError::Broken(Broken::Audit(found))) => assert_eq!(found, line, "{statement}"),
            other => panic!("{statement} went unseen: {other:?}"),
        }
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_offers_no_way_to_take_a_line_out() {
    let house = House::new().await;
    let admin = house.token("root", everywhere(Role::Admin)).await;
    for method in [Method::DELETE, Method::POST, Method::PUT, Method::PATCH] {
        let answer = house.request(method, "/api/audit").bearer_auth(&admin).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_client_goes_away_is_carried_out_and_has_its_line() {
    let house = House::new().await;
    let admin = house.token("root", everywhere(Role::Admin)).await;
    let (reading, read) = oneshot::channel();
    let (rest, resting) = oneshot::channel::<&str>();
    let first = stream::once(async move {
        reading.send(()).unwrap();
        Ok::<_, std::io::Error>("{")
    });
    let body = first.chain(stream::once(async move { Ok(resting.await.unwrap()) }));
    let request = Request::post("/api/users")
        .header("authorization", format!("Bearer {admin}"))
        .header("content-type", "application/json")
        .header("host", "localhost")
        .body(Body::from_stream(body))
        .unwrap();
    let mut answer = Box::pin(house.router.clone().oneshot(request));
    tokio::select! {
        _ = &mut answer => unreachable!("it waits for the rest of the body"),
        read = read => read.unwrap(),
    }
    drop(answer);
    rest.send(r#""name": "ada", "role": "viewer", "password": "a secret password"}"#).unwrap();
    house.tasks.close();
    house.tasks.wait().await;

    let users = house.keeper.users().await.unwrap();
    assert!(users.iter().any(|user| user.name.as_str() == "ada"), "it is carried out as a whole");
    let told = rows(&house).await;
    assert_eq!(told[0].target.as_deref(), Some("user ada"));
    assert_eq!(told[0].result.as_str(), "done");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_refused_is_not_told_as_done() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    let session = house.session("ada").await;
    let form = house.post("/rpc/change_password").header("cookie", &session).header("accept", "text/html");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body("current=wrong&new=another+good+one&again=another+good+one").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND, "a browser without scripts is taken back to the page");
    let told = rows(&house).await;
    assert_eq!((told[0].operation.as_str(), told[0].result.as_str()), ("own_account", "failed"));
    assert_eq!(told[0].detail.as_deref(), Some("changes the own password: the current password is not right"));
    assert!(house.log_in("ada", PASSWORD, "").await.status().is_redirection(), "the password is as it was");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_fill_the_log() {
    let house = House::new().await;
    for number in 0..100 {
        let path = format!("/api/{}{number}", "x".repeat(5_000));
        house.get(&path).bearer_auth("rm_wrong").send().await.unwrap();
    }
    for number in 0..100 {
        house.post(&format!("/api/deploy/e{number}")).bearer_auth("rm_wrong").send().await.unwrap();
    }
    house.keeper.audit.flush(true).await;
    let told = rows(&house).await;
    assert!(told.len() < 30, "{} lines", told.len());
    assert_eq!(told.iter().map(|row| row.times).sum::<u32>(), 200, "each is counted");
    let longest = told.iter().filter_map(|row| row.target.as_ref()).map(String::len).max();
    assert!(longest.unwrap() <= 200);
    house.close().await;
}
