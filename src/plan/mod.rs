//! The plan: what a deployment would do, as data, and what speaks against it.

mod canon;
mod changes;
mod compose;
mod constraints;
mod decide;
mod drift;
mod hash;
mod leftovers;
mod order;
mod ports;
mod preflight;
mod refusals;
mod resolve;
mod rotate;
mod spec;
#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
mod unused;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::canon::{NetworkNames, canon, is_as_written, is_pin_of};
pub(crate) use self::changes::{changes, is_telling};
pub(crate) use self::compose::{Part, compose};
pub(crate) use self::constraints::{of_spec as constraints_of_spec, takes_tasks};
pub use self::decide::{plan, restart};
pub(crate) use self::drift::{Expected, drift, foreign, name_of_drift, writers};
pub use self::leftovers::{Left, Leftover, leftovers};
pub use self::order::order;
pub(crate) use self::resolve::keep;
pub use self::resolve::{ImageChoice, Resolve, choices, without_pruning};
pub(crate) use self::spec::{Mode, number, pinned_in, short_name, with_network_names, written_by};
pub use self::spec::{SPEC_LABEL, adopt, image_of, stamped, version_of_spec, with_images, with_pins};
pub(crate) use self::unused::prune;
use crate::diff::{FieldChange, Finding};
use crate::engine::{LiveService, Write};
use crate::names::{ServiceName, Version};

/// The ordered actions of a deployment, and what was found beforehand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What to do, in order: networks, secrets, configs, then services by level, then removals, those of objects last.
    pub actions: Vec<Action>,
    /// What forbids it.
    pub blockers: Vec<Finding>,
    /// What a person should know.
    pub warnings: Vec<Finding>,
}

/// One action of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// What to do and to what.
    pub kind: ActionKind,
    /// Why, in words for people.
    pub reason: String,
    /// What to send; `None` where nothing is to be done.
    pub write: Option<Write>,
    /// Services of a level are written together, one level after the other has converged. 0 for what is no service;
    /// services begin with 1. Removals come last, unless a service of the plan needs a port that they hold.
    pub level: u32,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActionKind {
    /// A network, secret or config is made.
    CreateObject {
        /// `network`, `secret` or `config`.
        object: String,
        /// Its full name.
        name: String,
    },
    /// A secret or config of the stack gets the labels that the stack file says.
    LabelObject {
        /// `secret` or `config`.
        object: String,
        /// Its full name.
        name: String,
    },
    /// A network, secret or config that nothing needs any more is taken away.
    RemoveObject {
        /// `network`, `secret` or `config`.
        object: String,
        /// Its full name.
        name: String,
    },
    /// A service is made.
    CreateService {
        /// The service.
        service: ServiceName,
        /// The version that it gets.
        to: Version,
    },
    /// A service is changed.
    UpdateService {
        /// The service.
        service: ServiceName,
        /// The version that it has.
        from: Version,
        /// The version that it gets.
        to: Version,
        /// What differs.
        changes: Vec<FieldChange>,
        /// The live spec before: our own way back.
        prior: Value,
    },
    /// A service stays as it is, and is watched to a verdict: what was written before has not succeeded so far.
    WatchService {
        /// The service.
        service: ServiceName,
        /// The version before that, if there was one.
        from: Option<Version>,
        /// The version that it has.
        to: Version,
    },
    /// A service stays as it is.
    LeaveService {
        /// The service.
        service: ServiceName,
        /// The version that it has.
        version: Version,
    },
    /// A service is taken out.
    RemoveService {
        /// The service.
        service: ServiceName,
        /// The version that it has.
        from: Version,
    },
}

impl Plan {
    /// Whether anything would be written.
    pub fn has_writes(&self) -> bool {
        self.actions.iter().any(|action| action.write.is_some())
    }

    /// Whether there is anything to write, to watch or to record.
    pub fn has_work(&self) -> bool {
        let is_work =
            |action: &Action| matches!(action.kind, ActionKind::WatchService { .. } | ActionKind::RemoveService { .. });
        self.has_writes() || self.actions.iter().any(is_work)
    }

    /// Names exactly what a person saw: two plans that do the same have the same hash, whatever the Engine has counted
    /// up meanwhile.
    pub fn hash(&self) -> String {
        hash::of(self)
    }

    /// Moves a service behind all others, on a level of its own: what deploys itself goes last.
    pub fn put_last(&mut self, service: &ServiceName) {
        let last = self.actions.iter().map(|action| action.level).max().unwrap_or(0) + 1;
        if let Some(index) = self.actions.iter().position(|action| action.kind.service() == Some(service)) {
            let mut action = self.actions.remove(index);
            action.level = last;
            self.actions.push(action);
        }
    }
}

impl ActionKind {
    /// The service that it is about.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::CreateObject { .. } | Self::LabelObject { .. } | Self::RemoveObject { .. } => None,
            Self::CreateService { service, .. }
            | Self::UpdateService { service, .. }
            | Self::WatchService { service, .. }
            | Self::LeaveService { service, .. }
            | Self::RemoveService { service, .. } => Some(service),
        }
    }
}

/// A service that is about to be written.
struct Written<'a> {
    name: &'a ServiceName,
    full_name: String,
    /// As the stack file says.
    declared: &'a Value,
    /// As it is sent.
    spec: &'a Value,
    live: Option<&'a LiveService>,
}
