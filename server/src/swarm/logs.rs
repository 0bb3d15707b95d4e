//! The last words of a task.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::{StreamExt, pin_mut};
use release_manager::ports::SwarmError;
use tokio::time::Instant;

use super::client::{Client, READ, segment};

/// How many lines may be asked for.
const MOST_LINES: u32 = 2_000;
/// Longer lines are cut.
const LONGEST_LINE: usize = 2_000;
/// How many bytes are read at most, whatever the lines are.
const MOST_BYTES: usize = 8 * 1024 * 1024;

pub(super) async fn logs(client: &Client, task: &str, lines: u32) -> Result<Vec<String>, SwarmError> {
    let lines = lines.min(MOST_LINES);
    let options =
        LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(false).tail(&lines.to_string()).build();
    let deadline = Instant::now() + READ;
    let docker = client.ask(READ, |docker| async move { Ok(docker) }).await?;
    let frames = docker.task_logs(&segment(task), Some(options));
    pin_mut!(frames);
    let mut text = Vec::new();
    // The logs of a task on a node that is down never end: what came until the deadline is the answer then.
    while let Ok(Some(frame)) = tokio::time::timeout_at(deadline, frames.next()).await {
        let frame = frame.map_err(|error| client.trouble(READ).bollard(&error))?;
        append(&mut text, &frame);
        if text.len() >= MOST_BYTES {
            break;
        }
    }
    if text.is_empty() && Instant::now() >= deadline {
        return Err(client.trouble(READ).timed_out());
    }
    Ok(last_lines(&String::from_utf8_lossy(&text), lines as usize))
}

/// One frame is one line, with or without its end.
fn append(text: &mut Vec<u8>, frame: &LogOutput) {
    text.extend_from_slice(frame.as_ref());
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
}

fn last_lines(text: &str, lines: usize) -> Vec<String> {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| clean(line)).collect()
}

/// A line without what would move a cursor, change a colour or turn the direction of the text around it.
pub(super) fn clean(line: &str) -> String {
    let mut cleaned = String::new();
    let mut rest = line.chars();
    let mut length = 0;
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\t' => cleaned.push(' '),
            c if c.is_control() || turns_direction(c) => continue,
            c => cleaned.push(c),
        }
        length += 1;
        if length == LONGEST_LINE {
            cleaned.push('…');
            break;
        }
    }
    cleaned
}

/// Skips what belongs to an escape character: `[` with its parameters and final letter, or `]` up to its end.
fn skip_escape(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => drop(rest.find(|c| ('@'..='~').contains(c))),
        Some(']') => drop(rest.find(|c| matches!(c, '\u{7}' | '\\'))),
        _ => (),
    }
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_plain_text() {
        for (line, plain) in [
            ("\u{1b}[1;31mred\u{1b}[0m alert", "red alert"),
            ("a\tb\u{8}\u{0}c\r", "a bc"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("user\u{202e}gpj.exe", "usergpj.exe"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(clean(line), plain);
        }
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(clean(&"ä".repeat(5_000)).chars().count(), LONGEST_LINE + 1);
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        assert_eq!(last_lines("a\nb\nc\n", 2), ["b", "c"]);
        assert_eq!(last_lines("", 2), Vec::<String>::new());
    }
}
