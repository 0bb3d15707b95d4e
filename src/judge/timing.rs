//! How long a service is watched, and for what.

use std::time::Duration;

use serde_json::Value;

use crate::plan::{Mode, number};

const SECOND: Duration = Duration::from_secs(1);

/// The times of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long the same tasks must run before that counts as success.
    pub stability: Duration,
    /// So many ended tasks in one slot are a crash loop.
    pub crash_budget: u32,
    /// How long a task may find no node.
    pub pending_grace: Duration,
    /// How long Swarm's updater may stand still.
    pub stall: Duration,
    /// How long the whole may take, from the write on.
    pub deadline: Duration,
    /// How far apart two looks may be and still prove what lies between them.
    pub gap: Duration,
}

impl Timing {
    /// The times for a spec: `stability` is the environment's own wish, `nodes` how many nodes the Swarm has, `cap` the
    /// longest that anything may take.
    pub fn for_spec(spec: &Value, stability: Duration, nodes: usize, cap: Duration) -> Self {
        let monitor = time(spec, "/UpdateConfig/Monitor").filter(|time| !time.is_zero()).unwrap_or(5 * SECOND);
        let delay = time(spec, "/UpdateConfig/Delay").unwrap_or_default();
        let stop_grace = time(spec, "/TaskTemplate/ContainerSpec/StopGracePeriod").unwrap_or(10 * SECOND);
        let start = until_healthy(spec);
        let stability = stability.max(monitor);
        let batch = stop_grace + start + delay + monitor;
        let needed = batch.saturating_mul(batches(spec, nodes)) + stability;
        let deadline = if Mode::of(spec).is_job() { cap } else { needed.max(300 * SECOND).min(cap) };
        Self {
            stability,
            crash_budget: crash_budget(spec),
            // A task may wait for a port of the one that it follows.
            pending_grace: (stop_grace + 10 * SECOND).max(30 * SECOND),
            stall: (60 * SECOND).max(delay + monitor + 30 * SECOND).max(stop_grace + start + 30 * SECOND),
            deadline,
            gap: 5 * SECOND,
        }
    }

    /// The times for a service that is removed: its tasks are given their grace to stop.
    pub fn for_removal(prior: &Value, cap: Duration) -> Self {
        Self::for_spec(prior, Duration::ZERO, 1, cap)
    }
}

/// How often Swarm starts a task anew before it gives the slot up; three ends are a crash loop in any case.
fn crash_budget(spec: &Value) -> u32 {
    let policy = &spec["TaskTemplate"]["RestartPolicy"];
    let most = policy["MaxAttempts"].as_u64().unwrap_or(0);
    match policy["Condition"].as_str() {
        Some("none") => 1,
        _ if most > 0 => u32::try_from(most + 1).unwrap_or(u32::MAX).min(3),
        _ => 3,
    }
}

/// How long a container may take to be called healthy or not, as far as the spec says.
fn until_healthy(spec: &Value) -> Duration {
    let check = &spec["TaskTemplate"]["ContainerSpec"]["Healthcheck"];
    if !check.is_object() || check["Test"][0] == "NONE" {
        return Duration::ZERO;
    }
    let or = |pointer, default| time(check, pointer).filter(|time| !time.is_zero()).unwrap_or(default);
    let retries = check["Retries"].as_u64().filter(|retries| *retries > 0).unwrap_or(3);
    let rounds = (or("/Interval", 30 * SECOND) + or("/Timeout", 30 * SECOND))
        .saturating_mul(u32::try_from(retries).unwrap_or(u32::MAX));
    or("/StartPeriod", Duration::ZERO).saturating_add(rounds)
}

/// In how many steps Swarm replaces the tasks.
fn batches(spec: &Value, nodes: usize) -> u32 {
    let tasks = match Mode::of(spec) {
        Mode::Replicated(replicas) | Mode::ReplicatedJob(replicas) => replicas,
        Mode::Global | Mode::GlobalJob => u64::try_from(nodes).unwrap_or(u64::MAX),
    };
    let at_once = match spec["UpdateConfig"].as_object() {
        Some(config) => config.get("Parallelism").and_then(Value::as_u64).unwrap_or(0),
        None => 1,
    };
    let batches = if at_once == 0 { 1 } else { tasks.div_ceil(at_once).max(1) };
    u32::try_from(batches).unwrap_or(u32::MAX)
}

/// A time in a spec; the Engine counts nanoseconds.
pub(super) fn time(spec: &Value, pointer: &str) -> Option<Duration> {
    spec.pointer(pointer).filter(|value| value.is_number())?;
    Some(Duration::from_nanos(u64::try_from(number(spec, pointer)).unwrap_or(0)))
}
