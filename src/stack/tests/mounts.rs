//! Mounts of the kinds that the Engine of the differential test does not take, and options that fit no kind but their own.

use super::*;

fn file(mount: &str) -> String {
    format!("services: {{web: {{image: 'app:1', volumes: [{mount}]}}}}\nvolumes: {{data: , named: {{name: other}}}}")
}

#[track_caller]
fn check(mount: &str, expected: &serde_json::Value) {
    let (stack, _) = try_render(&[("s.yml", &file(mount))], "", &Files::new()).unwrap();
    let spec = &stack.services[&"web".parse().unwrap()].spec;
    assert_eq!(spec["TaskTemplate"]["ContainerSpec"]["Mounts"], json!([expected]), "{mount}");
}

#[test]
fn mounts_of_newer_engines_are_sent() {
    check(
        "{type: cluster, source: data, target: /d}",
        &json!({"Type": "cluster", "Target": "/d", "Source": "shop_data", "ClusterOptions": {}}),
    );
    check(
        "{type: cluster, source: named, target: /d, read_only: true}",
        &json!({"Type": "cluster", "Target": "/d", "Source": "other", "ReadOnly": true, "ClusterOptions": {}}),
    );
    check(
        "{type: cluster, source: 'group:fast', target: /d}",
        &json!({"Type": "cluster", "Target": "/d", "Source": "group:fast", "ClusterOptions": {}}),
    );
    check("{type: image, source: 'app:2', target: /d}", &json!({"Type": "image", "Target": "/d", "Source": "app:2"}));
}

#[test]
fn options_of_another_kind_of_mount_are_refused() {
    for (kind, source, options) in [
        ("volume", "source: data,", ["bind", "tmpfs"].as_slice()),
        ("bind", "source: /x,", &["volume", "tmpfs"]),
        ("npipe", "source: /x,", &["volume", "tmpfs"]),
        ("tmpfs", "", &["bind", "volume"]),
        ("cluster", "source: data,", &["bind", "volume", "tmpfs"]),
        ("image", "source: 'app:2',", &["bind", "volume", "tmpfs"]),
    ] {
        for foreign in options {
            let text = file(&format!("{{type: {kind}, {source} target: /d, {foreign}: {{}}}}"));
            let errors = try_render(&[("s.yml", &text)], "", &Files::new()).expect_err("it should be refused");
            let expected = format!("`{foreign}` options do not fit a mount of type {kind}: remove them");
            assert!(errors.iter().any(|error| error.message == expected), "{kind} {foreign}: {errors:?}");
        }
    }
}
