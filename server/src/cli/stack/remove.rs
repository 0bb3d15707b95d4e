//! `stack rm`: takes whole stacks out.

use std::collections::BTreeMap;
use std::sync::Arc;

use release_manager::names::StackName;
use release_manager::plan::{self, ActionKind};
use release_manager::ports::Swarm;
use release_manager::stack::Stack;

use super::deploy::{Manner, Proof, carry_out, session};
use super::engine::connect;
use super::print;
use crate::cli::Failure;
use crate::swarm::DockerSwarm;

/// What `stack rm` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    proof: Proof,

    /// Print nothing but errors.
    #[arg(short, long)]
    quiet: bool,

    /// The stacks.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<StackName>,
}

/// Removes services, waits until their tasks are gone, and removes secrets, configs and networks. Volumes stay.
pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let swarm = Arc::new(connect(false)?);
    for name in &args.names {
        remove(&swarm, name, args).await?;
    }
    Ok(())
}

async fn remove(swarm: &Arc<DockerSwarm>, name: &StackName, args: &Args) -> Result<(), Failure> {
    let live = swarm.live(name).await.map_err(Failure::new)?;
    let empty = Stack {
        name: name.clone(),
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        secrets: BTreeMap::new(),
        configs: BTreeMap::new(),
    };
    let mut plan = plan::plan(&empty, &live, None);
    // A stack that is taken out leaves nothing behind, whoever made it.
    plan.actions.retain(|action| !matches!(action.kind, ActionKind::RemoveObject { .. }));
    if !plan.has_writes() && plan::leftovers(name, &live).is_empty() {
        super::list::nothing(name);
        return Ok(());
    }
    if plan.has_writes() {
        let manner = Manner { detach: false, quiet: args.quiet };
        carry_out(Arc::<DockerSwarm>::clone(swarm), empty, plan, args.proof, manner).await?;
    }
    let session = session(Arc::<DockerSwarm>::clone(swarm), name, args.proof).await?;
    let removed = session.manager.clear(&session.target).await.map_err(Failure::new)?;
    let lines = super::lines(removed.iter().map(|what| format!("Removed {what}")));
    if args.quiet { Ok(()) } else { print(&lines) }
}
