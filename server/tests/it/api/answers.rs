//! What is answered when all goes well.

use serde_json::json;

use super::world::World;

/// A JSON text with every time, commit and length replaced by a word: what is left must be the same byte for byte.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    let mut rest = text;
    while let Some((before, string)) = rest.split_once('"') {
        let (string, after) = string.split_once('"').unwrap();
        let word = match string {
            time if time.parse::<release_manager::time::Timestamp>().is_ok() => "TIME",
            sha if sha.parse::<release_manager::names::CommitSha>().is_ok() => "SHA",
            other => other,
        };
        shape.push_str(before);
        shape.push('"');
        shape.push_str(word);
        shape.push('"');
        rest = after;
    }
    shape.push_str(rest);
    match shape.split_once("\"duration_seconds\":") {
        Some((before, number)) => {
            let after = number.trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == '.');
            format!("{before}\"duration_seconds\":N{after}")
        }
        None => shape,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shapes_of_the_design_document_are_kept_to_the_byte() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let check = async |path: &str, expected: &str| {
        let answer = world.get(path).await;
        assert_eq!(shape(answer.text()), expected, "{path}");
    };
    let accepted = world.post("/api/deploy/prod", &json!({ "confirm": true })).await;
    let expected = r#"{"deployment_id":2,"status":"in_progress","started_at":"TIME"}"#;
    assert_eq!((accepted.status.as_u16(), shape(accepted.text()).as_str()), (202, expected));
    world.until_over(2).await;
    let mut live = world.manager.live();
    live.wait_for(|live| {
        let prod = live.environments.iter().find(|(name, _)| name.as_str() == "prod");
        prod.is_some_and(|(_, known)| known.health.services.values().all(|known| known.status.as_str() == "healthy"))
    })
    .await
    .unwrap();

    world.source.commit("Update web", &[("env/.env.preprod", Some("WEB_VERSION=2\nWORKER_VERSION=1\n"))]);
    world.post("/api/sync", &json!({})).await;
    world.until_preprod_runs("2").await;

    check(
        "/api/environments",
        concat!(
            r#"{"prod":{"commit_sha":"SHA","deployed_at":"TIME","services":{"web":"1","worker":"1"}},"#,
            r#""preprod":{"commit_sha":"SHA","deployed_at":"TIME","services":{"web":"2","worker":"1"}}}"#
        ),
    )
    .await;
    check(
        "/api/diff",
        concat!(
            r#"{"changes":[{"service":"web","prod_version":"1","preprod_version":"2","change_type":"version_bump"}],"#,
            r#""commit_range":{"from":"SHA","to":"SHA"}}"#
        ),
    )
    .await;
    check(
        "/api/deploy/prod/2",
        concat!(
            r#"{"deployment_id":2,"status":"success","started_at":"TIME","completed_at":"TIME","duration_seconds":N,"#,
            r#""services_deployed":[{"name":"web","version":"1","health_status":"healthy"},"#,
            r#"{"name":"worker","version":"1","health_status":"healthy"}]}"#
        ),
    )
    .await;
    check(
        "/api/history?environment=prod&service=web",
        concat!(
            r#"{"deployments":[{"id":4,"environment":"prod","service_name":"web","version":"1","status":"success","#,
            r#""deployed_by":"manual","started_at":"TIME","completed_at":"TIME"}],"total":1,"limit":50,"offset":0}"#
        ),
    )
    .await;
    let one = r#"{"status":"healthy","replicas_running":1,"replicas_desired":1,"last_checked":"TIME"}"#;
    let both = format!(r#"{{"web":{one},"worker":{one}}}"#);
    check("/api/health", &format!(r#"{{"prod":{both},"preprod":{both}}}"#)).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_would_be_done_and_an_order_holds_to_it() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let plan = world.get("/api/plan/prod?services=web").await.json();
    assert_eq!(plan["promotes_from"], "preprod");
    let touched: Vec<_> =
        plan["services"].as_array().unwrap().iter().filter(|known| !known["action"].is_null()).collect();
    assert_eq!(touched.len(), 1, "{plan}");
    assert_eq!((&touched[0]["service"], &touched[0]["action"]), (&json!("web"), &json!("create")));

    let stale = json!({ "confirm": true, "services": ["web"], "plan_hash": "0".repeat(64) });
    let refused = world.post("/api/deploy/prod", &stale).await.json();
    assert_eq!(refused["type"], "/problems/plan-changed");
    assert_eq!(refused["plan"]["plan_hash"], plan["plan_hash"]);

    let order = json!({ "confirm": true, "services": ["web"], "plan_hash": plan["plan_hash"] });
    let accepted = world.post("/api/deploy/prod", &order).await.json();
    let ended = world.until_over(accepted["deployment_id"].as_i64().unwrap()).await;
    assert_eq!((&ended["status"], &ended["cause"]["kind"]), (&json!("success"), &json!("promotion")), "{ended}");
    assert_eq!(ended["services"][0]["verdict"], "succeeded");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_paged_by_cursor_and_show_no_variable() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    for version in ["2", "3"] {
        let text = format!("WEB_VERSION={version}\nWORKER_VERSION=1\nSECRET=hunter2\n");
        world.source.commit("Update web", &[("env/.env.preprod", Some(&text))]);
        world.post("/api/sync", &json!({})).await;
        world.until_preprod_runs(version).await;
    }
    let first = world.get("/api/releases?environment=preprod&limit=2").await;
    assert!(!first.text().contains("hunter2"));
    let first = first.json();
    let versions = |page: &serde_json::Value| -> Vec<String> {
        let releases = page["releases"].as_array().unwrap().iter();
        releases.map(|known| known["services"]["web"]["version"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(versions(&first), ["3", "2"]);
    let newest = world.get("/api/releases?environment=preprod&limit=2&cursor=0").await.json();
    assert_eq!(newest, first, "0 is where the newest are");
    let second = world.get(&format!("/api/releases?environment=preprod&limit=2&cursor={}", first["next_cursor"])).await;
    assert_eq!((versions(&second.json()), &second.json()["next_cursor"]), (vec!["1".to_owned()], &json!(null)));
    assert_eq!(world.get("/api/releases?environment=prod").await.json()["releases"], json!([]));
    let one = world.get("/api/releases/1").await.json();
    assert_eq!(one["revision"]["message"], "Start the homelab");
    assert_eq!(world.get("/api/releases/9").await.status, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_walked_by_cursor_whatever_comes_meanwhile() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let first = world.get("/api/history?cursor=0&limit=1").await;
    assert_eq!((&first.json()["total"], first.json()["deployments"].as_array().unwrap().len()), (&json!(2), 1));
    let next = first.json()["next_cursor"].as_i64().unwrap();
    assert_eq!(first.header("link"), format!("</api/history?cursor={next}&limit=1>; rel=\"next\""));

    world.source.commit("Update web", &[("env/.env.preprod", Some("WEB_VERSION=2\nWORKER_VERSION=1\n"))]);
    world.post("/api/sync", &json!({})).await;
    world.until_preprod_runs("2").await;
    let second = world.get(&format!("/api/history?cursor={next}&limit=1&environment=preprod")).await;
    assert_eq!(second.json()["deployments"][0]["id"], json!(next - 1), "the next row, although another has come");
    assert_eq!((&second.json()["next_cursor"], second.header("link")), (&json!(null), ""));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_can_be_asked_at_once() {
    let world = World::new().await;
    world.until_preprod_runs("1").await;
    let before = world.source.heads();
    let known = world.post("/api/sync", &json!({})).await;
    assert_eq!(known.status, 202);
    assert_eq!(known.json()["name"], "fay/homelab");
    let mut live = world.manager.live();
    while world.source.heads() == before {
        live.changed().await.unwrap();
    }
    assert_eq!(world.get("/api/source").await.json()["head"]["author"], "Fay");
    world.stop().await;
}
