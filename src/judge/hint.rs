//! What to look at, in plain words: the Engine's errors and exit codes say it to those who know them.

use crate::deployment::{Evidence, FailureReason, TaskEvidence, Verdict};

/// Parts of the Engine's errors, and what they mean. The first that fits is told.
const ERRORS: [(&str, &str); 14] = [
    ("No such image", "The image is not there: check the version, that it was pushed, and that the node may pull it."),
    ("manifest unknown", "The registry has no image of that version: check the version, and that it was pushed."),
    ("pull access denied", "The registry refuses the pull: check the image's name and the login to the registry."),
    ("unauthorized", "The registry refuses the login: check the credentials for it."),
    ("no space left on device", "The node's disk is full: free space there (docker system df shows what uses it)."),
    ("unhealthy container", "The health check failed: run its command inside the container, and see the log."),
    ("executable file not found", "The command is not in the image: check `command` and `entrypoint`."),
    ("permission denied", "The container may not run or read something: check `user` and the rights of its files."),
    ("bind source path does not exist", "A directory that is mounted is not on the node: create it there first."),
    ("invalid mount config", "A mount cannot be made: check its source on the node."),
    ("host-mode port already in use", "Another container holds the port on every node that may run it: free the port."),
    ("insufficient resources", "No node has enough CPU or memory left for what is reserved: reserve less."),
    ("scheduling constraints not satisfied", "No node satisfies the constraints: compare them with the nodes' labels."),
    ("network", "A network could not be joined: look at it with docker network inspect."),
];

/// What to look at after a verdict; `None` after good news, and where nothing more can be said than the verdict says.
pub fn hint(verdict: &Verdict, evidence: &Evidence) -> Option<String> {
    let reason = match verdict {
        Verdict::Failed { reason, .. } => Some(*reason),
        Verdict::RolledBack { .. } => None,
        _ => return None,
    };
    let task = evidence.failing_task.as_ref();
    let words = task.and_then(of_task).or_else(|| reason.and_then(of_reason))?;
    let serving = if evidence.old_tasks_serve { " Tasks of the earlier version still serve." } else { "" };
    Some(format!("{words}{serving}"))
}

fn of_task(task: &TaskEvidence) -> Option<&'static str> {
    let error = task.error.as_deref().unwrap_or_default();
    let by_text = ERRORS.iter().find(|(part, _)| error.contains(part)).map(|(_, words)| *words);
    by_text.or_else(|| of_exit_code(task.exit_code?))
}

/// The codes that shells and kernels agree on.
fn of_exit_code(code: i64) -> Option<&'static str> {
    Some(match code {
        0 => "It ended by itself and without an error: a service has to run on, or needs `restart_policy: none`.",
        1 | 2 => "The program reported an error of its own: its last log lines say which.",
        126 => "The command is there but cannot be run: check its rights and the platform of the image.",
        127 => "The command was not found in the image: check `command` and `entrypoint`.",
        132 | 134 | 135 | 136 | 139 => "The program crashed: check that the image is made for this node's processor.",
        137 => "It was killed: most often it needs more memory than its limit allows.",
        143 => "It was told to stop and did: look for who stopped it, or for a failing health check.",
        _ => return None,
    })
}

fn of_reason(reason: FailureReason) -> Option<&'static str> {
    Some(match reason {
        FailureReason::CrashLoop | FailureReason::JobFailed => "Its last log lines say why it ends.",
        FailureReason::Unschedulable => "Compare what it asks for with the nodes (docker node ls).",
        FailureReason::Paused | FailureReason::RollbackFailed => "Look at its tasks (docker service ps) and their log.",
        FailureReason::Stalled => "Look for nodes that do not answer (docker node ls).",
        FailureReason::Deadline => "Look at what its tasks wait for (docker service ps), or allow more time.",
        FailureReason::Unknown => "Look again once the Docker Engine answers.",
        FailureReason::Refused => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reason: FailureReason, error: Option<&str>, code: Option<i64>, expected: Option<&str>) {
        let failing_task = (error.is_some() || code.is_some()).then(|| TaskEvidence {
            task: "t".to_owned(),
            node: None,
            state: "failed".to_owned(),
            error: error.map(str::to_owned),
            exit_code: code,
        });
        let verdict = Verdict::Failed { reason, message: String::new() };
        let found = hint(&verdict, &Evidence { failing_task, ..Evidence::default() });
        match (&found, expected) {
            (None, None) => (),
            (Some(found), Some(expected)) if found.contains(expected) => (),
            _ => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn the_error_is_told_before_the_exit_code_and_that_before_the_kind_of_failure() {
        use FailureReason::{CrashLoop, Refused, Stalled, Unschedulable};
        check(CrashLoop, Some("No such image: app:9"), None, Some("The image is not there"));
        check(CrashLoop, Some("task: non-zero exit (137)"), Some(137), Some("more memory"));
        check(CrashLoop, Some("task: non-zero exit (143): dockerexec: unhealthy container"), Some(143), Some("health"));
        check(CrashLoop, Some("task: non-zero exit (3)"), Some(3), Some("last log lines"));
        check(CrashLoop, None, Some(0), Some("has to run on"));
        check(Unschedulable, Some("no suitable node (insufficient resources on 1 node)"), None, Some("reserve less"));
        check(Stalled, None, None, Some("nodes that do not answer"));
        check(Refused, None, None, None);
    }

    #[test]
    fn good_news_need_no_hint() {
        assert_eq!(hint(&Verdict::Completed, &Evidence::default()), None);
    }
}
