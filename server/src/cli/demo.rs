//! `release-manager demo`: everything to try it with, and nothing else needed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use release_manager::access::{AccessError, Accounts, Grant, NewUser, Role, Scope};
use release_manager::manager::{Ports, Settings};
use release_manager::views::DemoNote;
use simulator::{Options, Simulator};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Failure;
use super::door::Door;
use super::serve::{House, Outside, ProcessEnvironment, open, serve};
use crate::SystemClock;
use crate::auth::{Auth, AuthSettings};
use crate::config::{Settings as _, default_pipeline};
use crate::demo::{homelab, running};
use crate::metrics::Metrics;
use crate::source::{Git, GitSettings};
use crate::store::Store;
use crate::telemetry::Lines;

/// What the demonstration runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// An Engine that pretends to run containers.
    Simulated,
    /// The Swarm at `DOCKER_HOST`.
    Docker,
}

/// What `demo` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The port on 127.0.0.1.
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// Where the sample repository, the database and the simulated Engine live. [default: release-manager-demo in the
    /// directory for temporary files]
    #[arg(long)]
    dir: Option<PathBuf>,

    /// What containers run on.
    #[arg(long, value_enum, default_value = "simulated")]
    engine: Engine,

    /// Ask for a login: as admin, deployer (of preprod) or viewer, each with the password `demonstration`.
    #[arg(long)]
    login: bool,
}

/// The password of everybody in a demonstration with a login.
const PASSWORD: &str = "demonstration";

/// Serves the demonstration until it is told to stop.
pub(super) async fn run(args: Args, lines: &Lines) -> Result<(), Failure> {
    let dir = args.dir.unwrap_or_else(|| std::env::temp_dir().join("release-manager-demo"));
    let text = |error: std::io::Error| Failure::new(format!("`{}`: {error}", dir.display()));
    std::fs::create_dir_all(&dir).map_err(text)?;
    let dir = dir.canonicalize().map_err(text)?;
    let repository = dir.join("homelab");
    homelab::create(&repository).map_err(Failure::new)?;
    let store = Arc::new(open(&dir.join("release-manager.db")).await?);
    let stop = CancellationToken::new();
    let (host, words) = engine(args.engine, &dir, &stop).await?;
    let swarm = super::engine::connect(&ProcessEnvironment, &host)?;
    let settings = settings(args.engine, &repository, &words)?;
    let source = source(&repository, &dir)?;
    let ports = Ports {
        source: Arc::new(source),
        swarm: Arc::new(swarm),
        elsewhere: std::collections::BTreeMap::new(),
        ledger: Arc::<Store>::clone(&store),
        clock: Arc::new(SystemClock),
    };
    if args.engine == Engine::Simulated
        && let Err(problem) = running::prod(&ports, &settings).await
    {
        warn!("The sample prod could not be started, so it begins empty: {problem}");
    }
    let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), args.port);
    // On loopback, and nothing real is at stake.
    let auth = if args.login { Auth::Login } else { Auth::None };
    let door = Door::new(&store, AuthSettings { auth, ..AuthSettings::open() }, listen, None)?;
    if args.login {
        add_users(door.keeper()).await?;
    }
    let metrics = Arc::new(Metrics::with_lost_lines(lines.lost()));
    let house = House { store, metrics, outside: Outside::default(), backups: None, door };
    serve(ports, settings, house, stop, || introduce(listen, &repository, &words)).await
}

/// One for each role, unless an earlier demonstration has made them.
async fn add_users(accounts: &dyn Accounts) -> Result<(), Failure> {
    let preprod = Scope::of(["preprod".parse().map_err(Failure::new)?]);
    let grants = [
        ("admin", Grant::admin()),
        ("deployer", Grant::new(Role::Deployer, preprod).map_err(Failure::new)?),
        ("viewer", Grant::everywhere(Role::Viewer)),
    ];
    for (name, grant) in grants {
        let name = name.parse().map_err(Failure::new)?;
        match accounts.add_user(NewUser { name, grant, password: Some(PASSWORD.to_owned()) }).await {
            Ok(()) | Err(AccessError::UserExists(_)) => (),
            Err(error) => return Err(Failure::new(error)),
        }
    }
    Ok(())
}

/// Starts what containers run on. Returns its `DOCKER_HOST` and what it is in words.
async fn engine(engine: Engine, dir: &Path, stop: &CancellationToken) -> Result<(String, String), Failure> {
    match engine {
        Engine::Docker => {
            let host = ProcessEnvironment.get("DOCKER_HOST");
            let host = host.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
            let words = format!("the Swarm at {host}");
            Ok((host, words))
        }
        Engine::Simulated => {
            let socket = dir.join("engine.sock");
            let options = Options { state_file: Some(dir.join("engine.json")), ..Options::default() };
            let simulator = Simulator::new(options);
            let listening = simulator.listen(&socket).await.map_err(Failure::new)?;
            tokio::spawn(listening.run(stop.clone()));
            let words = "a simulated Docker Engine: no container really runs".to_owned();
            Ok((format!("unix://{}", socket.display()), words))
        }
    }
}

fn settings(engine: Engine, repository: &Path, words: &str) -> Result<Settings, Failure> {
    let files = vec!["docker-swarm-stack.yml".parse().map_err(Failure::new)?];
    // A real Swarm may well have stacks of the plain name.
    let prefix = if engine == Engine::Simulated { "homelab" } else { "release-manager-demo" };
    Ok(Settings {
        pipeline: default_pipeline(&files, prefix).map_err(Failure::new)?,
        poll_interval: Duration::from_secs(2),
        health_interval: Duration::from_secs(5),
        deployment_timeout: Duration::from_mins(5),
        // A simulated node never dies unnoticed, so a short proof is as good as a long one.
        stability: Duration::from_secs(if engine == Engine::Simulated { 3 } else { 20 }),
        bind_base: None,
        demo: Some(DemoNote { repository: repository.display().to_string(), engine: words.to_owned() }),
    })
}

fn source(repository: &Path, dir: &Path) -> Result<Git, Failure> {
    let remote = repository.display().to_string().parse().map_err(Failure::new)?;
    let branch = "main".parse().map_err(Failure::new)?;
    Git::new(GitSettings::new(remote, branch, dir.join("git"))).map_err(Failure::new)
}

/// Says where everything is and what to try.
fn introduce(listen: SocketAddr, repository: &Path, engine: &str) {
    use std::io::Write;
    // Git asks for a name before the first commit on a machine.
    let author = if homelab::knows_author(repository) { "" } else { " -c user.name=Demo -c user.email=demo@localhost" };
    let repository = repository.display();
    // Where standard output is closed there is nobody to tell.
    let _ = writeln!(
        std::io::stdout(),
        "
Release Manager, a demonstration

  Open        http://{listen}
  Engine      {engine}
  Repository  {repository}

Try this:
  1. Change a version:  sed -i 's/^JELLYFIN_VERSION=.*/JELLYFIN_VERSION=10.11.0/' {repository}/env/.env.preprod
  2. Commit it:         git -C {repository}{author} commit -am 'Update jellyfin'
  3. Watch preprod follow within a few seconds.
  4. Choose `Deploy to prod…`, look at the plan, confirm, and watch prod follow.

Stop with Ctrl-C. Start again with the same directory to go on where you stopped.
"
    );
}
