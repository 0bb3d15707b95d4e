//! What is found before anything is written.

use super::*;

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

#[test]
fn a_delay_that_is_shorter_than_the_monitor_is_warned_of() {
    let live = deployed(&stack("web=app:1"));
    let replicas = |count: u64| stack("web=app:2").with("web", &["Mode"], json!({"Replicated": {"Replicas": count}}));
    let update = |stack: Stack, delay: u64, order: &str| {
        let config = json!({"Monitor": 5_000_000_000_u64, "Delay": delay, "Order": order});
        stack.with("web", &["UpdateConfig"], config)
    };
    let warning = ["set `update_config.delay` to no less than `monitor`"];
    check_findings(&update(replicas(2), 0, "stop-first"), &live, &[], &warning);
    check_findings(&update(replicas(2), 5_000_000_000, "stop-first"), &live, &[], &[]);
    check_findings(&update(replicas(2), 0, "start-first"), &live, &[], &[]);
    check_findings(&update(replicas(1), 0, "stop-first"), &live, &[], &[]);
    check_findings(&replicas(2), &live, &[], &[]);
    let healthy = json!({"Test": ["CMD", "true"]});
    let checked = replicas(2).with("web", &["TaskTemplate", "ContainerSpec", "Healthcheck"], healthy);
    check_findings(&update(checked, 0, "stop-first"), &live, &[], &[]);
    check_findings(&update(replicas(2), 0, "stop-first"), &swarm(), &[], &[]);
}
