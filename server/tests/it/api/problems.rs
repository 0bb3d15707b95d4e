//! What is answered when something is wrong.

use axum::body::Body;
use http::Method;
use serde_json::json;

use super::world::{Answer, World, request};

#[track_caller]
fn check(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["type"], format!("/problems/{kind}"));
    assert_eq!(problem["status"], status);
    assert!(!problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_document_with_the_id_of_its_request() {
    let world = World::new().await;
    check(&world.get("/api/nothing").await, 404, "not-found");
    check(&world.get("/api/plan/moon").await, 404, "not-found");
    check(&world.get("/api/deployments/99").await, 404, "not-found");
    check(&world.get("/api/plan/Moon").await, 404, "not-found");
    check(&world.get("/api/deployments/many").await, 404, "not-found");
    let impossible = request(Method::DELETE, "/api/tokens/Not%20a%20name", &[], Body::empty());
    check(&world.send(impossible).await, 404, "not-found");
    check(&world.get("/api/history?limit=many").await, 400, "bad-request");
    check(&world.get("/api/history?limit=0").await, 400, "bad-request");
    check(&world.get("/api/releases?limit=101").await, 400, "bad-request");
    check(&world.get("/api/audit?limit=0").await, 400, "bad-request");
    check(&world.get("/api/audit?limit=1001").await, 400, "bad-request");
    check(&world.get("/api/history?cursor=-1").await, 400, "bad-request");
    check(&world.get("/api/releases?cursor=-1").await, 400, "bad-request");
    check(&world.get("/api/history?cursor=3&offset=1").await, 422, "bad-request");
    check(&world.get("/api/history?colour=red").await, 400, "bad-request");
    check(&world.post("/api/deploy/prod", &json!({ "confirm": false })).await, 422, "not-confirmed");
    check(&world.post("/api/deploy/prod", &json!({})).await, 422, "not-confirmed");
    check(&world.post("/api/deploy/prod", &json!({ "confirm": true, "colour": "red" })).await, 422, "bad-request");
    check(&world.post("/api/deploy/moon", &json!({ "confirm": true })).await, 404, "not-found");
    check(&world.post("/api/deploy/cancel/99", &json!({})).await, 404, "not-found");
    let text = request(Method::POST, "/api/deploy/prod", &[], Body::from("confirm=true"));
    check(&world.send(text).await, 415, "unsupported-media-type");
    let broken = request(Method::POST, "/api/deploy/prod", &[("content-type", "application/json")], Body::from("{"));
    check(&world.send(broken).await, 400, "bad-request");
    let large = Body::from("x".repeat(65 * 1024));
    let large = request(Method::POST, "/api/deploy/prod", &[("content-type", "application/json")], large);
    check(&world.send(large).await, 413, "too-large");
    let cross = world.post_with("/api/deploy/prod", &json!({}), &[("sec-fetch-site", "cross-site")]).await;
    check(&cross, 403, "cross-site");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_have_is_told_with_those_that_it_has() {
    let world = World::without_engine().await;
    let answer = world.send(request(Method::DELETE, "/api/history", &[], Body::empty())).await;
    check(&answer, 405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let answer = world.get("/api/sync").await;
    check(&answer, 405, "method-not-allowed");
    assert_eq!(answer.header("allow"), "POST");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_its_own_id_where_that_does_no_harm() {
    let world = World::without_engine().await;
    let answer = world.get_with("/api/nothing", &[("x-request-id", "build-7")]).await;
    assert_eq!((answer.header("x-request-id"), &answer.json()["request_id"]), ("build-7", &json!("build-7")));
    let answer = world.get_with("/", &[("x-request-id", "a b")]).await;
    assert_eq!(answer.header("x-request-id").len(), 16, "pages have one too");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_a_problem_leads_to_its_explanation() {
    let world = World::without_engine().await;
    let answer = world.get("/problems/busy").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "/api/docs#problem-busy"));
    assert!(world.get("/api/docs").await.text().contains("id=\"problem-busy\""));
    assert_eq!(world.get("/problems/boredom").await.status, 404);
    world.stop().await;
}
