//! Making networks, secrets and configs.

use super::{Interrupted, Rollout};
use crate::engine::{CONTENT_LABEL, NAMESPACE_LABEL, Write};
use crate::ports::{JournalEntry, SwarmError};
use crate::stack::{Object, Stack};

/// The networks that a stack declares, as the Engine wants them, by full name.
pub(super) fn networks_of(stack: &Stack) -> std::collections::BTreeMap<String, Write> {
    let declared = stack.networks.iter().filter_map(|(name, object)| match object {
        Object::Ours { spec } => Some((name.clone(), Write::CreateNetwork { spec: spec.clone() })),
        Object::External => None,
    });
    declared.collect()
}

impl Rollout<'_> {
    /// Makes a network, secret or config, unless it is there by now and belongs to this stack; or gives it its labels.
    pub(super) async fn create_object(&self, number: usize) -> Result<(), Interrupted> {
        if self.journal.done.contains(&number) {
            return Ok(());
        }
        let Some(write) = &self.actions[number].write else { return Ok(()) };
        if self.is_halted() {
            return Ok(());
        }
        self.journal(&JournalEntry::Intent { action: number, target: None }).await?;
        let id = loop {
            match self.send(write).await {
                Ok(id) => break id,
                Err(SwarmError::NameTaken(message)) => match self.own_object(write).await {
                    Ok(Some(id)) => break id,
                    Ok(None) => return Err(Interrupted::Refused(message)),
                    // Nobody has seen whose it is.
                    Err(_) if !self.is_late() => self.pause().await?,
                    Err(error) => return Err(Interrupted::Refused(error.to_string())),
                },
                // Labels that an earlier try has written, or somebody else: the next plan looks at them again.
                Err(SwarmError::OutOfSequence) => break String::new(),
                Err(error) if error.is_doubtful() && !self.is_late() => self.pause().await?,
                Err(error) => return Err(Interrupted::Refused(error.to_string())),
            }
        };
        Ok(self.journal(&JournalEntry::Done { action: number, id }).await?)
    }

    /// The id of an object of that name that carries this stack's label and holds the same: an earlier try has made it.
    async fn own_object(&self, write: &Write) -> Result<Option<String>, SwarmError> {
        let live = self.inner.ports.swarm_of(&self.stack).live(&self.stack).await?;
        let (objects, spec) = match write {
            Write::CreateNetwork { spec } => (live.networks, spec),
            Write::CreateSecret { spec } => (live.secrets, spec),
            Write::CreateConfig { spec } => (live.configs, spec),
            _ => return Ok(None),
        };
        let Some(object) = spec["Name"].as_str().and_then(|name| objects.get(name)) else { return Ok(None) };
        let is_same = |label: &str| object.labels.get(label).map(String::as_str) == spec["Labels"][label].as_str();
        let ours = object.labels.get(NAMESPACE_LABEL).is_some_and(|stack| stack == self.stack.as_str());
        Ok((ours && is_same(CONTENT_LABEL)).then(|| object.id.clone()))
    }

    /// Whether the Engine has refused a write for a network of this stack that is not there.
    pub(super) fn lacks_network(&self, refusal: &str) -> bool {
        refusal.contains("not found") && self.declared_networks.keys().any(|name| names(refusal, name))
    }

    /// Makes the networks anew that a refusal names, where the Engine lists them no more. What goes wrong shows at the next
    /// write of a service.
    pub(super) async fn make_networks_again(&self, refusal: &str) {
        let Ok(listed) = self.inner.ports.swarm_of(&self.stack).network_names(&self.stack).await else { return };
        for (name, write) in &self.declared_networks {
            if names(refusal, name)
                && !listed.values().any(|known| known == name)
                && let Err(error) = self.send(write).await
            {
                tracing::warn!(%error, network = name, "A network that has vanished cannot be made anew yet");
            }
        }
    }
}

/// Whether a text names something: as a word, and not as the beginning of a longer name.
fn names(text: &str, name: &str) -> bool {
    text.split(|letter: char| !(letter.is_alphanumeric() || "_-.".contains(letter))).any(|word| word == name)
}
