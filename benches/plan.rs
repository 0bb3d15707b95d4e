//! How long a plan takes: `cargo bench --bench plan [SERVICES]`. Prints the median of rendering a stack file of so many
//! services (500), of planning it for an empty Swarm, and of planning it where all of it runs unchanged.

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use release_manager::engine::{LiveObject, LiveService, LiveStack, Node, Write};
use release_manager::names::{DeploymentId, StackName};
use release_manager::plan::{plan, stamped};
use release_manager::ports::Files;
use release_manager::stack::{Input, Reach, Stack, StackFile, Variables, render};
use serde_json::Value;

const ROUNDS: usize = 21;

fn main() {
    // Cargo passes `--bench` on.
    let services = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(500);
    let stack: StackName = "bench".parse().expect("a name");
    let file = StackFile { path: "stack.yml".parse().expect("a path"), text: text(services) };
    let files = Files::from([("site.conf".parse().expect("a path"), b"server example\n".to_vec())]);
    let variables = Variables::from([("VERSION".to_owned(), "1.27.3".to_owned())]);
    let input =
        Input { stack: &stack, files: &[file], variables: &variables, bind_base: None, reach: Reach::Repository };
    let (wanted, _) = render(input, &files).expect("the file is right");
    let live = deployed(&wanted);
    assert!(!plan(&wanted, &live, None).has_writes(), "what runs is what is wanted");
    println!(
        "render {services} services: {:?}",
        median(|| render(input, &files).map(|(stack, _)| stack.services.len()))
    );
    println!("plan {services} new services: {:?}", median(|| plan(&wanted, &empty(), None).actions.len()));
    println!("plan {services} unchanged services: {:?}", median(|| plan(&wanted, &live, None).actions.len()));
    let changed = Variables::from([("VERSION".to_owned(), "1.27.4".to_owned())]);
    let input = Input { variables: &changed, ..input };
    let (wanted, _) = render(input, &files).expect("the file is right");
    println!("plan {services} changed services: {:?}", median(|| plan(&wanted, &live, None).actions.len()));
}

fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            std::hint::black_box(work());
            began.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn text(services: usize) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..services {
        let _ = write!(
            text,
            "  s{number}:
    image: registry.example.net/team/app-{number}:${{VERSION}}
    command: [serve, --port, '8080', --name, s{number}]
    environment: {{TZ: Europe/Berlin, LEVEL: info, NUMBER: {number}, URL: 'https://s{number}.example.net'}}
    networks: [front, back]
    ports: ['{port}:8080']
    configs: [{{source: site, target: /etc/site.conf}}]
    volumes: ['data:/data', '/var/log:/var/log:ro']
    healthcheck: {{test: [CMD, check], interval: 10s, timeout: 2s, retries: 3}}
    deploy:
      replicas: 2
      labels: ['traefik.enable=true', 'traefik.http.routers.s{number}.rule=Host(`s{number}.example.net`)']
      resources: {{limits: {{memory: 128M, cpus: '0.5'}}}}
      placement: {{constraints: [node.role == manager]}}
      update_config: {{parallelism: 1, delay: 5s, order: start-first, failure_action: rollback}}
",
            port = 10_000 + number
        );
    }
    text + "networks: {front: , back: {internal: true}}\nvolumes: {data: }\nconfigs: {site: {file: site.conf}}\n"
}

fn empty() -> LiveStack {
    let node = Node {
        id: "n1".to_owned(),
        hostname: "n1".to_owned(),
        role: "manager".to_owned(),
        state: "ready".to_owned(),
        availability: "active".to_owned(),
        labels: std::collections::BTreeMap::new(),
        engine_labels: std::collections::BTreeMap::new(),
        os: "linux".to_owned(),
        architecture: "x86_64".to_owned(),
        nano_cpus: 64_000_000_000,
        memory_bytes: 1 << 40,
    };
    LiveStack { nodes: vec![node], ..LiveStack::default() }
}

/// The Swarm once the stack is deployed to it.
fn deployed(wanted: &Stack) -> LiveStack {
    let mut live = empty();
    let object = |spec: &Value| LiveObject {
        id: spec["Name"].as_str().unwrap_or_default().to_owned(),
        labels: serde_json::from_value(spec["Labels"].clone()).unwrap_or_default(),
        scope: "swarm".to_owned(),
        version: 1,
        created_at: None,
        data: spec["Data"].as_str().map(str::to_owned),
    };
    let name = |spec: &Value| spec["Name"].as_str().unwrap_or_default().to_owned();
    for write in plan(wanted, &empty(), None).actions.into_iter().filter_map(|action| action.write) {
        match write {
            Write::CreateNetwork { spec } => drop(live.networks.insert(name(&spec), object(&spec))),
            Write::CreateConfig { spec } => drop(live.configs.insert(name(&spec), object(&spec))),
            Write::CreateService { spec } => {
                let spec = stamped(&spec, DeploymentId(1));
                let (id, full_name) = (name(&spec), name(&spec));
                let service = LiveService { id, version: 1, spec, update: None, job_iteration: None, desired_tasks: 2 };
                live.services.insert(full_name, service);
            }
            _ => (),
        }
    }
    live
}
