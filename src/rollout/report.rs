//! What the record says besides the verdicts, and whether the deployment is to be taken back.

use super::{Rollout, undo};
use crate::deployment::{Outcome, Status, Verdict};
use crate::health::{self, HealthStatus};
use crate::names::{Actor, ServiceName};
use crate::pipeline::OnFailure;
use crate::plan::ActionKind;
use crate::ports::{JournalEntry, LedgerError};

impl Rollout<'_> {
    /// Adds to the journal what a person should know, and the decision to go back. Called before the deployment is
    /// closed: nothing is added to it afterwards. Returns whether it goes back.
    pub(super) async fn report(&self, outcome: &Outcome) -> Result<bool, LedgerError> {
        for note in self.untouched().await? {
            self.note(note).await?;
        }
        let Some(record) = self.inner.ports.ledger.recorded(self.id).await? else { return Ok(false) };
        if let Some(by) = self.switch.by() {
            let made = self.made(&record.journal);
            self.note(stopped(&by, outcome, &made)).await?;
        }
        let Some(by) = self.wants_back(outcome.status).filter(|_| undo::has_written(&record.journal)) else {
            return Ok(false);
        };
        self.journal(&JournalEntry::GoingBack { by }).await?;
        Ok(true)
    }

    /// Who wants what was written to be put back, if anybody does.
    fn wants_back(&self, status: Status) -> Option<Actor> {
        if self.switch.goes_back() {
            return self.switch.by();
        }
        let policy = self.inner.environment(self.permit.environment()).ok()?.on_failure;
        let has_failed = matches!(status, Status::Failed | Status::RolledBack);
        (self.returns && has_failed && policy == OnFailure::Rollback).then_some(Actor::System)
    }

    async fn note(&self, message: String) -> Result<(), LedgerError> {
        // An earlier process may have come as far as this.
        if self.journal.notes.contains(&message) {
            return Ok(());
        }
        self.journal(&JournalEntry::Noted { message }).await
    }

    /// The services that were left as they are and are not well: that does not fail the deployment, but it is said.
    async fn untouched(&self) -> Result<Vec<String>, LedgerError> {
        let left: Vec<&ServiceName> = self.actions.iter().filter_map(|action| left(&action.kind)).collect();
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let seen = match self.inner.ports.swarm_of(&self.stack).observe(&self.stack).await {
            Ok(seen) => seen,
            Err(error) => return Ok(vec![format!("nobody could look at the services that were not touched: {error}")]),
        };
        let unproved = self.inner.unproved(self.permit.environment(), &self.stack, &seen.services).await?;
        let seen = health::judge_stack(&self.stack, &seen, self.inner.ports.clock.now());
        let note = |service: &&ServiceName| match (seen.get(*service), unproved.get(*service)) {
            (Some(health), _) if health.status == HealthStatus::Unhealthy => {
                let error = health.error.as_deref().unwrap_or("see its tasks");
                Some(format!("{service} was not touched, and is unhealthy: {error}"))
            }
            (_, Some(unproved)) => Some(format!(
                "{service} was not touched: deployment {} wrote it without success, and it has not proved itself since",
                unproved.deployment
            )),
            _ => None,
        };
        Ok(left.iter().filter_map(note).collect())
    }

    /// The networks, secrets and configs that were made.
    fn made(&self, journal: &[JournalEntry]) -> Vec<String> {
        let name = |entry: &JournalEntry| match entry {
            JournalEntry::Done { action, .. } => match &self.actions.get(*action)?.kind {
                ActionKind::CreateObject { object, name } => Some(format!("{object} {name}")),
                _ => None,
            },
            _ => None,
        };
        journal.iter().filter_map(name).collect()
    }
}

fn left(kind: &ActionKind) -> Option<&ServiceName> {
    match kind {
        ActionKind::LeaveService { service, .. } => Some(service),
        _ => None,
    }
}

/// What a cancelled deployment had and had not changed.
fn stopped(by: &Actor, outcome: &Outcome, made: &[String]) -> String {
    let unwritten = |verdict: &Verdict| matches!(verdict, Verdict::Cancelled { written: false });
    let (not_written, written): (Vec<_>, Vec<_>) =
        outcome.services.iter().partition(|(_, outcome)| unwritten(&outcome.verdict));
    let names = |services: Vec<(&ServiceName, _)>| {
        services.into_iter().map(|(service, _)| service.to_string()).collect::<Vec<_>>()
    };
    let (written, not_written) = (names(written), names(not_written));
    let list = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")));
    let parts = [
        list("made", made),
        list("written", &written).or(Some("no service was written".to_owned())),
        list("not written", &not_written).or(Some("nothing was left to stop".to_owned())),
    ];
    format!("cancelled by {by}; {}", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::{Evidence, ServiceOutcome};

    #[test]
    fn a_cancelled_deployment_says_what_it_had_changed() {
        let outcome = |verdicts: &[(&str, Verdict)]| {
            let services = verdicts.iter().map(|(name, verdict)| {
                let (version, verdict) = ("1".parse().unwrap(), verdict.clone());
                let outcome = ServiceOutcome { version, from: None, verdict, evidence: Evidence::default() };
                (name.parse().unwrap(), outcome)
            });
            Outcome::of_services(services.collect())
        };
        let (web, db) = (("web", Verdict::Completed), ("db", Verdict::Cancelled { written: false }));
        let ada = Actor::Person("ada".to_owned());
        for (verdicts, made, expected) in [
            (
                vec![web.clone(), db.clone()],
                vec!["config motd".to_owned()],
                "made: config motd; written: web; not written: db",
            ),
            (vec![db], vec![], "no service was written; not written: db"),
            (vec![web], vec![], "written: web; nothing was left to stop"),
        ] {
            assert_eq!(stopped(&ada, &outcome(&verdicts), &made), format!("cancelled by ada; {expected}"));
        }
    }
}
