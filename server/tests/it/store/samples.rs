//! The smallest deployments that can be told apart.

use std::collections::BTreeMap;
use std::path::PathBuf;

use release_manager::deployment::{Cause, Evidence, FailureReason, Outcome, ServiceOutcome, Verdict};
use release_manager::names::{Actor, EnvironmentName, ServiceName};
use release_manager::plan::{Action, ActionKind, Plan};
use release_manager::ports::{Ledger, NewDeployment};
use release_manager::release::{Release, ServiceVersion};
use release_manager::revision::Revision;
use release_manager::stack::{Service, Stack};
use release_manager::time::Timestamp;
use serde_json::json;
use server::store::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

pub(super) fn environment(name: &str) -> EnvironmentName {
    name.parse().unwrap()
}

pub(super) fn service(name: &str) -> ServiceName {
    name.parse().unwrap()
}

/// So many seconds after the start of every test.
pub(crate) fn second(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_761_906_600_000 + seconds * 1000)
}

pub(super) fn revision(digit: char) -> Revision {
    Revision {
        sha: digit.to_string().repeat(40).parse().unwrap(),
        author: "Ada".to_owned(),
        committed_at: second(-60),
        message: format!("revision {digit}\n\nwith a body"),
    }
}

/// `web=1 db=2` as a release.
pub(super) fn release(revision: Option<Revision>, services: &str) -> Release {
    let services = services
        .split_whitespace()
        .map(|pair| {
            let (name, version) = pair.split_once('=').unwrap();
            (service(name), ServiceVersion::of_image(&format!("registry/{name}:{version}")).unwrap())
        })
        .collect();
    Release::new(revision, services)
}

fn stack(release: &Release) -> Stack {
    let services = release.services.iter().map(|(name, version)| {
        let spec = json!({"Name": format!("home_{name}"), "TaskTemplate": {"ContainerSpec": {"Image": version.image}}});
        (name.clone(), Service { spec, depends_on: [].into() })
    });
    Stack {
        name: "home".parse().unwrap(),
        services: services.collect(),
        networks: BTreeMap::new(),
        secrets: BTreeMap::new(),
        configs: BTreeMap::new(),
        given: [].into(),
    }
}

fn action(kind: ActionKind) -> Action {
    Action { kind, reason: "because".to_owned(), write: None, level: 0 }
}

/// A deployment of `services` (`web=1 db=2`) that writes those before the bar, leaves those after it, and removes
/// those with `-`: `web=2 | db=1 -old=3`.
pub(crate) fn deployment(environment_name: &str, digit: char, services: &str) -> NewDeployment {
    let (written, left) = services.split_once('|').unwrap_or((services, ""));
    let (removed, kept): (Vec<&str>, Vec<&str>) = left.split_whitespace().partition(|pair| pair.starts_with('-'));
    let release = release(Some(revision(digit)), &format!("{written} {}", kept.join(" ")));
    let mut actions = Vec::new();
    for pair in written.split_whitespace() {
        let (name, version) = pair.split_once('=').unwrap();
        actions.push(action(ActionKind::CreateService { service: service(name), to: version.parse().unwrap() }));
    }
    for pair in kept {
        let (name, version) = pair.split_once('=').unwrap();
        actions.push(action(ActionKind::LeaveService { service: service(name), version: version.parse().unwrap() }));
    }
    for pair in removed {
        let (name, version) = pair[1..].split_once('=').unwrap();
        actions.push(action(ActionKind::RemoveService { service: service(name), from: version.parse().unwrap() }));
    }
    NewDeployment {
        environment: environment(environment_name),
        cause: Cause::Sync,
        actor: Actor::System,
        stack: stack(&release),
        release,
        plan: Plan { actions, ..Plan::default() },
        content_hash: format!("content of {digit}"),
        started_at: second(0),
    }
}

pub(crate) fn succeeded() -> Verdict {
    Verdict::Succeeded { stable_seconds: 10, warning: None }
}

pub(crate) fn crashed() -> Verdict {
    Verdict::Failed { reason: FailureReason::CrashLoop, message: "it ends with exit code 1".to_owned() }
}

pub(super) fn outcome(version: &str, verdict: Verdict) -> ServiceOutcome {
    let evidence = Evidence { tasks: "1/1 running".to_owned(), ..Evidence::default() };
    ServiceOutcome { version: version.parse().unwrap(), from: None, verdict, evidence }
}

/// The outcome of a deployment whose services got these verdicts.
pub(crate) fn outcomes(verdicts: &[(&str, &str, Verdict)]) -> Outcome {
    let services = verdicts.iter().map(|(name, version, verdict)| (service(name), outcome(version, verdict.clone())));
    Outcome::of_services(services.collect())
}

/// Carries out a whole deployment in which every service that is written or removed succeeds.
pub(super) async fn deploy(ledger: &dyn Ledger, new: &NewDeployment, ended: Timestamp) -> i64 {
    let id = ledger.begin(new).await.unwrap();
    let services = new.plan.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::CreateService { service, to } => Some((service.clone(), outcome(to.as_str(), succeeded()))),
        ActionKind::RemoveService { service, from } => Some((service.clone(), outcome(from.as_str(), Verdict::Pruned))),
        _ => None,
    });
    let outcome = Outcome::of_services(services.collect());
    ledger.finish(id, &outcome, ended).await.unwrap();
    id.0
}

/// A database of its own.
pub(super) struct Scratch {
    pub(super) directory: TempDir,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("ledger.db")
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.path()).await.unwrap()
    }
}

/// A connection of somebody with an SQL shell.
pub(super) async fn shell(scratch: &Scratch) -> SqliteConnection {
    SqliteConnectOptions::new().filename(scratch.path()).foreign_keys(true).connect().await.unwrap()
}

/// Runs statements in a shell.
pub(super) async fn run(scratch: &Scratch, statements: &'static str) -> Result<(), sqlx::Error> {
    let mut shell = shell(scratch).await;
    let done = sqlx::raw_sql(statements).execute(&mut shell).await.map(|_| ());
    shell.close().await.unwrap();
    done
}
