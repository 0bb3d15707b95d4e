//! Log lines of services, as they are shown.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One line, without control characters and not longer than people can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written; `None` where the Engine does not say.
    pub at: Option<Timestamp>,
    /// The id of the task that wrote it.
    pub task: Option<String>,
    /// The id of the node that it ran on.
    pub node: Option<String>,
    /// Whether it went to standard error.
    pub error: bool,
    /// What it says.
    pub text: String,
}

/// What a stream of log lines brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogEvent {
    /// A line.
    Line(LogLine),
    /// The service writes faster than anybody can read: so many lines were left out.
    Skipped {
        /// How many.
        lines: u64,
    },
    /// Nothing more will come, and why.
    Ended {
        /// In words.
        reason: String,
    },
}
