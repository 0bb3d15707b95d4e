//! Says when a deployment ends, wherever one is: in the corner, and as a notification of the system for those that one has
//! asked to be told of.

use leptos::prelude::*;
use release_manager::live::Live;
use release_manager::names::DeploymentId;
use wasm_bindgen::JsCast;
use web_sys::Element;

use super::page::all;
use super::toasts::Toasts;
use super::{browser, document, listen};
use crate::view::{self, Stands, Tone, ended};

/// A button that asks to be told of the end of a deployment, with its number.
const TELL: &str = "data-tell";

/// How the deployments stood last, and whose end is awaited.
#[derive(Clone, Copy)]
pub(super) struct Outcomes {
    before: StoredValue<Option<Stands>>,
    awaited: StoredValue<Vec<DeploymentId>>,
    toasts: Toasts,
}

impl Outcomes {
    /// Knows nothing yet.
    pub(super) fn new(toasts: Toasts) -> Self {
        Self { before: StoredValue::new(None), awaited: StoredValue::new(Vec::new()), toasts }
    }

    /// Says what has ended since the last news.
    pub(super) fn take(self, live: &Live) {
        let now = stands(live);
        let before = self.before.get_value();
        self.before.set_value(Some(now.clone()));
        for (environment, (id, status)) in before.iter().flat_map(|before| ended(before, &now)) {
            let said = view::status(status);
            let sentence = view::status_sentence(status, environment.as_str(), 100);
            let page = format!("/deployments/{id}");
            if self.is_awaited(id) {
                self.wait_for(id, false);
                browser::notify(&sentence, &page);
            }
            // Who looks at it already sees it.
            if browser::path() != page {
                self.toasts.show(said.tone, sentence, Some(page));
            }
        }
    }

    /// Listens to the buttons that ask to be told. Asked for, never pushed.
    pub(super) fn listen(self) {
        listen(&document(), "click", move |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let button = target.and_then(|target| target.closest("[data-tell]").ok().flatten());
            let Some(id) = button.as_ref().and_then(asked) else { return };
            if self.is_awaited(id) {
                return self.wait_for(id, false);
            }
            browser::ask_to_notify(move |allowed| {
                if allowed {
                    self.wait_for(id, true);
                } else {
                    let text = "The browser does not allow notifications: allow them in its settings";
                    self.toasts.show(Tone::Warn, text, None);
                }
            });
        });
    }

    fn is_awaited(self, id: DeploymentId) -> bool {
        self.awaited.with_value(|awaited| awaited.contains(&id))
    }

    fn wait_for(self, id: DeploymentId, awaited: bool) {
        self.awaited.update_value(|known| {
            known.retain(|other| *other != id);
            if awaited {
                known.push(id);
            }
        });
        self.mark();
    }

    /// Shows on the buttons of the page what was asked for.
    pub(super) fn mark(self) {
        for button in all("[data-tell]") {
            let pressed = asked(&button).is_some_and(|id| self.is_awaited(id));
            let _ = button.set_attribute("aria-pressed", if pressed { "true" } else { "false" });
        }
    }
}

fn asked(button: &Element) -> Option<DeploymentId> {
    Some(DeploymentId(button.get_attribute(TELL)?.parse().ok()?))
}

fn stands(live: &Live) -> Stands {
    let running = live.environments.iter().filter_map(|(name, environment)| {
        environment.deployment.as_ref().map(|deployment| (name.clone(), (deployment.id, deployment.status)))
    });
    running.collect()
}
