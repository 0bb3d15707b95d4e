//! Logs: text for people, JSON for machines, on standard error; and traces over OTLP where a collector is named.

mod export;
mod lines;
mod settings;
mod spans;

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

pub use export::Exporter;
pub use lines::Lines;
pub use settings::TraceSettings;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging, and noting what is traced. `filter` is a level or a list such as `info,sqlx=warn`. What comes back has
/// to be run for traces to arrive anywhere.
pub fn start(
    lines: &Lines,
    format: LogFormat,
    filter: &str,
    traces: Option<TraceSettings>,
) -> Result<Option<Exporter>, String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("`{filter}` is no log filter: {error}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let (noting, exporter) = traces.map(spans::noting).unzip();
    // What is logged has no bearing on what is traced; the export itself is not traced.
    let ours =
        Targets::new().with_target("server", LevelFilter::INFO).with_target("release_manager", LevelFilter::INFO);
    tracing_subscriber::registry()
        .with(noting.map(|noting| noting.with_filter(ours)))
        .with(lines.with_filter(filter))
        .try_init()
        .map_err(|error| error.to_string())?;
    Ok(exporter)
}
