//! Says when a deployment ends, wherever one is: as a toast, and as a notification of the system for those that one
//! has asked to be told of.

use std::collections::BTreeMap;

use leptos::prelude::*;
use release_manager::deployment::Status;
use release_manager::names::{DeploymentId, EnvironmentName};

use crate::browser;
use crate::live::LiveState;
use crate::toasts::use_toasts;
use crate::view;

/// The deployments whose end the person wants to be told of.
#[derive(Clone, Copy)]
pub struct Awaited(RwSignal<Vec<DeploymentId>>);

impl Awaited {
    /// Whether the end of a deployment is awaited.
    pub fn has(self, id: DeploymentId) -> bool {
        self.0.with(|awaited| awaited.contains(&id))
    }

    /// Awaits the end of a deployment, or no longer.
    pub fn set(self, id: DeploymentId, awaited: bool) {
        self.0.update(|known| {
            known.retain(|other| *other != id);
            if awaited {
                known.push(id);
            }
        });
    }
}

/// The deployments whose end is awaited.
pub fn use_awaited() -> Awaited {
    expect_context()
}

type Stands = BTreeMap<EnvironmentName, (DeploymentId, Status)>;

/// Follows the live state for as long as the page lives.
pub(crate) fn follow(live: LiveState) {
    let awaited = Awaited(RwSignal::new(Vec::new()));
    provide_context(awaited);
    let toasts = use_toasts();
    Effect::new(move |before: Option<Stands>| {
        let now = live.read(stands).unwrap_or_default();
        for (environment, (id, status)) in before.iter().flat_map(|before| ended(before, &now)) {
            let said = view::status(status);
            let sentence = view::status_sentence(status, environment.as_str(), 100);
            let page = format!("/deployments/{id}");
            if untrack(|| awaited.has(id)) {
                awaited.set(id, false);
                browser::notify(&sentence, &page);
            }
            // Who looks at it already sees it.
            if browser::path() != page {
                toasts.show(said.tone, sentence, Some(page));
            }
        }
        now
    });
}

fn stands(live: &release_manager::live::Live) -> Stands {
    let running = live.environments.iter().filter_map(|(name, environment)| {
        environment.deployment.as_ref().map(|progress| (name.clone(), (progress.id, progress.status)))
    });
    running.collect()
}

/// The deployments that were in progress and are over.
fn ended(before: &Stands, now: &Stands) -> Vec<(EnvironmentName, (DeploymentId, Status))> {
    let is_news = |(name, (id, status)): &(&EnvironmentName, &(DeploymentId, Status))| {
        let was = before.get(*name);
        status.is_final() && was.is_some_and(|(known, was)| known == id && !was.is_final())
    };
    now.iter().filter(is_news).map(|(name, stands)| (name.clone(), *stands)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_end_that_was_watched_is_news() {
        let stands = |id, status| Stands::from([("prod".parse().unwrap(), (DeploymentId(id), status))]);
        for (before, now, news) in [
            (stands(1, Status::InProgress), stands(1, Status::Success), 1),
            (stands(1, Status::InProgress), stands(1, Status::InProgress), 0),
            (stands(1, Status::Success), stands(1, Status::Success), 0),
            (stands(1, Status::Success), stands(2, Status::Failed), 0),
            (Stands::new(), stands(1, Status::Success), 0),
        ] {
            assert_eq!(ended(&before, &now).len(), news);
        }
    }
}
