//! What Release Manager follows, who one is, and what it is made of. Each part is a page of its own.

use leptos::prelude::*;
use release_manager::access::Operation;
use release_manager::time::Timestamp;

use crate::access::use_looker;
use crate::components::{Age, Drawn, Elapsed, Field, Icon, PageHead, Sha, Symbol};
use crate::live::use_live;
use crate::pages::access;
use crate::rpc;

/// The parts of the settings: their addresses and names, and what one must be allowed to see them.
const PARTS: [(&str, &str, Operation); 5] = [
    ("/settings", "Source and environments", Operation::View),
    ("/settings/users", "Users", Operation::ManageAccess),
    ("/settings/tokens", "API tokens", Operation::ManageAccess),
    ("/audit", "Audit log", Operation::ReadAudit),
    ("/settings/about", "About", Operation::View),
];

/// The frame around a part of the settings. Whoever adds a part adds it to [`PARTS`] and draws its page in here.
#[component]
pub fn SettingsFrame(
    title: &'static str,
    #[prop(default = "What Release Manager follows, and what it is made of.")] lead: &'static str,
    children: Children,
) -> impl IntoView {
    let looker = use_looker();
    view! {
        <PageHead title=title lead=lead>
            <nav class="segments" aria-label="Settings">
                {PARTS.into_iter().filter(|(_, _, operation)| looker.may(*operation)).map(|(href, name, _)| {
                    let here = leptos_router::hooks::use_location();
                    let current = move || here.pathname.with(|path| (path == href).then_some("page"));
                    view! { <a href=href aria-current=current>{name}</a> }
                }).collect_view()}
            </nav>
        </PageHead>
        {children()}
    }
}

/// `/settings`
#[component]
pub fn SettingsPage() -> impl IntoView {
    let setup = Resource::new(|| (), |()| rpc::setup());
    let told = Resource::new(|| (), |()| rpc::notifications());
    view! {
        <SettingsFrame title="Settings">
            <Source/>
            <You/>
            <Drawn resource=setup/>
            <Drawn resource=told/>
        </SettingsFrame>
    }
}

/// `/settings/about`
#[component]
pub fn AboutPage() -> impl IntoView {
    let about = Resource::new(|| (), |()| rpc::about());
    view! {
        <SettingsFrame title="About">
            <Drawn resource=about/>
        </SettingsFrame>
    }
}

/// Who one is here, also where nobody has to log in.
#[component]
fn You() -> impl IntoView {
    let looker = use_looker();
    looker.visit().map(|visit| {
        let (name, role) = (access::name(&visit.principal), visit.principal.grant.to_string());
        let has_session = visit.session.is_some();
        view! {
            <section class="card" aria-labelledby="you-title">
                <header class="card-head"><h2 id="you-title">"You"</h2></header>
                <dl class="facts card-note">
                    <Field label="Name">{name}</Field>
                    <Field label="Role">{role}</Field>
                    {has_session.then(|| view! { <Field label="Password and sessions"><a href="/account">"Account"</a></Field> })}
                </dl>
            </section>
        }
    })
}

#[component]
fn Source() -> impl IntoView {
    let still: Option<Timestamp> = None;
    let live = use_live();
    let source = Memo::new(move |_| live.read(|live| live.source.clone()));
    view! {
        <section class="card" aria-labelledby="source-title">
            <header class="card-head"><h2 id="source-title">"Source"</h2></header>
            {move || source.get().map(|source| view! {
                <dl class="facts card-note">
                    <Field label="Repository"><span class="wrap">{source.name}</span></Field>
                    <Field label="Branch"><code>{source.branch}</code></Field>
                    {source.head.map(|head| view! { <Field label="Newest revision"><Sha sha=head.sha/></Field> })}
                    {source.checked_at.map(|at| view! { <Field label="Last answer"><Age at/></Field> })}
                </dl>
                {source.problem.map(|problem| view! {
                    <div class="findings warn">
                        <h3><Icon symbol=Symbol::Warning/>"It cannot be read for " <Elapsed from=problem.since to=still/></h3>
                        <p class="wrap">{problem.message}</p>
                    </div>
                })}
            })}
        </section>
    }
}
