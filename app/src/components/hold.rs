//! Whether an environment is held, and how to hold and resume it.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use release_manager::access::Operation;
use release_manager::hold::Hold;
use release_manager::names::EnvironmentName;

use super::basics::Age;
use super::icon::{Icon, Symbol};
use super::reactive::memo;
use crate::live::use_live;
use crate::parts::{OrderForm, RefusedOrder, use_rights};
use crate::rpc;
use crate::view;

/// Why nothing new is brought here, with the way to resume; or else the way to hold.
#[component]
pub fn HoldNotice(name: EnvironmentName) -> impl IntoView {
    let live = use_live();
    let may_hold = use_rights().may(Operation::Hold, &name);
    let hold = {
        let name = name.clone();
        memo(move || live.environment(&name, |environment| environment.hold.clone()).flatten())
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
    let until = if hold.newer_than.is_some() {
        "Until a newer revision comes, or you resume it."
    } else {
        "Until you resume it."
    };
    view! {
        <div class="problem">
            <p class="problem-head">
                <Icon symbol=Symbol::Pause/>
                <span>
                    <strong>"Held"</strong>
                    <span class="muted">{format!(" by {} ", view::actor(&hold.by))} <Age at=hold.since/></span>
                </span>
            </p>
            <p class="wrap">{hold.reason.to_string()}</p>
            <p class="muted">{until}</p>
            <RefusedOrder path=rpc::Resume::PATH environment=name.clone()/>
            {may_hold.then(|| view! {
                <OrderForm path=rpc::Resume::PATH>
                    <input type="hidden" name="environment" value=name.to_string()/>
                    <button class="button small" type="submit">"Resume"</button>
                </OrderForm>
            })}
        </div>
    }
}

#[component]
fn HoldForm(name: EnvironmentName) -> impl IntoView {
    let (label, value) = (format!("Hold {name}…"), name.to_string());
    view! {
        <details class="ask hold">
            <summary class="button small" aria-label=label>
                <Icon symbol=Symbol::Pause/>
                "Hold…"
            </summary>
            <div class="ask-body">
                <p>"Nothing new is brought here until you resume it. What runs keeps running, and can be rolled back."</p>
                <OrderForm path=rpc::Hold::PATH>
                    <input type="hidden" name="environment" value=value/>
                    <label class="field-line">
                        <span>"Why"</span>
                        <input type="text" name="reason" required maxlength="500" autocomplete="off"/>
                    </label>
                    <button class="button" type="submit">"Hold"</button>
                </OrderForm>
            </div>
        </details>
        // Outside: it is read also where the form is closed by now.
        <RefusedOrder path=rpc::Hold::PATH environment=name/>
    }
}
