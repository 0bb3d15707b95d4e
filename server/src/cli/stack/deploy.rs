//! `stack deploy`: a stack file goes through the corridor that every deployment goes through.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use release_manager::deployment::{Outcome, Status};
use release_manager::manager::{Manager, Ports, Settings};
use release_manager::names::{Actor, CommitSha, DeploymentId, EnvironmentName, RepoPath, StackName};
use release_manager::pipeline::{Environment, Mode, OnDrift, OnFailure, Pipeline};
use release_manager::plan::{Action, ActionKind, Plan};
use release_manager::ports::{Lineage, Source, SourceError, Swarm};
use release_manager::revision::Revision;
use release_manager::stack::Stack;
use tokio_util::sync::CancellationToken;

use super::display::Display;
use super::engine::{Prepared, Switches, prepare};
use super::files::StackFiles;
use super::interrupt::{Interrupted, Interrupts, report};
use super::ledger::OneDeployment;
use super::{print, words};
use crate::SystemClock;
use crate::cli::Failure;

/// The exit code that says: Swarm went back to what ran before.
const ROLLED_BACK: u8 = 3;
/// How long writes under way are waited for before the command ends.
const DRAIN: Duration = Duration::from_secs(10);
/// A block on a terminal counts seconds.
const REDRAW: Duration = Duration::from_secs(1);

/// What `stack deploy` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    files: StackFiles,

    #[command(flatten)]
    switches: Switches,

    #[command(flatten)]
    proof: Proof,

    /// Return when the last spec is written, without waiting for the tasks.
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    detach: bool,

    /// Print nothing but errors.
    #[arg(short, long)]
    quiet: bool,

    /// The stack.
    #[arg(value_name = "NAME")]
    name: StackName,
}

/// What counts as success.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Proof {
    /// How long a deployment may take, in seconds.
    #[arg(long, env = "DEPLOYMENT_TIMEOUT_SECONDS", value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,

    /// How long a service must stand to have succeeded, in seconds.
    #[arg(long, env = "STABILITY_SECONDS", value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    stability: u64,
}

/// How a run is shown and when it is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) detach: bool,
    pub(super) quiet: bool,
}

/// Deploys; fails with the code that tells the verdict.
pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let Prepared { swarm, stack, plan } = prepare(&args.name, &args.files, &args.switches).await?;
    for finding in &plan.warnings {
        let service = finding.service.as_ref().map(|service| format!("{service}: ")).unwrap_or_default();
        super::warn(&[format!("{service}{}", finding.message)]);
    }
    if !plan.has_writes() && plan.blockers.is_empty() {
        let text = format!("Stack {} is up to date: {} services unchanged\n", args.name, stack.services.len());
        return if args.quiet { Ok(()) } else { print(&text) };
    }
    carry_out(swarm, stack, plan, args.proof, Manner { detach: args.detach, quiet: args.quiet }).await
}

/// Takes a plan through the corridor and shows what happens.
pub(super) async fn carry_out(
    swarm: Arc<dyn Swarm>,
    stack: Stack,
    plan: Plan,
    proof: Proof,
    manner: Manner,
) -> Result<(), Failure> {
    let interrupts = Interrupts::listen()?;
    let name = stack.name.clone();
    let actions = plan.actions.clone();
    let session = session(swarm, &name, proof).await?;
    let id = session.manager.deploy(actor(), &session.target, stack, plan).await.map_err(Failure::new)?;
    let levels = actions.iter().filter(|action| action.write.is_some()).map(|action| action.level);
    if !manner.detach || levels.max() > Some(1) {
        session.manager.follow_engine();
    }
    let Session { manager, ledger, target } = session;
    let run = Run { manager, ledger, target, id, name, actions, manner };
    run.see_it_through(interrupts).await
}

/// A manager for one stack and one deployment.
pub(super) struct Session {
    pub(super) manager: Manager,
    pub(super) target: EnvironmentName,
    ledger: Arc<OneDeployment>,
}

/// Makes a manager that remembers one deployment of one stack.
pub(super) async fn session(swarm: Arc<dyn Swarm>, stack: &StackName, proof: Proof) -> Result<Session, Failure> {
    let ledger = Arc::new(OneDeployment::default());
    let ports = Ports {
        source: Arc::new(NoSource),
        swarm,
        elsewhere: std::collections::BTreeMap::new(),
        ledger: Arc::<OneDeployment>::clone(&ledger),
        clock: Arc::new(SystemClock),
    };
    let (target, settings) = settings(stack, proof)?;
    let manager = Manager::new(ports, settings, CancellationToken::new()).await.map_err(Failure::new)?;
    Ok(Session { manager, target, ledger })
}

/// A deployment in progress.
struct Run {
    manager: Manager,
    ledger: Arc<OneDeployment>,
    target: EnvironmentName,
    id: DeploymentId,
    name: StackName,
    actions: Vec<Action>,
    manner: Manner,
}

/// Why nobody waits any longer.
enum Left {
    Ended(Outcome),
    Detached,
    Interrupted(Interrupted),
}

impl Run {
    async fn see_it_through(self, mut interrupts: Interrupts) -> Result<(), Failure> {
        let mut display = Display::new(&self.name, &self.actions);
        let left = self.follow(&mut display, &mut interrupts).await?;
        // Detached, every write has its answer, and nobody waits for the look at the tasks that is under way.
        if !matches!(left, Left::Detached) {
            // What is under way is answered and journalled; a second signal does not wait for it.
            tokio::select! {
                _ = tokio::time::timeout(DRAIN, self.manager.stop()) => (),
                _ = interrupts.next() => (),
            }
        }
        self.say(&display.update(&self.ledger.entries_from(display.entries()), None))?;
        match left {
            Left::Interrupted(interrupted) if self.manner.quiet => {
                let report = report(&self.name, &self.actions, &self.ledger.written());
                Err(Failure { code: interrupted.0, message: Some(report.trim_end().to_owned()) })
            }
            Left::Interrupted(interrupted) => {
                print(&report(&self.name, &self.actions, &self.ledger.written()))?;
                Err(Failure::silent(interrupted.0))
            }
            Left::Detached => Ok(()),
            Left::Ended(outcome) => self.conclude(&outcome),
        }
    }

    /// Shows what happens until nobody waits any longer.
    async fn follow(&self, display: &mut Display, interrupts: &mut Interrupts) -> Result<Left, Failure> {
        let mut beats = self.ledger.beats();
        let mut live = self.manager.live();
        let mut interrupted = None;
        loop {
            let news = self.ledger.entries_from(display.entries());
            let progress =
                live.borrow_and_update().environments.get(&self.target).and_then(|known| known.deployment.clone());
            let shown = progress.as_ref().filter(|_| !self.manner.detach);
            self.say(&display.update(&news, shown))?;
            if let Some(left) = self.left(interrupted) {
                return Ok(left);
            }
            tokio::select! {
                // Without a beat the sender is gone, which lives as long as `self`.
                _ = beats.changed() => (),
                _ = live.changed() => (),
                () = tokio::time::sleep(REDRAW) => (),
                signal = interrupts.next() => {
                    if interrupted.replace(signal).is_some() {
                        return Ok(Left::Interrupted(signal));
                    }
                    self.say(&display.erase())?;
                    self.say("Stopping: nothing more is written. A second Ctrl-C does not wait for answers\n")?;
                    // Where it is over by now there is nothing to cancel.
                    let _ = self.manager.cancel(actor(), self.id, false).await;
                }
            }
        }
    }

    fn left(&self, interrupted: Option<Interrupted>) -> Option<Left> {
        match (self.ledger.outcome(), interrupted) {
            (Some(outcome), None) => Some(Left::Ended(outcome)),
            (Some(_), Some(signal)) => Some(Left::Interrupted(signal)),
            (None, Some(signal)) => self.ledger.written().in_doubt.is_empty().then_some(Left::Interrupted(signal)),
            (None, None) => (self.manner.detach && self.is_written()).then_some(Left::Detached),
        }
    }

    /// Whether the last spec is written. What is left over goes only when all services have proved themselves: that is not
    /// waited for, as the next plan finds it again.
    fn is_written(&self) -> bool {
        let is_cleaning = |action: &Action| matches!(action.kind, ActionKind::RemoveObject { .. });
        let only_cleans = self.actions.iter().filter(|action| action.write.is_some()).all(is_cleaning);
        let written = self.ledger.written();
        let mut open = written.left.iter().chain(&written.in_doubt).filter_map(|number| self.actions.get(*number));
        !open.any(|action| only_cleans || !is_cleaning(action))
    }

    fn conclude(&self, outcome: &Outcome) -> Result<(), Failure> {
        let text = words::ending(&self.name, outcome);
        let failure = |code| Failure { code, message: Some(text.trim_end().to_owned()) };
        match outcome.status {
            Status::Success => self.say(&text),
            Status::RolledBack => Err(failure(ROLLED_BACK)),
            Status::Failed | Status::Cancelled | Status::InProgress => Err(failure(1)),
        }
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        if self.manner.quiet || text.is_empty() { Ok(()) } else { print(text) }
    }
}

fn actor() -> Actor {
    Actor::Person("command line".to_owned())
}

/// The one environment that the command deploys to. Its files were read already.
fn settings(stack: &StackName, proof: Proof) -> Result<(EnvironmentName, Settings), Failure> {
    let target: EnvironmentName = "stack".parse().map_err(Failure::new)?;
    let none: RepoPath = "none".parse().map_err(Failure::new)?;
    let environment = Environment {
        name: target.clone(),
        mode: Mode::Manual,
        stack: stack.clone(),
        env_file: none,
        stack_files: Vec::new(),
        promotes_from: None,
        on_failure: OnFailure::default(),
        on_drift: OnDrift::default(),
        allow_rewind: false,
    };
    let settings = Settings {
        pipeline: Pipeline::new(vec![environment]).map_err(Failure::new)?,
        poll_interval: Duration::from_hours(1),
        health_interval: Duration::from_secs(5),
        deployment_timeout: Duration::from_secs(proof.timeout),
        stability: Duration::from_secs(proof.stability),
        bind_base: None,
        demo: None,
    };
    Ok((target, settings))
}

/// A stack file at the command line follows no repository.
struct NoSource;

fn nothing_to_follow() -> SourceError {
    SourceError::Missing { what: "a repository to follow".to_owned(), host: "the command line".to_owned() }
}

#[async_trait]
impl Source for NoSource {
    fn name(&self) -> String {
        "the command line".to_owned()
    }

    fn branch(&self) -> String {
        String::new()
    }

    fn commit_url(&self) -> Option<String> {
        None
    }

    async fn head(&self) -> Result<Revision, SourceError> {
        Err(nothing_to_follow())
    }

    async fn commits(&self, _: &CommitSha, _: &CommitSha, _: u32) -> Result<Vec<Revision>, SourceError> {
        Err(nothing_to_follow())
    }

    async fn lineage(&self, _: &CommitSha, _: &CommitSha) -> Result<Lineage, SourceError> {
        Err(nothing_to_follow())
    }

    async fn read(&self, _: &RepoPath, _: &CommitSha) -> Result<Vec<u8>, SourceError> {
        Err(nothing_to_follow())
    }
}
