//! `stack rm`: takes whole stacks out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use release_manager::names::StackName;
use release_manager::plan::{self, ActionKind, Left};
use release_manager::ports::Swarm;
use release_manager::stack::Stack;
use serde::Serialize;

use super::deploy::{Manner, Proof, carry_out, session};
use super::engine::connect;
use super::{Format, print, print_json};
use crate::cli::Failure;
use crate::swarm::DockerSwarm;

/// What `stack rm` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    proof: Proof,

    /// How it is written. JSON comes at the end, without progress.
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Print nothing but errors.
    #[arg(short, long)]
    quiet: bool,

    /// The stacks.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<StackName>,
}

/// What was taken out of a stack.
#[derive(Debug, Serialize)]
struct Removal {
    stack: StackName,
    removed: Vec<Removed>,
}

/// A service, secret, config or network, with its name in the Engine.
#[derive(Debug, Serialize)]
struct Removed {
    kind: &'static str,
    name: String,
}

/// Removes services, waits until their tasks are gone, and removes secrets, configs and networks. Volumes stay.
pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let swarm = Arc::new(connect(false)?);
    let mut removals = Vec::new();
    let mut ended = Ok(());
    for name in &args.names {
        match remove(&swarm, name, args).await {
            Ok(removed) => removals.push(Removal { stack: name.clone(), removed }),
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        }
    }
    // What was removed before a failure is told all the same.
    if args.format == Format::Json && !args.quiet {
        print_json(&removals)?;
    }
    ended
}

/// Takes one stack out, and tells what was there.
async fn remove(swarm: &Arc<DockerSwarm>, name: &StackName, args: &Args) -> Result<Vec<Removed>, Failure> {
    let live = swarm.live(name).await.map_err(Failure::new)?;
    let empty = Stack {
        name: name.clone(),
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        secrets: BTreeMap::new(),
        configs: BTreeMap::new(),
        given: BTreeSet::new(),
    };
    let mut plan = plan::plan(&empty, &live, None);
    // A stack that is taken out leaves nothing behind, whoever made it.
    plan.actions.retain(|action| !matches!(action.kind, ActionKind::RemoveObject { .. }));
    if !plan.has_writes() && plan::leftovers(name, &live).is_empty() {
        super::list::nothing(name);
        return Ok(Vec::new());
    }
    let services = plan.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::RemoveService { service, .. } => Some(Removed { kind: "service", name: name.scope(service) }),
        _ => None,
    });
    let mut removed: Vec<Removed> = services.collect();
    let silent = args.quiet || args.format == Format::Json;
    if plan.has_writes() {
        let manner = Manner { detach: false, quiet: silent };
        carry_out(Arc::<DockerSwarm>::clone(swarm), empty, plan, args.proof, manner).await?;
    }
    let session = session(Arc::<DockerSwarm>::clone(swarm), name, args.proof).await?;
    let cleared = session.manager.clear(&session.target).await.map_err(Failure::new)?;
    if !silent {
        print(&super::lines(cleared.iter().map(|what| format!("Removed {what}"))))?;
    }
    removed.extend(cleared.into_iter().map(|Left { kind, name }| Removed { kind, name }));
    Ok(removed)
}
