//! `release-manager serve`: settings, wiring, serving, draining.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use release_manager::manager::{Manager, Ports, Settings as ManagerSettings};
use release_manager::notice::Told;
use release_manager::ports::{Source, Swarm};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::before::check_engine;
use super::door::{Door, first_admin};
use super::stop::{Signals, drain};
use super::{Failure, engine};
use crate::SystemClock;
use crate::auth::Auth;
use crate::backups::{self, BackupSettings};
use crate::config::{Config, Settings, SourceSettings, database};
use crate::http::{Gate, Parts, Tls, Webhooks, router, serve_tls};
use crate::metrics::{Metrics, RateLimitLeft};
use crate::notify::{Notifier, Target};
use crate::soundness;
use crate::source::{Counted, Git, GitHub};
use crate::store::{OpenError, Store};
use crate::swarm::{DockerSwarm, Registries};
use crate::telemetry::{Exporter, Lines};

/// How long traces may take to leave.
const LAST_TRACES: Duration = Duration::from_secs(1);
/// GitHub allows sixty requests an hour to whoever shows no token. This leaves most of them for reading what is new, and
/// for others behind the same address.
const WITHOUT_TOKEN: Duration = Duration::from_secs(150);

/// The process environment: the one place where it is read.
pub(super) struct ProcessEnvironment;

impl ProcessEnvironment {
    /// Every variable.
    pub(super) fn all() -> std::env::VarsOs {
        std::env::vars_os()
    }
}

impl Settings for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
    }

    fn exists(&self, path: &str) -> bool {
        Path::new(path).exists()
    }
}

/// Serves until it is told to stop.
pub(super) async fn run(exporter: Option<Exporter>, lines: &Lines) -> Result<(), Failure> {
    let served = CancellationToken::new();
    let exporting = exporter.map(|exporter| tokio::spawn(exporter.run(served.clone())));
    let ended = run_alone(lines).await;
    served.cancel();
    if let Some(exporting) = exporting {
        match tokio::time::timeout(LAST_TRACES, exporting).await {
            Ok(Ok(Err(problem))) => warn!(%problem, "Nothing was traced"),
            Ok(Err(panicked)) => warn!(%panicked, "The export of traces broke off"),
            Ok(Ok(Ok(()))) | Err(_) => (),
        }
    }
    ended
}

async fn run_alone(lines: &Lines) -> Result<(), Failure> {
    let config = Config::read(&ProcessEnvironment).map_err(Failure::setting)?;
    warn_about(&config);
    let metrics = Arc::new(Metrics::with_lost_lines(lines.lost()));
    let poll_interval = poll_interval(&config.source, config.poll_interval);
    let source = source(config.source, &metrics)?;
    let settings = ManagerSettings {
        pipeline: config.pipeline,
        poll_interval,
        health_interval: config.health_interval,
        deployment_timeout: config.deployment_timeout,
        stability: config.stability,
        bind_base: config.bind_base,
        demo: None,
    };
    let swarm = with_registries(engine::connect(&ProcessEnvironment, &config.docker_host)?)?;
    let elsewhere = engine::elsewhere(&config.docker_host, &config.engines, with_registries)?;
    check_engine(&config.docker_host, &swarm).await?;
    let tls = config.tls.map(|(certificate, key)| Tls::read(&certificate, &key));
    let tls = tls.transpose().map_err(|error| Failure::setting(format!("TLS_CERT_FILE, TLS_KEY_FILE: {error}")))?;
    let store = Arc::new(open(&config.database).await?);
    let told = config.targets.iter().map(Target::told).collect();
    let notifier = if config.targets.is_empty() {
        None
    } else {
        Some(Notifier::new(Arc::clone(&store), config.targets, config.public_url).map_err(Failure::new)?)
    };
    let outside = Outside { webhook_secret: config.webhook_secret, notifier, told };
    first_admin(&store, &config.auth).await?;
    let door = Door::new(&store, config.auth, config.listen, tls)?;
    let ledger = Arc::<Store>::clone(&store);
    let elsewhere = elsewhere.into_iter().map(|(stack, swarm)| (stack, swarm as Arc<dyn Swarm>)).collect();
    let ports = Ports { source, swarm: Arc::new(swarm), elsewhere, ledger, clock: Arc::new(SystemClock) };
    let house = House { store, metrics, outside, backups: config.backups, door };
    serve(ports, settings, house, CancellationToken::new(), || ()).await
}

/// What other programs tell us, and what we tell them.
#[derive(Default)]
pub(super) struct Outside {
    /// What webhooks of the git host are signed with; without it there are none.
    pub(super) webhook_secret: Option<SecretString>,
    /// Who tells people; `None` where nobody is to be told.
    pub(super) notifier: Option<Notifier>,
    /// Whom.
    pub(super) told: Vec<Told>,
}

/// The Swarm with the credentials in the directory that `DOCKER_CONFIG` names, if it names one.
fn with_registries(swarm: DockerSwarm) -> Result<DockerSwarm, Failure> {
    let Some(directory) = ProcessEnvironment.get("DOCKER_CONFIG") else { return Ok(swarm) };
    let registries = Registries::in_directory(Path::new(&directory)).for_nodes();
    registries.check().map_err(|error| Failure::setting(format!("DOCKER_CONFIG: {error}")))?;
    Ok(swarm.with_registries(registries))
}

/// Makes the database or brings it up to date.
pub(super) async fn init_database() -> Result<(), Failure> {
    let path = database(&ProcessEnvironment);
    let store = open(&path).await?;
    store.close().await;
    info!(path = %path.display(), "The database is ready");
    Ok(())
}

/// What is served besides the manager.
pub(super) struct House {
    pub(super) store: Arc<Store>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) outside: Outside,
    pub(super) backups: Option<BackupSettings>,
    pub(super) door: Door,
}

/// Serves, and drains when a signal (or `stop`) says so. A second signal ends it at once.
pub(super) async fn serve(
    ports: Ports,
    settings: ManagerSettings,
    house: House,
    stop: CancellationToken,
    ready: impl FnOnce(),
) -> Result<(), Failure> {
    // Before anything is begun, so that a signal never cuts something off.
    let mut signals = Signals::new()?;
    let served = until_stopped(ports, settings, house, stop.clone(), ready);
    tokio::select! {
        ended = served => ended,
        () = signals.twice(&stop) => Err(Failure::stopped()),
    }
}

/// Wires the manager to its ports, serves, and drains.
async fn until_stopped(
    ports: Ports,
    settings: ManagerSettings,
    house: House,
    stop: CancellationToken,
    ready: impl FnOnce(),
) -> Result<(), Failure> {
    let Door { listen, keeper, settings: auth, tls } = house.door;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::temporary(format!("WEB_HOST, WEB_PORT: {listen} cannot be listened on ({error}): use another port"))
    })?;
    let manager = Arc::new(Manager::new(ports, settings, stop.clone()).await.map_err(Failure::new)?);
    manager.start().await.map_err(Failure::new)?;
    let Outside { webhook_secret, notifier, told } = house.outside;
    let notifying = notifier.map(|notifier| tokio::spawn(notifier.run(Manager::clone(&manager), stop.clone())));
    let webhooks = Webhooks::start(&manager, webhook_secret, stop.clone());
    let tasks = TaskTracker::new();
    let directory = house.backups.as_ref().map(|backups| backups.directory.clone());
    let (store, watched) = (Arc::clone(&house.store), Manager::clone(&manager));
    tasks.spawn(soundness::watch(store, watched, directory, soundness::Schedule::default(), stop.clone()));
    if let Some(backups) = house.backups {
        tasks.spawn(backups::make(Arc::clone(&house.store), backups, Arc::clone(&house.metrics), stop.clone()));
    }
    let (store, metrics) = (house.store, house.metrics);
    let gate = Gate::new(Arc::clone(&keeper), auth, listen).map_err(Failure::setting)?;
    let surface = Parts { gate, store, metrics, webhooks, tasks: tasks.clone(), stop: stop.clone(), listen, told };
    let app = router(Arc::clone(&manager), surface);
    info!("Listening on {}://{listen}", if tls.is_some() { "https" } else { "http" });
    ready();
    let keeping = tokio::spawn(keeper.keep_house(stop.clone()));
    let server = tokio::spawn(serve_tls(listener, app, tls, stop.clone()));
    stop.cancelled().await;
    tasks.close();
    let notified = async {
        match notifying {
            Some(notifying) => notifying.await,
            None => Ok(()),
        }
    };
    drain(async { tokio::join!(manager.stop(), tasks.wait(), notified, keeping, server) }).await
}

/// Opens the database; its directory is made if it is not there.
pub(super) async fn open(path: &Path) -> Result<Store, Failure> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(|error| {
            Failure::setting(format!("DATABASE_PATH: `{}` cannot be made: {error}", directory.display()))
        })?;
    }
    Store::open(path).await.map_err(|error| match error {
        OpenError::InUse { .. } => Failure::temporary(error),
        other => Failure::new(other),
    })
}

/// The repository that is followed; the questions to it are counted.
pub(super) fn source(settings: SourceSettings, metrics: &Arc<Metrics>) -> Result<Arc<dyn Source>, Failure> {
    let (source, left): (Arc<dyn Source>, _) = match settings {
        SourceSettings::GitHub(settings) => {
            let github = GitHub::new(settings).map_err(Failure::setting)?;
            let left = github.rate_limit_left();
            (Arc::new(github), left)
        }
        SourceSettings::Git(settings) => {
            let git = Git::new(settings).map_err(|error| Failure::setting(format!("GIT_URL: {error}")))?;
            (Arc::new(git), RateLimitLeft::default())
        }
    };
    Ok(Arc::new(Counted::new(source, Arc::clone(metrics), left)))
}

/// How often the repository is asked. The public GitHub would soon refuse whoever asks often and shows no token.
fn poll_interval(source: &SourceSettings, wanted: Duration) -> Duration {
    match source {
        SourceSettings::GitHub(github)
            if github.token.is_none() && github.api_url.host_str() == Some("api.github.com") =>
        {
            wanted.max(WITHOUT_TOKEN)
        }
        SourceSettings::GitHub(_) | SourceSettings::Git(_) => wanted,
    }
}

fn warn_about(config: &Config) {
    let stretched = poll_interval(&config.source, config.poll_interval);
    if stretched > config.poll_interval {
        warn!(
            "Without GITHUB_TOKEN GitHub allows 60 requests an hour: the repository is asked every {} s instead of every \
             {} s (POLL_INTERVAL_SECONDS). Set GITHUB_TOKEN, or a webhook, to deploy sooner",
            stretched.as_secs(),
            config.poll_interval.as_secs()
        );
    }
    let public = !config.listen.ip().is_loopback();
    if public && config.auth.auth == Auth::None {
        warn!("AUTH says that nobody has to log in: whoever reaches {} can deploy", config.listen);
    }
    if public && config.tls.is_none() && config.auth.proxies.is_empty() && !config.auth.is_https() {
        warn!(
            "Passwords come over plain HTTP: set TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy with HTTPS before it and \
             name it in TRUSTED_PROXIES"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fake;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: u64) {
        let all: Vec<_> = pairs.iter().copied().chain([("GITHUB_REPO", "user/homelab")]).collect();
        let config = Config::read(&Fake::of(&all)).unwrap();
        assert_eq!(poll_interval(&config.source, config.poll_interval).as_secs(), expected, "{pairs:?}");
    }

    #[test]
    fn without_a_token_the_public_github_is_asked_seldom_enough_for_a_whole_day() {
        check(&[], 150);
        check(&[("POLL_INTERVAL_SECONDS", "600")], 600);
        check(&[("GITHUB_TOKEN", "t")], 60);
        check(&[("GITHUB_API_URL", "https://github.example.org/api/v3")], 60);
        assert!(Duration::from_hours(1).as_secs() / WITHOUT_TOKEN.as_secs() <= 30, "half of what is allowed");
    }
}
