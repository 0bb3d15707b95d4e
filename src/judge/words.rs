//! What people are told: what was seen, and what to do.

use std::time::Duration;

use crate::deployment::TaskEvidence;

/// What the failing task said, as an end of a sentence: ` (exit code 3: task: non-zero exit (3), on node n1)`.
pub(super) fn said(task: Option<&TaskEvidence>) -> String {
    let Some(task) = task else { return String::new() };
    let code = task.exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}"));
    let node = task.node.as_ref().map(|node| format!("on node {node}"));
    let parts: Vec<String> = [code, task.error.clone(), node].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

pub(super) fn crash_loop(times: u32, rolled_back: bool, task: Option<&TaskEvidence>) -> String {
    let which = if rolled_back { "tasks of the earlier version, to which Swarm went back," } else { "its tasks" };
    let times = if times == 1 { "once".to_owned() } else { format!("{times} times in one slot") };
    format!("{which} ended {times}{}: read the log of the task, and correct the image or its configuration", said(task))
}

pub(super) fn unschedulable(error: &str, grace: Duration) -> String {
    let advice = if error.contains("insufficient resources") {
        "reserve less, or add a node"
    } else if error.contains("port already in use") {
        "free the port on a node, or publish another one"
    } else if error.contains("scheduling constraints") {
        "check the constraints of the service and the labels and state of the nodes"
    } else {
        "check the nodes (docker node ls) and what the service asks of them"
    };
    format!("no node has taken a task for {} s: {error}. To do: {advice}", grace.as_secs())
}

pub(super) fn no_node_wanted(grace: Duration) -> String {
    format!(
        "no node may run this global service (for {} s): check its constraints and the labels and state of the nodes",
        grace.as_secs()
    )
}

pub(super) fn stalled(stall: Duration, tasks: &str, down: &[String]) -> String {
    let nodes = if down.is_empty() {
        "look at the nodes (docker node ls)".to_owned()
    } else {
        format!("bring back or remove the nodes that do not answer ({})", down.join(", "))
    };
    format!(
        "Swarm's updater has not moved for {} s, with {tasks}: {nodes}; if all of them answer, demote and promote the \
         leading manager. Do not deploy the same again: it does not help",
        stall.as_secs()
    )
}

pub(super) fn paused(message: &str, tasks: &str, task: Option<&TaskEvidence>) -> String {
    format!(
        "Swarm paused the update with {tasks}{}: {message}. Roll back, or correct the service and deploy a new revision",
        said(task)
    )
}

pub(super) fn rollback_failed(message: &str, task: Option<&TaskEvidence>) -> String {
    format!(
        "the new version failed, and Swarm's own way back failed too{}: {message}. Roll back to a release that worked, \
         and check that its image can still be pulled",
        said(task)
    )
}

pub(super) fn rolled_back(cause: &str, task: Option<&TaskEvidence>) -> String {
    format!("Swarm went back to the earlier version{}: {cause}", said(task))
}

pub(super) fn superseded(by: &str) -> String {
    format!("{by}: nothing was overwritten. Deploy again if this environment's release is to run")
}

pub(super) fn job_failed(tasks: &str, task: Option<&TaskEvidence>) -> String {
    format!("the job failed with {tasks}{}: read the log of its task, correct it and deploy a new revision", said(task))
}

pub(super) fn deadline(after: Duration, tasks: &str, waiting_for: Option<&str>, task: Option<&TaskEvidence>) -> String {
    let waiting_for = waiting_for.map(|text| format!(", last: {text}")).unwrap_or_default();
    format!(
        "it was not ready after {} s, with {tasks}{waiting_for}{}: check its tasks and log, or allow more time",
        after.as_secs(),
        said(task)
    )
}

pub(super) fn unknown(after: Duration, why: &str) -> String {
    format!(
        "time ran out after {} s while the Docker Engine could not be asked ({why}): it may run or not. Look again once \
         the Engine answers",
        after.as_secs()
    )
}

pub(super) fn still_there(after: Duration) -> String {
    format!("it was still there {} s after its removal: look at its tasks (docker service ps)", after.as_secs())
}
