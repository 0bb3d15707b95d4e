//! The Swarm without the values that nobody is to see: they are taken out of its words before anybody else hears them, so
//! that no verdict, page, history, log or notice can hold one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::Ports;
use crate::diff::FieldChange;
use crate::engine::{LiveStack, Observation, Write};
use crate::hidden::Hidden;
use crate::lease::{Lease, SeenLease};
use crate::logs::LogLine;
use crate::names::{EnvironmentName, StackName};
use crate::ports::{Identity, ImagePresence, Ledger, LedgerError, Pin, ReleaseFilter, Swarm, SwarmError};
use crate::stack::Stack;

/// Tasks of so many earlier deployments may still be heard of.
const EARLIER: u32 = 3;

/// What is taken out, shared by all who hear the Swarm speak. It grows with every stack that is rendered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Discretion {
    hidden: Arc<RwLock<Hidden>>,
}

impl Discretion {
    /// Takes out from now on what the services of this stack are given.
    pub(crate) fn learn(&self, stack: &Stack) {
        let hidden = Hidden::of(stack);
        self.hidden.write().unwrap_or_else(PoisonError::into_inner).extend(hidden);
    }

    /// Learns what an environment was given by the deployments before this process.
    pub(crate) async fn remember(&self, ledger: &dyn Ledger, environment: &EnvironmentName) -> Result<(), LedgerError> {
        if let Some(stack) = ledger.current(environment).await?.and_then(|current| current.stack) {
            self.learn(&stack);
        }
        let newest = ReleaseFilter { environment: Some(environment.clone()), before: None, limit: EARLIER };
        for release in ledger.releases(&newest).await? {
            if let Some((_, stack)) = ledger.release_of(release.deployment).await? {
                self.learn(&stack);
            }
        }
        Ok(())
    }

    fn before(&self, swarm: Arc<dyn Swarm>) -> Arc<dyn Swarm> {
        Arc::new(Discreet { swarm, discretion: self.clone() })
    }

    /// The Swarms of these ports, with discretion: the same one for every stack that runs in it.
    pub(crate) fn before_all(&self, ports: &mut Ports) {
        let mut known: Vec<(Arc<dyn Swarm>, Arc<dyn Swarm>)> = Vec::new();
        for swarm in std::iter::once(&mut ports.swarm).chain(ports.elsewhere.values_mut()) {
            let discreet =
                known.iter().find(|(plain, _)| Arc::ptr_eq(plain, swarm)).map(|(_, discreet)| Arc::clone(discreet));
            let discreet = discreet.unwrap_or_else(|| self.before(Arc::clone(swarm)));
            known.push((std::mem::replace(swarm, Arc::clone(&discreet)), discreet));
        }
    }

    /// Takes out of a text what nobody is to see.
    pub(crate) fn mask(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.hidden.read().unwrap_or_else(PoisonError::into_inner).mask(text) {
            *text = masked;
        }
    }

    /// Takes out of a field what nobody is to see.
    pub(crate) fn mask_change(&self, change: &mut FieldChange) {
        self.hidden.read().unwrap_or_else(PoisonError::into_inner).mask_change(change);
    }

    fn mask_error(&self, mut error: SwarmError) -> SwarmError {
        match &mut error {
            SwarmError::NotFound(text)
            | SwarmError::NameTaken(text)
            | SwarmError::Refused(text)
            | SwarmError::NotManager { detail: text, .. }
            | SwarmError::Unreadable { detail: text, .. } => self.mask(text),
            SwarmError::Unreachable { .. }
            | SwarmError::TimedOut { .. }
            | SwarmError::OutOfSequence
            | SwarmError::Credentials(_) => (),
        }
        error
    }
}

struct Discreet {
    swarm: Arc<dyn Swarm>,
    discretion: Discretion,
}

impl Discreet {
    fn heard<T>(&self, answer: Result<T, SwarmError>) -> Result<T, SwarmError> {
        answer.map_err(|error| self.discretion.mask_error(error))
    }
}

#[async_trait]
impl Swarm for Discreet {
    async fn check(&self) -> Result<String, SwarmError> {
        self.heard(self.swarm.check().await)
    }

    async fn live(&self, stack: &StackName) -> Result<LiveStack, SwarmError> {
        self.heard(self.swarm.live(stack).await)
    }

    async fn network_names(&self, stack: &StackName) -> Result<BTreeMap<String, String>, SwarmError> {
        self.heard(self.swarm.network_names(stack).await)
    }

    async fn observe(&self, stack: &StackName) -> Result<Observation, SwarmError> {
        let mut seen = self.heard(self.swarm.observe(stack).await)?;
        for task in &mut seen.tasks {
            self.discretion.mask(&mut task.message);
            if let Some(error) = &mut task.error {
                self.discretion.mask(error);
            }
        }
        for update in seen.services.values_mut().filter_map(|service| service.update.as_mut()) {
            self.discretion.mask(&mut update.message);
        }
        Ok(seen)
    }

    async fn apply(&self, write: &Write) -> Result<String, SwarmError> {
        self.heard(self.swarm.apply(write).await)
    }

    async fn pin(&self, image: &str) -> Result<Pin, SwarmError> {
        self.heard(self.swarm.pin(image).await)
    }

    async fn find_image(&self, image: &str) -> Result<ImagePresence, SwarmError> {
        self.heard(self.swarm.find_image(image).await)
    }

    async fn logs(&self, task: &str, lines: u32) -> Result<Vec<String>, SwarmError> {
        let mut lines = self.heard(self.swarm.logs(task, lines).await)?;
        for line in &mut lines {
            self.discretion.mask(line);
        }
        Ok(lines)
    }

    async fn changes(&self) -> Result<BoxStream<'static, ()>, SwarmError> {
        self.heard(self.swarm.changes().await)
    }

    async fn service_logs(
        &self,
        service: &str,
        tail: u32,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogLine, SwarmError>>, SwarmError> {
        let lines = self.heard(self.swarm.service_logs(service, tail, follow).await)?;
        let discretion = self.discretion.clone();
        let masked = lines.map(move |line| match line {
            Ok(mut line) => {
                discretion.mask(&mut line.text);
                Ok(line)
            }
            Err(error) => Err(discretion.mask_error(error)),
        });
        Ok(masked.boxed())
    }

    async fn identity(&self) -> Result<Identity, SwarmError> {
        self.heard(self.swarm.identity().await)
    }

    async fn lease(&self, stack: &StackName) -> Result<Option<SeenLease>, SwarmError> {
        self.heard(self.swarm.lease(stack).await)
    }

    async fn put_lease(&self, stack: &StackName, lease: &Lease, before: Option<&SeenLease>) -> Result<(), SwarmError> {
        self.heard(self.swarm.put_lease(stack, lease, before).await)
    }
}
