//! Orders with an `Idempotency-Key`.

use futures::future::join_all;
use serde_json::{Value, json};

use super::world::{Answer, World};

async fn order(world: &World, key: &str, body: &Value) -> Answer {
    world.post_with("/api/deploy/prod", body, &[("idempotency-key", key)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_sent_again_is_answered_again_and_not_carried_out_again() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let body = json!({ "confirm": true });
    let first = order(&world, "k1", &body).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (202, ""));
    world.until_over(2).await;
    let again = order(&world, "k1", &body).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(world.get("/api/history?environment=prod").await.json()["total"], 2, "it was carried out once");

    let other = order(&world, "k1", &json!({ "confirm": true, "services": ["web"] })).await;
    assert_eq!((other.status.as_u16(), &other.json()["type"]), (422, &json!("/problems/key-reused")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_make_one_deployment_and_get_one_answer() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let body = json!({ "confirm": true });
    let answers = join_all((0..50).map(|_| order(&world, "double-click", &body))).await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (202, &answers[0].body), "{}", answer.text());
    }
    let new = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
    assert_eq!(new, 1);
    world.until_over(2).await;
    assert_eq!(world.get("/api/releases?environment=prod").await.json()["releases"].as_array().unwrap().len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_orders_of_different_names_make_one_deployment_and_the_others_are_told_which() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let body = json!({ "confirm": true });
    let keys: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
    let answers = join_all(keys.iter().map(|key| order(&world, key, &body))).await;
    let accepted: Vec<_> = answers.iter().filter(|answer| answer.status == 202).collect();
    assert_eq!(accepted.len(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 202) {
        let problem = refused.json();
        assert_eq!((refused.status.as_u16(), &problem["type"]), (409, &json!("/problems/busy")), "{problem}");
    }
    world.until_over(2).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_order_did_nothing_and_may_be_sent_again() {
    let world = World::without_engine().await;
    let refused = order(&world, "k1", &json!({ "confirm": false })).await;
    assert_eq!(refused.json()["type"], "/problems/not-confirmed");
    let refused = order(&world, "k1", &json!({ "confirm": true })).await;
    assert_eq!(refused.json()["type"], "/problems/swarm", "the key is free for another request");
    for bad in ["", "a b", &"x".repeat(256)] {
        let refused = order(&world, bad, &json!({ "confirm": true })).await;
        assert_eq!(refused.json()["type"], "/problems/bad-request", "`{bad}`");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_the_answer_to_anothers_order() {
    let world = World::without_engine().await;
    let send = async |token: &str| {
        let headers = [("idempotency-key", "k1"), ("authorization", token)];
        world.post_with("/api/sync", &json!({}), &headers).await
    };
    assert_eq!(send("Basic one").await.header("idempotency-replayed"), "");
    assert_eq!(send("Basic two").await.header("idempotency-replayed"), "");
    assert_eq!(send("Basic one").await.header("idempotency-replayed"), "true");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_cut_off_by_a_crash_is_not_guessed_at() {
    let world = World::without_engine().await;
    let headers = [("idempotency-key", "k1")];
    world.post_with("/api/sync", &json!({}), &headers).await;
    // As it stands when the process ends between the order and its answer.
    let path = world.database().display().to_string();
    let shell = sqlx::SqlitePool::connect(&format!("sqlite://{path}")).await.unwrap();
    sqlx::query("update answers set status = null, content_type = null, body = null").execute(&shell).await.unwrap();
    let again = world.post_with("/api/sync", &json!({}), &headers).await;
    assert_eq!((again.status.as_u16(), &again.json()["type"]), (409, &json!("/problems/outcome-unknown")));

    sqlx::query("update answers set at = at - 86400001").execute(&shell).await.unwrap();
    let again = world.post_with("/api/sync", &json!({}), &headers).await;
    assert_eq!(again.status, 202, "a day later the key is free");
    shell.close().await;
    world.stop().await;
}
