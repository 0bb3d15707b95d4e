//! What is kept of a log while somebody reads it.

/// More than anybody scrolls through; the oldest go.
pub const LOG_LINES: usize = 1000;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Its number among those that were shown.
    pub number: u64,
    /// The time of day, in UTC.
    pub at: String,
    /// The task that wrote it.
    pub task: String,
    /// Whether it went to standard error.
    pub error: bool,
    /// What was written.
    pub text: String,
}

/// What has come so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    next: u64,
    /// Why nothing more comes.
    pub ended: Option<String>,
}

impl Log {
    fn add(&mut self, mut line: LogLine) {
        line.number = self.next;
        self.next += 1;
        self.lines.push(line);
    }

    /// Puts what came meanwhile behind the rest.
    pub fn take_in(&mut self, news: &mut Vec<LogLine>) {
        for line in news.drain(..) {
            self.add(line);
        }
        make_room(&mut self.lines);
    }
}

/// Lets the oldest lines go.
pub fn make_room(lines: &mut Vec<LogLine>) {
    let beyond = lines.len().saturating_sub(LOG_LINES);
    lines.drain(..beyond);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_make_room() {
        let line = |text: usize| LogLine {
            number: 0,
            at: String::new(),
            task: String::new(),
            error: false,
            text: text.to_string(),
        };
        let mut log = Log::default();
        log.take_in(&mut (0..LOG_LINES + 2).map(line).collect());
        assert_eq!((log.lines.len(), log.lines[0].text.as_str(), log.lines[0].number), (LOG_LINES, "2", 2));
    }
}
