//! What history says of the way in which a team delivers: how often, how fast, how well, and how quickly it recovers.
//!
//! The four figures are those of the DORA research: deployment frequency, lead time for changes, change failure rate
//! and time to restore.

use crate::deployment::{CauseKind, Status};
use crate::names::EnvironmentName;
use crate::time::Timestamp;

/// One deployment, as far as these figures need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The environment.
    pub environment: EnvironmentName,
    /// Where it stands.
    pub status: Status,
    /// Why it was started.
    pub cause: CauseKind,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// When its revision was committed; `None` where no revision belongs to it.
    pub committed_at: Option<Timestamp>,
}

/// Over which time, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How many steps.
    pub steps: u32,
    /// How long a step is, in days.
    pub days: u32,
}

/// What happened in one environment in one step of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Deployments that brought a release and ended with success.
    pub succeeded: u32,
    /// Deployments that failed or were rolled back by the Swarm.
    pub failed: u32,
    /// The median of the seconds from commit to success.
    pub lead_time: Option<f64>,
    /// The median of the seconds from a failure to the next success, of those that ended in this step.
    pub restore_time: Option<f64>,
}

/// One environment over the whole time.
#[derive(Debug, Clone, PartialEq)]
pub struct Insights {
    /// The environment.
    pub environment: EnvironmentName,
    /// Every step, the oldest first.
    pub steps: Vec<Step>,
    /// All of them together.
    pub whole: Step,
}

const DAY_MILLIS: i64 = 86_400_000;

impl Span {
    /// When the first step begins, if the last one ends `now`.
    pub fn begin(self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis() - i64::from(self.steps) * self.step_millis())
    }

    /// When a step begins.
    pub fn begin_of(self, now: Timestamp, step: usize) -> Timestamp {
        let step = i64::try_from(step).unwrap_or(0);
        Timestamp::from_millis(self.begin(now).as_millis() + step * self.step_millis())
    }

    fn step_millis(self) -> i64 {
        i64::from(self.days.max(1)) * DAY_MILLIS
    }

    /// In which step a moment lies.
    fn step_of(self, now: Timestamp, at: Timestamp) -> Option<usize> {
        let since = at.as_millis() - self.begin(now).as_millis();
        let step = usize::try_from(since.div_euclid(self.step_millis())).ok()?;
        (step < usize::try_from(self.steps).unwrap_or(0)).then_some(step)
    }
}

/// What one step has gathered before it is summed up.
#[derive(Debug, Clone, Default)]
struct Gathered {
    succeeded: u32,
    failed: u32,
    lead_times: Vec<f64>,
    restore_times: Vec<f64>,
}

impl Gathered {
    fn summed_up(self) -> Step {
        Step {
            succeeded: self.succeeded,
            failed: self.failed,
            lead_time: median(self.lead_times),
            restore_time: median(self.restore_times),
        }
    }
}

/// The figures of each environment, in the order given. A deployment counts where it ended; one that a person stopped
/// is neither success nor failure.
pub fn insights(facts: &[Fact], environments: &[EnvironmentName], span: Span, now: Timestamp) -> Vec<Insights> {
    environments.iter().map(|environment| of_environment(facts, environment, span, now)).collect()
}

fn of_environment(facts: &[Fact], environment: &EnvironmentName, span: Span, now: Timestamp) -> Insights {
    let mut steps = vec![Gathered::default(); usize::try_from(span.steps).unwrap_or(0)];
    let mut whole = Gathered::default();
    let mut broken_since: Option<Timestamp> = None;
    for fact in facts.iter().filter(|fact| fact.environment == *environment) {
        let Some(ended) = fact.ended_at else { continue };
        let Some(place) = span.step_of(now, ended) else { continue };
        let Some(step) = steps.get_mut(place) else { continue };
        let counted = u32::from(delivers(fact.cause));
        match fact.status {
            Status::Success => {
                let lead = lead_time(fact, ended);
                let restore = broken_since.take().map(|since| ended.seconds_since(since));
                for gathered in [step, &mut whole] {
                    gathered.succeeded += counted;
                    gathered.lead_times.extend(lead);
                    gathered.restore_times.extend(restore);
                }
            }
            Status::Failed | Status::RolledBack => {
                broken_since.get_or_insert(ended);
                step.failed += counted;
                whole.failed += counted;
            }
            Status::Cancelled | Status::InProgress => (),
        }
    }
    let steps = steps.into_iter().map(Gathered::summed_up).collect();
    Insights { environment: environment.clone(), steps, whole: whole.summed_up() }
}

/// Whether a deployment brings a release because somebody wants it. The others only keep up what was brought; they may
/// break and restore it all the same.
fn delivers(cause: CauseKind) -> bool {
    !matches!(cause, CauseKind::Restart | CauseKind::Return | CauseKind::Heal)
}

/// What goes back to an older release says nothing of how fast a change arrives.
fn lead_time(fact: &Fact, ended: Timestamp) -> Option<f64> {
    let committed = fact.committed_at?;
    (delivers(fact.cause) && fact.cause != CauseKind::Rollback).then(|| ended.seconds_since(committed))
}

impl Step {
    /// How many of the deployments failed, 0 to 100; `None` where there were none.
    pub fn failure_rate(&self) -> Option<f64> {
        let all = self.succeeded + self.failed;
        (all > 0).then(|| 100.0 * f64::from(self.failed) / f64::from(all))
    }

    /// How many deployments ended.
    pub fn deployments(&self) -> u32 {
        self.succeeded + self.failed
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let high = *values.get(upper)?;
    match values.len() % 2 {
        0 => Some(f64::midpoint(*values.get(upper.checked_sub(1)?)?, high)),
        _ => Some(high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 10 * DAY_MILLIS;

    /// `day.tenth status lead`: a deployment of prod that ended on that day, `lead` seconds after its commit.
    fn fact(text: &str) -> Fact {
        let mut words = text.split_whitespace();
        let mut word = || words.next().unwrap();
        let (day, tenth) = word().split_once('.').unwrap();
        let ended = day.parse::<i64>().unwrap() * DAY_MILLIS + tenth.parse::<i64>().unwrap() * DAY_MILLIS / 10;
        let status = Status::of_word(word()).unwrap();
        let lead: i64 = word().parse().unwrap();
        Fact {
            environment: "prod".parse().unwrap(),
            status,
            cause: CauseKind::Promotion,
            started_at: Timestamp::from_millis(ended - 1000),
            ended_at: Some(Timestamp::from_millis(ended)),
            committed_at: Some(Timestamp::from_millis(ended - lead * 1000)),
        }
    }

    fn prod(facts: &[&str]) -> Insights {
        let facts: Vec<Fact> = facts.iter().map(|text| fact(text)).collect();
        let span = Span { steps: 5, days: 2 };
        insights(&facts, &["prod".parse().unwrap()], span, Timestamp::from_millis(NOW)).remove(0)
    }

    #[test]
    fn a_deployment_counts_in_the_step_in_which_it_ended() {
        let prod = prod(&["0.5 success 60", "1.9 failed 0", "2.1 success 60", "9.5 cancelled 0"]);
        let counts: Vec<_> = prod.steps.iter().map(|step| (step.succeeded, step.failed)).collect();
        assert_eq!(counts, [(1, 1), (1, 0), (0, 0), (0, 0), (0, 0)]);
        assert_eq!((prod.whole.succeeded, prod.whole.failed), (2, 1));
    }

    #[test]
    fn the_lead_time_is_the_median_from_commit_to_success() {
        let prod = prod(&["1.0 success 10", "1.1 success 30", "1.2 success 20", "9.0 success 40"]);
        assert_eq!(prod.steps[0].lead_time, Some(20.0));
        assert_eq!(prod.whole.lead_time, Some(25.0));
        assert_eq!(prod.steps[1].lead_time, None);
    }

    #[test]
    fn a_rollback_says_nothing_of_lead_time() {
        let rollback = Fact { cause: CauseKind::Rollback, ..fact("1.0 success 10") };
        let span = Span { steps: 5, days: 2 };
        let told = insights(&[rollback], &["prod".parse().unwrap()], span, Timestamp::from_millis(NOW));
        assert_eq!((told[0].whole.succeeded, told[0].whole.lead_time), (1, None));
    }

    #[test]
    fn a_restart_is_no_delivery_and_restores_all_the_same() {
        let facts = [fact("1.0 failed 0"), Fact { cause: CauseKind::Restart, ..fact("1.1 success 10") }];
        let span = Span { steps: 5, days: 2 };
        let told = insights(&facts, &["prod".parse().unwrap()], span, Timestamp::from_millis(NOW));
        let whole = &told[0].whole;
        assert_eq!((whole.succeeded, whole.failed, whole.lead_time), (0, 1, None));
        assert_eq!(whole.restore_time, Some(8_640.0));
    }

    #[test]
    fn the_time_to_restore_runs_from_the_first_failure_to_the_next_success() {
        let prod = prod(&["1.0 failed 0", "1.5 rolled_back 0", "2.0 success 0", "3.0 success 0"]);
        assert_eq!(prod.whole.restore_time, Some(86_400.0));
        assert_eq!(prod.whole.failure_rate(), Some(50.0));
    }

    #[test]
    fn without_deployments_there_is_no_rate() {
        assert_eq!(Step::default().failure_rate(), None);
    }
}
