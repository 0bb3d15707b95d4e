//! Asking again for what has not changed.

use http::header::ETAG;
use serde_json::json;

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let first = world.get("/api/environments").await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"'), "the tag is a strong one: {tag}");
    let again = world.get_with("/api/environments", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, tag.as_str()));

    world.source.commit("Update web", &[("env/.env.preprod", Some("WEB_VERSION=2\nWORKER_VERSION=1\n"))]);
    world.post("/api/sync", &json!({})).await;
    world.until_preprod_runs("2").await;
    let changed = world.get_with("/api/environments", &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_answer_has_a_weak_tag_that_still_matches() {
    let world = World::without_engine().await;
    let packed = world.get_with("/api/openapi.json", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let tag = packed.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let again = world.get_with("/api/openapi.json", &[("if-none-match", &tag)]).await;
    assert_eq!(again.status, 304);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_pages_and_errors_have_no_tag() {
    let world = World::without_engine().await;
    for path in ["/", "/api/nothing", "/healthz"] {
        assert_eq!(world.get(path).await.header("etag"), "", "{path}");
    }
    assert!(world.open("/api/events").await.headers().get(ETAG).is_none());
    world.stop().await;
}
