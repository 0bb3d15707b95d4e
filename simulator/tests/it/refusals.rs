//! What is refused, in the Engine's words and codes; what is filled in.

use serde_json::{Value, json};
use simulator::{Options, Registry, SwarmTrouble};

use crate::client::{Rig, web};

/// Creates a service like `web` with some members replaced, and looks at the refusal.
async fn check(rig: &Rig, changes: &[(&str, Value)], status: u16, message: &str) {
    let mut spec = json!({ "Name": "new", "TaskTemplate": { "ContainerSpec": { "Image": "app:1" } } });
    for (place, value) in changes {
        let mut target = &mut spec;
        for member in place.split('/') {
            target = &mut target[member];
        }
        *target = value.clone();
    }
    let answer = rig.call("POST", "/services/create", &spec).await;
    assert_eq!(answer, (status, json!({ "message": message })), "{changes:?}");
}

#[tokio::test(start_paused = true)]
async fn bad_specs_are_refused_in_the_engines_words() {
    const INVALID: &str = "rpc error: code = InvalidArgument desc = ";
    let rig = Rig::start(Options::default()).await;
    let mut first = web("app:1", 1);
    first["EndpointSpec"] = json!({ "Ports": [{ "TargetPort": 80, "PublishedPort": 18080 }] });
    rig.create(&first).await;
    let id = rig.get("/services/web").await["ID"].as_str().unwrap_or_default().to_owned();
    let image = "TaskTemplate/ContainerSpec/Image";
    let ports = json!([{ "TargetPort": 80, "PublishedPort": 18080 }]);
    let target = |name: &str| json!([{ "Target": name }]);
    let cases: Vec<(&str, Value, u16, String)> = vec![
        ("Name", json!("web"), 409, "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists".into()),
        ("Name", json!("a.b"), 400, format!("{INVALID}name must be valid as a DNS name component")),
        ("Name", json!("a".repeat(64)), 400, format!("{INVALID}name must be 63 characters or fewer")),
        ("Name", json!(3), 400, "json: cannot unmarshal number into Go struct field ServiceSpec.Name of type string".into()),
        (image, json!("UPPER:bad tag"), 400, format!("{INVALID}ContainerSpec: \"UPPER:bad tag\" is not a valid repository/tag")),
        (image, json!(""), 400, format!("{INVALID}ContainerSpec: image reference must be provided")),
        ("TaskTemplate", json!({}), 400, "mismatched Runtime and *Spec fields".into()),
        ("TaskTemplate/Placement", json!({ "Constraints": ["node.role=manager"] }), 500, "rpc error: code = Unknown desc = constraint expected one operator from ==, !=".into()),
        ("TaskTemplate/Resources", json!({ "Limits": { "MemoryBytes": 100 } }), 400, format!("{INVALID}invalid memory value 100: Must be at least 4MiB")),
        ("TaskTemplate/Networks", target("nonet"), 500, "network nonet not found".into()),
        ("TaskTemplate/Networks", target("none"), 404, "could not find the corresponding predefined swarm network: network none not found".into()),
        ("TaskTemplate/Networks", target("ingress"), 400, format!("{INVALID}Service cannot be explicitly attached to the ingress network \"ingress\"")),
        ("TaskTemplate/Networks", target("docker_gwbridge"), 403, "The network docker_gwbridge cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.".into()),
        ("TaskTemplate/ContainerSpec/Secrets", json!([{ "SecretID": "x", "SecretName": "nosec" }]), 400, format!("{INVALID}secret not found: nosec")),
        ("EndpointSpec", json!({ "Ports": ports }), 400, format!("{INVALID}port '18080' is already in use by service 'web' ({id}) as an ingress port")),
        ("EndpointSpec", json!({ "Mode": "dnsrr", "Ports": [{ "TargetPort": 1, "PublishedPort": 1 }] }), 400, format!("{INVALID}EndpointSpec: port published with ingress mode can't be used with dnsrr mode")),
        ("UpdateConfig", json!({ "FailureAction": "foo" }), 400, "unrecognized update failure action foo".into()),
        ("Mode", json!({ "Global": {}, "Replicated": {} }), 400, "must specify only one service mode".into()),
    ];
    for (place, value, status, message) in cases {
        check(&rig, &[(place, value)], status, &message).await;
    }
    let job = [("Mode", json!({ "ReplicatedJob": {} })), ("UpdateConfig", json!({ "Parallelism": 1 }))];
    check(&rig, &job, 400, &format!("{INVALID}Jobs may not have an update config")).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_must_fit_what_is_there() {
    let rig = Rig::start(Options::default()).await;
    let spec = web("app:1", 1);
    rig.create(&spec).await;
    let version = rig.get("/services/web").await["Version"]["Index"].clone();
    let with = |member: &str, value: Value| {
        let mut spec = spec.clone();
        spec[member] = value;
        spec
    };
    let right = format!("/services/web/update?version={version}");
    for (path, body, status, message) in [
        (
            "/services/web/update?version=3",
            spec.clone(),
            500,
            "rpc error: code = Unknown desc = update out of sequence",
        ),
        (
            "/services/web/update?version=x",
            spec.clone(),
            400,
            "invalid service version 'x': strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        ("/services/nope/update?version=3", spec.clone(), 404, "service nope not found"),
        (
            &right,
            with("Name", json!("other")),
            501,
            "rpc error: code = Unimplemented desc = renaming services is not supported",
        ),
        (
            &right,
            with("Mode", json!({ "Global": {} })),
            501,
            "rpc error: code = Unimplemented desc = service mode change is not allowed",
        ),
    ] {
        assert_eq!(rig.call("POST", path, &body).await, (status, json!({ "message": message })), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_fills_in_is_shown() {
    let rig = Rig::start(Options::default()).await;
    let (status, network) = rig.call("POST", "/networks/create", &json!({ "Name": "net", "Driver": "overlay" })).await;
    assert_eq!(status, 201, "{network}");
    rig.create(&json!({
        "Name": "web",
        "Unknown": 1,
        "TaskTemplate": {
            "ContainerSpec": { "Image": "app:1", "Privileges": {}, "Healthcheck": {} },
            "RestartPolicy": {}, "Placement": {}, "Networks": [{ "Target": "net" }],
        },
        "UpdateConfig": {},
        "EndpointSpec": { "Ports": [{ "TargetPort": 80 }] },
    }))
    .await;
    assert_eq!(
        rig.get("/services/web").await["Spec"],
        json!({
            "Name": "web",
            "Labels": {},
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": "app:1", "Isolation": "default", "Healthcheck": {},
                    "Privileges": { "CredentialSpec": null, "SELinuxContext": null },
                },
                "RestartPolicy": { "Condition": "any", "MaxAttempts": 0 },
                "Placement": {},
                "Networks": [{ "Target": network["Id"] }],
                "ForceUpdate": 0,
                "Runtime": "container",
            },
            "Mode": { "Replicated": { "Replicas": 1 } },
            "UpdateConfig": { "Parallelism": 0, "FailureAction": "pause", "MaxFailureRatio": 0, "Order": "stop-first" },
            "EndpointSpec": { "Mode": "vip", "Ports": [{ "TargetPort": 80, "Protocol": "tcp", "PublishMode": "ingress" }] },
        })
    );
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let service = rig.get("/services/web").await;
    assert_eq!(service["Endpoint"]["Ports"][0]["PublishedPort"], 30000);
    assert_ne!(service["CreatedAt"], service["UpdatedAt"], "the allocator writes too");
}

#[tokio::test(start_paused = true)]
async fn secrets_and_configs_change_only_in_their_labels_and_stay_while_used() {
    let rig = Rig::start(Options::default()).await;
    let (_, secret) = rig.call("POST", "/secrets/create", &json!({ "Name": "key", "Data": "aGVsbG8=" })).await;
    let shown = rig.get("/secrets/key").await;
    assert_eq!(shown["Spec"], json!({ "Name": "key", "Labels": {} }));
    let path = format!("/secrets/key/update?version={}", shown["Version"]["Index"]);
    let refused = rig.call("POST", &path, &json!({ "Name": "key", "Data": "AAAA" })).await;
    assert_eq!(refused.1["message"], "rpc error: code = InvalidArgument desc = only updates to Labels are allowed");
    assert_eq!(rig.call("POST", &path, &json!({ "Name": "key", "Labels": { "a": "b" } })).await.0, 200);
    let mut spec = web("app:1", 1);
    spec["TaskTemplate"]["ContainerSpec"]["Secrets"] = json!([{ "SecretID": secret["ID"], "SecretName": "key" }]);
    rig.create(&spec).await;
    let (status, refused) = rig.call("DELETE", "/secrets/key", &Value::Null).await;
    let message = "rpc error: code = InvalidArgument desc = secret 'key' is in use by the following service: web";
    assert_eq!((status, &refused["message"]), (400, &json!(message)));
}

#[tokio::test(start_paused = true)]
async fn the_engine_says_what_it_is_and_what_ails_it() {
    let rig = Rig::start(Options::default()).await;
    let too_new = rig.call("GET", "/v1.99/info", &Value::Null).await;
    let message = "client version 1.99 is too new. Maximum supported API version is 1.41";
    assert_eq!(too_new, (400, json!({ "message": message })));
    assert_eq!(rig.raw("HEAD", "/_ping", "").await.map(|answer| answer.0), Some(200));
    assert_eq!(rig.get("/v1.24/version").await["ApiVersion"], "1.41");
    assert_eq!(rig.get("/v1.41/info").await["Swarm"]["ControlAvailable"], true);
    rig.simulator.set_swarm_trouble(Some(SwarmTrouble::NotAManager));
    assert_eq!(rig.call("GET", "/services", &Value::Null).await.0, 503);
    assert_eq!(rig.get("/info").await["Swarm"]["ControlAvailable"], false);
    rig.simulator.set_swarm_trouble(None);
    let digest = rig.get("/distribution/registry.local:5000/team/app:1/json").await["Descriptor"]["digest"].clone();
    assert!(digest.as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{digest}");
    rig.simulator.set_registry(Registry::Offline);
    assert_eq!(rig.call("GET", "/distribution/app:1/json", &Value::Null).await.0, 500);
}
