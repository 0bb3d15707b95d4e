//! Ctrl-C and SIGTERM, and what a deployment that they ended leaves behind.

use release_manager::names::StackName;
use release_manager::plan::{Action, ActionKind};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ledger::Written;
use crate::cli::Failure;

/// The signals that end the command.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

/// What to exit with, as shells do it: 128 and the number of the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interrupted(pub(super) u8);

impl Interrupts {
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Failure::new)?,
            terminate: signal(SignalKind::terminate()).map_err(Failure::new)?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Interrupted {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupted(130),
            _ = self.terminate.recv() => Interrupted(143),
        }
    }
}

/// What was written, what was not, and how to go on.
pub(super) fn report(stack: &StackName, actions: &[Action], written: &Written) -> String {
    let names = |numbers: &[usize]| -> String {
        let names: Vec<String> = numbers.iter().filter_map(|number| Some(name(stack, actions.get(*number)?))).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let mut lines = vec![
        format!("Stopped. Stack {stack} is as follows:"),
        format!("  written: {}", names(&written.done)),
        format!("  not written: {}", names(&written.left)),
    ];
    if !written.in_doubt.is_empty() {
        lines.push(format!("  sent, and no answer was waited for: {}", names(&written.in_doubt)));
    }
    lines.push(if written.left.is_empty() && written.in_doubt.is_empty() {
        "Swarm goes on with what was written; nobody watches whether it succeeds.".to_owned()
    } else {
        "Swarm goes on with what was written. `stack plan` shows what is left, `stack deploy` does it.".to_owned()
    });
    super::lines(lines)
}

fn name(stack: &StackName, action: &Action) -> String {
    match &action.kind {
        ActionKind::CreateObject { object, name } | ActionKind::LabelObject { object, name } => {
            format!("{object} {name}")
        }
        ActionKind::RemoveObject { object, name } => format!("removal of {object} {name}"),
        ActionKind::RemoveService { service, .. } => format!("removal of {}", stack.scope(service)),
        kind => kind.service().map(|service| stack.scope(service)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use release_manager::engine::Write;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_report_says_what_was_written_and_what_was_not() {
        let action = |service: &str| Action {
            kind: ActionKind::CreateService { service: service.parse().unwrap(), to: "1".parse().unwrap() },
            reason: String::new(),
            write: Some(Write::CreateService { spec: json!({}) }),
            level: 1,
        };
        let actions = [action("db"), action("web"), action("mail")];
        let stack = "shop".parse().unwrap();
        let written = Written { done: vec![0], in_doubt: vec![1], left: vec![2] };
        let text = report(&stack, &actions, &written);
        for part in
            ["written: shop_db\n", "not written: shop_mail\n", "no answer was waited for: shop_web\n", "`stack plan`"]
        {
            assert!(text.contains(part), "`{part}` is missing in: {text}");
        }
        let text = report(&stack, &actions[..1], &Written { done: vec![0], ..Written::default() });
        assert!(text.contains("not written: nothing\n") && text.contains("nobody watches"), "{text}");
    }
}
