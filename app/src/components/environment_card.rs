//! One environment: what it runs, how that is, and what is happening to it.

use leptos::prelude::*;
use release_manager::access::Operation;
use release_manager::deployment::Status;
use release_manager::live::Problem;
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::EnvironmentView;

use super::basics::{Age, Badge, Commit, HealthDot, VersionText};
use super::follow;
use super::hold::HoldNotice;
use super::icon::{Icon, Symbol};
use super::progress::ProgressLink;
use super::watched::{AfterNotes, DriftNote, LeadNote};
use crate::access::use_looker;
use crate::live::use_live;
use crate::rpc::Retry;
use crate::view::{self, ServiceFilter, ServiceRow, Tone};

/// An environment's card.
#[component]
pub fn EnvironmentCard(environment: Memo<EnvironmentView>, filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let name = environment.with_untracked(|environment| environment.name.clone());
    let heading = format!("environment-{name}");
    let labelled_by = heading.clone();
    view! {
        <article class="card environment" aria-labelledby=labelled_by>
            <CardHead environment heading/>
            <Running environment/>
            <div class="card-notices">
                <LeadNote environment=name.clone()/>
                <NotDeployed name=name.clone()/>
                <HoldNotice name=name.clone()/>
                <AfterNotes environment=name.clone()/>
                <DriftNote environment=name.clone()/>
            </div>
            <Services environment filter/>
        </article>
    }
}

#[component]
fn CardHead(environment: Memo<EnvironmentView>, heading: String) -> impl IntoView {
    let live = use_live();
    let name = environment.with_untracked(|environment| environment.name.clone());
    let title = view::title(name.as_str());
    let rolled_up = Memo::new(move |_| live.environment(&name, |environment| view::roll_up(&environment.health)));
    view! {
        <header class="card-head">
            <h2 id=heading>{title}</h2>
            {move || {
                let (word, meaning) = environment.with(|environment| view::mode(environment.mode));
                view! { <Badge tone=Tone::Idle text=word title=meaning/> }
            }}
            {move || rolled_up.get().map(|(tone, text)| view! {
                <span class=format!("roll-up {}", tone.class())>
                    <span class=format!("dot {}", tone.class())></span>
                    {text}
                </span>
            })}
        </header>
    }
}

/// What it runs, since when, and what is on its way to it.
#[component]
fn Running(environment: Memo<EnvironmentView>) -> impl IntoView {
    let live = use_live();
    let name = environment.with_untracked(|environment| environment.name.clone());
    let revision = Memo::new(move |_| {
        environment.with(|environment| environment.release.as_ref().map(|release| release.revision.clone()))
    });
    let adopted = Memo::new(move |_| revision.with(|revision| matches!(revision, Some(None))));
    let deployed = Memo::new(move |_| {
        environment.with(|environment| environment.deployed_at.zip(environment.deployed_by.clone()))
    });
    let progress = Memo::new(move |_| {
        let running = live.environment(&name, |environment| environment.deployment.clone()).flatten();
        running.filter(|progress| progress.status == Status::InProgress)
    });
    let is_running = Memo::new(move |_| progress.with(Option::is_some));
    let failed = Memo::new(move |_| {
        let last = live.environment(&environment.with(|environment| environment.name.clone()), |environment| {
            environment.deployment.as_ref().map(|progress| (progress.id, progress.status))
        });
        last.flatten().filter(|(_, status)| !matches!(status, Status::InProgress | Status::Success))
    });
    view! {
        <div class="card-release">
            {move || match revision.get() {
                Some(Some(revision)) => view! { <Commit revision/> }.into_any(),
                Some(None) => view! {
                    <div class="commit">
                        <p class="commit-subject">"Adopted as it was running"</p>
                        <p class="commit-meta">"Not deployed by Release Manager yet"</p>
                    </div>
                }.into_any(),
                None => view! { <p class="muted">"Nothing has been deployed yet."</p> }.into_any(),
            }}
            {move || deployed.get().map(|(at, by)| view! {
                <p class="muted">
                    {move || if adopted.get() { "First seen " } else { "Deployed " }} <Age at/>
                    {move || (!adopted.get()).then(|| format!(" by {}", view::actor(&by)))}
                </p>
            })}
            {move || failed.get().map(|(id, status)| {
                let said = view::status(status);
                view! {
                    <p class="last-attempt">
                        <a href=format!("/deployments/{id}")>{format!("Deployment {id}")}</a>
                        <Badge tone=said.tone text=said.word/>
                    </p>
                }
            })}
            {move || is_running.get().then(|| progress.get_untracked()).flatten().map(|first| {
                let progress = follow(first, move || progress.get());
                view! { <ProgressLink progress/> }
            })}
        </div>
    }
}

/// Why the newest revision is not there, and the way to try again.
#[component]
fn NotDeployed(name: EnvironmentName) -> impl IntoView {
    let live = use_live();
    let problem = {
        let name = name.clone();
        Memo::new(move |_| live.environment(&name, |environment| environment.problem.clone()).flatten())
    };
    view! {
        {move || problem.get().map(|problem| view! { <ProblemWithRetry name=name.clone() problem/> })}
    }
}

#[component]
fn ProblemWithRetry(name: EnvironmentName, problem: Problem) -> impl IntoView {
    let may_retry = use_looker().may_in(Operation::Retry, &name);
    let retry = ServerAction::<Retry>::new();
    let refused = move || retry.value().get().and_then(Result::err);
    view! {
        <div class="problem">
            <p class="problem-head">
                <Icon symbol=Symbol::Warning/>
                <strong>"The newest revision is not deployed here"</strong>
                <span class="muted">"since " <Age at=problem.since/></span>
            </p>
            <p class="wrap">{problem.message}</p>
            {move || refused().map(|error| view! { <p class="error-text wrap" role="alert">{error.message}</p> })}
            {may_retry.then(|| view! {
                <ActionForm action=retry>
                    <input type="hidden" name="environment" value=name.to_string()/>
                    <button class="button small" type="submit" disabled=move || retry.pending().get()>
                        <Icon symbol=Symbol::Retry/>
                        "Retry"
                    </button>
                </ActionForm>
            })}
        </div>
    }
}

#[component]
fn Services(environment: Memo<EnvironmentView>, filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let live = use_live();
    let name = environment.with_untracked(|environment| environment.name.clone());
    let rows = Memo::new(move |_| {
        let health = live.environment(&name, |environment| environment.health.clone());
        environment.with(|environment| view::services(environment, health.as_ref()))
    });
    let names = Memo::new(move |_| {
        let shown = |rows: &std::collections::BTreeMap<ServiceName, ServiceRow>, filter: &ServiceFilter| {
            let shown = rows.iter().filter(|(name, row)| filter.takes(name, row));
            shown.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        rows.with(|rows| filter.with(|filter| shown(rows, filter)))
    });
    let hidden = Memo::new(move |_| rows.with(|rows| rows.len() - names.with(Vec::len).min(rows.len())));
    let none = Memo::new(move |_| rows.with(std::collections::BTreeMap::is_empty));
    view! {
        <ul class="services" aria-label="Services">
            <For each=move || names.get() key=Clone::clone let:name>
                {service(name, rows)}
            </For>
            {move || Some(hidden.get()).filter(|hidden| *hidden > 0).map(|hidden| view! {
                <li class="muted services-hidden">{format!("{} not shown", view::count(hidden, "service", "services"))}</li>
            })}
        </ul>
        {move || none.get().then(|| view! { <p class="muted card-note">"No services."</p> })}
    }
}

fn service(name: ServiceName, rows: Memo<std::collections::BTreeMap<ServiceName, ServiceRow>>) -> impl IntoView {
    let first = ServiceRow { version: None, newer: false, health: None };
    let row = follow(first, {
        let name = name.clone();
        move || rows.with(|rows| rows.get(&name).cloned())
    });
    let status = Memo::new(move |_| row.with(|row| row.health.as_ref().map(|health| health.status)));
    let newer = Memo::new(move |_| row.with(|row| row.newer));
    let replicas = Memo::new(move |_| {
        let health = row.with(|row| row.health.clone());
        health.filter(|health| health.running != health.desired).map(|health| (health.running, health.desired))
    });
    view! {
        <li class="service" class:newer=newer>
            <HealthDot status/>
            <a class="name" href=format!("/services/{name}")>{name.to_string()}</a>
            {move || replicas.get().map(|(running, desired)| view! {
                <span class="replicas">{format!("{running}/{desired}")}</span>
            })}
            {move || newer.get().then(|| view! {
                <Badge tone=Tone::Fresh text="NEWER" title="Another version than in the environment that comes next"/>
            })}
            <VersionText version=Signal::derive(move || row.with(|row| row.version.clone()))/>
        </li>
    }
}
