//! What moves: the parts of pages that the server draws first, complete, and that the browser goes on with. The same
//! components are built for both worlds. The server puts beside what it has drawn the data that it was drawn from
//! ([`DrawnFrom`]); the browser mounts the component with them in that place and keeps them fresh through server functions.

mod address;
mod changes;
mod confirm;
mod dashboard;
mod deployment;
mod fresh;
mod lines;
mod orders;
mod selection;
mod source;

use std::collections::BTreeMap;

use leptos::prelude::*;
use release_manager::access::Operation;
use release_manager::live::Live;
use release_manager::names::EnvironmentName;
use serde::Serialize;

use crate::read::{Read, Tree, field};

pub use address::{Address, Around, use_around};
pub use changes::{Changes, ChangesData};
pub use dashboard::{Dashboard, DashboardData};
pub use deployment::DeploymentProgress;
pub use fresh::Fresh;
pub use orders::{OrderForm, Refusal, Refusals, RefusedOrder, refused};
pub use selection::Selection;
pub use source::{Problems, SourceLine};

/// What a part of a page was drawn from. Nothing in it that the viewer may not see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrawnFrom<T> {
    /// The live state of that moment, as the stream sends it to each who looks: what he may see of it.
    pub live: Live,
    /// What the viewer may order.
    pub rights: Rights,
    /// The order that was refused just now.
    pub refused: Option<Refusal>,
    /// What was asked for.
    pub data: T,
}

/// The words of the operations that the viewer may order in each environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rights(BTreeMap<EnvironmentName, Vec<String>>);

impl<T: Read> Read for DrawnFrom<T> {
    fn read(tree: &Tree) -> Option<Self> {
        let (live, rights) = (field(tree, "live")?, Rights(field(tree, "rights")?));
        Some(Self { live, rights, refused: field(tree, "refused")?, data: field(tree, "data")? })
    }
}

impl Rights {
    /// What parts of pages offer.
    const OFFERED: [Operation; 5] =
        [Operation::Promote, Operation::Sync, Operation::Retry, Operation::Cancel, Operation::Hold];

    /// Asks for each environment which of the operations that are offered `may` be ordered.
    pub fn of<'a>(
        environments: impl IntoIterator<Item = &'a EnvironmentName>,
        may: impl Fn(Operation, &EnvironmentName) -> bool,
    ) -> Self {
        let words = |name: &EnvironmentName| {
            let allowed = Self::OFFERED.into_iter().filter(|operation| may(*operation, name));
            allowed.map(|operation| operation.as_str().to_owned()).collect()
        };
        Self(environments.into_iter().map(|name| (name.clone(), words(name))).collect())
    }

    /// Whether an operation may be ordered there. The server asks again.
    pub fn may(&self, operation: Operation, environment: &EnvironmentName) -> bool {
        self.0.get(environment).is_some_and(|words| words.iter().any(|word| word == operation.as_str()))
    }
}

/// What the viewer may order.
pub fn use_rights() -> Rights {
    use_context().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_nothing_is_offered_nothing() {
        let (prod, preprod) = ("prod".parse().unwrap(), "preprod".parse().unwrap());
        let rights = Rights::of([&prod, &preprod], |operation, name| operation == Operation::Hold && *name == preprod);
        assert!(rights.may(Operation::Hold, &preprod));
        assert!(!rights.may(Operation::Hold, &prod));
        assert!(!rights.may(Operation::Retry, &preprod));
        assert!(!Rights::default().may(Operation::Hold, &prod));
    }
}
