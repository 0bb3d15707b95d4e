//! The corner where news are shown.

use leptos::prelude::*;

use super::toasts::{Toast, use_toasts};
use crate::icon::{Icon, Symbol};
use crate::view::Tone;

/// All news, told aloud as they come.
#[component]
pub(super) fn ToastRegion() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div class="toasts" role="log" aria-live="polite" aria-label="News">
            <For each=move || toasts.shown().get() key=|toast| toast.id let:toast>
                {shown(toast)}
            </For>
        </div>
    }
}

fn shown(toast: Toast) -> impl IntoView {
    let toasts = use_toasts();
    let id = toast.id;
    let symbol = match toast.tone {
        Tone::Good => Symbol::Check,
        Tone::Bad | Tone::Warn => Symbol::Warning,
        _ => Symbol::Info,
    };
    view! {
        <div class=format!("toast {}", toast.tone.class())>
            <Icon symbol/>
            <p class="wrap">
                {toast.text}
                {toast.href.map(|href| view! { " " <a href=href on:click=move |_| toasts.dismiss(id)>"Look at it"</a> })}
            </p>
            <button class="icon-button" type="button" aria-label="Dismiss" on:click=move |_| toasts.dismiss(id)>
                <Icon symbol=Symbol::Cross/>
            </button>
        </div>
    }
    .into_any()
}
