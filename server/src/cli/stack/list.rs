//! `stack ls`, `stack services` and `stack ps`: what runs.

use release_manager::names::StackName;
use serde::Serialize;

use super::engine::connect;
use super::table::table;
use super::{Format, print, print_json};
use crate::cli::Failure;
use crate::swarm::{ServiceRow, StackRow, TaskRow};

/// What `stack ls` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ListArgs {
    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What `stack services` and `stack ps` are told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct OfStackArgs {
    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// The stack.
    #[arg(value_name = "NAME")]
    name: StackName,
}

/// Lists the stacks.
pub(super) async fn stacks(args: &ListArgs) -> Result<(), Failure> {
    let rows = connect(false)?.stacks().await.map_err(Failure::new)?;
    let cells = |row: &StackRow| [row.name.clone(), row.services.to_string()];
    show(args.format, ["NAME", "SERVICES"], &rows, cells)
}

/// Lists the services of a stack.
pub(super) async fn services(args: &OfStackArgs) -> Result<(), Failure> {
    let rows = connect(false)?.services_of(&args.name).await.map_err(Failure::new)?;
    if rows.is_empty() && args.format == Format::Text {
        nothing(&args.name);
        return Ok(());
    }
    let cells = |row: &ServiceRow| {
        let replicas = format!("{}/{}", row.running, row.desired);
        [row.id.clone(), row.name.clone(), row.mode.clone(), replicas, row.image.clone(), row.ports.join(", ")]
    };
    show(args.format, ["ID", "NAME", "MODE", "REPLICAS", "IMAGE", "PORTS"], &rows, cells)
}

/// Lists the tasks of a stack.
pub(super) async fn tasks(args: &OfStackArgs) -> Result<(), Failure> {
    let rows = connect(false)?.tasks_of(&args.name).await.map_err(Failure::new)?;
    if rows.is_empty() && args.format == Format::Text {
        nothing(&args.name);
        return Ok(());
    }
    let cells = |row: &TaskRow| {
        let (node, error) = (row.node.clone().unwrap_or_default(), row.error.clone().unwrap_or_default());
        [row.id.clone(), row.name.clone(), row.image.clone(), node, row.desired_state.clone(), row.state.clone(), error]
    };
    show(args.format, ["ID", "NAME", "IMAGE", "NODE", "DESIRED STATE", "CURRENT STATE", "ERROR"], &rows, cells)
}

/// Says that there is no such stack, as the docker command does: it is no failure.
pub(super) fn nothing(stack: &StackName) {
    super::warn(&[format!("nothing found in stack {stack}")]);
}

fn show<T: Serialize, const COLUMNS: usize>(
    format: Format,
    heading: [&str; COLUMNS],
    rows: &[T],
    cells: impl Fn(&T) -> [String; COLUMNS],
) -> Result<(), Failure> {
    match format {
        Format::Json => print_json(&rows),
        Format::Text => print(&table(heading, &rows.iter().map(cells).collect::<Vec<_>>())),
    }
}
