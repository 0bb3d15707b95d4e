//! The main job from end to end: a push at GitHub deploys preprod, a program promotes to prod, history tells of it. Once
//! against the simulated Engine and once against a real one.

mod orders;
mod process;
mod watched;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;
use release_manager::engine::{LiveService, NAMESPACE_LABEL, Write};
use release_manager::names::StackName;
use release_manager::pipeline::OnFailure;
use release_manager::plan::image_of;
use release_manager::ports::Swarm;
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::swarm::DockerSwarm;
use sqlx::Row;
use sqlx::sqlite::SqlitePool;
use tempfile::TempDir;

use crate::engines;
use crate::fake_github::{FakeGitHub, Fault};
use process::Process;

const STACK: &str = "
services:
  web:
    image: app:${WEB_VERSION}
    environment:
      STAGE: ${ENV_NAME}
    stop_grace_period: 1s
    networks: [lab]
    configs:
      - source: motd
        target: /etc/motd
    deploy:
      replicas: 2
      update_config: {parallelism: 2, monitor: 1s}
  worker:
    image: app:${WORKER_VERSION}
    stop_grace_period: 1s
    networks: [lab]
    deploy:
      update_config: {monitor: 1s}
networks:
  lab:
configs:
  motd:
    file: ./motd.txt
";

/// A repository, a place for the database, and an Engine.
struct Scene {
    github: FakeGitHub,
    docker_host: String,
    stack: String,
    home: TempDir,
}

impl Scene {
    async fn new(docker_host: String, stack: &str) -> Self {
        let github = FakeGitHub::start().await;
        let stack = format!("{stack}{}", std::process::id());
        let scene = Self { github, docker_host, stack, home: tempfile::tempdir().unwrap() };
        scene.github.push(
            "Start the homelab",
            &[
                ("docker-swarm-stack.yml", STACK),
                ("motd.txt", "hello\n"),
                ("env/.env.preprod", "WEB_VERSION=1\nWORKER_VERSION=1\n"),
                ("env/.env.prod", "WEB_VERSION=1\nWORKER_VERSION=1\n"),
            ],
        );
        scene
    }

    async fn start(&self) -> Process {
        self.start_with(OnFailure::Keep).await
    }

    async fn start_with(&self, on_failure: OnFailure) -> Process {
        let database = self.home.path().join("release-manager.db");
        Process::start(&database, &self.docker_host, self.github.settings(), &self.stack, on_failure).await
    }

    /// The image of every live service of preprod.
    async fn images(&self) -> Vec<(String, String)> {
        let swarm = DockerSwarm::connect(&self.docker_host).unwrap();
        let stack: StackName = format!("{}-preprod", self.stack).parse().unwrap();
        let live = swarm.live(&stack).await.unwrap().services;
        let image = |service: &LiveService| image_of(&service.spec).unwrap_or_default().to_owned();
        live.iter().map(|(name, service)| (name.clone(), image(service))).collect()
    }

    fn push(&self, web: &str, worker: &str) -> String {
        let text = format!("WEB_VERSION={web}\nWORKER_VERSION={worker}\n");
        self.github.push(&format!("Update to {web}"), &[("env/.env.preprod", &text)]).to_string()
    }

    /// `Version.Index` of every live service: the same numbers prove that nothing was written.
    async fn versions(&self) -> Vec<(String, u64)> {
        let swarm = DockerSwarm::connect(&self.docker_host).unwrap();
        let mut versions = Vec::new();
        for environment in ["preprod", "prod"] {
            let stack: StackName = format!("{}-{environment}", self.stack).parse().unwrap();
            let live = swarm.live(&stack).await.unwrap();
            versions.extend(live.services.into_iter().map(|(name, service)| (name, service.version)));
        }
        versions
    }

    /// Runs a test to its end, good or bad, and leaves no service or config in the Swarm.
    async fn run(&self, body: impl Future<Output = ()>) {
        let ended = AssertUnwindSafe(body).catch_unwind().await;
        self.clean().await;
        if let Err(panic) = ended {
            resume_unwind(panic);
        }
    }

    /// Removes the services and configs of both stacks.
    async fn clean(&self) {
        let swarm = DockerSwarm::connect(&self.docker_host).unwrap();
        for environment in ["preprod", "prod"] {
            let stack: StackName = format!("{}-{environment}", self.stack).parse().unwrap();
            let live = swarm.live(&stack).await.unwrap();
            for service in live.services.into_values() {
                swarm.apply(&Write::RemoveService { id: service.id }).await.unwrap();
            }
            let ours = |labels: &std::collections::BTreeMap<String, String>| {
                labels.get(NAMESPACE_LABEL).is_some_and(|name| name == stack.as_str())
            };
            for config in live.configs.into_values().filter(|config| ours(&config.labels)) {
                swarm.apply(&Write::RemoveConfig { id: config.id }).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_deploys_preprod_and_a_program_promotes_it_on_the_simulator() {
    let engine = engines::simulated().await;
    main_flow(&Scene::new(engine.host(), "flow").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_deploys_preprod_and_a_program_promotes_it_on_docker() {
    let Some(host) = engines::docker().await else { return };
    let scene = Scene::new(host, "flow").await;
    scene.run(main_flow(&scene)).await;
}

async fn main_flow(scene: &Scene) {
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    promote_everything(&process).await;

    let sha = scene.push("2", "1");
    process.until_running("preprod", &json!({"web": "2", "worker": "1"})).await;
    let diff = process.get("/api/diff").await;
    let bump = json!({"service": "web", "prod_version": "1", "preprod_version": "2", "change_type": "version_bump"});
    assert_eq!(diff["changes"], json!([bump]));
    let plan = process.get("/api/plan/prod?services=web").await;
    let web = plan["services"].as_array().unwrap().iter().find(|known| known["service"] == "web").unwrap();
    assert_eq!((&web["soak"]["restarts"], &web["soak"]["failed_tasks"]), (&json!(0), &json!(0)), "{plan}");
    assert_eq!(diff["commit_range"]["to"], json!(sha));

    promote_web(&process).await;
    let history = process.get("/api/history?environment=prod&limit=1").await;
    assert_eq!(history["total"], json!(3));
    assert_eq!(history["deployments"][0]["service_name"], json!("web"));
    assert_eq!(history["deployments"][0]["status"], json!("success"));
    assert_eq!(process.get("/api/diff").await["changes"], json!([]));
    healthy(&process).await;

    let before = scene.versions().await;
    process.stop().await;
    let process = scene.start().await;
    process.until("the source is asked again", |live| live.source.checked_at.is_some()).await;
    assert_eq!(scene.versions().await, before, "a second start writes nothing");
    assert_eq!(process.get("/api/history").await["total"], json!(6));
    process.stop().await;
    seeds_tables(scene).await;
}

async fn promote_everything(process: &Process) {
    let (status, refused) = process.post("/api/deploy/prod", &json!({"confirm": false})).await;
    assert_eq!((status, &refused["type"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("/problems/not-confirmed")));
    let (status, accepted) = process.post("/api/deploy/prod", &json!({"confirm": true})).await;
    assert_eq!((status, &accepted["status"]), (StatusCode::ACCEPTED, &json!("in_progress")), "{accepted}");
    let (status, busy) = process.post("/api/deploy/prod", &json!({"confirm": true})).await;
    assert_eq!((status, &busy["deployment_id"]), (StatusCode::CONFLICT, &accepted["deployment_id"]), "{busy}");
    process.until_running("prod", &json!({"web": "1", "worker": "1"})).await;
}

async fn promote_web(process: &Process) {
    let (_, accepted) = process.post("/api/deploy/prod", &json!({"confirm": true, "services": ["web"]})).await;
    process.until_running("prod", &json!({"web": "2", "worker": "1"})).await;
    let id = &accepted["deployment_id"];
    let ended = process.get(&format!("/api/deploy/prod/{id}")).await;
    assert_eq!(ended["status"], json!("success"), "{ended}");
    assert_eq!(ended["services_deployed"][0]["name"], json!("web"));
    assert_eq!(ended["services_deployed"][0]["version"], json!("2"));
    assert!(ended["completed_at"].is_string() && ended["duration_seconds"].is_number(), "{ended}");
}

async fn healthy(process: &Process) {
    process
        .until("both are healthy", |live| {
            live.environments.values().all(|environment| {
                let services = &environment.health.services;
                services.len() == 2 && services.values().all(|known| known.status.as_str() == "healthy")
            })
        })
        .await;
    let health = process.get("/api/health").await;
    assert_eq!(health["prod"]["web"]["replicas_running"], json!(2));
    assert_eq!(health["prod"]["web"]["replicas_desired"], json!(2));
    let web = process.get("/api/health/prod/web").await;
    assert_eq!((&web["status"], &web["restarts_last_hour"]), (&json!("healthy"), &json!(0)));
    assert_eq!(web["tasks"].as_array().unwrap().iter().filter(|task| task["state"] == "running").count(), 2);
    assert!(web["age_seconds"].is_u64() && web["nodes"][0].is_string(), "{web}");
    assert_eq!(process.answer("/api/health/prod/nothing").await.status(), StatusCode::NOT_FOUND);
    let logs = process.get("/api/logs/prod/web?tail=5").await;
    assert!(logs["lines"].is_array(), "{logs}");
    assert_eq!(process.answer("/api/logs/prod/nothing").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(process.answer("/api/logs/prod/web?tail=1001").await.status(), StatusCode::BAD_REQUEST);
}

/// The three tables of the design document answer by their names and columns.
async fn seeds_tables(scene: &Scene) {
    let path = scene.home.path().join("release-manager.db");
    let pool = SqlitePool::connect(&format!("sqlite://{}?mode=ro", path.display())).await.unwrap();
    let text = |query: &'static str| {
        let pool = pool.clone();
        async move {
            let rows = sqlx::query(query).fetch_all(&pool).await.unwrap();
            rows.iter()
                .map(|row| (0..row.len()).map(|column| row.get::<String, _>(column)).collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        }
    };
    let current = "select environment, service_name, version, deployed_by from deployments order by 1, 2";
    assert_eq!(
        text(current).await,
        ["preprod web 2 system", "preprod worker 1 system", "prod web 2 manual", "prod worker 1 manual"]
    );
    let history = "select environment, service_name, version, status from deployment_history order by id desc limit 1";
    assert_eq!(text(history).await, ["prod web 2 success"]);
    let health = "select environment, service_name, status from service_health where environment = 'prod' order by 2";
    assert_eq!(text(health).await, ["prod web healthy", "prod worker healthy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_in_trouble_is_shown_with_the_remedy_and_what_runs_stays() {
    let engine = engines::simulated().await;
    let scene = Scene::new(engine.host(), "trouble").await;
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let before = scene.versions().await;
    for (fault, expected) in
        [(Fault::status(401), "token"), (Fault::status(404), "was not found"), (Fault::status(502), "could not reach")]
    {
        for _ in 0..2 {
            scene.github.fail_next("commits", fault.clone());
        }
        process
            .until(expected, |live| live.source.problem.as_ref().is_some_and(|known| known.message.contains(expected)))
            .await;
    }
    process.until("recovery", |live| live.source.problem.is_none()).await;
    assert_eq!(scene.versions().await, before);
    scene.push("2", "1");
    process.until_running("preprod", &json!({"web": "2", "worker": "1"})).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_hold_the_environment_and_say_where() {
    let engine = engines::simulated().await;
    let scene = Scene::new(engine.host(), "bad").await;
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    let before = scene.versions().await;
    for (path, text, expected) in [
        ("env/.env.preprod", "WEB_VERSION=1\nnonsense\n", "line 2"),
        ("env/.env.preprod", "WEB_VERSION=1\n", "WORKER_VERSION"),
        ("docker-swarm-stack.yml", "services:\n  web: [", "docker-swarm-stack.yml"),
        ("docker-swarm-stack.yml", "services:\n  web:\n    image: app:1\n    colour: red\n", "colour"),
    ] {
        let files = [
            ("env/.env.preprod", "WEB_VERSION=1\nWORKER_VERSION=1\n"),
            ("docker-swarm-stack.yml", STACK),
            (path, text),
        ];
        scene.github.push("Break it", &files);
        process
            .until(expected, |live| {
                let problem = live.environments.values().find_map(|known| known.problem.as_ref());
                problem.is_some_and(|known| known.message.contains(expected))
            })
            .await;
    }
    assert_eq!(scene.versions().await, before);
    let status = process.get("/api/status").await;
    let problem = status["environments"]["preprod"]["problem"]["message"].as_str().unwrap();
    assert!(problem.contains("docker-swarm-stack.yml:4"), "programs are told too: {problem}");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_crashes_is_recorded_with_its_evidence_and_not_current() {
    let engine = engines::simulated().await;
    crashing(&Scene::new(engine.host(), "crash").await, "1-crash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_crashes_on_docker_is_recorded_with_its_evidence_and_not_current() {
    let Some(host) = engines::docker().await else { return };
    let scene = Scene::new(host, "crash").await;
    scene.run(crashing(&scene, "crash")).await;
}

async fn crashing(scene: &Scene, bad: &str) {
    let process = scene.start().await;
    process.until_running("preprod", &json!({"web": "1", "worker": "1"})).await;
    scene.push("1", bad);
    process
        .until("the failure", |live| {
            let preprod = live.environments.values().find_map(|known| known.problem.as_ref());
            preprod.is_some_and(|known| known.message.contains("did not succeed"))
        })
        .await;
    let history = process.get("/api/history?environment=preprod&limit=1").await;
    assert_eq!(history["deployments"][0]["status"], json!("failed"), "{history}");
    assert_eq!(history["deployments"][0]["version"], json!(bad));
    let states: Value = process.get("/api/environments").await;
    assert_eq!(states["preprod"]["services"]["worker"], json!("1"), "only success makes a version current");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_the_server_answers_and_says_what_is_wrong() {
    let scene = Scene::new("unix:///nowhere/docker.sock".to_owned(), "none").await;
    let process = scene.start().await;
    process.until("the problem", |live| live.engine_problem.is_some()).await;
    assert_eq!(process.answer("/healthz").await.status(), StatusCode::OK);
    let page = process.answer("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    let text = page.text().await.unwrap();
    assert!(text.contains("/nowhere/docker.sock"), "the page says which Engine cannot be reached");
    process.stop().await;
}
