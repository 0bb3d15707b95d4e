//! What the forms about users and tokens share.

use leptos::prelude::*;
use release_manager::access::{Grant, Role, Scope};

use crate::app_data::use_overview;
use crate::error::RpcError;

/// Role, and for a deployer the environments.
#[component]
pub fn GrantFields(#[prop(optional)] now: Option<Grant>) -> impl IntoView {
    let overview = use_overview();
    let chosen = now.as_ref().map_or(Role::Viewer, Grant::role);
    let limits = now.as_ref().map_or(Scope::Everywhere, |grant| grant.scope().clone());
    let option = move |role: Role| {
        view! { <option value=role.as_str() selected=role == chosen>{role.as_str()}</option> }
    };
    view! {
        <label class="form-field">
            <span>"Role"</span>
            <select name="role">{Role::ALL.map(option).collect_view()}</select>
        </label>
        <fieldset class="form-field">
            <legend>"For a deployer: only in"</legend>
            <div class="form-choices">
                <Transition>
                    {
                        let limits = limits.clone();
                        move || overview.get().and_then(Result::ok).map(|overview| {
                            let box_of = |name: release_manager::names::EnvironmentName| {
                                let checked = limits != Scope::Everywhere && limits.contains(&name);
                                view! {
                                    <label class="form-choice">
                                        <input type="checkbox" name="environments[]" value=name.to_string() checked=checked/>
                                        <span>{name.to_string()}</span>
                                    </label>
                                }
                            };
                            overview.environments.into_iter().map(|known| box_of(known.name)).collect_view()
                        })
                    }
                </Transition>
            </div>
        </fieldset>
    }
}

/// Why an order was refused, where it was given.
#[component]
pub fn RefusedText(#[prop(into)] error: Signal<Option<RpcError>>) -> impl IntoView {
    view! {
        <div role="alert">
            {move || error.get().map(|error| view! { <p class="error-text wrap">{error.message}</p> })}
        </div>
    }
}
