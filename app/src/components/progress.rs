//! A deployment on its way: its bar and its steps.

use leptos::prelude::*;
use release_manager::deployment::Step;
use release_manager::live::{Progress, StepState};

use super::icon::{Icon, Symbol};
use super::reactive::{Seen, memo};
use crate::view::{self, Tone};

/// A running deployment in a line, leading to its page.
#[component]
pub fn ProgressLink(#[prop(into)] progress: Seen<Progress>) -> impl IntoView {
    let percent = memo(move || progress.with(view::percent));
    let counts = memo(move || progress.with(view::counts));
    view! {
        <a class="progress-link" href=move || format!("/deployments/{}", progress.with(|progress| progress.id))>
            <span class="progress-text">
                <span class="dot busy"></span>
                <strong>{move || progress.with(|progress| view::cause(&progress.cause))}</strong>
                <span class="muted">{move || format!("{} of {} done", counts.get().0, counts.get().1)}</span>
                <span class="progress-number">{move || format!("{} %", percent.get())}</span>
            </span>
            <progress max="100" value=move || percent.get().to_string() aria-label="Progress of the deployment"></progress>
        </a>
    }
}

/// The steps, each with how far it is.
#[component]
pub fn Steps(#[prop(into)] steps: Seen<Vec<(Step, StepState)>>) -> impl IntoView {
    view! {
        <ol class="steps">
            {move || {
                let items = steps.get().into_iter().map(|(step, state)| {
                    let said = view::step_state(state);
                    let current = (state == StepState::InProgress).then_some("step");
                    view! {
                        <li class=format!("step {}", said.tone.class()) aria-current=current>
                            <span class="step-mark">{mark(state)}</span>
                            <span>{view::step(step)}</span>
                            <span class="sr-only">{format!(": {}", said.word)}</span>
                        </li>
                    }
                });
                items.collect_view()
            }}
        </ol>
    }
}

fn mark(state: StepState) -> AnyView {
    match state {
        StepState::Completed => view! { <Icon symbol=Symbol::Check/> }.into_any(),
        StepState::Failed => view! { <Icon symbol=Symbol::Cross/> }.into_any(),
        StepState::InProgress => view! { <span class="spinner"></span> }.into_any(),
        StepState::Pending => view! { <span class=format!("ring {}", Tone::Idle.class())></span> }.into_any(),
    }
}
