//! What is shown to whom. A log line holds whatever a program prints, and the last ones of a failing task stand in
//! history and in the live state: they go to who may read the logs of that environment, and to nobody else.

use std::collections::BTreeSet;

use super::{Operation, Principal};
use crate::deployment::{Deployment, HistoryPage, HistoryRow};
use crate::live::Live;
use crate::names::EnvironmentName;
use crate::views::{CloseLooks, DeploymentView};

/// An answer that may hold log lines.
pub trait Shown {
    /// Takes out the log lines of every environment whose logs may not be read.
    fn keep_logs(&mut self, may_read: &dyn Fn(&EnvironmentName) -> bool);
}

impl Principal {
    /// The answer as they may see it. Whatever leaves the manager for a person or a program passes here.
    pub fn shown<T: Shown>(&self, mut answer: T) -> T {
        answer.keep_logs(&|environment| self.may_read_logs(environment));
        answer
    }

    /// The environments whose log lines stand in the live state and are not for them.
    pub fn blind_to(&self, live: &Live) -> BTreeSet<EnvironmentName> {
        let with_logs = live.environments.iter().filter(|(_, known)| {
            known
                .watched
                .probation
                .values()
                .filter_map(|kept| kept.after.as_ref())
                .any(|after| !after.log_lines.is_empty())
        });
        with_logs.map(|(name, _)| name).filter(|name| !self.may_read_logs(name)).cloned().collect()
    }

    fn may_read_logs(&self, environment: &EnvironmentName) -> bool {
        self.may_in(Operation::ReadLogs, environment).is_ok()
    }
}

impl Shown for Live {
    fn keep_logs(&mut self, may_read: &dyn Fn(&EnvironmentName) -> bool) {
        for (_, known) in self.environments.iter_mut().filter(|(name, _)| !may_read(name)) {
            let lost = known.watched.probation.values_mut().filter_map(|kept| kept.after.as_mut());
            lost.for_each(|after| after.log_lines.clear());
        }
    }
}

impl Shown for HistoryRow {
    fn keep_logs(&mut self, may_read: &dyn Fn(&EnvironmentName) -> bool) {
        if may_read(&self.environment) {
            return;
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.log_lines.clear();
        }
        if let Some(after) = &mut self.after {
            after.log_lines.clear();
        }
    }
}

impl Shown for HistoryPage {
    fn keep_logs(&mut self, may_read: &dyn Fn(&EnvironmentName) -> bool) {
        self.rows.iter_mut().for_each(|row| row.keep_logs(may_read));
    }
}

impl Shown for Deployment {
    fn keep_logs(&mut self, may_read: &dyn Fn(&EnvironmentName) -> bool) {
        if may_read(&self.environment) {
            return;
        }
        if let Some((_, outcome)) = &mut self.ended {
            outcome.services.values_mut().for_each(|service| service.evidence.log_lines.clear());
        }
    }
}

impl Shown for DeploymentView {
    fn keep_logs(&mut self, may_read: &dyn Fn(&EnvironmentName) -> bool) {
        self.deployment.keep_logs(may_read);
        self.rows.iter_mut().for_each(|row| row.keep_logs(may_read));
    }
}

impl Shown for CloseLooks {
    fn keep_logs(&mut self, may_read: &dyn Fn(&EnvironmentName) -> bool) {
        for (_, services) in self.0.iter_mut().filter(|(name, _)| !may_read(name)) {
            for look in services.values_mut() {
                look.last_words = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Grant, Role, Scope, Who};
    use crate::deployment::{Cause, Evidence, Outcome, ServiceOutcome, Status, TaskEvidence, Verdict};
    use crate::live::{LiveEnvironment, SourceState};
    use crate::names::{Actor, DeploymentId};
    use crate::time::Timestamp;
    use crate::views::{CloseLook, LastWords};
    use crate::watched::{After, Probation, Watched};

    const LINE: &str = "the password is hunter2";

    fn named(name: &str) -> EnvironmentName {
        name.parse().unwrap()
    }

    fn after() -> After {
        let task = TaskEvidence {
            task: "t1".to_owned(),
            node: None,
            state: "failed".to_owned(),
            error: None,
            exit_code: Some(1),
        };
        After { at: Timestamp::from_millis(0), task, log_lines: vec![LINE.to_owned()] }
    }

    fn evidence() -> Evidence {
        Evidence { log_lines: vec![LINE.to_owned()], tasks: "0/1 running".to_owned(), ..Evidence::default() }
    }

    fn view(environment: &str) -> DeploymentView {
        let (environment, at) = (named(environment), Timestamp::from_millis(0));
        let verdict = Verdict::Removed;
        let outcome = ServiceOutcome {
            version: "1".parse().unwrap(),
            from: None,
            verdict: verdict.clone(),
            evidence: evidence(),
        };
        let services = [("web".parse().unwrap(), outcome)].into();
        let outcome = Outcome { status: Status::Failed, error_message: None, services };
        let deployment = Deployment {
            id: DeploymentId(1),
            environment: environment.clone(),
            cause: Cause::Sync,
            actor: Actor::System,
            commit_sha: None,
            started_at: at,
            ended: Some((at, outcome)),
            notes: Vec::new(),
        };
        let row = HistoryRow {
            id: 1,
            deployment: DeploymentId(1),
            environment,
            service: "web".parse().unwrap(),
            version: "1".parse().unwrap(),
            from: None,
            commit_sha: None,
            status: Status::Failed,
            actor: Actor::System,
            verdict: Some(verdict),
            evidence: Some(evidence()),
            started_at: at,
            completed_at: Some(at),
            after: Some(after()),
        };
        DeploymentView { deployment, rows: vec![row], progress: None }
    }

    fn live() -> Live {
        let kept = Probation { deployment: DeploymentId(1), until: Timestamp::from_millis(9), after: Some(after()) };
        let watched = Watched { probation: [("web".parse().unwrap(), kept)].into(), ..Watched::default() };
        let environment = LiveEnvironment {
            health: crate::health::EnvironmentHealth { checked_at: None, services: std::collections::BTreeMap::new() },
            deployment: None,
            problem: None,
            examined: None,
            hold: None,
            watched,
        };
        let source = SourceState {
            name: String::new(),
            branch: String::new(),
            head: None,
            checked_at: None,
            tried_at: None,
            problem: None,
            commit_url: None,
        };
        let environments = [(named("preprod"), environment.clone()), (named("prod"), environment)].into();
        Live { generation: 1, source, engine_problem: None, database_problem: None, environments }
    }

    fn principal(grant: Grant) -> Principal {
        Principal { who: Who::Anybody, grant }
    }

    /// In which environments somebody sees the log lines of history and of the live state.
    #[track_caller]
    fn check(grant: Grant, sees: &[&str]) {
        let principal = principal(grant);
        let has = |value: &str| value.contains(LINE);
        let live = principal.shown(live());
        for name in ["preprod", "prod"] {
            let expected = sees.contains(&name);
            let shown = principal.shown(view(name));
            let page = HistoryPage { rows: view(name).rows, total: 1, counted: true, more: false };
            for (what, text) in [
                ("deployment", serde_json::to_string(&shown).unwrap()),
                ("history", serde_json::to_string(&principal.shown(page)).unwrap()),
                ("live state", serde_json::to_string(&live.environments[&named(name)]).unwrap()),
            ] {
                assert_eq!(has(&text), expected, "the {what} of {name} to {}", principal.grant);
                assert!(text.contains("web"), "everything else stays: {text}");
            }
            let look = CloseLook {
                details: crate::health::ServiceDetails::default(),
                last_words: Some(LastWords { task: "t1".to_owned(), lines: Ok(vec![LINE.to_owned()]) }),
            };
            let looks = CloseLooks([(named(name), [("web".parse().unwrap(), look)].into())].into());
            let text = format!("{:?}", principal.shown(looks));
            assert_eq!((has(&text), text.contains("web")), (expected, true), "a close look at {name}: {text}");
            assert_eq!(principal.blind_to(&self::live()).contains(&named(name)), !expected);
        }
    }

    #[test]
    fn log_lines_are_for_who_may_read_the_logs_there() {
        check(Grant::everywhere(Role::Viewer), &[]);
        check(Grant::new(Role::Deployer, Scope::of([named("preprod")])).unwrap(), &["preprod"]);
        check(Grant::everywhere(Role::Deployer), &["preprod", "prod"]);
        check(Grant::admin(), &["preprod", "prod"]);
    }

    #[test]
    fn where_no_log_line_stands_everybody_sees_the_same() {
        let mut quiet = live();
        quiet.keep_logs(&|_| false);
        assert_eq!(principal(Grant::everywhere(Role::Viewer)).blind_to(&quiet), BTreeSet::new());
    }
}
