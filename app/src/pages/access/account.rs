//! One's own account: who one is here, the password, and where one is logged in.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use release_manager::access::{Operation, Principal, Session, Who};

use super::forms::RefusedText;
use crate::access::use_looker;
use crate::components::{Age, Badge, Banner, Field, Loaded, PageHead, Symbol};
use crate::rpc_access::{ChangePassword, EndOwnSessions, own_sessions};
use crate::view::Tone;

/// `/account`
#[component]
pub fn AccountPage() -> impl IntoView {
    let looker = use_looker();
    let temporary = looker.visit().is_some_and(|visit| visit.password_is_temporary);
    let principal = looker.visit().map(|visit| visit.principal.clone());
    let has_session = looker.visit().is_some_and(|visit| visit.session.is_some());
    let is_person = principal.as_ref().is_some_and(|principal| matches!(principal.who, Who::Person(_)));
    let manages = looker.may(Operation::ManageAccess);
    view! {
        <PageHead title="Account" lead="Who you are here, and what you may do."/>
        {temporary.then(|| view! {
            <Banner tone=Tone::Warn symbol=Symbol::Warning>
                <strong>"Choose a password of your own. "</strong>
                "The one that you came in with was printed when Release Manager started for the first time."
            </Banner>
        })}
        <section class="card" aria-labelledby="who-title">
            <header class="card-head"><h2 id="who-title">"You"</h2></header>
            <dl class="facts card-note">
                {principal.map(|principal| {
                    let (name, role) = (name(&principal), principal.grant.to_string());
                    view! {
                        <Field label="Name">{name}</Field>
                        <Field label="Role">{role}</Field>
                    }
                })}
            </dl>
            <footer class="card-foot">
                <p class="form-row">
                    {manages.then(|| view! {
                        <a class="button" href="/settings/users">"Users"</a>
                        <a class="button" href="/settings/tokens">"API tokens"</a>
                        <a class="button" href="/audit">"Audit log"</a>
                    })}
                </p>
                {has_session.then(|| view! {
                    <form method="post" action="/logout"><button class="button" type="submit">"Log out"</button></form>
                })}
            </footer>
        </section>
        {has_session.then(|| view! { <PasswordForm/> })}
        {(is_person && has_session).then(|| view! { <Sessions/> })}
    }
}

/// Who somebody is, in words.
pub(crate) fn name(principal: &Principal) -> String {
    match &principal.who {
        Who::Person(name) => name.to_string(),
        Who::Token(name) => format!("token {name}"),
        Who::Anybody => "whoever comes: nobody has to log in here".to_owned(),
    }
}

#[component]
fn PasswordForm() -> impl IntoView {
    let change = ServerAction::<ChangePassword>::new();
    let refused = Signal::derive(move || change.value().get().and_then(Result::err));
    view! {
        <section class="card" aria-labelledby="password-title">
            <header class="card-head"><h2 id="password-title">"Password"</h2></header>
            <ActionForm
                action=change
                attr:class="form"
                attr:data-done="Your password is changed, and every other session has ended."
            >
                <label class="form-field">
                    <span>"Current password"</span>
                    <input type="password" name="current" autocomplete="current-password" required/>
                </label>
                <label class="form-field">
                    <span>"New password, at least 12 characters"</span>
                    <input type="password" name="new" autocomplete="new-password" minlength="12" required/>
                </label>
                <label class="form-field">
                    <span>"The same again"</span>
                    <input type="password" name="again" autocomplete="new-password" minlength="12" required/>
                </label>
                <RefusedText error=refused/>
                <button class="button primary" type="submit" disabled=move || change.pending().get()>
                    "Change password"
                </button>
            </ActionForm>
        </section>
    }
}

#[component]
fn Sessions() -> impl IntoView {
    let query = use_query_map();
    let end = ServerAction::<EndOwnSessions>::new();
    let asked = move || query.with(|query| query.get_str("problem").map(str::to_owned));
    let sessions = Resource::new(move || (end.version().get(), asked()), |_| own_sessions());
    let refused = Signal::derive(move || end.value().get().and_then(Result::err));
    view! {
        <section class="card" aria-labelledby="sessions-title">
            <header class="card-head"><h2 id="sessions-title">"Where you are logged in"</h2></header>
            <Loaded resource=sessions let:sessions>
                <ul class="access">
                    <For each=move || sessions.get() key=|session| session.id let:session>{line(session, end)}</For>
                </ul>
            </Loaded>
            <footer class="card-foot">
                <RefusedText error=refused/>
                <ActionForm action=end>
                    <button class="button danger-outline" type="submit">"Log out everywhere"</button>
                </ActionForm>
            </footer>
        </section>
    }
}

fn line(session: Session, end: ServerAction<EndOwnSessions>) -> impl IntoView {
    let agent = if session.agent.is_empty() { "an unknown browser".to_owned() } else { session.agent };
    view! {
        <li data-key=session.id.to_string()>
            <div class="access-who">
                <strong>{session.address}</strong>
                {session.is_this.then(|| view! { <Badge tone=Tone::Good text="this one"/> })}
            </div>
            <p class="access-what wrap">"Last used " <Age at=session.last_seen_at/> ", " {agent}</p>
            {(!session.is_this).then(|| view! {
                <ActionForm action=end>
                    <input type="hidden" name="id" value=session.id.to_string()/>
                    <button class="button small" type="submit">"End"</button>
                </ActionForm>
            })}
        </li>
    }
}
