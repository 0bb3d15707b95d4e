use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testkit::{applied, base64, deployed, foreign, id_of, name, node, spec, stack, swarm};
use super::*;
use crate::engine::{CONTENT_LABEL, DEPLOYMENT_LABEL, IMAGE_LABEL, LiveStack};
use crate::names::DeploymentId;
use crate::stack::{Object, Stack};

/// A plan in short: one line for each action.
fn lines(plan: &Plan) -> Vec<String> {
    plan.actions
        .iter()
        .map(|action| {
            let Action { kind, reason, level, .. } = action;
            match kind {
                ActionKind::CreateObject { object, name } => format!("{object} {name}: {reason}"),
                ActionKind::LabelObject { object, name } => format!("label {object} {name}"),
                ActionKind::RemoveObject { object, name } => format!("remove {object} {name}"),
                ActionKind::CreateService { service, to } => format!("{level} create {service} {to}: {reason}"),
                ActionKind::UpdateService { service, .. } => format!("{level} update {service}: {reason}"),
                ActionKind::LeaveService { service, version } => format!("{level} leave {service} {version}"),
                ActionKind::RemoveService { service, from } => format!("{level} remove {service} {from}"),
                ActionKind::WatchService { service, to, .. } => format!("{level} watch {service} {to}"),
            }
        })
        .collect()
}

#[track_caller]
fn check(wanted: &Stack, live: &LiveStack, scope: Option<&str>, expected: &[&str]) {
    let scope = scope.map(|names| names.split_whitespace().map(name).collect::<BTreeSet<_>>());
    let plan = plan(wanted, live, scope.as_ref());
    assert_eq!(lines(&plan), expected);
    assert_eq!(plan.blockers, []);
}

/// The reasons why a plan is refused, or what it warns of.
#[track_caller]
fn check_findings(wanted: &Stack, live: &LiveStack, blockers: &[&str], warnings: &[&str]) {
    let plan = plan(wanted, live, None);
    for (found, expected) in [(&plan.blockers, blockers), (&plan.warnings, warnings)] {
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.message.contains(expected), "`{}` does not say `{expected}`", found.message);
        }
    }
}

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER_DIGEST: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

// Order and scope

#[test]
fn objects_come_first_then_services_by_level_then_removals() {
    let live = deployed(&stack("old=app:1"));
    let wanted = stack("web=app:2 db=pg:16")
        .after("web", "db")
        .network("home_default")
        .on("web", "home_default")
        .secret("home_key", "x")
        .config("home_conf", "y");
    check(
        &wanted,
        &live,
        None,
        &[
            "network home_default: it does not exist yet",
            "secret home_key: it does not exist yet",
            "config home_conf: it does not exist yet",
            "1 create db 16: new service",
            "2 create web 2: new service",
            "3 remove old 1",
        ],
    );
}

#[test]
fn nothing_outside_the_scope_is_touched() {
    let live = deployed(&stack("web=app:1 db=pg:15 gone=x:1"));
    let wanted = stack("web=app:2 db=pg:16 new=y:1").config("home_conf", "y").reads_config("db", "home_conf");
    check(&wanted, &live, Some("web"), &["1 update web: image 1 -> 2"]);
    check(&wanted, &live, Some("gone"), &["1 remove gone 1"]);
}

#[test]
fn services_that_wait_for_each_other_still_get_a_place() {
    let before = |names: &[(&str, &str)]| {
        names.iter().map(|(one, other)| (name(one), other.split_whitespace().map(name).collect())).collect()
    };
    let levels = order(&before(&[("a", "b"), ("b", "a"), ("c", ""), ("d", "c nobody"), ("e", "e")]));
    let levels: Vec<(&str, u32)> = levels.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    assert_eq!(levels, [("a", 3), ("b", 3), ("c", 1), ("d", 2), ("e", 3)]);
}

#[test]
fn what_deploys_itself_goes_last() {
    let mut plan = plan(&stack("a=x:1 manager=rm:1 z=x:1"), &swarm(), None);
    plan.put_last(&name("manager"));
    assert_eq!(
        lines(&plan),
        ["1 create a 1: new service", "1 create z 1: new service", "2 create manager 1: new service"]
    );
}

// What counts as unchanged

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
    super::spec::set(&mut spec, path, value);
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

// Secrets and configs

fn with_key(data: &str) -> Stack {
    stack("web=app:1 db=pg:1").secret("home_key", data).reads_secret("web", "home_key").reads_secret("db", "home_key")
}

const OLD_KEY: &str = "old content";
const NEW_KEY: &str = "new content";

#[test]
fn changed_content_becomes_a_new_object_and_services_in_scope_follow() {
    let live = deployed(&with_key(OLD_KEY));
    let digest = super::canon::hex_digest(NEW_KEY);
    let rotated = format!("home_key-{}", &digest[..12]);
    assert_eq!(live.secrets["home_key"].labels[CONTENT_LABEL].len(), 16);
    check(&with_key(OLD_KEY), &live, None, &["1 leave db 1", "1 leave web 1"]);

    let created = format!("secret {rotated}: the content of secret `home_key` has changed");
    check(&with_key(NEW_KEY), &live, Some("web"), &[&created, "1 update web: 1 field differs"]);
    let scope = BTreeSet::from([name("web")]);
    let partly = applied(&live, &plan(&with_key(NEW_KEY), &live, Some(&scope)), false);
    check(&with_key(NEW_KEY), &partly, None, &["1 update db: 1 field differs", "1 leave web 1"]);

    let both = applied(&partly, &plan(&with_key(NEW_KEY), &partly, None), false);
    check(&with_key(NEW_KEY), &both, None, &["1 leave db 1", "1 leave web 1"]);
    check(&with_key(OLD_KEY), &both, None, &["1 update db: 1 field differs", "1 update web: 1 field differs"]);
}

#[test]
fn a_config_is_compared_by_what_is_in_it() {
    let wanted = |data| stack("web=app:1").config("home_conf", data).reads_config("web", "home_conf");
    let mut live = deployed(&wanted("a"));
    live.configs.get_mut("home_conf").unwrap().labels.clear();
    check(&wanted("a"), &live, None, &["1 leave web 1"]);
    let rotated = &super::canon::hex_digest("b")[..12];
    let created = format!("config home_conf-{rotated}: the content of config `home_conf` has changed");
    check(&wanted("b"), &live, None, &[&created, "1 update web: 1 field differs"]);
}

#[test]
fn a_secret_that_nobody_can_read_is_taken_to_be_right() {
    let mut live = swarm();
    live.secrets.insert("home_key".to_owned(), foreign("s1"));
    check_findings(&with_key(NEW_KEY), &live, &[], &["`home_key`): they are taken to be up to date"]);
    let live = applied(&live, &plan(&with_key(NEW_KEY), &live, None), false);
    check_findings(&with_key(OLD_KEY), &live, &[], &[]);
}

#[test]
fn a_rotated_name_stays_within_the_engines_limit() {
    let long = "k".repeat(64);
    let wanted = |data| stack("web=app:1").secret(&"k".repeat(64), data).reads_secret("web", &"k".repeat(64));
    let live = deployed(&wanted("a"));
    let plan = plan(&wanted("b"), &live, None);
    let ActionKind::CreateObject { name, .. } = &plan.actions[0].kind else { panic!("nothing is made") };
    assert_eq!(name.len(), 64);
    assert_ne!(*name, long);
}

// Preflight

#[test]
fn what_is_external_must_be_there_and_fit() {
    let external = |mut stack: Stack| {
        stack.networks.insert("proxy".to_owned(), Object::External);
        stack.secrets.insert("token".to_owned(), Object::External);
        stack.on("web", "proxy").reads_secret("web", "token")
    };
    let wanted = external(stack("web=app:1"));
    check_findings(
        &wanted,
        &swarm(),
        &["needs the external network `proxy`", "needs the external secret `token`"],
        &[],
    );
    let mut live = swarm();
    live.networks.insert("proxy".to_owned(), foreign("n1"));
    live.secrets.insert("token".to_owned(), foreign("s1"));
    check_findings(&wanted, &live, &[], &[]);
    live.networks.get_mut("proxy").unwrap().scope = "local".to_owned();
    check_findings(&wanted, &live, &["has the scope `local`"], &[]);
}

#[test]
fn a_network_of_somebody_else_is_not_taken_over() {
    let mut live = swarm();
    live.networks.insert("home_default".to_owned(), foreign("n1"));
    let wanted = stack("web=app:1").network("home_default").on("web", "home_default");
    check_findings(&wanted, &live, &["declare it as external"], &[]);
}

#[test]
fn names_that_swarm_refuses_are_refused_before() {
    let long = "w".repeat(59);
    check_findings(&stack(&format!("{long}=app:1")), &swarm(), &["has 64 characters"], &[]);
    check_findings(&stack(&format!("{}=app:1", &long[1..])), &swarm(), &[], &[]);
    check_findings(&stack("a.b=app:1"), &swarm(), &["Swarm refuses the service name `home_a.b`"], &[]);
    let mut live = swarm();
    live.others.insert("home_web".to_owned(), Vec::new());
    check_findings(&stack("web=app:1"), &live, &["does not belong to this stack"], &[]);
}

#[test]
fn what_the_engine_refuses_of_a_spec_is_refused_before() {
    let live = deployed(&stack("web=app:1"));
    let web = |path: &[&str], value: Value| stack("web=app:1").with("web", path, value);
    check_findings(&web(&["Mode"], json!({"Global": {}})), &live, &["is replicated and would become global"], &[]);
    let limits = |key: &str, value: u64| web(&["TaskTemplate", "Resources", "Limits"], json!({key: value}));
    check_findings(&limits("MemoryBytes", 4 << 20), &live, &[], &[]);
    check_findings(&limits("MemoryBytes", (4 << 20) - 1), &live, &["no less than 4 MiB"], &[]);
    check_findings(&limits("NanoCPUs", 999_999), &live, &["below 0.001"], &[]);
    let job = web(&["Mode"], json!({"ReplicatedJob": {}})).with("web", &["UpdateConfig"], json!({"Parallelism": 1}));
    check_findings(&job, &swarm(), &["is a job"], &[]);
    let dnsrr =
        stack("web=app:1").publishes("web", 80, "ingress").with("web", &["EndpointSpec", "Mode"], json!("dnsrr"));
    check_findings(&dnsrr, &swarm(), &["dnsrr"], &[]);
}

#[track_caller]
fn check_constraint(text: &str, blockers: &[&str]) {
    let mut live = swarm();
    live.nodes[1].availability = "drain".to_owned();
    live.nodes[1].labels.insert("zone".to_owned(), "West".to_owned());
    let wanted = stack("web=app:1").with("web", &["TaskTemplate", "Placement", "Constraints"], json!([text]));
    check_findings(&wanted, &live, blockers, &[]);
}

#[test]
fn constraints_are_read_as_the_scheduler_does() {
    let met = [
        "node.role == manager",
        "node.role==MANAGER",
        "node.hostname != n2",
        "NODE.ID == id-of-n1",
        "node.labels.zone == East",
        "node.labels.missing != x",
        "engine.labels.disk==ssd",
        "node.platform.os == linux",
        "node.platform.arch == x86_64",
        "node.ip == 10.0.0.1",
    ];
    for text in met {
        check_constraint(text, &[]);
    }
    let unmet = [
        "node.role == worker",
        "node.labels.ZONE == east",
        "node.labels.zone != east",
        "node.what == 1",
        "node.labels. != x",
    ];
    for text in unmet {
        check_constraint(text, &["satisfies the constraints"]);
    }
    check_constraint("node.labels.zone == west", &["n2 is drain"]);
    check_constraint("node.role = manager", &["it needs `==` or `!=`"]);
    check_constraint("node role == manager", &["is no key"]);
    check_constraint("node.role == ", &["is no value"]);
}

#[test]
fn a_reservation_must_fit_a_node() {
    let reserve = |key: &str, value: u64| {
        stack("web=app:1").with("web", &["TaskTemplate", "Resources", "Reservations"], json!({key: value}))
    };
    check_findings(&reserve("MemoryBytes", 8 << 30), &swarm(), &[], &[]);
    check_findings(
        &reserve("MemoryBytes", 9 << 30),
        &swarm(),
        &["0 CPUs, 9216 MiB): the largest that may run it has 4 CPUs, 8192 MiB"],
        &[],
    );
    check_findings(&reserve("NanoCPUs", 4_500_000_000), &swarm(), &["4.5 CPUs"], &[]);
}

#[test]
fn replicas_must_find_room() {
    let replicas = |count: u64| json!({"Replicated": {"Replicas": count}});
    let host = |count| stack("web=app:1").publishes("web", 80, "host").with("web", &["Mode"], replicas(count));
    check_findings(&host(2), &swarm(), &[], &[]);
    check_findings(&host(3), &swarm(), &["wants 3 replicas that each take a port"], &[]);
    let start_first = host(1).with("web", &["UpdateConfig"], json!({"Order": "start-first"}));
    check_findings(&start_first, &swarm(), &[], &["starts new tasks first"]);
    let spread = stack("web=app:1").with("web", &["Mode"], replicas(5)).with(
        "web",
        &["TaskTemplate", "Placement", "MaxReplicas"],
        json!(2),
    );
    check_findings(&spread, &swarm(), &["at most 2 on each node"], &[]);
    let mut drained = swarm();
    drained.nodes.iter_mut().for_each(|node| node.availability = "drain".to_owned());
    check_findings(&stack("web=app:1"), &drained, &["no node takes tasks"], &[]);
    check_findings(&stack("web=app:1").with("web", &["Mode"], replicas(0)), &drained, &[], &[]);
    let nowhere = LiveStack { nodes: Vec::new(), ..swarm() };
    check_findings(&stack("web=app:1"), &nowhere, &[], &[]);
    assert!(constraints::takes_tasks(&node("n1")));
}

#[test]
fn a_port_has_one_owner() {
    let mut live = swarm();
    live.others.insert("proxy_traefik".to_owned(), vec!["80/tcp".to_owned()]);
    let web = |port, mode| stack("web=app:1 api=app:1").publishes("web", port, mode);
    check_findings(&web(80, "ingress"), &live, &["port 80/tcp: service `proxy_traefik` of another stack has it"], &[]);
    check_findings(&web(80, "host"), &live, &["of another stack"], &[]);
    check_findings(&web(81, "ingress"), &live, &[], &[]);
    check_findings(&web(81, "ingress").publishes("api", 81, "ingress"), &live, &["service `api` has it"], &[]);
    check_findings(&web(81, "host").publishes("api", 81, "host"), &live, &[], &[]);
}

#[test]
fn on_a_single_node_its_ports_have_one_owner_too() {
    let mut live = swarm();
    live.others_on_nodes.insert("dns_server".to_owned(), vec!["53/udp".to_owned()]);
    let web = |port| stack("web=app:1 api=app:1").publishes("web", port, "host");
    check_findings(&web(80).publishes("api", 80, "host"), &live, &[], &[]);
    live.nodes[1].availability = "drain".to_owned();
    check_findings(&web(80).publishes("api", 80, "host"), &live, &["service `api` has it"], &[]);
    check_findings(&web(53), &live, &[], &[]);
    let udp = json!([{"PublishedPort": 53, "TargetPort": 53, "Protocol": "udp", "PublishMode": "host"}]);
    let dns = stack("web=app:1").with("web", &["EndpointSpec", "Ports"], udp);
    check_findings(&dns, &live, &["port 53/udp: service `dns_server` of another stack has it"], &[]);
}

#[test]
fn a_port_passes_from_one_service_to_another_in_order() {
    let live =
        deployed(&stack("old=app:1 a=app:1 z=app:1").publishes("old", 80, "ingress").publishes("z", 81, "ingress"));
    let wanted = stack("web=app:1 a=app:1 z=app:1")
        .publishes("web", 80, "ingress")
        .publishes("a", 81, "ingress")
        .publishes("z", 82, "ingress");
    check(
        &wanted,
        &live,
        None,
        &[
            "1 remove old 1",
            "2 create web 1: new service",
            "2 update z: 1 field differs",
            "3 update a: 1 field differs",
        ],
    );
    let swapped = stack("a=app:1 z=app:1 old=app:1").publishes("z", 80, "ingress").publishes("old", 81, "ingress");
    check_findings(&swapped, &live, &["would swap published ports"], &[]);
}

#[test]
fn a_service_outside_the_scope_keeps_its_port() {
    let live = deployed(&stack("old=app:1").publishes("old", 80, "ingress"));
    let wanted = stack("web=app:1").publishes("web", 80, "ingress");
    let plan = plan(&wanted, &live, Some(&BTreeSet::from([name("web")])));
    assert!(plan.blockers[0].message.contains("service `old` has it"), "{:?}", plan.blockers);
}

#[test]
fn an_unchanged_service_is_not_asked_questions() {
    let wanted =
        stack("web=app:1").with("web", &["TaskTemplate", "Placement", "Constraints"], json!(["node.role==manager"]));
    let mut live = deployed(&wanted);
    live.nodes.iter_mut().for_each(|node| node.role = "worker".to_owned());
    check_findings(&wanted, &live, &[], &[]);
}

// The hash

#[test]
fn a_plan_has_another_name_only_if_it_does_something_else() {
    let live = deployed(&with_key(OLD_KEY));
    let wanted = with_key(NEW_KEY);
    let hash = plan(&wanted, &live, None).hash();
    let mut bumped = live.clone();
    for service in bumped.services.values_mut() {
        service.version += 100;
        service.spec["TaskTemplate"]["ForceUpdate"] = json!(2);
    }
    assert_eq!(plan(&wanted, &bumped, None).hash(), hash);
    assert_ne!(plan(&with_key("third"), &live, None).hash(), hash);
    let mut by_hand = live.clone();
    by_hand.services.get_mut("home_web").unwrap().spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["A=1"]);
    assert_ne!(plan(&wanted, &by_hand, None).hash(), hash);
    assert_ne!(plan(&wanted, &LiveStack { nodes: Vec::new(), ..live }, Some(&BTreeSet::new())).hash(), hash);
}

// Properties

/// What a service of the property tests may have.
const FEATURES: usize = 8;

fn build(services: &[(u8, u8, Vec<bool>)], data: u8) -> Stack {
    let names = ["a", "b", "c", "d"];
    let used: Vec<&str> = services.iter().map(|(index, ..)| names[usize::from(*index) % 4]).collect();
    let images: Vec<String> =
        used.iter().zip(services).map(|(name, (_, version, _))| format!("{name}=app:{version}")).collect();
    let mut stack = stack(&images.join(" "))
        .network("home_default")
        .secret("home_key", &secret(data))
        .config("home_conf", &format!("config {data}"));
    for (position, (name, (_, version, features))) in used.iter().zip(services).enumerate() {
        stack = feature(stack, name, *version, features);
        if features[0] && position > 0 {
            stack = stack.after(name, used[position - 1]);
        }
    }
    stack
}

fn feature(mut stack: Stack, name: &str, version: u8, features: &[bool]) -> Stack {
    if features[1] {
        stack = stack.on(name, "home_default");
    }
    if features[2] {
        stack = stack.reads_secret(name, "home_key");
    }
    if features[3] {
        stack = stack.reads_config(name, "home_conf");
    }
    if features[4] {
        stack = stack.with(
            name,
            &["TaskTemplate", "ContainerSpec", "Env"],
            json!(["Z=1", format!("A={}", secret(version))]),
        );
    }
    if features[5] {
        stack = stack.with(name, &["UpdateConfig"], json!({"Parallelism": 0, "MaxFailureRatio": 0.3}));
    }
    if features[6] {
        stack = stack.with(name, &["Mode"], json!({"Replicated": {"Replicas": version % 3}}));
    }
    if features[7] {
        let check = json!({"Test": ["CMD", "x"], "StartInterval": 5_000_000_000_u64});
        stack = stack.with(name, &["TaskTemplate", "ContainerSpec", "Healthcheck"], check);
    }
    stack
}

fn secret(number: u8) -> String {
    format!("top-secret-{number}")
}

prop_compose! {
    fn any_stack()(
        services in prop::collection::vec((0..4_u8, 0..4_u8, prop::collection::vec(any::<bool>(), FEATURES)), 0..5),
        data in 0..3_u8,
    ) -> Stack {
        build(&services, data)
    }
}

proptest! {
    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(first in any_stack(), second in any_stack(), old in any::<bool>()) {
        let live = applied(&swarm(), &plan(&first, &swarm(), None), old);
        let todo = plan(&second, &live, None);
        prop_assert_eq!(&todo.blockers, &[]);
        let live = applied(&live, &todo, old);
        let rest = plan(&second, &live, None);
        prop_assert!(!rest.has_writes(), "{:?}", lines(&rest));
        let names: BTreeSet<ServiceName> = adopt(&live, &second.name).into_keys().collect();
        prop_assert_eq!(names, second.services.keys().cloned().collect::<BTreeSet<_>>());
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(first in any_stack(), second in any_stack()) {
        let live = deployed(&first);
        let (one, other) = (plan(&second, &live, None), plan(&second.clone(), &live.clone(), None));
        prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
        prop_assert_eq!(one.hash(), other.hash());
    }

    #[test]
    fn no_plan_shows_what_is_secret(first in any_stack(), second in any_stack()) {
        let mut plan = plan(&second, &deployed(&first), None);
        for action in &mut plan.actions {
            action.write = None;
            if let ActionKind::UpdateService { prior, .. } = &mut action.kind {
                *prior = Value::Null;
            }
        }
        let shown = serde_json::to_string(&plan).unwrap();
        prop_assert!(!shown.contains("top-secret"), "{}", shown);
        prop_assert!(!shown.contains(&base64("top-secret")[..14]), "{}", shown);
    }

    #[test]
    fn only_what_is_in_scope_is_in_a_plan(first in any_stack(), second in any_stack(), scope in prop::collection::btree_set(0..4_usize, 0..4)) {
        let scope: BTreeSet<ServiceName> = scope.into_iter().map(|index| name(["a", "b", "c", "d"][index])).collect();
        let plan = plan(&second, &deployed(&first), Some(&scope));
        prop_assert!(plan.actions.iter().filter_map(|action| action.kind.service()).all(|service| scope.contains(service)));
    }
}
