//! `release-manager logs`: what a service writes.

use futures::StreamExt;
use serde_json::Value;

use super::follow::events;
use super::text::{plain, print, print_json, say};
use super::{Connection, Output};
use crate::cli::Failure;

/// What `logs` is told.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The environment.
    environment: String,

    /// The service.
    service: String,

    /// How many earlier lines are shown.
    #[arg(long, short = 'n', default_value_t = 100)]
    tail: u32,

    /// Go on with every later line, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,

    #[command(flatten)]
    connection: Connection,
}

impl Args {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let api = self.connection.api()?;
        let path = format!("api/logs/{}/{}", self.environment, self.service);
        let mut query = vec![("tail", self.tail.to_string())];
        if !self.follow {
            let answer = api.get(&path, &query).await?;
            return match self.connection.output {
                Output::Json => print_json(&answer),
                Output::Text => {
                    let lines = answer["lines"].as_array().into_iter().flatten();
                    lines.filter_map(line).try_for_each(|line| print(&line))
                }
            };
        }
        query.push(("follow", "true".to_owned()));
        let mut events = events(api.stream(&path, &query).await?);
        while let Some(event) = events.next().await {
            match (self.connection.output, event["kind"].as_str()) {
                (Output::Json, _) => print(&format!("{event}\n"))?,
                (Output::Text, Some("skipped")) => say(&format!("({} lines were left out)", event["lines"])),
                (Output::Text, Some("ended")) => say(&event["reason"].as_str().map(plain).unwrap_or_default()),
                (Output::Text, _) => line(&event).map_or(Ok(()), |line| print(&line))?,
            }
        }
        Ok(())
    }
}

/// A log line with its time, for a terminal.
fn line(line: &Value) -> Option<String> {
    let text = plain(line["text"].as_str()?);
    Some(match line["at"].as_str() {
        Some(at) => format!("{at} {text}\n"),
        None => format!("{text}\n"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_shown_with_its_time_and_without_its_colours() {
        let event = json!({ "kind": "line", "at": "2025-10-31T13:00:00Z", "text": "\u{1b}[31mred" });
        assert_eq!(line(&event).unwrap(), "2025-10-31T13:00:00Z \\u{1b}[31mred\n");
        assert_eq!(line(&json!({ "kind": "ended" })), None);
    }
}
