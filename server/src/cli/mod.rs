//! The command line.

mod access;
mod backup;
mod before;
mod client;
mod demo;
mod doctor;
mod door;
mod engine;
mod generate;
mod healthcheck;
mod serve;
mod stack;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry::{self, Exporter, Lines, LogFormat, TraceSettings};

/// `GitOps` deployment, promotion and rollback for Docker Swarm.
#[derive(Debug, Parser)]
#[command(name = "release-manager", version, about, max_term_width = 100)]
pub struct Cli {
    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t, global = true)]
    log_format: LogFormat,

    /// What is logged: a level, or a list such as `info,sqlx=warn`. [default: info; of the commands for people: warn]
    #[arg(long, env = "LOG_LEVEL", global = true)]
    log_level: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the repository and serve pages and API. Settings come from the environment.
    Serve,
    /// Try it: a sample repository and a simulated Docker Engine (or your Swarm).
    Demo(demo::Args),
    /// Ask the server on this machine whether it is well; for a container's health check.
    Healthcheck,
    /// Stack files at the command line, as `docker stack` has them; no database and no repository are needed.
    #[command(subcommand)]
    Stack(stack::Command),
    /// Make the database, or bring it to this version's schema, and stop.
    DbInit,
    /// Who may log in: on the database of this machine, also while a server uses it.
    #[command(subcommand)]
    User(access::UserCommand),
    /// API tokens for programs: on the database of this machine, also while a server uses it.
    #[command(subcommand)]
    Token(access::TokenCommand),
    /// Check settings, repository, Docker, database and clock, and say what is wrong and what to do.
    Doctor(doctor::Args),
    /// Make a verified copy of the database, whether or not the server runs.
    Backup(backup::Backup),
    /// Check a copy and put it in the place of the database, while the server does not run.
    Restore(backup::Restore),
    #[command(flatten)]
    Client(client::Command),
    /// Write completions for a shell.
    Completions(generate::Completions),
    /// Write the manual page.
    Man(generate::Man),
}

/// A command that failed, and the exit code that says which kind of failure it is. The codes are those of
/// `docs/cli.md`; from 64 on they are those of sysexits.h.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// What to say, in one line as a rule; `None` where everything has been said.
    message: Option<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.message.as_deref().unwrap_or_default())
    }
}

impl Failure {
    /// Something at run time.
    #[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
    pub fn new(message: impl ToString) -> Self {
        Self { code: 1, message: Some(message.to_string()) }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
    fn with(code: u8, message: impl ToString) -> Self {
        Self { code, message: Some(message.to_string()) }
    }

    /// Arguments that do not go together.
    fn usage(message: impl ToString) -> Self {
        Self::with(2, message)
    }

    /// A deployment that was followed to its end and did not succeed.
    fn no_success(message: impl ToString) -> Self {
        Self::with(3, message)
    }

    /// Nothing would change.
    fn nothing_to_do(message: impl ToString) -> Self {
        Self::with(4, message)
    }

    /// The server, the Engine or the repository cannot be reached (`EX_UNAVAILABLE`).
    fn unavailable(message: impl ToString) -> Self {
        Self::with(69, message)
    }

    /// The login or token is missing or may not do this (`EX_NOPERM`).
    fn permission(message: impl ToString) -> Self {
        Self::with(77, message)
    }

    /// Whether the same may well work a moment later.
    fn may_pass(&self) -> bool {
        matches!(self.code, 69 | 75)
    }

    /// A wrong setting (`EX_CONFIG` of sysexits.h).
    #[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
    pub fn setting(message: impl ToString) -> Self {
        Self { code: 78, message: Some(message.to_string()) }
    }

    /// Something that is in use elsewhere (`EX_TEMPFAIL` of sysexits.h).
    #[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
    pub fn temporary(message: impl ToString) -> Self {
        Self { code: 75, message: Some(message.to_string()) }
    }

    /// Told to stop at once, as the shell writes a death by SIGTERM.
    fn stopped() -> Self {
        Self::silent(128 + 15)
    }

    /// An exit code that says all there is to say.
    fn silent(code: u8) -> Self {
        Self { code, message: None }
    }
}

impl Cli {
    /// Runs the command to its end.
    pub fn run(self) -> ExitCode {
        let log_level = self.log_level.as_deref().unwrap_or_else(|| self.command.usual_log_level());
        // Without a thread nothing can be served either.
        let Ok(lines) = Lines::to_stderr(self.log_format) else { return ExitCode::FAILURE };
        let failure = self.command.begin(&lines, self.log_format, log_level).err();
        let last = failure.as_ref().and_then(|failure| failure.message.as_ref());
        lines.end(last.map(|message| format!("release-manager: {message}")));
        failure.map_or(ExitCode::SUCCESS, |failure| ExitCode::from(failure.code))
    }
}

/// Writes a line to standard output.
fn print_line(text: &dyn std::fmt::Display) -> Result<(), Failure> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{text}").map_err(Failure::new)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::new)
}

impl Command {
    /// Whoever waits for a command reads what it prints; a server's log is all that it says.
    fn usual_log_level(&self) -> &'static str {
        if matches!(self, Self::Serve | Self::Demo(_) | Self::DbInit) { "info" } else { "warn" }
    }

    fn begin(self, lines: &Lines, log_format: LogFormat, log_level: &str) -> Result<(), Failure> {
        // Only what lives long is worth tracing.
        let traces = match self {
            Self::Serve => TraceSettings::read(&serve::ProcessEnvironment).map_err(Failure::setting)?,
            _ => None,
        };
        let exporter = telemetry::start(lines, log_format, log_level, traces);
        let exporter = exporter.map_err(|problem| Failure::setting(format!("LOG_LEVEL: {problem}")))?;
        let runtime = runtime()?;
        let ended = runtime.block_on(self.run(exporter, lines));
        // What blocks a thread, such as a fetch from a host that is silent, must not keep the process from its end.
        runtime.shutdown_background();
        ended
    }

    async fn run(self, exporter: Option<Exporter>, lines: &Lines) -> Result<(), Failure> {
        match self {
            Self::Serve => serve::run(exporter, lines).await,
            Self::Demo(args) => demo::run(args, lines).await,
            Self::Healthcheck => healthcheck::run().await,
            Self::Stack(command) => Box::pin(command.run()).await,
            Self::DbInit => serve::init_database().await,
            Self::User(command) => access::user(command).await,
            Self::Token(command) => access::token(command).await,
            Self::Doctor(args) => args.run().await,
            Self::Backup(args) => args.run().await,
            Self::Restore(args) => args.run().await,
            Self::Client(command) => command.run().await,
            Self::Completions(args) => {
                args.run();
                Ok(())
            }
            Self::Man(args) => args.run(),
        }
    }
}
