//! What happens during a deployment, in lines for people.

use release_manager::deployment::{Outcome, ServiceOutcome, Status, Verdict};
use release_manager::live::{ServicePhase, ServiceProgress};
use release_manager::names::{ServiceName, StackName};
use release_manager::plan::{Action, ActionKind};
use release_manager::ports::JournalEntry;

/// How many log lines of a failed task are shown.
const LOG_LINES: usize = 10;

/// What an action does, as it begins: `Updating service shop_web (1.2 -> 1.3)`.
pub(super) fn beginning(stack: &StackName, action: &Action) -> Option<String> {
    match &action.kind {
        ActionKind::CreateObject { object, name } => Some(format!("Creating {object} {name}")),
        ActionKind::LabelObject { object, name } => Some(format!("Labelling {object} {name}")),
        ActionKind::RemoveObject { object, name } => Some(format!("Removing {object} {name}")),
        ActionKind::CreateService { service, .. } => Some(format!("Creating service {}", stack.scope(service))),
        ActionKind::UpdateService { service, from, to, .. } if from == to => {
            Some(format!("Updating service {} ({})", stack.scope(service), action.reason))
        }
        ActionKind::UpdateService { service, from, to, .. } => {
            Some(format!("Updating service {} ({from} -> {to})", stack.scope(service)))
        }
        ActionKind::RemoveService { service, .. } => Some(format!("Removing service {}", stack.scope(service))),
        ActionKind::WatchService { .. } | ActionKind::LeaveService { .. } => None,
    }
}

/// What an entry of the journal tells.
pub(super) fn entry(stack: &StackName, actions: &[Action], entry: &JournalEntry) -> Option<String> {
    match entry {
        JournalEntry::Intent { action, .. } => beginning(stack, actions.get(*action)?),
        JournalEntry::Judged { service, outcome } => Some(judged(stack, service, outcome)),
        JournalEntry::Noted { message } => Some(message.clone()),
        JournalEntry::Done { .. } | JournalEntry::CancelRequested { .. } | JournalEntry::GoingBack { .. } => None,
    }
}

/// A service's verdict in a line.
pub(super) fn judged(stack: &StackName, service: &ServiceName, outcome: &ServiceOutcome) -> String {
    format!("{}: {}", stack.scope(service), verdict(&outcome.verdict))
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Succeeded { stable_seconds, warning: None } => format!("succeeded, stable for {stable_seconds} s"),
        Verdict::Succeeded { stable_seconds, warning: Some(warning) } => {
            format!("succeeded, stable for {stable_seconds} s, but {warning}")
        }
        Verdict::Completed => "completed".to_owned(),
        Verdict::Pruned => "removed".to_owned(),
        Verdict::RolledBack { message } => format!("rolled back by Swarm: {message}"),
        Verdict::Superseded { message } => format!("superseded: {message}"),
        Verdict::Failed { message, .. } => format!("failed: {message}"),
        other => other.error_message().unwrap_or_default(),
    }
}

/// Where a service is, in a few words.
pub(super) fn phase(progress: &ServiceProgress) -> String {
    let count = format!("{}/{}", progress.running, progress.desired);
    match &progress.phase {
        ServicePhase::Waiting => "waiting".to_owned(),
        ServicePhase::Submitting => "being written".to_owned(),
        ServicePhase::Updating => {
            let message = progress.message.as_ref().map(|message| format!(", {message}")).unwrap_or_default();
            format!("{count} running{message}")
        }
        ServicePhase::Verifying { stable_seconds, of_seconds } => {
            format!("{count} running, stable for {stable_seconds} of {of_seconds} s")
        }
        ServicePhase::Observing => "the Engine does not answer".to_owned(),
        ServicePhase::Done { verdict: done } => verdict(done),
    }
}

/// How everything ended: one line, then what is known of each service that did not succeed.
pub(super) fn ending(stack: &StackName, outcome: &Outcome) -> String {
    let count = |status| outcome.services.values().filter(|service| service.verdict.status() == status).count();
    let of = outcome.services.len();
    let services = if of == 1 { "service" } else { "services" };
    let removed = outcome.services.values().filter(|service| service.verdict == Verdict::Pruned).count();
    let first = match (outcome.status, &outcome.error_message) {
        (Status::Success, _) if removed == of => format!("Stack {stack}: {of} {services} removed"),
        (Status::Success, _) if removed > 0 => {
            format!("Stack {stack}: {} of {of} {services} deployed, {removed} removed", of - removed)
        }
        (Status::Success, _) => format!("Stack {stack}: {of} {services} deployed"),
        (_, Some(message)) => format!("Stack {stack}: not deployed: {message}"),
        (_, None) => format!(
            "Stack {stack}: {} of {of} {services} succeeded, {} failed, {} rolled back, {} not written",
            count(Status::Success),
            count(Status::Failed),
            count(Status::RolledBack),
            count(Status::Cancelled)
        ),
    };
    let troubled = outcome.services.iter().filter(|(_, known)| known.verdict.status() != Status::Success);
    let details = troubled.flat_map(|(service, known)| evidence(&stack.scope(service), known));
    super::lines(std::iter::once(first).chain(details))
}

fn evidence(name: &str, outcome: &ServiceOutcome) -> Vec<String> {
    let mut lines = vec![format!("  {name}: {}", verdict(&outcome.verdict))];
    let evidence = &outcome.evidence;
    if let Some(task) = &evidence.failing_task {
        let node = task.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
        let code = task.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        let error = task.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        lines.push(format!("    task {}{node} is {}{code}{error}", task.task, task.state));
    }
    let skipped = evidence.log_lines.len().saturating_sub(LOG_LINES);
    lines.extend(evidence.log_lines.iter().skip(skipped).map(|line| format!("    | {line}")));
    if evidence.old_tasks_serve {
        lines.push("    tasks of the earlier version still run".to_owned());
    }
    lines
}
