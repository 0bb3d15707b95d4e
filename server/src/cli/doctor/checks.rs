//! The checks, one thing each.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use release_manager::lease::SeenLease;
use release_manager::manager::rehearse;
use release_manager::names::StackName;
use release_manager::ports::{Clock, Source, Swarm, SwarmError};
use release_manager::time::Timestamp;
use tokio::net::TcpListener;

use super::Finding;
use crate::SystemClock;
use crate::cli::serve;
use crate::config::{Config, SourceSettings};
use crate::metrics::Metrics;
use crate::store;

/// Clocks that differ by more make log lines and times of events hard to put together.
const SKEW: Duration = Duration::from_secs(30);
/// Before this program was written: a machine that thinks it is then has lost its clock.
const EARLIEST: &str = "2025-01-01T00:00:00Z";

/// Everything, in the order in which one would look.
pub(super) async fn all(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("settings", "every setting can be used")];
    findings.push(address(config).await);
    findings.push(database(&config.database).await);
    findings.extend(config.backups.as_ref().map(|backups| directory(&backups.directory)));
    findings.extend(engine(config).await);
    findings.extend(source(config).await);
    findings
}

/// Whether pages and API can be served.
async fn address(config: &Config) -> Finding {
    const CHECK: &str = "address";
    match TcpListener::bind(config.listen).await {
        Ok(_) => Finding::good(CHECK, format!("{} is free", config.listen)),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Finding::note(CHECK, format!("{} is in use: by Release Manager itself, if it runs here", config.listen))
        }
        Err(error) => Finding::bad(
            CHECK,
            format!("{} cannot be listened on ({error}): use another WEB_HOST or WEB_PORT", config.listen),
        ),
    }
}

/// Whether the file is there and whole, or can be made.
async fn database(path: &Path) -> Finding {
    const CHECK: &str = "database";
    let shown = path.display();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !path.exists() {
        let marker = path.with_file_name(format!("{}.marker", path.file_name().unwrap_or_default().to_string_lossy()));
        if marker.exists() {
            return Finding::bad(
                CHECK,
                format!("`{shown}` is gone, but there was one: put a backup there with `release-manager restore`"),
            );
        }
        // The start makes what is missing of the way there.
        let there = parent.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
        return match writable(there) {
            Ok(()) => Finding::good(CHECK, format!("`{shown}` will be made at the first start")),
            Err(problem) => Finding::bad(CHECK, format!("`{shown}` cannot be made: {problem}")),
        };
    }
    if let Err(problem) = writable(parent) {
        return Finding::bad(CHECK, format!("`{shown}` cannot be written: {problem}"));
    }
    match store::inspect(path).await {
        Ok(held) if held.schema < held.known_schema => Finding::note(
            CHECK,
            format!(
                "`{shown}` has schema {} and will be brought to {} at the next start, after a copy was made",
                held.schema, held.known_schema
            ),
        ),
        Ok(held) => {
            Finding::good(CHECK, format!("`{shown}` is whole: {} deployments, history verified", held.deployments))
        }
        Err(problem) => Finding::bad(CHECK, problem),
    }
}

/// Whether backups can be put there.
fn directory(path: &Path) -> Finding {
    let found = writable(path).map(|()| format!("`{}` can be written", path.display()));
    Finding::of("backups", found.map_err(|problem| format!("BACKUP_DIR: {problem}")))
}

fn writable(directory: &Path) -> Result<(), String> {
    if !directory.is_dir() {
        return Err(format!(
            "the directory `{}` is not there: create it, or mount the volume there",
            directory.display()
        ));
    }
    let probe = directory.join(format!(".release-manager-doctor-{}", std::process::id()));
    let made = fs::OpenOptions::new().write(true).create_new(true).open(&probe);
    made.map_err(|error| format!("`{}` cannot be written by this user ({error})", directory.display()))?;
    let _ = fs::remove_file(&probe);
    Ok(())
}

/// Whether the Engine is a manager, each stack can be read, and its clock is ours.
async fn engine(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "engine";
    let swarm = match crate::cli::engine::connect(&serve::ProcessEnvironment, &config.docker_host) {
        Ok(swarm) => swarm,
        Err(problem) => return vec![Finding::bad(CHECK, problem.to_string()), clock(None)],
    };
    let found = match swarm.check().await {
        Ok(found) => found,
        Err(problem) => return vec![Finding::bad(CHECK, problem), clock(None)],
    };
    let mut findings = vec![Finding::good(CHECK, found)];
    let elsewhere = match crate::cli::engine::elsewhere(&config.docker_host, &config.engines, Ok) {
        Ok(elsewhere) => elsewhere,
        Err(problem) => return vec![Finding::bad(CHECK, problem.to_string()), clock(None)],
    };
    for (stack, swarm) in &elsewhere {
        findings.push(Finding::of(CHECK, swarm.check().await.map(|found| format!("`{stack}`: {found}"))));
    }
    for environment in config.pipeline.environments() {
        let swarm = elsewhere.get(&environment.stack).map_or(&swarm, AsRef::as_ref);
        let live = swarm.live(&environment.stack).await;
        findings.push(Finding::of(
            "stack",
            live.map(|live| format!("`{}`: {} services run", environment.stack, live.services.len())),
        ));
        findings.push(lease(&environment.stack, swarm.lease(&environment.stack).await));
    }
    findings.push(clock(swarm.clock().await.ok().flatten()));
    findings
}

/// Who may change a stack.
fn lease(stack: &StackName, seen: Result<Option<SeenLease>, SwarmError>) -> Finding {
    const CHECK: &str = "lease";
    let lease = match seen {
        Ok(Some(SeenLease { lease, .. })) => lease,
        Ok(None) => return Finding::good(CHECK, format!("`{stack}`: no Release Manager has led it yet")),
        Err(problem) => return Finding::bad(CHECK, format!("`{stack}`: {problem}")),
    };
    let place = lease.holder.place;
    match lease.challenger {
        None => Finding::good(CHECK, format!("`{stack}` is led by {place}")),
        Some(other) => Finding::note(
            CHECK,
            format!(
                "`{stack}` is led by {place}, and {} asks whether that one is still there: run one of them only",
                other.place
            ),
        ),
    }
}

fn clock(engine: Option<Timestamp>) -> Finding {
    const CHECK: &str = "clock";
    let now = SystemClock.now();
    if EARLIEST.parse().is_ok_and(|earliest: Timestamp| now < earliest) {
        return Finding::bad(CHECK, format!("this machine thinks that it is {now}: set its clock, best with NTP"));
    }
    let Some(engine) = engine else {
        return Finding::note(CHECK, format!("it is {now} here; no other clock could be asked"));
    };
    let apart = Duration::from_secs_f64(now.seconds_since(engine).max(engine.seconds_since(now)));
    if apart > SKEW {
        let apart = apart.as_secs();
        return Finding::note(
            CHECK,
            format!("it is {now} here and {engine} at the Engine, {apart} s apart: use NTP on both machines"),
        );
    }
    Finding::good(CHECK, format!("it is {now}, here and at the Engine"))
}

/// Whether the repository answers, and every environment's files can be used.
async fn source(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "source";
    let mut findings = Vec::new();
    if let SourceSettings::GitHub(settings) = &config.source
        && settings.token.is_none()
    {
        findings.push(Finding::note(
            CHECK,
            "without GITHUB_TOKEN only public repositories can be read, 60 times an hour: set GITHUB_TOKEN_FILE",
        ));
    }
    let source = match serve::source(config.source.clone(), &Arc::new(Metrics::new())) {
        Ok(source) => source,
        Err(problem) => {
            findings.push(Finding::bad(CHECK, problem));
            return findings;
        }
    };
    match source.head().await {
        Err(problem) => findings.push(Finding::bad(CHECK, problem)),
        Ok(head) => {
            let subject = head.subject();
            findings.push(Finding::good(
                CHECK,
                format!("{} {} is at {}: {subject}", source.name(), source.branch(), head.sha.short()),
            ));
            findings.extend(files(config, source.as_ref(), &head).await);
        }
    }
    findings
}

async fn files(config: &Config, source: &dyn Source, head: &release_manager::revision::Revision) -> Vec<Finding> {
    const CHECK: &str = "files";
    let mut findings = Vec::new();
    for environment in config.pipeline.environments() {
        let name = &environment.name;
        match rehearse(source, config.bind_base.as_deref(), environment, head).await {
            Err(problem) => findings.push(Finding::bad(CHECK, format!("{name}: {problem}"))),
            Ok(warnings) => {
                findings.push(Finding::good(
                    CHECK,
                    format!("{name}: `{}` and the stack can be used", environment.env_file),
                ));
                findings.extend(warnings.iter().map(|warning| Finding::note(CHECK, format!("{name}: {}", warning.0))));
            }
        }
    }
    findings
}
