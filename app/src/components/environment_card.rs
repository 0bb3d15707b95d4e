//! One environment: what it runs, how that is, and what is happening to it.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use release_manager::access::Operation;
use release_manager::deployment::Status;
use release_manager::live::Problem;
use release_manager::names::{CommitSha, EnvironmentName, ServiceName};
use release_manager::pipeline::Mode;
use release_manager::time::Timestamp;
use release_manager::views::EnvironmentView;

use super::basics::{Age, Badge, Commit, Elapsed, Sha, words};
use super::hold::HoldNotice;
use super::icon::{Icon, Symbol};
use super::progress::ProgressLink;
use super::reactive::{Seen, follow, memo};
use super::services::Services;
use super::watched::{AfterNotes, DriftNote, LeadNote};
use crate::live::use_live;
use crate::parts::{OrderForm, RefusedOrder, use_around, use_rights};
use crate::rpc::{self, Retry, SyncNow};
use crate::view::{self, ServiceFilter, Tone};

/// So many services are named without being asked for.
const FEW: usize = 4;

/// An environment's card.
#[component]
pub fn EnvironmentCard(environment: Seen<EnvironmentView>, filter: RwSignal<ServiceFilter>) -> impl IntoView {
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
                <SyncButton environment/>
                <HoldNotice name=name.clone()/>
                <AfterNotes environment=name.clone()/>
                <DriftNote environment=name.clone()/>
            </div>
            <Services environment filter/>
        </article>
    }
}

#[component]
fn CardHead(environment: Seen<EnvironmentView>, heading: String) -> impl IntoView {
    let live = use_live();
    let name = environment.with_untracked(|environment| environment.name.clone());
    let title = view::title(name.as_str());
    let rolled_up = memo(move || live.environment(&name, |environment| view::roll_up(&environment.health)));
    view! {
        <header class="card-head">
            <h2 id=heading>{title}</h2>
            {move || {
                let (word, meaning) = environment.with(|environment| view::mode(environment.mode));
                view! { <Badge tone=Tone::Idle text=word title=meaning/> }.into_any()
            }}
            {move || rolled_up.get().map(|(tone, text)| view! {
                <span class=format!("roll-up {}", tone.class())>
                    <span class=format!("dot {}", tone.class())></span>
                    {text}
                </span>
            }.into_any())}
        </header>
    }
}

/// What it runs, since when, and what is on its way to it.
#[component]
fn Running(environment: Seen<EnvironmentView>) -> impl IntoView {
    let live = use_live();
    let name = environment.with_untracked(|environment| environment.name.clone());
    let revision = memo(move || {
        environment.with(|environment| environment.release.as_ref().map(|release| release.revision.clone()))
    });
    let parts = memo(move || {
        environment.with(|environment| environment.release.as_ref().map(view::in_part).unwrap_or_default())
    });
    let adopted = memo(move || revision.with(|revision| matches!(revision, Some(None))));
    let deployed =
        memo(move || environment.with(|environment| environment.deployed_at.zip(environment.deployed_by.clone())));
    let progress = memo(move || {
        let running = live.environment(&name, |environment| environment.deployment.clone()).flatten();
        running.filter(|progress| progress.status == Status::InProgress)
    });
    let is_running = memo(move || progress.with(Option::is_some));
    let failed = memo(move || {
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
            {move || parts.with(|parts| !parts.is_empty()).then(|| in_part(parts.get()))}
            {move || deployed.get().map(|(at, by)| view! {
                <p class="muted">
                    {move || if adopted.get() { "First seen " } else { "Deployed " }} <Age at/>
                    {move || (!adopted.get()).then(|| format!(" by {}", view::actor(&by)))}
                </p>
            }.into_any())}
            {move || failed.get().map(|(id, status)| {
                let said = view::status(status);
                view! {
                    <p class="last-attempt">
                        <a href=format!("/deployments/{id}")>{format!("Deployment {id}")}</a>
                        <Badge tone=said.tone text=said.word/>
                    </p>
                }.into_any()
            })}
            {move || is_running.get().then(|| progress.get_untracked()).flatten().map(|first| {
                let progress = follow(first, move || progress.get());
                view! { <ProgressLink progress/> }.into_any()
            })}
        </div>
    }
}

/// Says that the revision above stands for some services only, and where the others are.
fn in_part(parts: Vec<(Option<CommitSha>, Vec<ServiceName>)>) -> AnyView {
    let number = parts.iter().map(|(_, services)| services.len()).sum();
    let parts = parts.into_iter().map(|(sha, services)| {
        let names: Vec<String> = services.iter().map(ToString::to_string).collect();
        let place = match sha {
            Some(sha) => view! { <Sha sha/> }.into_any(),
            None => "as adopted".into_any(),
        };
        view! { <li>{place}": " {names.join(", ")}</li> }.into_any()
    });
    view! {
        <details class="in-part" open={number <= FEW}>
            <summary>{format!("In part: {} of another revision", view::count(number, "service is", "services are"))}</summary>
            <ul>{parts.collect::<Vec<_>>()}</ul>
        </details>
    }
    .into_any()
}

/// Asks for the newest revision now, where releases follow the source. With scripts the outcome is said in the corner.
#[component]
fn SyncButton(environment: Seen<EnvironmentView>) -> impl IntoView {
    let (name, mode) = environment.with_untracked(|environment| (environment.name.clone(), environment.mode));
    if mode != Mode::Auto || !use_rights().may(Operation::Sync, &name) {
        return ().into_any();
    }
    let around = use_around();
    let busy = RwSignal::new(false);
    let (value, refused_at) = (name.to_string(), name.clone());
    let send = move |event: leptos::ev::SubmitEvent| {
        let Some(around) = around else { return };
        event.prevent_default();
        busy.set(true);
        let name = name.clone();
        leptos::task::spawn_local(async move {
            let said = match rpc::sync(name.clone()).await {
                Ok(Some(id)) => {
                    (Tone::Fresh, format!("Deployment {id} to {name} has begun"), Some(format!("/deployments/{id}")))
                }
                Ok(None) => (Tone::Good, format!("{name} runs the newest revision already"), None),
                Err(error) => (Tone::Bad, error.message, None),
            };
            around.say.run(said);
            let _ = busy.try_set(false);
        });
    };
    view! {
        <form class="sync" method="post" action=SyncNow::PATH data-own="" on:submit=send>
            <input type="hidden" name="environment" value=value/>
            <button class="button small" type="submit" disabled=move || busy.get()>
                <Icon symbol=Symbol::Retry/>
                "Sync now"
            </button>
            <RefusedOrder path=SyncNow::PATH environment=refused_at/>
        </form>
    }
    .into_any()
}

/// Why the newest revision is not there, and the way to try again.
#[component]
fn NotDeployed(name: EnvironmentName) -> impl IntoView {
    let live = use_live();
    let problem = {
        let name = name.clone();
        memo(move || live.environment(&name, |environment| environment.problem.clone()).flatten())
    };
    view! {
        {move || problem.get().map(|problem| view! { <ProblemWithRetry name=name.clone() problem/> }.into_any())}
    }
}

#[component]
fn ProblemWithRetry(name: EnvironmentName, problem: Problem) -> impl IntoView {
    let still: Option<Timestamp> = None;
    let may_retry = use_rights().may(Operation::Retry, &name);
    view! {
        <div class="problem">
            <p class="problem-head">
                <Icon symbol=Symbol::Warning/>
                <span>
                    <strong>"The newest revision is not deployed here"</strong>
                    <span class="muted">" for " <Elapsed from=problem.since to=still/></span>
                </span>
            </p>
            <p class="wrap">{words(&problem.message)}</p>
            <RefusedOrder path=Retry::PATH environment=name.clone()/>
            {may_retry.then(|| view! {
                <OrderForm path=Retry::PATH>
                    <input type="hidden" name="environment" value=name.to_string()/>
                    <button class="button small" type="submit">
                        <Icon symbol=Symbol::Retry/>
                        "Retry the newest revision"
                    </button>
                </OrderForm>
            })}
        </div>
    }
}
