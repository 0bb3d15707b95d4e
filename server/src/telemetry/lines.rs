//! Log lines on their way to standard error. Whoever logs never waits: a terminal that is held, a pipe that nobody reads or
//! a disk that is full costs lines, which are counted, and nothing else.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

use super::LogFormat;

/// How many lines may wait.
const WAITING: usize = 4096;
/// How long the end waits for lines that are on their way.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// The way to standard error. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lines {
    shared: Arc<Shared>,
    most: usize,
    lost: Counter,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Vec<u8>>,
    /// The writer has a line in its hands.
    is_writing: bool,
    /// Nothing more will come.
    is_over: bool,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next line, as soon as there is one; `None` after the last.
    fn next(&self) -> Option<Vec<u8>> {
        let is_idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.is_over;
        let mut queue = self.changed.wait_while(self.queue(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let line = queue.waiting.pop_front();
        queue.is_writing = line.is_some();
        line
    }

    fn written(&self) {
        self.queue().is_writing = false;
        self.changed.notify_all();
    }
}

impl Lines {
    /// Lines that go to standard error, written by a thread of its own.
    pub fn to_stderr(format: LogFormat) -> io::Result<Self> {
        Self::to(io::stderr(), format, WAITING)
    }

    fn to(target: impl Write + Send + 'static, format: LogFormat, most: usize) -> io::Result<Self> {
        let lines = Self { shared: Arc::default(), most, lost: Counter::default() };
        let (shared, lost) = (Arc::clone(&lines.shared), lines.lost.clone());
        thread::Builder::new().name("log".to_owned()).spawn(move || write(target, format, &shared, &lost))?;
        Ok(lines)
    }

    /// How many lines were lost so far.
    pub fn lost(&self) -> Counter {
        self.lost.clone()
    }

    /// Says a last line, and waits a moment until everything is written.
    pub fn end(self, last: Option<String>) {
        let mut queue = self.shared.queue();
        queue.waiting.extend(last.map(|last| format!("{last}\n").into_bytes()));
        queue.is_over = true;
        self.shared.changed.notify_all();
        let is_busy = |queue: &mut Queue| queue.is_writing || !queue.waiting.is_empty();
        drop(self.shared.changed.wait_timeout_while(queue, LAST_MOMENT, is_busy));
    }

    fn send(&self, line: &[u8]) {
        let mut queue = self.shared.queue();
        if queue.waiting.len() < self.most && !queue.is_over {
            queue.waiting.push_back(line.to_vec());
            self.shared.changed.notify_all();
        } else {
            self.lost.inc();
        }
    }
}

/// Writes what comes, and once it can write again says how much could not come.
fn write(mut target: impl Write, format: LogFormat, shared: &Shared, lost: &Counter) {
    let mut told = 0;
    while let Some(line) = shared.next() {
        let written = target.write_all(&line);
        let so_far = lost.get();
        if written.is_err() {
            lost.inc();
        } else if so_far > told && target.write_all(notice(format, so_far - told).as_bytes()).is_ok() {
            told = so_far;
        }
        shared.written();
    }
}

fn notice(format: LogFormat, count: u64) -> String {
    let words = format!("{count} log lines are lost: standard error could not be written for a while");
    match format {
        LogFormat::Text => format!(" WARN {words}\n"),
        LogFormat::Json => format!("{{\"level\":\"WARN\",\"fields\":{{\"message\":\"{words}\"}}}}\n"),
    }
}

/// One line at a time, as the formatter hands them over.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.send(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is written only when it is allowed.
    struct Held {
        allowed: mpsc::Receiver<()>,
        writing: mpsc::Sender<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Held {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.writing.send(()).unwrap();
            // Once nobody holds it any more everything goes through.
            let _ = self.allowed.recv();
            self.written.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_standard_error_that_nobody_reads_stops_nobody_and_what_was_lost_is_counted_and_told() {
        let (allow, allowed) = mpsc::channel();
        let (writing, seen) = mpsc::channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let lines = Lines::to(Held { allowed, writing, written: Arc::clone(&written) }, LogFormat::Text, 2).unwrap();
        let say = |text: &str| lines.make_writer().write_all(text.as_bytes()).unwrap();
        say("first\n");
        // The writer has the first in its hands; two more wait, and the others are lost.
        seen.recv().unwrap();
        for text in ["second\n", "third\n", "fourth\n", "fifth\n"] {
            say(text);
        }
        assert_eq!(lines.lost().get(), 2);
        drop(allow);
        lines.end(None);
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let told = notice(LogFormat::Text, 2);
        assert_eq!(written, format!("first\n{told}second\nthird\n"));
    }

    #[test]
    fn everything_is_written_before_the_end() {
        let (writing, _seen) = mpsc::channel();
        let (allow, allowed) = mpsc::channel();
        drop(allow);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let lines = Lines::to(Held { allowed, writing, written: Arc::clone(&written) }, LogFormat::Text, 100).unwrap();
        for number in 0..50 {
            writeln!(lines.make_writer(), "{number}").unwrap();
        }
        lines.end(Some("the end".to_owned()));
        assert!(String::from_utf8(written.lock().unwrap().clone()).unwrap().ends_with("49\nthe end\n"));
    }

    #[test]
    fn what_is_lost_is_told_in_the_form_of_the_log() {
        let told: serde_json::Value = serde_json::from_str(&notice(LogFormat::Json, 3)).unwrap();
        assert_eq!(told["level"], "WARN");
    }
}
