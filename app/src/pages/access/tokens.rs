//! API tokens for programs.

use leptos::prelude::*;
use release_manager::access::Token;

use super::forms::{GrantFields, RefusedText};
use crate::clock::use_clock;
use crate::components::{Age, Badge, Banner, Empty, Loaded, Symbol};
use crate::pages::settings::SettingsFrame;
use crate::rpc_access::{CreateToken, RevokeToken, tokens};
use crate::view::Tone;

/// For how many days a token may work.
const DAYS: [(i64, &str); 4] = [(30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked")];

/// `/settings/tokens`
#[component]
pub fn TokensPage() -> impl IntoView {
    let create = ServerAction::<CreateToken>::new();
    let revoke = ServerAction::<RevokeToken>::new();
    let all = Resource::new(move || (create.version().get(), revoke.version().get()), |_| tokens());
    let refused = Signal::derive(move || revoke.value().get().and_then(Result::err));
    view! {
        <SettingsFrame title="API tokens" lead="For programs. History names what a token does after the token.">
            <div role="status">
                // The browser writes it there; no page repeats it.
                <div id="fresh-token" hidden=true data-client="">
                    <Banner tone=Tone::Good symbol=Symbol::Check>
                        <strong>"This is the token. It is shown this once: keep it now. "</strong>
                        <code class="wrap token-secret"></code>
                        <button class="button small" type="button" data-copy="">"Copy"</button>
                    </Banner>
                </div>
            </div>
            <RefusedText error=refused/>
            <section class="card" aria-labelledby="tokens-title">
                <header class="card-head"><h2 id="tokens-title">"All tokens"</h2></header>
                <Loaded resource=all let:all>
                    <ul class="access">
                        <For each=move || all.get() key=Clone::clone let:token>{line(token, revoke)}</For>
                    </ul>
                    {move || all.with(Vec::is_empty).then(|| view! {
                        <Empty symbol=Symbol::Box title="No tokens" text="No program may come in yet."/>
                    })}
                </Loaded>
            </section>
            <Create create/>
        </SettingsFrame>
    }
}

fn line(token: Token, revoke: ServerAction<RevokeToken>) -> impl IntoView {
    let clock = use_clock();
    let expired = Memo::new(move |_| token.expires_at.is_some_and(|end| end <= clock.now()));
    let name = token.name.to_string();
    let key = name.clone();
    view! {
        <li data-key=key>
            <div class="access-who">
                <strong class="name">{name.clone()}</strong>
                <code class="muted">{format!("{}…", token.start)}</code>
                <Badge tone=Tone::Idle text=token.grant.to_string()/>
                {move || expired.get().then(|| view! { <Badge tone=Tone::Bad text="expired"/> })}
            </div>
            <p class="access-what">
                {match token.last_used_at {
                    Some(at) => view! { "Last used " <Age at/> }.into_any(),
                    None => "Never used".into_any(),
                }}
                ", made by " {token.created_by} " " <Age at=token.created_at/>
                {token.expires_at.map(|at| view! { ", works until " <time datetime=at.to_string()>{crate::view::absolute(at)}</time> })}
            </p>
            <details class="ask">
                <summary class="button small danger-outline" aria-label=format!("Revoke {name}…")>"Revoke…"</summary>
                <div class="ask-body">
                    <p>"Programs that use it are refused at once. This cannot be undone."</p>
                    <ActionForm action=revoke>
                        <input type="hidden" name="name" value=name/>
                        <button class="button danger" type="submit">"Revoke this token"</button>
                    </ActionForm>
                </div>
            </details>
        </li>
    }
}

#[component]
fn Create(create: ServerAction<CreateToken>) -> impl IntoView {
    let refused = Signal::derive(move || create.value().get().and_then(Result::err));
    view! {
        <section class="card" aria-labelledby="create-title">
            <header class="card-head"><h2 id="create-title">"Make a token"</h2></header>
            <p class="muted card-note before-wasm">
                "A token is shown once, and that needs scripts here. Without them use `release-manager token create`."
            </p>
            <ActionForm action=create attr:class="form" attr:data-answer="fresh-token">
                <label class="form-field">
                    <span>"Name"</span>
                    <input type="text" name="name" autocomplete="off" autocapitalize="none" spellcheck="false" required/>
                </label>
                <GrantFields/>
                <label class="form-field">
                    <span>"Works for"</span>
                    <select name="days">
                        {DAYS.map(|(number, text)| view! {
                            <option value=number.to_string() selected=number == DAYS[1].0>{text}</option>
                        }).collect_view()}
                    </select>
                </label>
                <RefusedText error=refused/>
                <button class="button primary" type="submit" disabled=move || create.pending().get()>"Make token"</button>
            </ActionForm>
        </section>
    }
}
