//! Trouble that lasts: told once when it has lasted a while, and once when it is over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Event, Notice};
use crate::live::{Live, Problem};
use crate::names::{CommitSha, DeploymentId, EnvironmentName, ServiceName};
use crate::time::Timestamp;
use crate::watched::Watched;

/// How many seconds the repository or the Swarm may be away before anybody is told: a restart is no news.
const PATIENCE: f64 = 60.0;

/// What is in trouble.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The repository.
    Source,
    /// The Swarm.
    Engine,
    /// An environment's newest revision.
    Environment(EnvironmentName),
    /// A service whose success did not last.
    After(EnvironmentName, ServiceName),
    /// What somebody else has changed in an environment.
    Drift(EnvironmentName),
}

/// Of which trouble people have been told, and since when it has been.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Troubles {
    #[serde(with = "pairs")]
    told: BTreeMap<Key, Problem>,
}

impl Troubles {
    /// What is to be told now. The same trouble is told once, however often it is met; an environment is told of again
    /// when something else is wrong with it. Nothing is over before this process has looked at it.
    pub fn look(&mut self, live: &Live, now: Timestamp) -> Vec<Notice> {
        let present = present(live);
        let is_over = |key: &&Key| !present.contains_key(key) && was_looked_at(key, live);
        let over: Vec<_> = self.told.keys().filter(is_over).cloned().collect();
        let mut notices = Vec::new();
        for key in over {
            if let Some(problem) = self.told.remove(&key) {
                notices.push(resolved(&key, &problem, live, now));
            }
        }
        for (key, problem) in present {
            let told = self.told.get(&key);
            let news = if may_pass(&key, live) {
                told.is_none() && now.seconds_since(problem.since) >= PATIENCE
            } else {
                told.is_none_or(|told| told.message != problem.message)
            };
            if news {
                notices.push(told_of(&key, &problem, live, now));
                self.told.insert(key, problem);
            }
        }
        notices
    }

    /// When to look again although nothing has changed: the moment at which somebody's patience ends.
    pub fn due(&self, live: &Live) -> Option<Timestamp> {
        let is_waiting = |(key, _): &(Key, Problem)| may_pass(key, live) && !self.told.contains_key(key);
        let waiting = present(live).into_iter().filter(is_waiting);
        #[expect(clippy::cast_possible_truncation, reason = "a minute")]
        let patience = (PATIENCE * 1000.0) as i64;
        waiting.map(|(_, problem)| Timestamp::from_millis(problem.since.as_millis() + patience)).min()
    }
}

fn present(live: &Live) -> BTreeMap<Key, Problem> {
    let environments = live.environments.iter().filter_map(|(name, environment)| {
        // The end of a deployment is told by itself.
        let was_told = environment.examined.as_ref().is_some_and(|examined| examined.tried.is_some());
        let problem = environment.problem.clone().filter(|_| !was_told);
        problem.map(|problem| (Key::Environment(name.clone()), problem))
    });
    let source = live.source.problem.clone().map(|problem| (Key::Source, problem));
    let engine = live.engine_problem.clone().map(|problem| (Key::Engine, problem));
    let watched = live.environments.iter().flat_map(|(name, environment)| watched(name, &environment.watched));
    environments.chain(source).chain(engine).chain(watched).collect()
}

/// What came after a success, and what somebody else has changed.
fn watched(name: &EnvironmentName, watched: &Watched) -> Vec<(Key, Problem)> {
    let after = watched.probation.iter().filter_map(|(service, kept)| {
        let after = kept.after.as_ref()?;
        let problem = Problem { since: after.at, message: after.message() };
        Some((Key::After(name.clone(), service.clone()), problem))
    });
    let drift = watched.drift.checked_at.filter(|_| !watched.drift.services.is_empty()).map(|since| {
        let services: Vec<String> = watched.drift.services.keys().map(ToString::to_string).collect();
        let message = format!("not as they were deployed: {}", services.join(", "));
        (Key::Drift(name.clone()), Problem { since, message })
    });
    after.chain(drift).collect()
}

/// Whether what is wrong may be over in a moment: a restart of a host, a network that is away.
fn may_pass(key: &Key, live: &Live) -> bool {
    match key {
        Key::Source | Key::Engine => true,
        Key::Environment(name) => {
            let examined = live.environments.get(name).and_then(|known| known.examined.as_ref());
            examined.is_some_and(|examined| examined.passing)
        }
        Key::After(..) | Key::Drift(_) => false,
    }
}

/// Whether this process knows how it is: right after a start nothing is known to be wrong, nor to be well.
fn was_looked_at(key: &Key, live: &Live) -> bool {
    let Some(name) = environment(key) else {
        return match key {
            Key::Source => live.source.checked_at.is_some(),
            _ => live.environments.values().any(|known| known.health.checked_at.is_some()),
        };
    };
    // An environment that is configured no longer is looked at by nobody.
    let Some(known) = live.environments.get(&name) else { return true };
    match key {
        Key::Drift(_) => known.watched.drift.checked_at.is_some(),
        // What was watched on before the start is taken up before the first look.
        Key::After(..) => known.health.checked_at.is_some(),
        // What a deployment has told of stands in the way all the same.
        _ => known.examined.is_some() && known.problem.is_none(),
    }
}

/// The deployment and the revision that a trouble is about.
fn about(key: &Key, live: &Live) -> (Option<DeploymentId>, Option<CommitSha>) {
    let known = environment(key).and_then(|name| live.environments.get(&name));
    match (key, known) {
        (Key::Environment(_), Some(known)) => {
            (None, known.examined.as_ref().and_then(|examined| examined.revision.clone()))
        }
        (Key::After(_, service), Some(known)) => {
            (known.watched.probation.get(service).map(|kept| kept.deployment), None)
        }
        _ => (None, None),
    }
}

fn environment(key: &Key) -> Option<EnvironmentName> {
    match key {
        Key::Environment(name) | Key::After(name, _) | Key::Drift(name) => Some(name.clone()),
        Key::Source | Key::Engine => None,
    }
}

fn told_of(key: &Key, problem: &Problem, live: &Live, now: Timestamp) -> Notice {
    let (event, title) = match key {
        Key::Source => (Event::SourceLost, format!("{} cannot be read", live.source.name)),
        Key::Engine => (Event::EngineLost, "The Docker Engine cannot be used".to_owned()),
        Key::Environment(name) => (Event::Held, format!("{name}: the newest revision is not deployed")),
        Key::After(name, service) => (Event::Degraded, format!("{name}: {service} has lost a task after its success")),
        Key::Drift(name) => (Event::Drifted, format!("{name}: somebody else has changed services")),
    };
    let lines = vec![problem.message.clone(), format!("Since {}. What runs keeps running.", problem.since)];
    let (deployment, commit) = about(key, live);
    Notice { event, environment: environment(key), deployment, commit, at: now, title, lines }
}

fn resolved(key: &Key, problem: &Problem, live: &Live, now: Timestamp) -> Notice {
    let title = match key {
        Key::Source => format!("{} can be read again", live.source.name),
        Key::Engine => "The Docker Engine can be used again".to_owned(),
        Key::After(name, service) => format!("{name}: {service} has been deployed anew"),
        Key::Drift(name) => format!("{name}: every service is as it was deployed again"),
        Key::Environment(name) => format!("{name}: nothing stands in the way of the newest revision any more"),
    };
    let lines = vec![format!("It had been so since {}: {}", problem.since, problem.message)];
    Notice {
        event: Event::Resolved,
        environment: environment(key),
        deployment: None,
        commit: None,
        at: now,
        title,
        lines,
    }
}

/// A map whose keys are no texts, as a list of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Key, Problem};

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Key, Problem>, serializer: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Key, Problem>, D::Error> {
        Ok(Vec::<(Key, Problem)>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::EnvironmentHealth;
    use crate::live::{Examined, LiveEnvironment, SourceState};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn live(source: Option<(i64, &str)>, preprod: Option<(i64, &str)>) -> Live {
        let problem = |known: Option<(i64, &str)>| {
            known.map(|(since, message)| Problem { since: at(since), message: message.to_owned() })
        };
        let environment = LiveEnvironment {
            health: EnvironmentHealth { checked_at: Some(at(0)), services: BTreeMap::new() },
            deployment: None,
            problem: problem(preprod),
            examined: Some(Examined { revision: Some(sha()), ..Examined::default() }),
            hold: None,
            watched: Watched::default(),
        };
        Live {
            generation: 0,
            source: SourceState {
                name: "user/homelab".to_owned(),
                branch: "main".to_owned(),
                head: None,
                checked_at: Some(at(0)),
                tried_at: Some(at(0)),
                problem: problem(source),
                commit_url: None,
            },
            engine_problem: None,
            database_problem: None,
            environments: BTreeMap::from([("preprod".parse().unwrap(), environment)]),
        }
    }

    fn sha() -> CommitSha {
        "0123456789012345678901234567890123456789".parse().unwrap()
    }

    fn titles(notices: &[Notice]) -> Vec<&str> {
        notices.iter().map(|notice| notice.title.as_str()).collect()
    }

    #[test]
    fn a_source_that_is_away_for_a_moment_is_no_news_and_for_longer_it_is_told_once_with_its_return() {
        let mut troubles = Troubles::default();
        assert_eq!(titles(&troubles.look(&live(Some((0, "no answer")), None), at(30))), [""; 0]);
        assert_eq!(troubles.due(&live(Some((0, "no answer")), None)), Some(at(60)));
        assert_eq!(titles(&troubles.look(&live(None, None), at(40))), [""; 0]);
        let away = live(Some((100, "no answer")), None);
        assert_eq!(titles(&troubles.look(&away, at(160))), ["user/homelab cannot be read"]);
        assert_eq!(titles(&troubles.look(&live(Some((100, "another text")), None), at(500))), [""; 0]);
        assert_eq!(titles(&troubles.look(&live(None, None), at(600))), ["user/homelab can be read again"]);
        assert_eq!(titles(&troubles.look(&live(None, None), at(601))), [""; 0]);
    }

    #[test]
    fn after_a_restart_nothing_is_over_before_it_was_looked_at() {
        let mut troubles = Troubles::default();
        let mut away = live(Some((0, "no answer")), Some((0, "line 3")));
        away.engine_problem = Some(Problem { since: at(0), message: "no socket".to_owned() });
        assert_eq!(troubles.look(&away, at(60)).len(), 3);
        let told = serde_json::to_string(&troubles).unwrap();

        let mut troubles: Troubles = serde_json::from_str(&told).unwrap();
        let preprod: EnvironmentName = "preprod".parse().unwrap();
        let mut started = live(None, None);
        started.source.checked_at = None;
        let environment = started.environments.get_mut(&preprod).unwrap();
        (environment.health.checked_at, environment.examined) = (None, None);
        assert_eq!(titles(&troubles.look(&started, at(70))), [""; 0], "nobody knows yet how it is");
        let mut answered = started.clone();
        answered.source.checked_at = Some(at(71));
        assert_eq!(titles(&troubles.look(&answered, at(71))), ["user/homelab can be read again"]);
        away.source.problem = None;
        assert_eq!(titles(&troubles.look(&away, at(72))), [""; 0], "what is still wrong was told");
        assert_eq!(troubles.look(&live(None, None), at(73)).len(), 2);
    }

    #[test]
    fn what_may_pass_is_told_after_a_while_and_what_a_deployment_has_told_is_not_told_again() {
        let preprod: EnvironmentName = "preprod".parse().unwrap();
        let mut live = live(None, Some((0, "no answer")));
        let examined = |passing, tried| Some(Examined { revision: Some(sha()), passing, tried });
        live.environments.get_mut(&preprod).unwrap().examined = examined(true, None);
        let mut troubles = Troubles::default();
        assert_eq!(titles(&troubles.look(&live, at(30))), [""; 0]);
        assert_eq!(troubles.due(&live), Some(at(60)));
        let told = troubles.look(&live, at(60));
        assert_eq!((told.len(), told[0].commit.clone()), (1, Some(sha())), "a broken commit gets its status");
        live.environments.get_mut(&preprod).unwrap().examined = examined(false, Some(DeploymentId(5)));
        assert_eq!(titles(&Troubles::default().look(&live, at(90))), [""; 0]);
    }

    #[test]
    fn an_environment_is_told_of_at_once_and_again_only_when_something_else_is_wrong() {
        let mut troubles = Troubles::default();
        let told = "preprod: the newest revision is not deployed";
        assert_eq!(titles(&troubles.look(&live(None, Some((0, "line 3"))), at(0))), [told]);
        assert_eq!(titles(&troubles.look(&live(None, Some((5, "line 3"))), at(5))), [""; 0]);
        assert_eq!(titles(&troubles.look(&live(None, Some((9, "line 4"))), at(9))), [told]);
    }

    #[test]
    fn a_success_that_did_not_last_and_a_change_by_hand_are_told_once() {
        use crate::deployment::TaskEvidence;
        use crate::names::DeploymentId;
        use crate::watched::{After, Drift, Probation, ServiceDrift};
        let mut live = live(None, None);
        let watched = &mut live.environments.get_mut(&"preprod".parse().unwrap()).unwrap().watched;
        let (task, state) = ("t".to_owned(), "failed".to_owned());
        let task = TaskEvidence { task, node: None, state, error: None, exit_code: Some(3) };
        let after = Some(After { at: at(7), task, log_lines: Vec::new() });
        watched
            .probation
            .insert("web".parse().unwrap(), Probation { deployment: DeploymentId(1), until: at(600), after });
        watched.drift.checked_at = Some(at(8));
        watched.drift.services.insert("db".parse().unwrap(), ServiceDrift::Missing);
        let mut troubles = Troubles::default();
        let told = ["preprod: web has lost a task after its success", "preprod: somebody else has changed services"];
        let notices = troubles.look(&live, at(9));
        assert_eq!(titles(&notices), told);
        assert_eq!(notices[0].deployment, Some(DeploymentId(1)));
        live.environments.get_mut(&"preprod".parse().unwrap()).unwrap().watched.drift.checked_at = Some(at(68));
        assert_eq!(titles(&troubles.look(&live, at(69))), [""; 0]);
        live.environments.get_mut(&"preprod".parse().unwrap()).unwrap().watched =
            Watched { drift: Drift { checked_at: Some(at(98)), ..Drift::default() }, ..Watched::default() };
        assert_eq!(troubles.look(&live, at(99)).len(), 2, "and once that it is over");
    }

    #[test]
    fn what_was_told_survives_a_restart() {
        let mut troubles = Troubles::default();
        let held = live(None, Some((0, "line 3")));
        troubles.look(&held, at(0));
        let text = serde_json::to_string(&troubles).unwrap();
        let mut later: Troubles = serde_json::from_str(&text).unwrap();
        assert_eq!((later.look(&held, at(9)).len(), later), (0, troubles));
    }
}
