//! The way back: what puts every service that a deployment has written back to the spec that it had before, newest
//! first. The specs are our own copies; Swarm's `rollback=previous` knows only one, and forgets it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::deployment::Cause;
use crate::diff::Finding;
use crate::engine::{LiveService, LiveStack, Write};
use crate::judge::Target;
use crate::names::{DeploymentId, ServiceName, StackName};
use crate::plan::{self, Action, ActionKind, Mode, NetworkNames, canon, changes, version_of_spec, with_network_names};
use crate::ports::{JournalEntry, OpenDeployment};

/// What is to be done to go back.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct WayBack {
    /// What to write, in order.
    pub(crate) actions: Vec<Action>,
    /// The specs that services are put back to, with networks by name.
    pub(crate) specs: BTreeMap<ServiceName, Value>,
    /// What was written and is not put back, and why.
    pub(crate) left: Vec<Finding>,
}

/// Whether a deployment of this cause brings a new release, so that its failure may be followed by a return. Whoever
/// rolls back or restarts has chosen already; a return is never followed by another.
pub(super) fn may_return(cause: &Cause) -> bool {
    matches!(cause, Cause::Sync | Cause::Promotion { .. } | Cause::Retry { .. })
}

/// Whether a service was written, or may have been.
pub(super) fn has_written(journal: &[JournalEntry]) -> bool {
    journal.iter().any(|entry| matches!(entry, JournalEntry::Intent { target: Some(_), .. }))
}

/// Plans the way back from a deployment that is over, against what is live now. What somebody else has changed since is
/// left alone.
pub(crate) fn way_back(record: &OpenDeployment, stack: &StackName, live: &LiveStack) -> WayBack {
    let networks: NetworkNames = live.networks.iter().map(|(name, known)| (known.id.clone(), name.clone())).collect();
    let last = record.new.plan.actions.iter().map(|action| action.level).max().unwrap_or(0);
    let mut way = WayBack::default();
    let mut seen = BTreeSet::new();
    for entry in &record.journal {
        let JournalEntry::Intent { action, target: Some(target) } = entry else { continue };
        let Some(written) = record.new.plan.actions.get(*action) else { continue };
        let Some(service) = written.kind.service().filter(|service| seen.insert((*service).clone())) else { continue };
        let before = target.prior.as_ref().map(|prior| with_network_names(prior, &networks));
        let found = live.services.get(&stack.scope(service));
        match step(record.id, service, target, before.as_ref(), found, &networks) {
            Step::Write(action) => {
                way.actions.push(Action { level: last + 1 - written.level.min(last), ..*action });
                way.specs.extend(before.map(|spec| (service.clone(), spec)));
            }
            Step::Nothing => (),
            Step::Leave(message) => way.left.push(Finding { service: Some(service.clone()), message }),
        }
    }
    way.actions.sort_by(|one, other| (one.level, one.kind.service()).cmp(&(other.level, other.kind.service())));
    way
}

enum Step {
    Write(Box<Action>),
    /// It is as it was before.
    Nothing,
    Leave(String),
}

fn step(
    from: DeploymentId,
    service: &ServiceName,
    target: &Target,
    before: Option<&Value>,
    found: Option<&LiveService>,
    networks: &NetworkNames,
) -> Step {
    let reason = format!("as it was before deployment {from}");
    let (kind, reason, write) = match (before, found) {
        (None, None) => return Step::Nothing,
        (Some(before), None) if target.spec.is_none() => (
            ActionKind::CreateService { service: service.clone(), to: version_of_spec(before) },
            reason,
            Write::CreateService { spec: before.clone() },
        ),
        (Some(_), None) => return Step::Leave("somebody has removed it meanwhile, so it is not put back".to_owned()),
        (Some(before), Some(live)) if canon(before, networks) == canon(&live.spec, networks) => {
            // Swarm has gone back by itself, or it was never written.
            return Step::Nothing;
        }
        (_, Some(live)) if plan::written_by(&live.spec) != Some(from) => {
            return Step::Leave("somebody else has changed it meanwhile, so it is not put back".to_owned());
        }
        (None, Some(live)) => (
            ActionKind::RemoveService { service: service.clone(), from: version_of_spec(&live.spec) },
            format!("deployment {from} has made it"),
            Write::RemoveService { id: live.id.clone() },
        ),
        (Some(_), Some(live)) if Mode::of(&live.spec).is_job() => {
            return Step::Leave("it is a job, which would run once more: what it has done stays as it is".to_owned());
        }
        (Some(before), Some(live)) => (
            ActionKind::UpdateService {
                service: service.clone(),
                from: version_of_spec(&live.spec),
                to: version_of_spec(before),
                changes: changes(&canon(&live.spec, networks), &canon(before, networks)),
                prior: live.spec.clone(),
            },
            reason,
            Write::UpdateService { id: live.id.clone(), version: live.version, spec: before.clone() },
        ),
    };
    Step::Write(Box::new(Action { kind, reason, write: Some(write), level: 1 }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::DEPLOYMENT_LABEL;
    use crate::names::Actor;
    use crate::plan::Plan;
    use crate::ports::NewDeployment;
    use crate::release::Release;
    use crate::stack::Stack;
    use crate::time::Timestamp;

    fn spec(service: &str, version: u32, deployment: i64) -> Value {
        json!({
            "Name": format!("lab_{service}"),
            "Labels": {DEPLOYMENT_LABEL: deployment.to_string()},
            "TaskTemplate": {"ContainerSpec": {"Image": format!("{service}:{version}")}, "Networks": [{"Target": "n1"}]},
        })
    }

    fn service(name: &str) -> ServiceName {
        name.parse().unwrap()
    }

    /// Deployment 7, that has written these services on levels 1, 2, …: `before -> after`.
    fn record(written: &[(&str, Option<u32>, Option<u32>)]) -> OpenDeployment {
        let version = || "2".parse().unwrap();
        let actions = (1..).zip(written).map(|(level, (name, ..))| Action {
            kind: ActionKind::CreateService { service: service(name), to: version() },
            reason: String::new(),
            write: None,
            level,
        });
        let intent = |(action, (name, before, after)): (usize, &(&str, Option<u32>, Option<u32>))| {
            let target = Target {
                full_name: format!("lab_{name}"),
                deployment: DeploymentId(7),
                spec: after.map(|version| spec(name, version, 7)),
                prior: before.map(|version| spec(name, version, 3)),
                service_id: None,
                version_before: None,
                tasks_before: BTreeSet::new(),
                job_iteration_before: None,
                update_before: None,
            };
            JournalEntry::Intent { action, target: Some(target) }
        };
        let stack = Stack {
            name: "lab".parse().unwrap(),
            services: BTreeMap::new(),
            networks: BTreeMap::new(),
            secrets: BTreeMap::new(),
            configs: BTreeMap::new(),
            given: BTreeSet::new(),
        };
        let new = NewDeployment {
            environment: "prod".parse().unwrap(),
            cause: Cause::Sync,
            actor: Actor::System,
            release: Release::new(None, BTreeMap::new()),
            stack,
            plan: Plan { actions: actions.collect(), ..Plan::default() },
            content_hash: String::new(),
            started_at: Timestamp::from_millis(0),
        };
        OpenDeployment { id: DeploymentId(7), new, journal: written.iter().enumerate().map(intent).collect() }
    }

    fn live(services: &[(&str, u32, i64)]) -> LiveStack {
        let service = |(name, version, deployment): &(&str, u32, i64)| {
            let service = LiveService {
                id: format!("id of {name}"),
                version: 40,
                spec: spec(name, *version, *deployment),
                update: None,
                job_iteration: None,
                desired_tasks: 1,
            };
            (format!("lab_{name}"), service)
        };
        let network = crate::plan::testkit::foreign("n1");
        LiveStack {
            services: services.iter().map(service).collect(),
            networks: [("lab_net".to_owned(), network)].into(),
            ..LiveStack::default()
        }
    }

    #[track_caller]
    fn check(written: &[(&str, Option<u32>, Option<u32>)], now: &[(&str, u32, i64)], expected: &[&str]) {
        let way = way_back(&record(written), &"lab".parse().unwrap(), &live(now));
        let word = |action: &Action| match &action.write {
            Some(Write::CreateService { .. }) => "create",
            Some(Write::RemoveService { .. }) => "remove",
            _ => "update",
        };
        let told = way
            .actions
            .iter()
            .map(|action| format!("{} {} {}", action.level, word(action), action.kind.service().unwrap()));
        let left = way.left.iter().map(|finding| format!("leave {}", finding.service.as_ref().unwrap()));
        assert_eq!(told.chain(left).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_was_written_last_goes_back_first() {
        let written = [("db", Some(1), Some(2)), ("web", Some(1), Some(2)), ("new", None, Some(1))];
        check(
            &written,
            &[("db", 2, 7), ("web", 2, 7), ("new", 1, 7)],
            &["1 remove new", "2 update web", "3 update db"],
        );
    }

    #[test]
    fn what_is_as_it_was_is_not_written_and_what_was_taken_out_comes_back() {
        check(&[("db", Some(1), Some(2))], &[("db", 1, 3)], &[]);
        check(&[("db", Some(1), None)], &[], &["1 create db"]);
        check(&[("db", None, Some(1))], &[], &[]);
    }

    #[test]
    fn the_work_of_a_stranger_is_left_alone() {
        check(&[("db", Some(1), Some(2))], &[("db", 9, 8)], &["leave db"]);
        check(&[("db", None, Some(2))], &[("db", 9, 8)], &["leave db"]);
        check(&[("db", Some(1), Some(2))], &[], &["leave db"]);
    }

    #[test]
    fn a_job_is_not_run_again_and_one_that_was_made_is_taken_out() {
        let mut live = live(&[("job", 2, 7)]);
        live.services.get_mut("lab_job").unwrap().spec["Mode"] = json!({"ReplicatedJob": {"TotalCompletions": 1}});
        let way = |before| way_back(&record(&[("job", before, Some(2))]), &"lab".parse().unwrap(), &live);
        let changed = way(Some(1));
        assert!(changed.actions.is_empty() && changed.left[0].message.starts_with("it is a job"), "{changed:?}");
        assert!(matches!(way(None).actions[0].kind, ActionKind::RemoveService { .. }));
    }

    #[test]
    fn networks_are_named_in_what_is_written() {
        let way = way_back(&record(&[("db", Some(1), Some(2))]), &"lab".parse().unwrap(), &live(&[("db", 2, 7)]));
        assert_eq!(way.specs[&service("db")]["TaskTemplate"]["Networks"][0]["Target"], "lab_net");
        let Some(Write::UpdateService { version, .. }) = way.actions[0].write else { panic!("an update") };
        assert_eq!(version, 40, "the version that was read");
    }
}
