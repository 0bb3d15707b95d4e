//! The log of a service: the lines of all its tasks, as they come.

use std::collections::VecDeque;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http_body_util::BodyStream;
use hyper::body::Incoming;
use release_manager::logs::LogLine;
use release_manager::ports::SwarmError;
use tokio::time::Instant;

use super::client::{Client, READ, segment};
use super::logs::clean;

/// A frame that is longer is no frame of a log: the Engine cuts lines into pieces of 16 KiB.
const LONGEST_FRAME: usize = 1024 * 1024;
/// What the Engine puts before each frame: the stream, three zeros, the length.
const HEADER: usize = 8;

pub(super) async fn service_logs(
    client: &Client,
    service: &str,
    tail: u32,
    follow: bool,
) -> Result<BoxStream<'static, Result<LogLine, SwarmError>>, SwarmError> {
    let tail = tail.to_string();
    let query = [
        ("stdout", "true"),
        ("stderr", "true"),
        ("timestamps", "true"),
        ("details", "true"),
        ("follow", if follow { "true" } else { "false" }),
        ("tail", tail.as_str()),
    ];
    let body = client.open(&format!("/services/{}/logs", segment(service)), &query).await?;
    // The logs of tasks on nodes that are down never end: what came until then is the answer.
    let deadline = (!follow).then(|| Instant::now() + READ);
    let reader = Reader {
        body: BodyStream::new(body),
        held: Vec::new(),
        lines: VecDeque::new(),
        deadline,
        unreadable: client.trouble(READ).unreadable("its log is no log"),
        broken: client.trouble(READ).unreadable("its log broke off"),
    };
    Ok(stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await? {
            Ok(line) => Some((Ok(line), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed())
}

/// Reads lines out of the frames of an answer. Nothing is read ahead of what is asked for.
struct Reader {
    body: BodyStream<Incoming>,
    held: Vec<u8>,
    lines: VecDeque<LogLine>,
    deadline: Option<Instant>,
    unreadable: SwarmError,
    broken: SwarmError,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<LogLine, SwarmError>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(Ok(line));
            }
            let frame = match self.deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, self.body.next()).await.ok()??,
                None => self.body.next().await?,
            };
            let Ok(frame) = frame else { return Some(Err(copy(&self.broken))) };
            self.held.extend_from_slice(&frame.into_data().unwrap_or_default());
            let Some((lines, read)) = frames(&self.held) else { return Some(Err(copy(&self.unreadable))) };
            self.lines.extend(lines);
            self.held.drain(..read);
        }
    }
}

fn copy(error: &SwarmError) -> SwarmError {
    match error {
        SwarmError::Unreadable { host, detail } => {
            SwarmError::Unreadable { host: host.clone(), detail: detail.clone() }
        }
        other => SwarmError::Refused(other.to_string()),
    }
}

/// The whole frames at the beginning of what was read, and how long they are. `None` where these are no frames.
fn frames(held: &[u8]) -> Option<(Vec<LogLine>, usize)> {
    // A service with a terminal has no frames, only lines.
    if held.first().is_some_and(|first| *first > 2) {
        return Some(bare_lines(held));
    }
    let (mut lines, mut read) = (Vec::new(), 0);
    while let Some(header) = held.get(read..read + HEADER) {
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if length > LONGEST_FRAME || header[1..4] != [0, 0, 0] {
            return None;
        }
        let Some(frame) = held.get(read + HEADER..read + HEADER + length) else { break };
        lines.push(line(frame, header[0] == 2));
        read += HEADER + length;
    }
    Some((lines, read))
}

fn bare_lines(held: &[u8]) -> (Vec<LogLine>, usize) {
    let end = held.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    // What never ends its line is cut.
    let end = if end == 0 && held.len() > LONGEST_FRAME { held.len() } else { end };
    let lines = held[..end].split(|byte| *byte == b'\n').filter(|text| !text.is_empty());
    (lines.map(|text| line(text, false)).collect(), end)
}

/// `2025-10-31T10:30:00.1Z com.docker.swarm.node.id=n,com.docker.swarm.task.id=t the text`
fn line(frame: &[u8], error: bool) -> LogLine {
    let text = String::from_utf8_lossy(frame);
    let text = text.trim_end_matches(['\n', '\r']);
    let (at, rest) = match text.split_once(' ') {
        Some((first, rest)) => match first.parse() {
            Ok(at) => (Some(at), rest),
            Err(_) => (None, text),
        },
        None => (None, text),
    };
    let (details, rest) = match rest.split_once(' ') {
        Some((first, rest)) if first.contains("com.docker.swarm.task.id=") => (first, rest),
        None if rest.contains("com.docker.swarm.task.id=") => (rest, ""),
        _ => ("", rest),
    };
    let detail = |name: &str| {
        let mut pairs = details.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    LogLine {
        at,
        task: detail("com.docker.swarm.task.id"),
        node: detail("com.docker.swarm.node.id"),
        error,
        text: clean(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        frame
    }

    #[test]
    fn a_line_says_who_wrote_it_and_when() {
        let text = "2025-10-31T10:30:00.25Z com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s1,\
                    com.docker.swarm.task.id=t1 \u{1b}[31mhello\u{1b}[0m world\n";
        let (lines, read) = frames(&frame(2, text)).unwrap();
        assert_eq!(read, text.len() + HEADER);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line.at.unwrap().to_string(), "2025-10-31T10:30:00.25Z");
        assert_eq!((line.task.as_deref(), line.node.as_deref(), line.error), (Some("t1"), Some("n1"), true));
        assert_eq!(line.text, "hello world");
    }

    #[test]
    fn frames_may_come_in_pieces() {
        let whole: Vec<u8> = [frame(1, "one\n"), frame(1, "two\n")].concat();
        for cut in 0..whole.len() {
            let (first, read) = frames(&whole[..cut]).unwrap();
            let (second, _) = frames(&whole[read..]).unwrap();
            let texts: Vec<_> = first.iter().chain(&second).map(|line| line.text.as_str()).collect();
            assert_eq!(texts, ["one", "two"], "cut at {cut}");
        }
    }

    #[test]
    fn a_terminal_has_lines_without_frames_and_what_is_no_log_is_refused() {
        let (lines, read) = frames(b"plain\r\nhalf").unwrap();
        assert_eq!((lines[0].text.as_str(), lines.len(), read), ("plain", 1, 7));
        assert!(frames(&[1, 9, 9, 9, 0, 0, 0, 1, 0]).is_none());
        assert!(frames(&[1, 0, 0, 0, 255, 255, 255, 255]).is_none());
    }
}
