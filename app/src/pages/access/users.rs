//! Who may come in.

use leptos::prelude::*;
use release_manager::access::{User, Who};

use super::forms::{GrantFields, RefusedText};
use crate::access::use_looker;
use crate::components::{Age, Badge, Loaded};
use crate::pages::settings::SettingsFrame;
use crate::rpc_access::{AddUser, SetDisabled, SetPassword, SetRole, users};
use crate::view::Tone;

/// What can be ordered about a user.
#[derive(Clone, Copy)]
struct Orders {
    role: ServerAction<SetRole>,
    password: ServerAction<SetPassword>,
    disabled: ServerAction<SetDisabled>,
}

/// `/settings/users`
#[component]
pub fn UsersPage() -> impl IntoView {
    let add = ServerAction::<AddUser>::new();
    let orders = Orders { role: ServerAction::new(), password: ServerAction::new(), disabled: ServerAction::new() };
    let versions = move || {
        (
            add.version().get(),
            orders.role.version().get(),
            orders.password.version().get(),
            orders.disabled.version().get(),
        )
    };
    let all = Resource::new(versions, |_| users());
    let refused = Signal::derive(move || {
        let answers = [orders.role.value().get(), orders.password.value().get(), orders.disabled.value().get()];
        answers.into_iter().flatten().find_map(Result::err)
    });
    view! {
        <SettingsFrame
            title="Users"
            lead="Who may come in, and what they may do. A user is never deleted: history names them."
        >
            <RefusedText error=refused/>
            <section class="card" aria-labelledby="users-title">
                <header class="card-head"><h2 id="users-title">"All users"</h2></header>
                <Loaded resource=all let:all>
                    <ul class="access">
                        <For each=move || all.get() key=Clone::clone let:user>{line(user, orders)}</For>
                    </ul>
                </Loaded>
            </section>
            <Add add/>
        </SettingsFrame>
    }
}

fn line(user: User, orders: Orders) -> impl IntoView {
    let own = use_looker().visit().is_some_and(|visit| visit.principal.who == Who::Person(user.name.clone()));
    let name = user.name.to_string();
    let disabled = user.disabled_at.is_some();
    let (for_role, for_password, for_door) = (name.clone(), name.clone(), name.clone());
    view! {
        <li data-key=name.clone()>
            <div class="access-who">
                <strong class="name">{name.clone()}</strong>
                <Badge tone=Tone::Idle text=user.grant.to_string()/>
                {own.then(|| view! { <Badge tone=Tone::Good text="you"/> })}
                {disabled.then(|| view! { <Badge tone=Tone::Bad text="shut out"/> })}
                {(!user.has_password).then(|| view! { <Badge tone=Tone::Idle text="no password here"/> })}
            </div>
            <p class="access-what">
                {match user.last_login_at {
                    Some(at) => view! { "Last came in " <Age at/> }.into_any(),
                    None => "Never came in".into_any(),
                }}
            </p>
            <details class="ask">
                <summary class="button small" aria-label=format!("Change {name}…")>"Change…"</summary>
                <div class="ask-body">
                    <ActionForm action=orders.role attr:class="form">
                        <input type="hidden" name="name" value=for_role/>
                        <GrantFields now=user.grant/>
                        <button class="button" type="submit">"Change role"</button>
                    </ActionForm>
                    <ActionForm action=orders.password attr:class="form">
                        <input type="hidden" name="name" value=for_password/>
                        <label class="form-field">
                            <span>"New password, at least 12 characters"</span>
                            <input type="password" name="password" autocomplete="new-password" minlength="12" required/>
                        </label>
                        <button class="button" type="submit">"Set password"</button>
                    </ActionForm>
                    <ActionForm action=orders.disabled attr:class="form">
                        <input type="hidden" name="name" value=for_door/>
                        <input type="hidden" name="disabled" value=(!disabled).to_string()/>
                        <button class="button danger-outline" type="submit">
                            {if disabled { "Let in again" } else { "Shut out" }}
                        </button>
                    </ActionForm>
                </div>
            </details>
        </li>
    }
}

#[component]
fn Add(add: ServerAction<AddUser>) -> impl IntoView {
    let refused = Signal::derive(move || add.value().get().and_then(Result::err));
    view! {
        <section class="card" aria-labelledby="add-title">
            <header class="card-head"><h2 id="add-title">"Add a user"</h2></header>
            <ActionForm action=add attr:class="form">
                <label class="form-field">
                    <span>"Name"</span>
                    <input type="text" name="name" autocomplete="off" autocapitalize="none" spellcheck="false" required/>
                </label>
                <label class="form-field">
                    <span>"Password, at least 12 characters; none for who comes through a proxy"</span>
                    <input type="password" name="password" autocomplete="new-password" minlength="12"/>
                </label>
                <GrantFields/>
                <RefusedText error=refused/>
                <button class="button primary" type="submit" disabled=move || add.pending().get()>"Add user"</button>
            </ActionForm>
        </section>
    }
}
