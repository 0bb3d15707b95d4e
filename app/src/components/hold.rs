//! Whether an environment is held, and how to hold and resume it.

use leptos::prelude::*;
use release_manager::access::Operation;
use release_manager::hold::Hold;
use release_manager::names::EnvironmentName;

use super::basics::Age;
use super::icon::{Icon, Symbol};
use crate::access::use_looker;
use crate::live::use_live;
use crate::rpc;
use crate::view;

/// Why nothing new is brought here, with the way to resume; or else the way to hold.
#[component]
pub fn HoldNotice(name: EnvironmentName) -> impl IntoView {
    let live = use_live();
    let may_hold = use_looker().may_in(Operation::Hold, &name);
    let hold = {
        let name = name.clone();
        Memo::new(move |_| live.environment(&name, |environment| environment.hold.clone()).flatten())
    };
    view! {
        {move || match hold.get() {
            Some(hold) => view! { <Held name=name.clone() hold may_hold/> }.into_any(),
            None if may_hold => view! { <HoldForm name=name.clone()/> }.into_any(),
            None => ().into_any(),
        }}
    }
}

#[component]
fn Held(name: EnvironmentName, hold: Hold, may_hold: bool) -> impl IntoView {
    let resume = ServerAction::<rpc::Resume>::new();
    let refused = move || resume.value().get().and_then(Result::err);
    let until = if hold.newer_than.is_some() {
        "Until a newer revision comes, or you resume it."
    } else {
        "Until you resume it."
    };
    view! {
        <div class="problem">
            <p class="problem-head">
                <Icon symbol=Symbol::Pause/>
                <strong>"Held"</strong>
                <span class="muted">{format!("by {} ", view::actor(&hold.by))} <Age at=hold.since/></span>
            </p>
            <p class="wrap">{hold.reason.to_string()}</p>
            <p class="muted">{until}</p>
            {move || refused().map(|error| view! { <p class="error-text wrap" role="alert">{error.message}</p> })}
            {may_hold.then(|| view! {
                <ActionForm action=resume>
                    <input type="hidden" name="environment" value=name.to_string()/>
                    <button class="button small" type="submit" disabled=move || resume.pending().get()>"Resume"</button>
                </ActionForm>
            })}
        </div>
    }
}

#[component]
fn HoldForm(name: EnvironmentName) -> impl IntoView {
    let action = ServerAction::<rpc::Hold>::new();
    let refused = move || action.value().get().and_then(Result::err);
    let label = format!("Hold {name}…");
    view! {
        <details class="ask hold">
            <summary class="button small" aria-label=label>
                <Icon symbol=Symbol::Pause/>
                "Hold…"
            </summary>
            <div class="ask-body">
                <p>"Nothing new is brought here until you resume it. What runs keeps running, and can be rolled back."</p>
                <ActionForm action>
                    <input type="hidden" name="environment" value=name.to_string()/>
                    <label class="field-line">
                        <span>"Why"</span>
                        <input type="text" name="reason" required maxlength="500" autocomplete="off"/>
                    </label>
                    <button class="button" type="submit" disabled=move || action.pending().get()>"Hold"</button>
                </ActionForm>
                {move || refused().map(|error| view! { <p class="error-text wrap" role="alert">{error.message}</p> })}
            </div>
        </details>
    }
}
