//! What counts as a difference between two specs, and how it is told.

use super::*;

#[track_caller]
fn check_unchanged(wanted: &Value, live: &Value) {
    let networks = NetworkNames::from([(id_of("home_default"), "home_default".to_owned())]);
    assert_eq!(canon(wanted, &networks), canon(live, &networks));
}

#[track_caller]
fn check_changed(wanted: &Value, live: &Value) {
    let networks = NetworkNames::new();
    assert_ne!(canon(wanted, &networks), canon(live, &networks));
}

fn with(path: &[&str], value: Value) -> Value {
    let mut spec = spec("web", "app:1");
    crate::plan::spec::set(&mut spec, path, value);
    spec
}

fn container(key: &str, value: Value) -> Value {
    with(&["TaskTemplate", "ContainerSpec", key], value)
}

#[test]
fn what_the_engine_fills_in_is_no_difference() {
    let plain = spec("web", "app:1");
    let tables = [
        with(&["EndpointSpec", "Mode"], json!("vip")),
        with(&["Mode"], json!({"Replicated": {"Replicas": 1}})),
        with(&["UpdateConfig"], json!({"Parallelism": 1, "FailureAction": "pause", "Order": "stop-first"})),
        with(&["TaskTemplate", "RestartPolicy"], json!({"Condition": "any", "MaxAttempts": 0})),
        with(&["TaskTemplate", "RestartPolicy"], json!({"Condition": "any", "Delay": 5_000_000_000_u64})),
        with(&["TaskTemplate", "Runtime"], json!("container")),
        with(&["TaskTemplate", "ForceUpdate"], json!(3)),
        with(&["TaskTemplate", "Placement"], json!({"Platforms": [{"Architecture": "amd64", "OS": "linux"}]})),
        with(&["TaskTemplate", "Resources"], json!({"Reservations": {}})),
        container("Isolation", json!("default")),
        container("Privileges", json!({"CredentialSpec": null, "SELinuxContext": null})),
        container("StopGracePeriod", json!(10_000_000_000_u64)),
        container("Image", json!("docker.io/library/app:1")),
        with(&["Labels", DEPLOYMENT_LABEL], json!("7")),
        with(&["Labels", IMAGE_LABEL], json!("docker.io/library/app:1")),
    ];
    for live in tables {
        check_unchanged(&plain, &live);
    }
    check_unchanged(
        &with(&["EndpointSpec", "Ports"], json!([{"PublishedPort": 80, "TargetPort": 80}])),
        &with(
            &["EndpointSpec", "Ports"],
            json!([{"PublishedPort": 80, "TargetPort": 80, "Protocol": "tcp", "PublishMode": "ingress"}]),
        ),
    );
    check_unchanged(
        &with(&["TaskTemplate", "Networks"], json!([{"Target": "home_default"}])),
        &with(&["TaskTemplate", "Networks"], json!([{"Target": id_of("home_default")}])),
    );
    check_unchanged(
        &container("Secrets", json!([{"SecretName": "a"}])),
        &container("Secrets", json!([{"SecretName": "a", "SecretID": "i"}])),
    );
}

#[test]
fn order_and_number_forms_count_only_where_the_engine_sees_them() {
    check_unchanged(&container("Env", json!(["A=1", "B=2"])), &container("Env", json!(["B=2", "A=1"])));
    check_unchanged(
        &with(&["UpdateConfig"], json!({"MaxFailureRatio": 0.3})),
        &with(&["UpdateConfig"], json!({"MaxFailureRatio": 0.300_000_011_920_928_96})),
    );
    check_unchanged(
        &with(&["UpdateConfig"], json!({"MaxFailureRatio": 1})),
        &with(&["UpdateConfig"], json!({"MaxFailureRatio": 1.0})),
    );
    check_changed(&container("Args", json!(["a", "b"])), &container("Args", json!(["b", "a"])));
}

#[test]
fn what_says_something_is_a_difference() {
    let plain = spec("web", "app:1");
    let tables = [
        with(&["Mode"], json!({"Replicated": {"Replicas": 0}})),
        with(&["Mode"], json!({"Global": {}})),
        with(&["UpdateConfig"], json!({"Parallelism": 0})),
        with(&["TaskTemplate", "RestartPolicy"], json!({"Delay": 0})),
        with(&["Labels", "mine"], json!("")),
        container("Init", json!(false)),
        container("Image", json!("app:2")),
        container("StopGracePeriod", json!(0)),
        container("Env", json!(["A"])),
    ];
    for other in tables {
        check_changed(&plain, &other);
    }
    check_changed(&with(&["Mode"], json!({"Global": {}})), &with(&["Mode"], json!({"Replicated": {"Replicas": 0}})));
    check_changed(&container("Init", json!(false)), &container("Init", json!(true)));
}

#[test]
fn a_spec_that_is_no_object_is_compared_without_a_panic() {
    for odd in [json!(null), json!("x"), json!([1]), json!({"TaskTemplate": [], "EndpointSpec": {"Ports": ["x"]}})] {
        assert_eq!(canon(&odd, &NetworkNames::new()), canon(&odd, &NetworkNames::new()));
    }
}

#[test]
fn a_host_network_keeps_its_id_to_itself() {
    let wanted = stack("web=app:1").with("web", &["TaskTemplate", "Networks"], json!([{"Target": "host"}]));
    let mut live = deployed(&stack("web=app:1"));
    let hidden = json!([{"Target": id_of("the swarm's host")}]);
    live.services.get_mut("home_web").unwrap().spec["TaskTemplate"]["Networks"] = hidden;
    check(&wanted, &live, None, &["1 leave web 1"]);
}

#[test]
fn what_an_old_engine_drops_is_not_asked_for_again() {
    let check_of = |interval: u64| {
        let check = json!({"Test": ["CMD", "true"], "StartInterval": interval * 1_000_000_000});
        stack("web=app:1").with("web", &["TaskTemplate", "ContainerSpec", "Healthcheck"], check)
    };
    let live = applied(&swarm(), &plan(&check_of(5), &swarm(), None), true);
    check(&check_of(5), &live, None, &["1 leave web 1"]);
    check(&check_of(9), &live, None, &["1 update web: 1 field differs"]);
}

// Images

#[track_caller]
fn check_image(wanted: &str, live: &str, expected: &str, written: Option<&str>) {
    let wanted = stack(&format!("web={wanted}"));
    let plan = plan(&wanted, &deployed(&stack(&format!("web={live}"))), None);
    assert_eq!(lines(&plan), [expected]);
    let image = plan.actions[0].write.as_ref().map(|write| match write {
        Write::UpdateService { spec, .. } => image_of(spec).unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!(image, written);
}

#[test]
fn an_image_is_told_by_reference_and_digest() {
    let pinned = format!("app:1@{DIGEST}");
    let moved = format!("app:1@{OTHER_DIGEST}");
    check_image("app:1", &pinned, "1 leave web 1", None);
    check_image("docker.io/library/app:1", &pinned, "1 leave web 1", None);
    check_image(&moved, &pinned, "1 update web: image 1 has a new digest", Some(&moved));
    check_image(&pinned, "app:1", "1 update web: image 1 is pinned to its digest", Some(&pinned));
    check_image("app:2", &pinned, "1 update web: image 1 -> 2", Some("app:2"));
    check_image("other:1", "app:1", "1 update web: image app:1 -> other:1", Some("other:1"));
    check_image("host:5000/app", "host:5000/app:1", "1 update web: image 1 -> latest", Some("host:5000/app"));
}

#[test]
fn an_update_loses_neither_digest_nor_platforms_nor_restarts() {
    let mut live = deployed(&stack(&format!("web=app:1@{DIGEST}")));
    let task = &mut live.services.get_mut("home_web").unwrap().spec["TaskTemplate"];
    task["ForceUpdate"] = json!(4);
    task["Placement"]["Platforms"] = json!([{"OS": "linux"}]);
    let wanted = stack("web=app:1").with("web", &["Mode"], json!({"Replicated": {"Replicas": 3}}));
    let plan = plan(&wanted, &live, None);
    assert_eq!(lines(&plan), ["1 update web: 1 field differs"]);
    let Some(Write::UpdateService { spec, version, .. }) = &plan.actions[0].write else { panic!("no update") };
    assert_eq!(*version, 10);
    assert_eq!(image_of(spec), Some(format!("app:1@{DIGEST}").as_str()));
    assert_eq!(spec["TaskTemplate"]["ForceUpdate"], 4);
    assert_eq!(spec["TaskTemplate"]["Placement"]["Platforms"], json!([{"OS": "linux"}]));
}

#[test]
fn images_are_put_in_without_lying_to_the_docker_command() {
    let images = [(name("web"), format!("app:2@{DIGEST}")), (name("db"), format!("pg:16@{DIGEST}"))].into();
    let pinned = with_images(&stack("web=app:1 db=pg:16 same=x:1"), &images);
    let web = &pinned.services[&name("web")].spec;
    assert_eq!(image_of(web), Some(format!("app:2@{DIGEST}").as_str()));
    assert_eq!(web["Labels"][IMAGE_LABEL], "app:2");
    assert_eq!(pinned.services[&name("db")].spec["Labels"][IMAGE_LABEL], "pg:16");
    assert_eq!(image_of(&pinned.services[&name("same")].spec), Some("x:1"));
}

#[test]
fn a_running_stack_tells_its_versions() {
    let mut live = deployed(&stack("web=app:1 db=pg"));
    live.services.insert("homer_web".to_owned(), live.services["home_web"].clone());
    let adopted = adopt(&live, &"home".parse().unwrap());
    let adopted: Vec<String> = adopted.iter().map(|(name, version)| format!("{name} {}", version.version)).collect();
    assert_eq!(adopted, ["db latest", "web 1"]);
    assert_eq!(version_of_spec(&json!({})).as_str(), "unknown");
}

#[test]
fn a_stamp_says_whose_the_spec_is_and_changes_no_task() {
    let plain = spec("web", "app:1");
    let stamped = stamped(&plain, DeploymentId(12));
    assert_eq!(stamped["Labels"][DEPLOYMENT_LABEL], "12");
    assert_eq!(stamped["TaskTemplate"], plain["TaskTemplate"]);
    check_unchanged(&plain, &stamped);
}

#[test]
fn a_restart_changes_nothing_but_the_counter() {
    let live = deployed(&stack("web=app:1"));
    let stack = "home".parse().unwrap();
    let Some(Write::UpdateService { spec, .. }) = restart(&live, &stack, &name("web")).unwrap().write else {
        panic!("nothing is written")
    };
    assert_eq!(spec["TaskTemplate"]["ForceUpdate"], 1);
    check_unchanged(&live.services["home_web"].spec, &spec);
    assert_eq!(restart(&live, &stack, &name("db")), None);
}

// Fields

#[track_caller]
fn check_fields(live: &Value, wanted: &Value, expected: &[&str]) {
    let networks = NetworkNames::new();
    let shown: Vec<String> = changes(&canon(live, &networks), &canon(wanted, &networks))
        .into_iter()
        .map(|change| {
            let or_nothing = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
            format!("{}: {} -> {}", change.field, or_nothing(change.from), or_nothing(change.to))
        })
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn fields_are_named_by_path_and_by_what_the_user_calls_them() {
    let plain = spec("web", "app:1");
    check_fields(
        &plain,
        &with(&["Mode"], json!({"Replicated": {"Replicas": 2}})),
        &["Mode.Replicated.Replicas: 1 -> 2"],
    );
    check_fields(&plain, &with(&["Labels", "a.b"], json!("x")), &["Labels[a.b]: - -> x"]);
    check_fields(
        &container("Mounts", json!([{"Type": "volume", "Target": "/data", "Source": "a"}])),
        &container("Mounts", json!([{"Type": "volume", "Target": "/data", "Source": "b"}])),
        &["TaskTemplate.ContainerSpec.Mounts[/data].Source: a -> b"],
    );
    check_fields(
        &container("Args", json!(["--level", "info"])),
        &container("Args", json!(["--level", "debug"])),
        &[r#"TaskTemplate.ContainerSpec.Args: ["--level","info"] -> ["--level","debug"]"#],
    );
}

#[test]
fn a_value_that_may_be_secret_is_hidden() {
    check_fields(
        &container("Env", json!(["GONE=1", "SAME=1", "PASSWORD=old"])),
        &container("Env", json!(["NEW=1", "SAME=1", "PASSWORD=new"])),
        &[
            "TaskTemplate.ContainerSpec.Env[GONE]: (hidden) -> -",
            "TaskTemplate.ContainerSpec.Env[NEW]: - -> (hidden)",
            "TaskTemplate.ContainerSpec.Env[PASSWORD]: (hidden) -> (hidden)",
        ],
    );
    check_fields(
        &container("Args", json!([])),
        &container("Args", json!(["--db-password=x"])),
        &["TaskTemplate.ContainerSpec.Args: - -> (hidden)"],
    );
    check_fields(
        &container("Args", json!([])),
        &container("Args", json!(["postgres://me:pw@db/x"])),
        &["TaskTemplate.ContainerSpec.Args: - -> (hidden)"],
    );
    check_fields(
        &with(&["TaskTemplate", "LogDriver"], json!({"Name": "splunk", "Options": {"splunk-url": "a"}})),
        &with(&["TaskTemplate", "LogDriver"], json!({"Name": "splunk", "Options": {"splunk-url": "b"}})),
        &["TaskTemplate.LogDriver.Options[splunk-url]: (hidden) -> (hidden)"],
    );
    check_fields(
        &spec("web", "app:1"),
        &with(&["Labels", "traefik.http.middlewares.a.basicauth.users"], json!("me:hash")),
        &["Labels[traefik.http.middlewares.a.basicauth.users]: - -> (hidden)"],
    );
}
