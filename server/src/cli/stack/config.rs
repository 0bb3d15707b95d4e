//! `stack config`: the resolved stack.

use release_manager::names::StackName;
use release_manager::stack::Stack;
use serde_json::Value;

use super::files::StackFiles;
use super::{print, yaml};
use crate::cli::Failure;
use crate::cli::serve::ProcessEnvironment;

/// What `stack config` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    files: StackFiles,

    /// How it is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// The name of the stack, which every object's name begins with.
    #[arg(value_name = "NAME", default_value = "stack")]
    name: StackName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

/// Prints what the Engine would be asked for.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let rendered = args.files.render(&args.name, ProcessEnvironment::all())?;
    super::warn(&rendered.warnings);
    let shown = shown(&rendered.stack)?;
    match args.format {
        Format::Yaml => print(&yaml::emit(&shown)),
        Format::Json => print(&format!("{shown:#}\n")),
    }
}

/// The stack without what is in its secrets.
fn shown(stack: &Stack) -> Result<Value, Failure> {
    let mut shown = serde_json::to_value(stack).map_err(Failure::new)?;
    let secrets = shown["secrets"].as_object_mut().into_iter().flat_map(|secrets| secrets.values_mut());
    for data in secrets.filter_map(|secret| secret.pointer_mut("/spec/Data")) {
        *data = Value::from("(hidden)");
    }
    Ok(shown)
}
