//! Completions for shells, and the manual page: made of the command line itself.

use std::io;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure};

/// What `completions` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

/// What `man` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Write one page for every command into this directory, instead of the main page to standard output.
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
}

impl Completions {
    /// Writes the completions to standard output.
    pub(super) fn run(&self) {
        clap_complete::generate(self.shell, &mut Cli::command(), "release-manager", &mut io::stdout());
    }
}

impl Man {
    /// Writes the manual.
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.dir {
            Some(directory) => clap_mangen::generate_to(Cli::command(), directory).map_err(Failure::new),
            None => clap_mangen::Man::new(Cli::command()).render(&mut io::stdout()).map_err(Failure::new),
        }
    }
}
