//! What a machine must know before it starts a deployment, and holds.

use std::collections::BTreeMap;

use super::{Attempt, Memory};
use crate::deployment::{Cause, HistoryRow, Status, Verdict};
use crate::hold::Hold;
use crate::names::{Actor, DeploymentId, EnvironmentName, ServiceName};
use crate::ports::{JournalEntry, Standing, Stood, Tried, Unproved};
use crate::release::ServiceVersion;
use crate::time::Timestamp;

/// A hold, and who ended it when.
#[derive(Debug)]
pub(super) struct Held {
    environment: EnvironmentName,
    hold: Hold,
    ended: Option<(Timestamp, Actor)>,
}

/// Whether a deployment has written a service and not seen it succeed.
fn was_written(row: &HistoryRow) -> bool {
    match row.verdict {
        Some(Verdict::Failed { .. } | Verdict::Superseded { .. } | Verdict::Removed) => true,
        Some(Verdict::Cancelled { written }) => written,
        _ => false,
    }
}

impl Memory {
    pub(super) fn standing(&self, environment: &EnvironmentName, before: Option<DeploymentId>) -> Option<Standing> {
        let counts = |id: DeploymentId| before.is_none_or(|before| id < before);
        let is_over = |id: DeploymentId| self.attempt(id).is_some_and(|attempt| attempt.ended.is_some());
        let mut newest: BTreeMap<&ServiceName, &HistoryRow> = BTreeMap::new();
        for row in &self.rows {
            let here = row.environment == *environment && row.status == Status::Success;
            if here && counts(row.deployment) && is_over(row.deployment) {
                newest.insert(&row.service, row);
            }
        }
        let mut services = BTreeMap::new();
        for (service, version) in self.adopted.get(environment).into_iter().flat_map(|(_, release)| &release.services) {
            if !newest.contains_key(service) {
                let told_by = self.success(environment, self.first_failure(environment, service, 0, before));
                services.insert(service.clone(), Stood { version: version.clone(), told_by });
            }
        }
        for (service, row) in newest.into_iter().filter(|(_, row)| row.verdict != Some(Verdict::Pruned)) {
            let version = ServiceVersion { version: row.version.clone(), image: self.image(row) };
            let success = self.success(environment, self.first_failure(environment, service, row.id, before));
            services.insert(service.clone(), Stood { version, told_by: success.max(Some(row.deployment)) });
        }
        let success = self.success(environment, before);
        let noted = success.and_then(|id| self.noted.get(&id).cloned());
        (success.is_some() || !services.is_empty()).then_some(Standing { services, success, noted })
    }

    /// The newest deployment before that one that succeeded as a whole.
    fn success(&self, environment: &EnvironmentName, before: Option<DeploymentId>) -> Option<DeploymentId> {
        let counts = |id: DeploymentId| before.is_none_or(|before| id < before);
        let mut newest = self.of_environment(environment);
        newest.rfind(|(id, attempt)| counts(*id) && attempt.status() == Status::Success).map(|(id, _)| id)
    }

    /// The first deployment after a row that has written the service without success; else `before`.
    fn first_failure(
        &self,
        environment: &EnvironmentName,
        service: &ServiceName,
        after: i64,
        before: Option<DeploymentId>,
    ) -> Option<DeploymentId> {
        let of_it = |row: &&HistoryRow| row.environment == *environment && row.service == *service && row.id > after;
        let counts = |id: DeploymentId| before.is_none_or(|before| id < before);
        let mut failures = self.rows.iter().filter(of_it).filter(|row| counts(row.deployment) && was_written(row));
        failures.next().map(|row| row.deployment).or(before)
    }

    pub(super) fn tried(&self, environment: &EnvironmentName) -> Option<Tried> {
        let from_source = |attempt: &Attempt| matches!(attempt.new.cause, Cause::Sync | Cause::Retry { .. });
        let (id, attempt) = self.of_environment(environment).rfind(|(_, attempt)| from_source(attempt))?;
        let is_another = |attempt: &Attempt| {
            matches!(
                attempt.new.cause,
                Cause::Promotion { .. } | Cause::Rollback { .. } | Cause::Return { .. } | Cause::CommandLine
            )
        };
        let moved = self.of_environment(environment).any(|(other, attempt)| other > id && is_another(attempt));
        Some(Tried { id, content_hash: attempt.new.content_hash.clone(), status: attempt.status(), moved })
    }

    pub(super) fn unproved(&self, environment: &EnvironmentName) -> BTreeMap<ServiceName, Unproved> {
        let mut newest: BTreeMap<&ServiceName, &HistoryRow> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.environment == *environment && row.status.is_final()) {
            newest.insert(&row.service, row);
        }
        let unproved = newest.into_values().filter(|row| was_written(row));
        unproved
            .map(|row| (row.service.clone(), Unproved { deployment: row.deployment, from: row.from.clone() }))
            .collect()
    }

    pub(super) fn notes(&self, id: DeploymentId) -> Vec<String> {
        let journal = self.attempt(id).map(|attempt| &attempt.journal);
        let note = |entry: &JournalEntry| match entry {
            JournalEntry::Noted { message } => Some(message.clone()),
            _ => None,
        };
        journal.into_iter().flatten().filter_map(note).collect()
    }

    pub(super) fn hold(&mut self, environment: &EnvironmentName, hold: &Hold) {
        self.resume(environment, &hold.by, hold.since);
        self.holds.push(Held { environment: environment.clone(), hold: hold.clone(), ended: None });
    }

    pub(super) fn resume(&mut self, environment: &EnvironmentName, by: &Actor, at: Timestamp) -> bool {
        let open = self.holds.iter_mut().find(|held| held.environment == *environment && held.ended.is_none());
        open.map(|held| held.ended = Some((at, by.clone()))).is_some()
    }

    pub(super) fn open_holds(&self) -> BTreeMap<EnvironmentName, Hold> {
        let open = self.holds.iter().filter(|held| held.ended.is_none());
        open.map(|held| (held.environment.clone(), held.hold.clone())).collect()
    }
}
