//! The description of the API, for programs and for people.

use serde_json::Value;

use super::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_served_description_is_the_committed_one() {
    let world = World::without_engine().await;
    let served = world.get("/api/openapi.json").await.json();
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json")).unwrap();
    let committed: Value = serde_json::from_str(&committed).unwrap();
    assert!(served == committed, "docs/openapi.json is not current: run `make openapi`");
    assert_eq!(served["openapi"].as_str().unwrap().rsplit_once('.').unwrap().0, "3.1");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_and_type_of_the_description_stands_on_its_page_which_loads_nothing() {
    let world = World::without_engine().await;
    let description = world.get("/api/openapi.json").await.json();
    let page = world.get("/api/docs").await;
    for path in description["paths"].as_object().unwrap().keys() {
        assert!(page.text().contains(&format!("<code>{path}</code>")), "{path}");
    }
    for name in description["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.text().contains(&format!("id=\"{name}\"")), "{name}");
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    for outside in ["<script", "<link", "<img", "http://", "https://"] {
        assert!(!page.text().contains(outside), "{outside}");
    }
    world.stop().await;
}
