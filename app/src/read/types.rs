//! The fields and words of everything that the browser reads, as serde writes them. A field that is forgotten here does not
//! compile; what is written otherwise fails the tests.

use release_manager::deployment::{
    Cause, Deployment, Evidence, FailureReason, HistoryRow, Outcome, ServiceOutcome, Status, Step, TaskEvidence,
    Verdict,
};
use release_manager::diff::{ChangeType, FieldChange, Finding, ServiceChange};
use release_manager::health::{EnvironmentHealth, HealthStatus, ServiceHealth};
use release_manager::hold::Hold;
use release_manager::live::{
    Examined, Live, LiveEnvironment, Problem, Progress, ServicePhase, ServiceProgress, SourceState, StepState,
};
use release_manager::names::{
    CommitSha, DeploymentId, Digest, EnvironmentName, HoldReason, ServiceName, StackName, Version,
};
use release_manager::pipeline::Mode;
use release_manager::release::{Release, ServiceVersion};
use release_manager::revision::Revision;
use release_manager::time::Timestamp;
use release_manager::views::{Comparison, DemoNote, DeploymentView, EnvironmentView, Overview, PlannedAction};
use release_manager::watched::{After, Drift, Lead, Probation, ServiceDrift, Soak, Watched};

use super::{Read, Tree, field, structures};
use crate::error::{RpcError, RpcErrorKind};
use crate::view::Place;

/// Enumerations of words.
macro_rules! words {
    ($($type:ident { $($word:literal => $value:ident),* })*) => {
        $(impl Read for $type {
            fn read(tree: &Tree) -> Option<Self> {
                match tree.text()? {
                    $($word => Some(Self::$value),)*
                    _ => None,
                }
            }
        })*
    };
}

/// Texts with a rule.
macro_rules! texts {
    ($($type:ident),*) => {
        $(impl Read for $type {
            fn read(tree: &Tree) -> Option<Self> {
                tree.text()?.parse().ok()
            }
        })*
    };
}

texts!(CommitSha, Digest, EnvironmentName, HoldReason, ServiceName, StackName, Version);

words! {
    Status {
        "in_progress" => InProgress, "success" => Success, "failed" => Failed, "rolled_back" => RolledBack,
        "cancelled" => Cancelled
    }
    Step { "render" => Render, "plan" => Plan, "apply" => Apply, "verify" => Verify, "record" => Record }
    StepState { "pending" => Pending, "in_progress" => InProgress, "completed" => Completed, "failed" => Failed }
    FailureReason {
        "crash_loop" => CrashLoop, "unschedulable" => Unschedulable, "paused" => Paused, "stalled" => Stalled,
        "deadline" => Deadline, "unknown" => Unknown, "rollback_failed" => RollbackFailed, "job_failed" => JobFailed,
        "refused" => Refused
    }
    ChangeType {
        "no_change" => NoChange, "version_bump" => VersionBump, "new_service" => NewService,
        "removed_service" => RemovedService
    }
    HealthStatus {
        "healthy" => Healthy, "unhealthy" => Unhealthy, "progressing" => Progressing, "unknown" => Unknown
    }
    Mode { "auto" => Auto, "manual" => Manual }
}

structures! {
    Overview { environments, poll_seconds, demo }
    DemoNote { repository, engine }
    EnvironmentView { name, mode, stack, promotes_from, release, deployed_at, deployed_by, newer }
    Release { revision, services; or elsewhere }
    Revision { sha, author, committed_at, message }
    ServiceVersion { version, image }
    Comparison { from, to, changes, from_sha, to_sha, actions, blockers, warnings, plan_hash; or soak, commits_from,
        commits_to }
    PlannedAction { verb, reason, fields }
    ServiceChange { service, from, to, change_type }
    FieldChange { field, from, to }
    Finding { service, message }
    Soak { image, since, restarts, failed_tasks, last_failure }
    TaskEvidence { task, node, state, error, exit_code }
    DeploymentView { deployment, rows, progress }
    Deployment { id, environment, cause, actor, commit_sha, started_at, ended; or notes }
    Outcome { status, error_message, services }
    ServiceOutcome { version, from, verdict, evidence }
    Evidence { failing_task, log_lines, old_tasks_serve, tasks, digest_before, digest_after, hint }
    HistoryRow {
        id, deployment, environment, service, version, from, commit_sha, status, actor, verdict, evidence, started_at,
        completed_at, after
    }
    After { at, task, log_lines }
    Progress { id, environment, cause, actor, started_at, status, steps, services, error }
    ServiceProgress { from, to, phase, running, desired, message }
    Live { generation, source, engine_problem, database_problem, environments }
    SourceState { name, branch, head, checked_at, problem, commit_url; or tried_at }
    Problem { since, message }
    Examined { revision; or passing, tried }
    LiveEnvironment { health, deployment, problem, hold; or examined, watched }
    EnvironmentHealth { checked_at, services }
    ServiceHealth { status, running, desired, error, running_since, image; or restarts, unreachable }
    Hold { by, since, reason, newer_than }
    Watched { lead, drift, probation }
    Probation { deployment, until, after }
    Drift { checked_at, services, not_healed }
    RpcError { kind, message; or environment }
    Place { name, kind, href }
}

/// As serde writes a moment: `2025-10-31T10:30:00.25Z`. A parser of every RFC 3339 would be larger than all of this.
impl Read for Timestamp {
    fn read(tree: &Tree) -> Option<Self> {
        let text = tree.text()?;
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
        let fraction = text.get(19..)?.strip_suffix('Z')?;
        let mut millis = 0;
        for (digit, worth) in fraction.strip_prefix('.').unwrap_or_default().bytes().zip([100, 10, 1]) {
            millis += i64::from(digit.wrapping_sub(b'0')) * worth;
        }
        Some(Self::from_millis((days(year, month, day) * 86_400 + seconds) * 1000 + millis))
    }
}

/// The days from 1970 on. Years begin in March, so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap + (month * 153 + 2) / 5 + day - 1 - 719_468
}

impl Read for DeploymentId {
    fn read(tree: &Tree) -> Option<Self> {
        i64::read(tree).map(Self)
    }
}

impl Read for Cause {
    fn read(tree: &Tree) -> Option<Self> {
        Some(match tree.get("kind").text()? {
            "sync" => Self::Sync,
            "promotion" => Self::Promotion { from: field(tree, "from")? },
            "rollback" => Self::Rollback { to: field(tree, "to")? },
            "command_line" => Self::CommandLine,
            "retry" => Self::Retry { of: field(tree, "of")? },
            "restart" => Self::Restart { service: field(tree, "service")? },
            "return" => Self::Return { from: field(tree, "from")? },
            "heal" => Self::Heal { drift: field(tree, "drift")? },
            _ => return None,
        })
    }
}

impl Read for Verdict {
    fn read(tree: &Tree) -> Option<Self> {
        Some(match tree.get("verdict").text()? {
            "succeeded" => {
                Self::Succeeded { stable_seconds: field(tree, "stable_seconds")?, warning: field(tree, "warning")? }
            }
            "completed" => Self::Completed,
            "pruned" => Self::Pruned,
            "rolled_back" => Self::RolledBack { message: field(tree, "message")? },
            "failed" => Self::Failed { reason: field(tree, "reason")?, message: field(tree, "message")? },
            "superseded" => Self::Superseded { message: field(tree, "message")? },
            "removed" => Self::Removed,
            "cancelled" => Self::Cancelled { written: field(tree, "written")? },
            _ => return None,
        })
    }
}

impl Read for ServicePhase {
    fn read(tree: &Tree) -> Option<Self> {
        Some(match tree.get("phase").text()? {
            "waiting" => Self::Waiting,
            "submitting" => Self::Submitting,
            "updating" => Self::Updating,
            "verifying" => Self::Verifying {
                stable_seconds: field(tree, "stable_seconds")?,
                of_seconds: field(tree, "of_seconds")?,
            },
            "observing" => Self::Observing,
            "done" => Self::Done { verdict: field(tree, "verdict")? },
            _ => return None,
        })
    }
}

impl Read for Lead {
    fn read(tree: &Tree) -> Option<Self> {
        Some(match tree.get("lead").text()? {
            "unknown" => Self::Unknown,
            "ours" => Self::Ours,
            "other" => Self::Other { place: field(tree, "place")?, since: field(tree, "since")? },
            _ => return None,
        })
    }
}

impl Read for ServiceDrift {
    fn read(tree: &Tree) -> Option<Self> {
        Some(match tree.get("kind").text()? {
            "changed" => Self::Changed { fields: field(tree, "fields")? },
            "missing" => Self::Missing,
            "foreign" => Self::Foreign,
            _ => return None,
        })
    }
}

impl Read for RpcErrorKind {
    fn read(tree: &Tree) -> Option<Self> {
        Some(match tree.text() {
            None => Self::Busy { id: field(tree.get("busy"), "id")? },
            Some("not_found") => Self::NotFound,
            Some("stale") => Self::Stale,
            Some("up_to_date") => Self::UpToDate,
            Some("blocked") => Self::Blocked,
            Some("invalid") => Self::Invalid,
            Some("logged_out") => Self::LoggedOut,
            Some("forbidden") => Self::Forbidden,
            Some("unavailable") => Self::Unavailable,
            Some("internal") => Self::Internal,
            Some(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests;
