//! Passwords and sessions.

use std::time::{Duration, Instant};

use release_manager::access::{Accounts, NewToken, Principal, Role, Who};
use reqwest::StatusCode;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use secrecy::ExposeSecret;
use server::SystemClock;
use server::auth::{Auth, AuthSettings, FirstStart, first_start};
use server::store::Store;
use tempfile::tempdir;

use super::house::{House, PASSWORD, cookies, everywhere, only, patient};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_the_password_comes_in_and_goes_again() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    let page = house.get("/history").header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::SEE_OTHER);
    assert_eq!(page.headers()[LOCATION], "/login?next=%2Fhistory");
    let form = house.get("/login").header("accept", "text/html").send().await.unwrap();
    assert_eq!(form.status(), StatusCode::OK);
    assert!(form.text().await.unwrap().contains("name=\"password\""));

    let answer = house.log_in("Ada", PASSWORD, "").await;
    assert_eq!((answer.status(), &answer.headers()[LOCATION]), (StatusCode::SEE_OTHER, &"/".parse().unwrap()));
    for cookie in answer.headers().get_all(SET_COOKIE) {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax; ") && cookie.contains("Path=/"), "{cookie}");
    }
    let session = cookies(answer.headers());
    let me: serde_json::Value =
        house.get("/api/me").header(COOKIE, &session).send().await.unwrap().json().await.unwrap();
    assert_eq!(me["deployed_by"], "ada");
    assert_eq!(me["role"], "admin");

    let left = house.post("/logout").header(COOKIE, &session).send().await.unwrap();
    assert_eq!(left.headers()[LOCATION], "/login?problem=left");
    assert_eq!(house.who(&session).await, StatusCode::UNAUTHORIZED, "the server has forgotten the session");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_look_alike() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    let mut answers = Vec::new();
    for name in ["ada", "eve"] {
        let started = Instant::now();
        let answer = house.log_in(name, "wrong horse battery", "").await;
        assert!(answer.headers().get(SET_COOKIE).is_none());
        let status = answer.status();
        let mut told: serde_json::Value = answer.json().await.unwrap();
        told.as_object_mut().unwrap().remove("request_id");
        answers.push((status, told));
        assert!(started.elapsed() > Duration::from_millis(5), "a password was looked at for {name}");
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_guesses_cost_little_and_the_owner_comes_in_all_the_same() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    let known = house.session("ada").await;
    let started = Instant::now();
    let mut looked_at = 0;
    for batch in 0..100 {
        let guesses = (0..100).map(|guess| {
            let house = &house;
            async move { house.log_in("ada", &format!("guess number {batch} {guess}"), "").await }
        });
        for answer in futures::future::join_all(guesses).await {
            match answer.status() {
                StatusCode::UNAUTHORIZED => looked_at += 1,
                StatusCode::TOO_MANY_REQUESTS => {
                    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                    assert!((1..=900).contains(&wait), "{wait}");
                }
                other => panic!("{other}"),
            }
        }
    }
    // Five are free, then one after each pause that doubles.
    let seconds = started.elapsed().as_secs();
    assert!(looked_at <= 5 + seconds.max(1).ilog2() + 2, "{looked_at} passwords were looked at in {seconds} s");
    let owner = house.log_in("ada", PASSWORD, &known).await;
    assert_eq!(owner.status(), StatusCode::SEE_OTHER, "the owner's browser is known");
    house.keeper.audit.flush(true).await;
    let page = house.keeper.audit(&release_manager::access::AuditFilter { limit: 1000, ..Default::default() }).await;
    let rows = page.unwrap().rows;
    let refused: u32 = rows.iter().filter(|row| row.operation == "log_in").map(|row| row.times).sum();
    assert_eq!(refused, 10_000 + 2, "every attempt is counted");
    assert!(rows.len() < 20, "but they share lines: {}", rows.len());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_gain_nothing() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Admin)).await;
    let guesses = (0..200).map(|guess| house.log_in("ada", if guess == 199 { PASSWORD } else { "no" }, ""));
    let answers = futures::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| answer.status() != StatusCode::TOO_MANY_REQUESTS).count();
    assert!(looked_at <= 6, "{looked_at}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_planted_is_worth_nothing_after_the_login() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let made_up = "release-manager=planted";
    let first = cookies(house.log_in("ada", PASSWORD, made_up).await.headers());
    assert!(!first.contains("planted"));
    assert_eq!(house.who(made_up).await, StatusCode::UNAUTHORIZED);
    let second = cookies(house.log_in("ada", PASSWORD, &first).await.headers());
    assert_eq!(house.who(&first).await, StatusCode::UNAUTHORIZED, "the old session ends with the new login");
    assert_eq!(house.who(&second).await, StatusCode::OK);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_database_opens_no_session() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    house.session("ada").await;
    let path = house.home.path().join("release-manager.db");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}?mode=ro", path.display())).await.unwrap();
    let hash: Vec<u8> = sqlx::query_scalar("select hash from sessions").fetch_one(&pool).await.unwrap();
    let hex = hash.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    for stolen in [hex, base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &hash)] {
        assert_eq!(house.who(&format!("release-manager={stolen}")).await, StatusCode::UNAUTHORIZED);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_unused_and_in_any_case_after_a_week() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let session = house.session("ada").await;
    house.clock.advance(Duration::from_hours(11));
    assert_eq!(house.who(&session).await, StatusCode::OK);
    house.clock.advance(Duration::from_hours(11));
    assert_eq!(house.who(&session).await, StatusCode::OK, "using it keeps it");
    house.clock.advance(Duration::from_hours(12));
    assert_eq!(house.who(&session).await, StatusCode::UNAUTHORIZED);

    let session = house.session("ada").await;
    for _ in 0..16 {
        house.clock.advance(Duration::from_hours(10));
        assert_eq!(house.who(&session).await, StatusCode::OK);
    }
    house.clock.advance(Duration::from_hours(10));
    assert_eq!(house.who(&session).await, StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_only_left_open_keeps_nobody_logged_in() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let session = house.session("ada").await;
    let cookie = session.split("; ").find_map(|cookie| cookie.strip_prefix("release-manager=")).unwrap();
    for _ in 0..12 {
        house.clock.advance(Duration::from_mins(59));
        assert!(house.keeper.look(cookie).await.unwrap().is_some(), "the stream of an open page asks");
    }
    house.clock.advance(Duration::from_mins(12));
    assert!(house.keeper.look(cookie).await.unwrap().is_none());
    assert_eq!(house.who(&session).await, StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_was_shut_out_comes_back_by_a_token() {
    let house = House::new().await;
    for name in ["ada", "bob"] {
        house.user(name, everywhere(Role::Admin)).await;
    }
    let ada = Principal { who: Who::Person("ada".parse().unwrap()), grant: everywhere(Role::Admin) };
    let new = NewToken { name: "adas".parse().unwrap(), grant: everywhere(Role::Admin), expires_at: None };
    let token = house.keeper.create_token(&ada, new).await.unwrap().secret;
    let ask = || async { house.get("/api/me").bearer_auth(&token).send().await.unwrap().status() };
    assert_eq!(ask().await, StatusCode::OK);
    house.keeper.set_disabled(&"ada".parse().unwrap(), true).await.unwrap();
    assert_eq!(ask().await, StatusCode::UNAUTHORIZED);
    house.keeper.set_disabled(&"ada".parse().unwrap(), false).await.unwrap();
    assert_eq!(ask().await, StatusCode::OK, "it was not revoked");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_never_has_more_than_the_role_that_its_owner_has_now() {
    let house = House::new().await;
    for name in ["ada", "bob"] {
        house.user(name, everywhere(Role::Admin)).await;
    }
    let made_by = async |who, name: &str| {
        let by = Principal { who, grant: everywhere(Role::Admin) };
        let new = NewToken { name: name.parse().unwrap(), grant: everywhere(Role::Admin), expires_at: None };
        house.keeper.create_token(&by, new).await.unwrap().secret
    };
    let own = made_by(Who::Person("ada".parse().unwrap()), "adas").await;
    // A token that was made by a token belongs to the same person.
    let child = made_by(Who::Token("adas".parse().unwrap()), "child").await;
    let others = made_by(Who::Person("bob".parse().unwrap()), "bobs").await;
    let grant = async |token: &str| house.keeper.token(token).await.unwrap().map(|visit| visit.principal.grant);
    let mut stream = house.get("/api/events").bearer_auth(&own).send().await.unwrap();
    stream.chunk().await.unwrap().unwrap();

    let ada = "ada".parse().unwrap();
    for now in [only("preprod"), everywhere(Role::Viewer), everywhere(Role::Admin)] {
        house.keeper.set_grant(&ada, now.clone()).await.unwrap();
        for token in [&own, &child] {
            assert_eq!(grant(token).await, Some(now.clone()));
        }
        assert_eq!(grant(&others).await, Some(everywhere(Role::Admin)));
    }
    house.keeper.set_grant(&ada, everywhere(Role::Viewer)).await.unwrap();
    let users = house.get("/api/users").bearer_auth(&own).send().await.unwrap();
    assert_eq!(users.status(), StatusCode::FORBIDDEN);
    while stream.chunk().await.unwrap().is_some() {}
    house.keeper.set_disabled(&ada, true).await.unwrap();
    assert_eq!((grant(&own).await, grant(&child).await), (None, None));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_role_another_password_and_shutting_out_end_every_session() {
    let house = House::new().await;
    house.user("root", everywhere(Role::Admin)).await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let ada = "ada".parse().unwrap();
    let session = house.session("ada").await;
    house.keeper.set_grant(&ada, everywhere(Role::Deployer)).await.unwrap();
    assert_eq!(house.who(&session).await, StatusCode::UNAUTHORIZED);

    let (one, other) = (house.session("ada").await, house.session("ada").await);
    let own = house.keeper.sessions(&ada, None).await.unwrap();
    assert_eq!(own.len(), 2);
    let form = "current=correct+horse+battery&new=another+horse+battery&again=another+horse+battery";
    let change = house.post("/rpc/change_password").header(COOKIE, &one).body(form);
    let change = change.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(change.status(), StatusCode::OK, "{}", change.text().await.unwrap());
    assert_eq!(house.who(&one).await, StatusCode::OK, "the browser in which it was changed stays");
    assert_eq!(house.who(&other).await, StatusCode::UNAUTHORIZED);
    assert_eq!(house.log_in("ada", PASSWORD, "").await.status(), StatusCode::UNAUTHORIZED);

    house.keeper.set_disabled(&ada, true).await.unwrap();
    assert_eq!(house.who(&one).await, StatusCode::UNAUTHORIZED);
    assert_eq!(house.log_in("ada", "another horse battery", "").await.status(), StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_everywhere_ends_every_session_of_that_person_and_of_nobody_else() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    house.user("eve", everywhere(Role::Viewer)).await;
    let (one, other, eve) = (house.session("ada").await, house.session("ada").await, house.session("eve").await);
    let end = async |form: String| {
        let end = house.post("/rpc/end_own_sessions").header(COOKIE, &one).body(form);
        end.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap().status()
    };
    let of_eve = house.keeper.sessions(&"eve".parse().unwrap(), None).await.unwrap()[0].id;
    end(format!("id={of_eve}")).await;
    assert_eq!(house.who(&eve).await, StatusCode::OK, "it is not ada's to end");
    assert_eq!(end(String::new()).await, StatusCode::OK);
    assert_eq!(house.who(&one).await, StatusCode::UNAUTHORIZED);
    assert_eq!(house.who(&other).await, StatusCode::UNAUTHORIZED);
    assert_eq!(house.who(&eve).await, StatusCode::OK);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_many_streams_open_asks_again_and_again_and_misses_nothing() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let session = house.session("ada").await;
    let mut open = Vec::new();
    for _ in 0..6 {
        let mut stream = house.get("/api/events").header(COOKIE, &session).send().await.unwrap();
        assert!(stream.chunk().await.unwrap().unwrap().starts_with(b"data: {"));
        open.push(stream);
    }
    let once = house.get("/api/events").header(COOKIE, &session).send().await.unwrap();
    assert_eq!(once.status(), StatusCode::OK);
    let text = once.text().await.unwrap();
    assert!(text.starts_with("retry: 10000\ndata: {") && text.ends_with("}\ndata:\n\n"), "{text}");
    drop(open);
    let token = house.token("ci", everywhere(Role::Viewer)).await;
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(house.get("/api/events").bearer_auth(&token).send().await.unwrap());
    }
    let refused = house.get("/api/events").bearer_auth(&token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    drop(open);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_can_neither_be_shut_out_nor_made_less() {
    let house = House::new().await;
    house.user("root", everywhere(Role::Admin)).await;
    let root = "root".parse().unwrap();
    let refused = house.keeper.set_disabled(&root, true).await.unwrap_err().to_string();
    assert_eq!(refused, "`root` is the last admin who can log in: make another one first");
    assert!(house.keeper.set_grant(&root, everywhere(Role::Viewer)).await.is_err());
    house.user("ada", everywhere(Role::Admin)).await;
    house.keeper.set_disabled(&root, true).await.unwrap();
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_makes_an_admin_once() {
    let home = tempdir().unwrap();
    let store = Store::open(&home.path().join("db")).await.unwrap();
    let FirstStart::MadeUp(password) = first_start(&store, &SystemClock, None).await.unwrap() else {
        panic!("no password was made up");
    };
    assert!(password.expose_secret().len() > 20);
    assert!(matches!(first_start(&store, &SystemClock, None).await.unwrap(), FirstStart::NotFirst));
    let users = store.users().await.unwrap();
    assert_eq!((users.len(), users[0].name.as_str(), users[0].password_is_temporary), (1, "admin", true));
    store.close().await;

    let store = Store::open(&home.path().join("other")).await.unwrap();
    let refused = first_start(&store, &SystemClock, Some(&"short".into())).await.unwrap_err();
    assert_eq!(refused, "ADMIN_PASSWORD: a password has 12 to 256 characters: this one has 5");
    assert!(matches!(first_start(&store, &SystemClock, Some(&PASSWORD.into())).await.unwrap(), FirstStart::Given));
    assert!(!store.users().await.unwrap()[0].password_is_temporary);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_managed_beside_the_server_that_holds_the_database() {
    let house = House::new().await;
    house.user("ada", everywhere(Role::Viewer)).await;
    let session = house.session("ada").await;
    let path = house.home.path().join("release-manager.db");
    let beside = Store::open_beside(&path).await.unwrap();
    beside.set_disabled(&"ada".parse().unwrap(), Some(release_manager::time::Timestamp::from_millis(0))).await.unwrap();
    beside.close().await;
    assert_eq!(house.who(&session).await, StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_trusted_vouches_and_nobody_else_does() {
    let header = |settings: AuthSettings| AuthSettings {
        proxy_login: Some(server::auth::ProxyLogin {
            user: "x-forwarded-user".parse().unwrap(),
            groups: Some("x-forwarded-groups".parse().unwrap()),
        }),
        groups: "ops=admin,devs=deployer:preprod".parse().unwrap(),
        auth: Auth::Login,
        ..settings
    };
    let trusted = AuthSettings { proxies: vec!["127.0.0.1".parse().unwrap()], ..patient() };
    let house = House::with(header(trusted)).await;
    let as_user = |user: &str, groups: &str| {
        house.get("/api/me").header("x-forwarded-user", user).header("x-forwarded-groups", groups).send()
    };
    let me: serde_json::Value = as_user("Ada@example.org", "devs, all").await.unwrap().json().await.unwrap();
    assert_eq!(me["deployed_by"], "ada@example.org");
    assert_eq!(me["environments"][0], "preprod");
    assert_eq!(as_user("eve", "strangers").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(as_user("", "ops").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    house.close().await;

    let stranger = AuthSettings { proxies: vec!["10.0.0.0/8".parse().unwrap()], ..patient() };
    let house = House::with(header(stranger)).await;
    let made_up = house.get("/api/me").header("x-forwarded-user", "admin").header("x-forwarded-groups", "ops");
    assert_eq!(made_up.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    house.close().await;
}
