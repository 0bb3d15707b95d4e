//! `release-manager doctor`: everything that Release Manager needs, looked at once, with what to do where it is not well.
//! It changes nothing and deploys nothing.

mod checks;

use std::io::Write;

use serde::Serialize;

use super::Failure;
use super::serve::ProcessEnvironment;
use crate::config::Config;

/// What `doctor` is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// It is as it should be.
    Good,
    /// It works, and a person should know this.
    Note,
    /// It does not work.
    Bad,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    /// What was found and, where it is not well, what to do.
    message: String,
}

impl Finding {
    #[expect(clippy::needless_pass_by_value, reason = "the form that whoever calls it has")]
    fn good(check: &'static str, message: impl ToString) -> Self {
        Self { check, verdict: Verdict::Good, message: message.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the form that whoever calls it has")]
    fn note(check: &'static str, message: impl ToString) -> Self {
        Self { check, verdict: Verdict::Note, message: message.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the form that whoever calls it has")]
    fn bad(check: &'static str, message: impl ToString) -> Self {
        Self { check, verdict: Verdict::Bad, message: message.to_string() }
    }

    /// Good with what was found, or bad with the reason.
    fn of<T: ToString, E: ToString>(check: &'static str, result: Result<T, E>) -> Self {
        match result {
            Ok(found) => Self::good(check, found),
            Err(problem) => Self::bad(check, problem),
        }
    }
}

impl Args {
    /// Looks at everything; fails where something does not work.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = Config::read(&ProcessEnvironment);
        let findings = match &config {
            Ok(config) => checks::all(config).await,
            Err(problem) => vec![Finding::bad("settings", problem)],
        };
        let text = if self.json { json(&findings) } else { text(&findings) };
        std::io::stdout().write_all(text.as_bytes()).map_err(Failure::new)?;
        let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
        match (bad, config.is_ok()) {
            (0, _) => Ok(()),
            (_, false) => Err(Failure::setting("a setting is wrong: nothing else was looked at")),
            (1, true) => Err(Failure::new("one check failed")),
            (count, true) => Err(Failure::new(format!("{count} checks failed"))),
        }
    }
}

fn json(findings: &[Finding]) -> String {
    format!("{}\n", serde_json::to_string_pretty(findings).unwrap_or_default())
}

fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let line = |finding: &Finding| {
        let word = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Note => "note",
            Verdict::Bad => "BAD ",
        };
        format!("{word}  {:<width$}  {}\n", finding.check, finding.message)
    };
    findings.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_below_each_other() {
        let findings = [Finding::good("clock", "right"), Finding::bad("database", "gone: restore a backup")];
        assert_eq!(text(&findings), "ok    clock     right\nBAD   database  gone: restore a backup\n");
    }
}
