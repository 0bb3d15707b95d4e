//! Short news that come while one does something else: they stand in a corner, are told aloud, and go by themselves.

use std::time::Duration;

use leptos::prelude::*;

use crate::view::Tone;

/// Good news go by themselves; the rest stays until somebody has read it.
const STAYS: Duration = Duration::from_secs(8);
/// More than these cover the page.
const MOST: usize = 4;

/// One piece of news.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Toast {
    /// Its number in this tab.
    pub(super) id: u32,
    /// The feeling.
    pub(super) tone: Tone,
    /// The sentence.
    pub(super) text: String,
    /// Where to look at it.
    pub(super) href: Option<String>,
}

/// All news that are shown.
#[derive(Clone, Copy)]
pub(super) struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    next: StoredValue<u32>,
}

impl Toasts {
    /// Starts without any.
    pub(super) fn provide() -> Self {
        let toasts = Self { shown: RwSignal::new(Vec::new()), next: StoredValue::new(0) };
        provide_context(toasts);
        toasts
    }

    /// What is shown.
    pub(super) fn shown(self) -> RwSignal<Vec<Toast>> {
        self.shown
    }

    /// Shows news.
    pub(super) fn show(self, tone: Tone, text: impl Into<String>, href: Option<String>) {
        let id = self.next.get_value();
        self.next.set_value(id + 1);
        let toast = Toast { id, tone, text: text.into(), href };
        self.shown.update(|shown| {
            shown.push(toast);
            let beyond = shown.len().saturating_sub(MOST);
            shown.drain(..beyond);
        });
        if matches!(tone, Tone::Good | Tone::Idle | Tone::Fresh) {
            set_timeout(move || self.dismiss(id), STAYS);
        }
    }

    /// Takes one away.
    pub(super) fn dismiss(self, id: u32) {
        let _ = self.shown.try_update(|shown| shown.retain(|toast| toast.id != id));
    }
}

/// The news of the page.
pub(super) fn use_toasts() -> Toasts {
    expect_context()
}
