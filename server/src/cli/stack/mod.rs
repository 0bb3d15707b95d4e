//! `release-manager stack`: stack files at the command line, without a repository and without a database.
//!
//! The commands are those of `docker stack`; what they do goes through the same planning, rollout and judging as every
//! deployment of the server. See docs/stack.md.

mod config;
mod deploy;
mod display;
mod engine;
mod files;
mod interrupt;
mod ledger;
mod list;
mod plan;
mod preview;
mod remove;
mod table;
mod words;
mod yaml;

use std::io::Write;

use clap::Subcommand;
use serde::Serialize;

use super::Failure;

/// What is to be done with stacks.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the resolved stack: what the Engine would be asked for.
    Config(config::Args),
    /// Print what a deployment would do. Exit code 0: nothing, 2: something, 1: it cannot be done.
    Plan(plan::Args),
    /// Deploy a stack, and wait until every service has its verdict. Exit code 0: success, 1: failed, 3: rolled back.
    Deploy(deploy::Args),
    /// List the stacks.
    Ls(list::ListArgs),
    /// List the tasks of a stack.
    Ps(list::OfStackArgs),
    /// List the services of a stack.
    Services(list::OfStackArgs),
    /// Remove stacks.
    Rm(remove::Args),
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Command {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Config(args) => config::run(&args),
            Self::Plan(args) => Box::pin(plan::run(&args)).await,
            Self::Deploy(args) => Box::pin(deploy::run(&args)).await,
            Self::Ls(args) => list::stacks(&args).await,
            Self::Ps(args) => list::tasks(&args).await,
            Self::Services(args) => list::services(&args).await,
            Self::Rm(args) => Box::pin(remove::run(&args)).await,
        }
    }
}

/// Each line with its end.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().fold(String::new(), |text, line| text + &line + "\n")
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::new(format!("standard output: {error}")))
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::new)?;
    print(&format!("{text}\n"))
}

/// Says on standard error what a person should know.
fn warn(lines: &[String]) {
    let mut err = std::io::stderr().lock();
    for line in lines {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(err, "warning: {line}");
    }
}
