//! Reads commands that are simple enough (`sleep 10`, `sh -c "echo hi; exit 3"`), so that one test can run against this
//! Engine and against a real one.

use std::{ops::ControlFlow, time::Duration};

use crate::{
    behaviour::{Behaviour, Exit, LogLine},
    spec::ContainerSpec,
};

/// What the container's command does, if every part of it is understood.
pub(crate) fn of_command(container: &ContainerSpec) -> Option<Behaviour> {
    let words: Vec<&str> = container.command.iter().chain(&container.args).map(String::as_str).collect();
    match words.as_slice() {
        [] => None,
        ["sh" | "/bin/sh" | "ash" | "bash", "-c", text, ..] => Script::default().run(text),
        words => Script::default().run(&words.join(" ")),
    }
}

/// Whether the health check is one that always fails.
pub(crate) fn never_healthy(container: &ContainerSpec) -> bool {
    let Some(check) = container.healthcheck.as_ref().filter(|check| check.is_on()) else { return false };
    let command =
        ContainerSpec { args: vec!["sh".into(), "-c".into(), check.test[1..].join(" ")], ..ContainerSpec::default() };
    of_command(&command).and_then(|behaviour| behaviour.exit).is_some_and(|exit| exit.code != 0)
}

#[derive(Default)]
struct Script {
    elapsed_ms: u64,
    code: i64,
    logs: Vec<LogLine>,
}

impl Script {
    fn run(mut self, text: &str) -> Option<Behaviour> {
        for statement in text.split([';', '\n']).flat_map(|part| part.split("&&")) {
            let statement = statement.trim();
            if statement.is_empty() {
                continue;
            }
            if self.statement(statement)?.is_break() {
                break;
            }
        }
        let exit = Some(Exit { after_ms: self.elapsed_ms, code: self.code });
        Some(Behaviour { exit, logs: self.logs, ..Behaviour::default() })
    }

    /// Runs one statement, which may end the script; `None` if it is not understood.
    fn statement(&mut self, statement: &str) -> Option<ControlFlow<()>> {
        let statement = statement.strip_prefix("exec ").unwrap_or(statement);
        let (command, rest) = statement.split_once(' ').unwrap_or((statement, ""));
        match command {
            "exit" => {
                if !rest.trim().is_empty() {
                    self.code = rest.trim().parse().ok()?;
                }
                return Some(ControlFlow::Break(()));
            }
            "sleep" => {
                let seconds: f64 = rest.trim().trim_end_matches('s').parse().ok()?;
                let ms = Duration::try_from_secs_f64(seconds).ok()?.as_millis().try_into().unwrap_or(u64::MAX);
                self.elapsed_ms = self.elapsed_ms.saturating_add(ms);
                self.code = 0;
            }
            "echo" => {
                let (text, error) = match rest.split_once(">&2") {
                    Some((text, _)) => (text, true),
                    None => (rest, false),
                };
                self.logs.push(LogLine { error, text: text.trim().trim_matches(['"', '\'']).to_owned() });
                self.code = 0;
            }
            "true" | ":" => self.code = 0,
            "false" => self.code = 1,
            _ => return None,
        }
        Some(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u64, i64)>) {
        let container = ContainerSpec { args: vec!["sh".into(), "-c".into(), text.into()], ..ContainerSpec::default() };
        let exit = of_command(&container).and_then(|behaviour| behaviour.exit);
        assert_eq!(exit.map(|exit| (exit.after_ms, exit.code)), expected, "{text}");
    }

    #[test]
    fn simple_commands_are_understood() {
        check("exit 3", Some((0, 3)));
        check("echo hi; echo err >&2; sleep 1000", Some((1_000_000, 0)));
        check("sleep 0.5 && exit 4; sleep 9", Some((500, 4)));
        check("false", Some((0, 1)));
        check("exec sleep 2", Some((2_000, 0)));
    }

    #[test]
    fn a_command_with_anything_else_in_it_says_nothing() {
        check("while true; do sleep 1; done", None);
        check("nginx -g daemon off", None);
        check("sleep $X", None);
    }
}
