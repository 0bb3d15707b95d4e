//! What moves: the live state. A page is drawn from the one of that moment; in the browser the parts that are alive follow
//! each later one.

use std::sync::Arc;

use leptos::prelude::*;
use release_manager::live::{Live, LiveEnvironment, Progress};
use release_manager::names::{DeploymentId, EnvironmentName};

/// The live state of the page.
#[derive(Clone, Copy)]
pub struct LiveState {
    live: RwSignal<Option<Arc<Live>>>,
    /// How often the stream was opened anew: whoever was away may have missed anything.
    openings: RwSignal<u32>,
}

impl LiveState {
    /// Starts with what is known.
    pub fn new(live: Option<Arc<Live>>) -> Self {
        Self { live: RwSignal::new(live), openings: RwSignal::new(0) }
    }

    /// Reads from the live state; `None` while there is none.
    pub fn read<T>(self, read: impl FnOnce(&Live) -> T) -> Option<T> {
        self.live.with(|live| live.as_deref().map(read))
    }

    /// Reads from one environment.
    pub fn environment<T>(self, name: &EnvironmentName, read: impl FnOnce(&LiveEnvironment) -> T) -> Option<T> {
        self.live.with(|live| live.as_deref()?.environments.get(name).map(read))
    }

    /// How far a deployment is; `None` where this process has not run it.
    pub fn progress(self, id: DeploymentId) -> Option<Progress> {
        self.read(|live| {
            let mut known = live.environments.values().filter_map(|environment| environment.deployment.as_ref());
            known.find(|progress| progress.id == id).cloned()
        })
        .flatten()
    }

    /// Whether there is one.
    pub fn is_known(self) -> bool {
        self.live.with_untracked(Option::is_some)
    }

    /// Changes whenever what was asked of the server has to be asked again.
    pub fn epoch(self) -> (u32, u64) {
        (self.openings.get(), self.read(|live| live.generation).unwrap_or_default())
    }

    /// Takes a newer one.
    pub fn set(self, live: Live) {
        self.live.set(Some(Arc::new(live)));
    }

    /// Notes that the stream was opened anew.
    pub fn opened_anew(self) {
        self.openings.update(|openings| *openings += 1);
    }
}

/// The live state of the page.
pub fn use_live() -> LiveState {
    expect_context()
}
