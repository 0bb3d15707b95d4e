//! Whether Release Manager can do what it is for, and what keeps it from it.

use std::time::Duration;

use super::Manager;
use crate::live::Live;
use crate::time::Timestamp;

/// An Engine or source that was not heard of for this many of its intervals counts as lost.
const MISSED: u32 = 3;
/// However short the interval, so long may an answer take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How one thing is that Release Manager needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It works.
    Good,
    /// It does not, and what runs keeps running all the same.
    Poor(String),
    /// It does not, and nothing can be deployed.
    Bad(String),
}

/// How everything is that Release Manager needs, besides its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The Docker Engine.
    pub engine: Condition,
    /// The source.
    pub source: Condition,
    /// Release Manager itself.
    pub own: Condition,
}

impl Manager {
    /// What would keep a deployment from succeeding now.
    pub fn readiness(&self) -> Readiness {
        let settings = &self.inner.settings;
        let live = self.inner.board.subscribe().borrow().clone();
        let now = self.inner.ports.clock.now();
        Readiness {
            engine: engine(&live, now, settings.health_interval),
            source: source(&live, now, settings.poll_interval),
            own: match self.inner.latest_fault() {
                Some(fault) => Condition::Poor(format!("{} (at {})", fault.what, fault.at)),
                None => Condition::Good,
            },
        }
    }
}

/// Without the Engine nothing can be deployed.
fn engine(live: &Live, now: Timestamp, interval: Duration) -> Condition {
    if let Some(problem) = &live.engine_problem {
        return Condition::Bad(format!("{} (since {})", problem.message, problem.since));
    }
    let newest = live.environments.values().filter_map(|known| known.health.checked_at).max();
    match newest {
        None => Condition::Bad("the Docker Engine has not answered yet".to_owned()),
        Some(at) if is_old(at, now, interval) => Condition::Bad(format!("the Docker Engine last answered at {at}")),
        Some(_) => Condition::Good,
    }
}

/// Without the source what runs keeps running, and what was proved can still be promoted or rolled back.
fn source(live: &Live, now: Timestamp, interval: Duration) -> Condition {
    if let Some(problem) = &live.source.problem {
        return Condition::Poor(format!("{} (since {})", problem.message, problem.since));
    }
    match live.source.checked_at {
        None => Condition::Poor("the source has not answered yet".to_owned()),
        Some(at) if is_old(at, now, interval) => Condition::Poor(format!("the source last answered at {at}")),
        Some(_) => Condition::Good,
    }
}

fn is_old(at: Timestamp, now: Timestamp, interval: Duration) -> bool {
    now.seconds_since(at) > (interval * MISSED).max(PATIENCE).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::health::EnvironmentHealth;
    use crate::live::{Problem, SourceState};

    const INTERVAL: Duration = Duration::from_mins(1);

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    /// Engine and source that last answered then.
    fn live(checked_at: Option<Timestamp>) -> Live {
        let mut live: Live = serde_json::from_value(serde_json::json!({
            "generation": 0,
            "source": { "name": "user/homelab", "branch": "main" },
            "environments": { "prod": { "health": { "services": {} } } },
        }))
        .unwrap();
        live.source = SourceState { checked_at, ..live.source };
        for known in live.environments.values_mut() {
            known.health = EnvironmentHealth { checked_at, services: BTreeMap::new() };
        }
        live
    }

    #[track_caller]
    fn check(live: &Live, now: i64, engine_is: &str, source_is: &str) {
        let word = |condition: Condition| match condition {
            Condition::Good => "good".to_owned(),
            Condition::Poor(why) | Condition::Bad(why) => why,
        };
        assert_eq!(word(engine(live, second(now), INTERVAL)), engine_is);
        assert_eq!(word(source(live, second(now), INTERVAL)), source_is);
    }

    #[test]
    fn what_answered_within_three_intervals_is_there() {
        check(&live(Some(second(0))), 180, "good", "good");
        check(
            &live(Some(second(0))),
            181,
            "the Docker Engine last answered at 1970-01-01T00:00:00Z",
            "the source last answered at 1970-01-01T00:00:00Z",
        );
        check(&live(None), 0, "the Docker Engine has not answered yet", "the source has not answered yet");
    }

    #[test]
    fn a_known_problem_is_told_with_its_beginning() {
        let problem = |message: &str| Some(Problem { since: second(5), message: message.to_owned() });
        let mut live = live(Some(second(9)));
        live.engine_problem = problem("no socket");
        live.source.problem = problem("no route");
        check(&live, 10, "no socket (since 1970-01-01T00:00:05Z)", "no route (since 1970-01-01T00:00:05Z)");
    }

    #[test]
    fn without_the_source_deployments_can_still_be_made() {
        let live = live(None);
        assert!(matches!(source(&live, second(0), INTERVAL), Condition::Poor(_)));
        assert!(matches!(engine(&live, second(0), INTERVAL), Condition::Bad(_)));
    }
}
