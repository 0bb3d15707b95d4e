//! `stack plan`: what a deployment would do.

use release_manager::names::StackName;

use super::engine::{Switches, prepare};
use super::files::StackFiles;
use super::preview::Preview;
use super::{Format, print, print_json};
use crate::cli::Failure;

/// The exit code that says: there is something to deploy.
const CHANGES: u8 = 2;

/// What `stack plan` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    files: StackFiles,

    #[command(flatten)]
    switches: Switches,

    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// The stack.
    #[arg(value_name = "NAME")]
    name: StackName,
}

/// Prints the plan. Fails with code 2 where there are changes, and with code 1 where they cannot be deployed.
pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let prepared = prepare(&args.name, &args.files, &args.switches).await?;
    let preview = Preview::new(&args.name, &prepared.plan);
    match args.format {
        Format::Text => print(&preview.text())?,
        Format::Json => print_json(&preview)?,
    }
    if !prepared.plan.blockers.is_empty() {
        return Err(Failure::new("this cannot be deployed: see the blockers"));
    }
    if prepared.plan.has_writes() { Err(Failure::silent(CHANGES)) } else { Ok(()) }
}
