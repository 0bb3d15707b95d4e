//! Release Manager updates itself: its own service is part of the stack that it deploys, on a real Engine, with a
//! container of the real program and its database on a volume.

mod container;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use git2::{Repository, RepositoryInitOptions, Signature};
use release_manager::names::StackName;
use release_manager::plan;
use release_manager::ports::{Files, Swarm};
use release_manager::stack::{self, Input, StackFile, Variables};
use server::swarm::DockerSwarm;
use sqlx::sqlite::SqlitePool;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::engines;

/// How long the whole may take: containers start, and the program in them is not an optimised one.
const PATIENCE: Duration = Duration::from_mins(4);

const STACK: &str = "
services:
  release-manager:
    image: release-manager-own:${OWN_VERSION}
    environment:
      GIT_URL: /repository
      DATABASE_PATH: /data/release-manager.db
      STACK_NAME: <PREFIX>
      POLL_INTERVAL_SECONDS: '2'
      STABILITY_SECONDS: '2'
      LOG_FORMAT: text
    stop_grace_period: 10s
    volumes:
      - <SOCKET>:/var/run/docker.sock
      - <HOME>/data:/data
      - <HOME>/repository:/repository:ro
    deploy:
      restart_policy: {condition: any, delay: 1s}
      update_config: {order: stop-first, monitor: 1s}
  # Sorts behind it: only that it is its own puts it last.
  web:
    image: app:${WEB_VERSION}
    stop_grace_period: 1s
    deploy:
      update_config: {monitor: 1s}
";

struct Scene {
    swarm: DockerSwarm,
    stack: StackName,
    home: TempDir,
    text: String,
}

impl Scene {
    fn new(host: &str) -> Self {
        let home = tempfile::Builder::new().prefix("rm-own").tempdir().unwrap();
        for directory in ["data", "repository"] {
            std::fs::create_dir(home.path().join(directory)).unwrap();
        }
        let prefix = format!("own{}", std::process::id());
        let text = STACK
            .replace("<SOCKET>", host.strip_prefix("unix://").unwrap())
            .replace("<HOME>", &home.path().display().to_string())
            .replace("<PREFIX>", &prefix);
        let stack = format!("{prefix}-preprod").parse().unwrap();
        Self { swarm: DockerSwarm::connect(host).unwrap(), stack, home, text }
    }

    fn repository(&self) -> PathBuf {
        self.home.path().join("repository")
    }

    fn push(&self, version: &str) {
        let env = format!("OWN_VERSION={version}\nWEB_VERSION={version}\n");
        let files = [("docker-swarm-stack.yml", &*self.text), ("env/.env.preprod", &*env), ("env/.env.prod", &*env)];
        commit(&self.repository(), &files);
    }

    /// Deploys the stack as `docker stack deploy` would: the process that is started takes it over as it runs.
    async fn bootstrap(&self, version: &str) {
        let variables = [("OWN_VERSION", version), ("WEB_VERSION", version), ("ENV_NAME", "preprod")];
        let variables: Variables =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let files = [StackFile { path: "docker-swarm-stack.yml".parse().unwrap(), text: self.text.clone() }];
        let (variables, reach) = (&variables, stack::Reach::Repository);
        let input = Input { stack: &self.stack, files: &files, variables, bind_base: None, reach };
        let (rendered, _) = stack::render(input, &Files::new()).unwrap();
        let live = self.swarm.live(&self.stack).await.unwrap();
        for action in plan::plan(&rendered, &live, None).actions {
            if let Some(write) = &action.write {
                self.swarm.apply(write).await.unwrap();
            }
        }
    }

    /// What the ledger says, in rows of text; nothing while there is no ledger.
    async fn ask(&self, query: &'static str) -> Vec<String> {
        let path = self.home.path().join("data/release-manager.db");
        let Ok(pool) = SqlitePool::connect(&format!("sqlite://{}?mode=ro", path.display())).await else {
            return Vec::new();
        };
        let rows = sqlx::query_scalar(query).fetch_all(&pool).await.unwrap_or_default();
        pool.close().await;
        rows
    }

    async fn until(&self, what: &str, query: &'static str, expected: &[&str]) {
        let waiting = async {
            while self.ask(query).await != expected {
                sleep(Duration::from_millis(500)).await;
            }
        };
        let came = timeout(PATIENCE, waiting).await.is_ok();
        assert!(came, "never came: {what}; {:?}; {:#?}", self.ask(query).await, self.log().await);
    }

    async fn log(&self) -> Vec<String> {
        let service = format!("{}_release-manager", self.stack);
        match self.swarm.service_logs(&service, 200, false).await {
            Ok(lines) => lines.filter_map(async |line| line.ok().map(|line| line.text)).collect().await,
            Err(error) => vec![error.to_string()],
        }
    }

    async fn clean(&self) {
        let live = self.swarm.live(&self.stack).await.unwrap();
        for service in live.services.into_values() {
            self.swarm.apply(&release_manager::engine::Write::RemoveService { id: service.id }).await.unwrap();
        }
    }
}

fn commit(directory: &Path, files: &[(&str, &str)]) {
    let repository = Repository::open(directory).or_else(|_| {
        let mut options = RepositoryInitOptions::new();
        options.initial_head("main").external_template(false);
        Repository::init_opts(directory, &options)
    });
    let repository = repository.unwrap();
    let mut index = repository.index().unwrap();
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        index.add_path(Path::new(name)).unwrap();
    }
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = Signature::now("Test", "test@localhost").unwrap();
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &author, &author, "Update", &tree, &parents).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts containers of the real program: make battery"]
async fn a_deployment_that_updates_release_manager_itself_is_closed_once_by_its_successor() {
    let Some(host) = engines::docker().await else { return };
    container::images(&host, "release-manager-own", &["1", "2"]);
    let scene = Scene::new(&host);
    scene.push("1");
    scene.bootstrap("1").await;
    let ended = std::panic::AssertUnwindSafe(own_update(&scene));
    let ended = futures::FutureExt::catch_unwind(ended).await;
    scene.clean().await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

async fn own_update(scene: &Scene) {
    const ATTEMPTS: &str = "select id || ' ' || status from attempts order by id";
    scene.until("what runs is taken over", ATTEMPTS, &["1 success"]).await;
    scene.push("2");
    scene.until("the update of itself succeeds", ATTEMPTS, &["1 success", "2 success"]).await;

    let rows = "select service || ' ' || version || ' ' || status from history where attempt = 2 order by service";
    assert_eq!(scene.ask(rows).await, ["release-manager 2 success", "web 2 success"]);
    let seals = "select count(*) || '' from seals where attempt = 2";
    assert_eq!(scene.ask(seals).await, ["1"], "it is closed once");
    // Each service was written once, the own one after the other had its verdict.
    let journal = "select coalesce(entry ->> '$.service', entry ->> '$.target.full_name') from journal
        where attempt = 2 and entry ->> '$.entry' in ('intent', 'judged') order by id";
    let (own, web) =
        (scene.stack.scope(&"release-manager".parse().unwrap()), scene.stack.scope(&"web".parse().unwrap()));
    assert_eq!(scene.ask(journal).await, [web.as_str(), "web", own.as_str(), "release-manager"]);
    let log = scene.log().await;
    assert!(log.iter().any(|line| line.contains("Taking up a deployment")), "{log:#?}");
    let live = scene.swarm.live(&scene.stack).await.unwrap();
    assert_eq!(plan::image_of(&live.services[&own].spec), Some("release-manager-own:2"));
}
