//! Light, dark, or as the system says. The choice is an attribute of the document that CSS reads; a small script of the
//! document sets it before the first paint, so that nothing flashes.

use leptos::prelude::*;

use super::{document, window};
use crate::icon::{Icon, Symbol};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn symbol(self) -> Symbol {
        match self {
            Self::System => Symbol::System,
            Self::Light => Symbol::Sun,
            Self::Dark => Symbol::Moon,
        }
    }
}

/// A button that goes through the themes.
#[component]
pub(super) fn ThemeSwitch() -> impl IntoView {
    let theme = RwSignal::new(Theme::System);
    Effect::new(move |_| theme.set(remembered()));
    let change = move |_| {
        let next = theme.get_untracked().next();
        theme.set(next);
        remember(next);
    };
    let label = move || format!("Theme: {}. Change it", theme.get().name());
    view! {
        <button class="icon-button theme" type="button" title=label aria-label=label on:click=change>
            {move || view! { <Icon symbol=theme.get().symbol()/> }}
        </button>
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn remembered() -> Theme {
    let stored = storage().and_then(|storage| storage.get_item("theme").ok().flatten());
    match stored.as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

/// Where storage is forbidden or full, the choice holds until the page is left.
fn remember(theme: Theme) {
    if let Some(storage) = storage() {
        let _ = storage.set_item("theme", theme.name());
    }
    if let Some(root) = document().document_element() {
        let _ = match theme {
            Theme::System => root.remove_attribute("data-theme"),
            _ => root.set_attribute("data-theme", theme.name()),
        };
    }
}
