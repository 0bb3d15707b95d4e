//! The port, question by question.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::PoisonError;

use async_trait::async_trait;
use release_manager::deployment::{Deployment, HistoryFilter, HistoryPage, Outcome};
use release_manager::health::{EnvironmentHealth, SoakRecord};
use release_manager::hold::Hold;
use release_manager::insights::Fact;
use release_manager::judge::Target;
use release_manager::names::{Actor, DeploymentId, EnvironmentName, ServiceName, Version};
use release_manager::ports::{
    Current, DeployedRelease, JournalEntry, Latest, Ledger, LedgerError, NewDeployment, OpenDeployment, Proved,
    ReleaseFilter, Standing, Tried, Unproved,
};
use release_manager::release::Release;
use release_manager::revision::Revision;
use release_manager::stack::Stack;
use release_manager::time::Timestamp;
use release_manager::watched::After;

use super::error::{is_fatal, refused};
use super::{
    Store, adopt, begin, current, deployment, facts, finish, head, health, history, hold, journal, releases, standing,
    watched,
};

impl Store {
    /// Writes, unless the file cannot be trusted any more: after a failed flush
    /// nobody knows what is on the disk, and to go on would be to promise what may be lost.
    pub(super) async fn write<T>(
        &self,
        work: impl Future<Output = Result<T, LedgerError>> + Send,
    ) -> Result<T, LedgerError> {
        if let Some(why) = self.distrusted() {
            return Err(refused(why));
        }
        let written = work.await;
        if written.as_ref().is_err_and(is_fatal) {
            self.distrust(
                "the file is damaged or the disk failed, so nothing is written any more: check the disk, restore the newest \
                 good backup if the file is damaged, then start again",
            );
        }
        written
    }
}

#[async_trait]
impl Ledger for Store {
    async fn begin(&self, new: &NewDeployment) -> Result<DeploymentId, LedgerError> {
        self.write(begin::begin(&self.writer, new)).await
    }

    async fn journal(&self, id: DeploymentId, entry: &JournalEntry, at: Timestamp) -> Result<(), LedgerError> {
        self.write(journal::journal(&self.writer, id, entry, at)).await
    }

    async fn finish(&self, id: DeploymentId, outcome: &Outcome, at: Timestamp) -> Result<(), LedgerError> {
        self.write(finish::finish(&self.writer, id, outcome, at)).await
    }

    async fn recorded(&self, id: DeploymentId) -> Result<Option<OpenDeployment>, LedgerError> {
        journal::recorded(&self.readers, id).await
    }

    async fn unfinished(&self) -> Result<Vec<OpenDeployment>, LedgerError> {
        journal::unfinished(&self.readers).await
    }

    async fn adopt(&self, environment: &EnvironmentName, release: &Release, at: Timestamp) -> Result<(), LedgerError> {
        self.write(adopt::adopt(&self.writer, environment, release, at)).await
    }

    async fn current(&self, environment: &EnvironmentName) -> Result<Option<Current>, LedgerError> {
        current::current(&self.readers, environment).await
    }

    async fn latest(&self, environment: &EnvironmentName) -> Result<Option<Latest>, LedgerError> {
        deployment::latest(&self.readers, environment).await
    }

    async fn standing(
        &self,
        environment: &EnvironmentName,
        before: Option<DeploymentId>,
    ) -> Result<Option<Standing>, LedgerError> {
        standing::standing(&self.readers, environment, before).await
    }

    async fn tried(&self, environment: &EnvironmentName) -> Result<Option<Tried>, LedgerError> {
        standing::tried(&self.readers, environment).await
    }

    async fn note_revision(&self, id: DeploymentId, revision: &Revision) -> Result<(), LedgerError> {
        self.write(standing::note_revision(&self.writer, id, revision)).await
    }

    async fn unproved(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, Unproved>, LedgerError> {
        standing::unproved(&self.readers, environment).await
    }

    async fn hold(&self, environment: &EnvironmentName, hold: &Hold) -> Result<(), LedgerError> {
        self.write(hold::hold(&self.writer, environment, hold)).await
    }

    async fn resume(&self, environment: &EnvironmentName, by: &Actor, at: Timestamp) -> Result<bool, LedgerError> {
        self.write(hold::resume(&self.writer, environment, by, at)).await
    }

    async fn holds(&self) -> Result<BTreeMap<EnvironmentName, Hold>, LedgerError> {
        hold::holds(&self.readers).await
    }

    async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, LedgerError> {
        deployment::deployment(&self.readers, id).await
    }

    async fn release_of(&self, id: DeploymentId) -> Result<Option<(Release, Stack)>, LedgerError> {
        deployment::release_of(&self.readers, id).await
    }

    async fn releases(&self, filter: &ReleaseFilter) -> Result<Vec<DeployedRelease>, LedgerError> {
        releases::releases(&self.readers, filter).await
    }

    async fn history_row(&self, id: i64) -> Result<Option<(DeploymentId, ServiceName, Version)>, LedgerError> {
        deployment::history_row(&self.readers, id).await
    }

    async fn history(&self, filter: &HistoryFilter) -> Result<HistoryPage, LedgerError> {
        history::history(&self.readers, filter).await
    }

    async fn facts(&self, since: Timestamp) -> Result<Vec<Fact>, LedgerError> {
        facts::facts(&self.readers, since).await
    }

    async fn record_health(
        &self,
        environment: &EnvironmentName,
        health: &EnvironmentHealth,
    ) -> Result<(), LedgerError> {
        let is_news = {
            let stored = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            health::is_news(stored.get(environment), health)
        };
        if !is_news {
            return Ok(());
        }
        self.write(health::store(&self.writer, environment, health)).await?;
        let mut stored = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        stored.insert(environment.clone(), health.clone());
        Ok(())
    }

    async fn proved(&self, environment: &EnvironmentName) -> Result<Vec<Proved>, LedgerError> {
        watched::proved(&self.readers, environment).await
    }

    async fn target(&self, id: DeploymentId, full_name: &str) -> Result<Option<Target>, LedgerError> {
        watched::target(&self.readers, id, full_name).await
    }

    async fn note_after(&self, id: DeploymentId, service: &ServiceName, after: &After) -> Result<(), LedgerError> {
        self.write(watched::note_after(&self.writer, id, service, after)).await
    }

    async fn soak(&self, environment: &EnvironmentName) -> Result<BTreeMap<ServiceName, SoakRecord>, LedgerError> {
        watched::soak(&self.readers, environment).await
    }

    async fn record_soak(
        &self,
        environment: &EnvironmentName,
        records: &BTreeMap<ServiceName, SoakRecord>,
    ) -> Result<(), LedgerError> {
        self.write(watched::record_soak(&self.writer, environment, records)).await
    }

    async fn instance(&self) -> Result<Option<String>, LedgerError> {
        watched::instance(&self.readers).await.map(Some)
    }

    async fn remember_head(&self, head: &Revision) -> Result<(), LedgerError> {
        self.write(head::remember(&self.writer, head)).await
    }

    async fn head(&self) -> Result<Option<Revision>, LedgerError> {
        head::head(&self.readers).await
    }
}
