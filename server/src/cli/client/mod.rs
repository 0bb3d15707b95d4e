//! The command line as a client of a running server: what its REST API answers, as text for people or JSON for programs.

mod api;
mod follow;
mod logs;
mod orders;
mod show;
mod text;

use std::path::PathBuf;

use clap::ValueEnum;
use secrecy::SecretString;

use super::Failure;
use api::Api;

/// The server that is asked, and how its answers are written.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Connection {
    /// Where the server is.
    #[arg(long, env = "RELEASE_MANAGER_URL", default_value = "http://127.0.0.1:8080", value_name = "ADDRESS")]
    url: String,

    /// An API token. Better in a file: other users of this machine can read arguments.
    #[arg(long, env = "RELEASE_MANAGER_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// A file that holds an API token.
    #[arg(long, env = "RELEASE_MANAGER_TOKEN_FILE", value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,

    /// How answers are written.
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    /// For people.
    #[default]
    Text,
    /// The server's own JSON.
    Json,
}

impl Connection {
    fn api(&self) -> Result<Api, Failure> {
        Api::new(&self.url, self.token()?)
    }

    fn token(&self) -> Result<Option<SecretString>, Failure> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, None) => return Ok(None),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| {
                Failure::setting(format!("--token-file: `{}` cannot be read: {error}", path.display()))
            })?,
        };
        Ok(Some(token.trim()).filter(|token| !token.is_empty()).map(SecretString::from))
    }
}

/// What a client can ask and order.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show what runs in every environment, how it is, and what is wrong.
    Status(show::Status),
    /// Show what a promotion would do.
    Diff(show::Diff),
    /// Show what was deployed, newest first.
    History(show::History),
    /// Show what a service writes.
    Logs(logs::Args),
    /// Bring what the environment before has proved to an environment.
    Promote(orders::Promote),
    /// Bring an environment back to an earlier release.
    Rollback(orders::Rollback),
    /// Ask the repository for a new revision now.
    Sync(orders::Sync),
    /// Stop a deployment at the next safe point.
    Cancel(orders::Cancel),
    /// Keep an environment from following the repository.
    Hold(orders::Hold),
    /// Let an environment follow the repository again.
    Resume(orders::Resume),
    /// Replace the tasks of a service without changing it.
    Restart(orders::Restart),
    /// Follow a deployment to its end.
    Wait(orders::Wait),
}

impl Command {
    /// Asks, and writes the answer to standard output.
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Status(args) => args.run().await,
            Self::Diff(args) => args.run().await,
            Self::History(args) => args.run().await,
            Self::Logs(args) => args.run().await,
            Self::Promote(args) => args.run().await,
            Self::Rollback(args) => args.run().await,
            Self::Sync(args) => args.run().await,
            Self::Cancel(args) => args.run().await,
            Self::Hold(args) => args.run().await,
            Self::Resume(args) => args.run().await,
            Self::Restart(args) => args.run().await,
            Self::Wait(args) => args.run().await,
        }
    }
}
