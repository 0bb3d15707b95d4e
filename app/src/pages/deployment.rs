//! One deployment: its progress while it runs, its evidence for ever after.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use release_manager::access::Operation;
use release_manager::deployment::{Cause, Status};
use release_manager::names::{DeploymentId, ServiceName};
use release_manager::views::DeploymentView;

use crate::access::use_looker;
use crate::browser;
use crate::components::{
    AfterView, Age, Badge, Elapsed, EvidenceView, Field, Icon, Loaded, PageHead, Sha, Steps, Symbol, Versions, Watching,
};
use crate::live::use_live;
use crate::outcomes::use_awaited;
use crate::pages::{NotFoundPage, rollback_url};
use crate::rpc::{self, Cancel, Retry};
use crate::toasts::use_toasts;
use crate::view::{self, ServiceLine, Tone};

/// `/deployments/:id`
#[component]
pub fn DeploymentPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| params.get_str("id").and_then(|id| id.parse::<i64>().ok()).map(DeploymentId))
    });
    move || match id.get() {
        Some(id) => view! { <Deployment id/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

#[component]
fn Deployment(id: DeploymentId) -> impl IntoView {
    let live = use_live();
    let deployment = Resource::new(move || live.epoch(), move |_| rpc::deployment(id));
    view! {
        <PageHead title=format!("Deployment {id}")/>
        <Loaded resource=deployment let:deployment>
            <Told id deployment/>
        </Loaded>
    }
}

#[component]
fn Told(id: DeploymentId, deployment: RwSignal<DeploymentView>) -> impl IntoView {
    let live = use_live();
    let progress = Memo::new(move |_| live.progress(id).or_else(|| deployment.with(|view| view.progress.clone())));
    // History is the last word; until it has spoken, the running process is asked.
    let status = Memo::new(move |_| match deployment.with(|view| view.deployment.status()) {
        Status::InProgress => progress.with(|progress| progress.as_ref().map_or(Status::InProgress, |now| now.status)),
        ended => ended,
    });
    let percent = Memo::new(move |_| match status.get() {
        Status::InProgress => progress.with(|progress| progress.as_ref().map_or(0, view::percent)),
        _ => 100,
    });
    let steps = Memo::new(move |_| {
        deployment.with(|view| progress.with(|progress| view::steps(&view.deployment, progress.as_ref())))
    });
    let lines = Memo::new(move |_| {
        deployment.with(|view| progress.with(|progress| view::lines(&view.deployment, progress.as_ref())))
    });
    let names = Memo::new(move |_| lines.with(|lines| lines.keys().cloned().collect::<Vec<_>>()));
    let error = Memo::new(move |_| {
        let recorded =
            deployment.with(|view| view.deployment.ended.as_ref().and_then(|(_, end)| end.error_message.clone()));
        recorded.or_else(|| progress.with(|progress| progress.as_ref().and_then(|now| now.error.clone())))
    });
    let running = Memo::new(move |_| status.get() == Status::InProgress);
    let may_cancel =
        deployment.with_untracked(|view| use_looker().may_in(Operation::Cancel, &view.deployment.environment));
    view! {
        <Summary deployment status percent/>
        {move || error.get().map(|message| view! {
            <section class="findings bad"><h3><Icon symbol=Symbol::Warning/>"Why it ended"</h3><p class="wrap">{message}</p></section>
        })}
        <Notes deployment/>
        <div class="deployment-body">
            <section class="card" aria-labelledby="steps-title">
                <header class="card-head"><h2 id="steps-title">"Steps"</h2></header>
                <Steps steps/>
                {move || running.get().then(|| view! { <Tell id/> })}
                {move || (running.get() && may_cancel).then(|| view! { <CancelButton id deployment/> })}
                <Again deployment status/>
                {move || (status.get() == Status::Success).then(|| view! { <RollbackLink id deployment/> })}
            </section>
            <section class="card grow" aria-labelledby="services-title">
                <header class="card-head"><h2 id="services-title">"Services"</h2></header>
                <ul class="lines">
                    <For each=move || names.get() key=Clone::clone let:name>
                        {line(name, lines, id, deployment)}
                    </For>
                </ul>
                {move || names.with(Vec::is_empty).then(|| view! {
                    <p class="muted card-note">
                        {if running.get() { "The plan is being made…" } else { "No service was touched." }}
                    </p>
                })}
            </section>
        </div>
    }
}

/// What, where, why, by whom, and how far.
#[component]
fn Summary(deployment: RwSignal<DeploymentView>, status: Memo<Status>, percent: Memo<u8>) -> impl IntoView {
    let first = deployment.with_untracked(|view| view.deployment.clone());
    let environment = first.environment.to_string();
    let ended = Signal::derive(move || deployment.with(|view| view.deployment.ended.as_ref().map(|(at, _)| *at)));
    let spoken = {
        let environment = environment.clone();
        // Every tenth part is told aloud, not each percent.
        Memo::new(move |_| view::status_sentence(status.get(), &environment, percent.get() / 10 * 10))
    };
    view! {
        <section class="card summary" aria-label="Summary">
            <div class="summary-head">
                <h2>{view::title(&environment)}</h2>
                {move || {
                    let said = view::status(status.get());
                    view! { <Badge tone=said.tone text=said.word/> }
                }}
                {move || matches!(status.get(), Status::InProgress | Status::Success).then(|| view! {
                    <span class="progress-number">{move || format!("{} %", percent.get())}</span>
                })}
            </div>
            <progress
                class=move || view::status(status.get()).tone.class()
                max="100"
                value=move || percent.get().to_string()
                aria-label="Progress of the deployment"
            ></progress>
            <p class="sr-only" aria-live="polite">{spoken}</p>
            <dl class="facts">
                <Field label="Cause">{view::cause(&first.cause)}</Field>
                <Field label="By">{view::actor(&first.actor)}</Field>
                {first.commit_sha.map(|sha| view! { <Field label="Commit"><Sha sha/></Field> })}
                <Field label="Started"><Age at=first.started_at/></Field>
                <Field label="Duration"><Elapsed from=first.started_at to=ended/></Field>
            </dl>
        </section>
    }
}

fn line(
    name: ServiceName,
    lines: Memo<std::collections::BTreeMap<ServiceName, ServiceLine>>,
    id: DeploymentId,
    deployment: RwSignal<DeploymentView>,
) -> impl IntoView {
    let after = {
        let name = name.clone();
        Memo::new(move |_| {
            deployment.with(|view| view.rows.iter().find(|row| row.service == name).and_then(|row| row.after.clone()))
        })
    };
    let watched = name.clone();
    let find = {
        let name = name.clone();
        move || lines.with(|lines| lines.get(&name).cloned())
    };
    let line = Memo::new(move |_| find());
    let part = move |pick: fn(&ServiceLine) -> Option<String>| {
        Signal::derive(move || line.with(|line| line.as_ref().and_then(pick)))
    };
    let state = Memo::new(move |_| line.with(|line| line.as_ref().map(|line| (line.word.clone(), line.tone))));
    let label = name.to_string();
    let percent = Memo::new(move |_| line.with(|line| line.as_ref().and_then(|line| line.percent)));
    let message = Memo::new(move |_| part(|line| line.message.clone()).get());
    let outcome = Memo::new(move |_| {
        let outcome = line.with(|line| line.as_ref().and_then(|line| line.outcome.clone()));
        outcome.filter(|outcome| {
            let evidence = &outcome.evidence;
            evidence.failing_task.is_some() || evidence.old_tasks_serve || !evidence.log_lines.is_empty()
        })
    });
    view! {
        <li class="line">
            <div class="line-head">
                <a class="name" href=format!("/services/{name}")>{name.to_string()}</a>
                <Versions from=part(|line| line.from.clone()) to=part(|line| line.to.clone())/>
                <span class="line-tasks" title="Tasks that run, of those that should">
                    {move || part(|line| Some(line.tasks.clone())).get()}
                </span>
                {move || state.get().map(|(word, tone)| view! { <Badge tone text=word/> })}
            </div>
            {move || percent.get().map(|_| view! {
                <progress
                    max="100"
                    value=move || percent.get().unwrap_or(100).to_string()
                    aria-label=format!("Progress of {label}")
                ></progress>
            })}
            {move || message.get().map(|message| view! { <p class="line-message wrap">{message}</p> })}
            {move || outcome.get().map(|outcome| view! { <EvidenceView evidence=outcome.evidence/> })}
            <Watching deployment=id service=watched/>
            {move || after.get().map(|after| view! { <AfterView after/> })}
        </li>
    }
}

/// What is worth knowing besides the verdicts.
#[component]
fn Notes(deployment: RwSignal<DeploymentView>) -> impl IntoView {
    let notes = Memo::new(move |_| deployment.with(|view| view.deployment.notes.clone()));
    view! {
        {move || (!notes.with(Vec::is_empty)).then(|| view! {
            <section class="findings warn">
                <h3><Icon symbol=Symbol::Info/>"Worth knowing"</h3>
                <ul>
                    {notes.get().into_iter().map(|note| view! { <li class="wrap">{note}</li> }).collect_view()}
                </ul>
            </section>
        })}
    }
}

/// The way to the plan of a rollback to this deployment.
#[component]
fn RollbackLink(id: DeploymentId, deployment: RwSignal<DeploymentView>) -> impl IntoView {
    let href = deployment.with_untracked(|view| rollback_url(&view.deployment.environment, id));
    view! {
        <div class="cancel">
            <a class="button" href=href><Icon symbol=Symbol::History/>"Roll back to this…"</a>
        </div>
    }
}

/// Lets the browser say when it ends, also while one looks at something else. Asked for, never pushed.
#[component]
fn Tell(id: DeploymentId) -> impl IntoView {
    let (awaited, toasts) = (use_awaited(), use_toasts());
    let is_awaited = Memo::new(move |_| awaited.has(id));
    let press = move |_| {
        if awaited.has(id) {
            return awaited.set(id, false);
        }
        browser::ask_to_notify(move |allowed| {
            if allowed {
                awaited.set(id, true);
            } else {
                toasts.show(Tone::Warn, "The browser does not allow notifications: allow them in its settings", None);
            }
        });
    };
    view! {
        <p class="tell after-wasm">
            <button class="button small" type="button" aria-pressed=move || is_awaited.get().to_string() on:click=press>
                <Icon symbol=Symbol::Bell/>
                {move || if is_awaited.get() { "You will be told when it ends" } else { "Tell me when it ends" }}
            </button>
        </p>
    }
}

/// What can be done about one that did not succeed: the newest revision once more, or another promotion.
#[component]
fn Again(deployment: RwSignal<DeploymentView>, status: Memo<Status>) -> impl IntoView {
    let retry = ServerAction::<Retry>::new();
    let refused = move || retry.value().get().and_then(Result::err);
    let (environment, cause) =
        deployment.with_untracked(|view| (view.deployment.environment.clone(), view.deployment.cause.clone()));
    let offered = Memo::new(move |_| !matches!(status.get(), Status::InProgress | Status::Success));
    let way = match &cause {
        Cause::Sync | Cause::Retry { .. } => use_looker().may_in(Operation::Retry, &environment).then(|| {
            view! {
                <ActionForm action=retry>
                    <input type="hidden" name="environment" value=environment.to_string()/>
                    <button class="button" type="submit" disabled=move || retry.pending().get()>
                        <Icon symbol=Symbol::Retry/>
                        "Deploy the newest revision again"
                    </button>
                </ActionForm>
            }
            .into_any()
        }),
        Cause::Promotion { .. } => Some(
            view! {
                <a class="button" href=format!("/changes/{environment}")>
                    <Icon symbol=Symbol::Promote/>
                    {format!("Look at the changes to {environment}")}
                </a>
            }
            .into_any(),
        ),
        Cause::Rollback { .. }
        | Cause::CommandLine
        | Cause::Restart { .. }
        | Cause::Return { .. }
        | Cause::Heal { .. } => None,
    };
    view! {
        <div class="again" class:hidden=move || !offered.get()>
            {way}
            {move || refused().map(|error| view! { <p class="error-text wrap" role="alert">{error.message}</p> })}
        </div>
    }
}

/// Asks before it stops anything, with and without WASM.
#[component]
fn CancelButton(id: DeploymentId, deployment: RwSignal<DeploymentView>) -> impl IntoView {
    let returns = deployment.with_untracked(|view| matches!(view.deployment.cause, Cause::Return { .. }));
    let cancel = ServerAction::<Cancel>::new();
    let answer = move || match cancel.value().get() {
        Some(Ok(())) => Some(
            view! {
                <p class="muted" role="status">"Asked to stop. It ends at the next safe point."</p>
            }
            .into_any(),
        ),
        Some(Err(error)) => Some(view! { <p class="error-text wrap" role="alert">{error.message}</p> }.into_any()),
        None => None,
    };
    view! {
        <div class="cancel">
            <details class="ask">
                <summary class="button danger-outline">"Cancel deployment…"</summary>
                <div class="ask-body">
                    <p>"It stops at the next safe point. What has been written stays as it is, and the record says what that is."</p>
                    <ActionForm action=cancel>
                        <input type="hidden" name="id" value=id.to_string()/>
                        <button class="button danger" type="submit" disabled=move || cancel.pending().get()>
                            "Stop this deployment"
                        </button>
                    </ActionForm>
                    {(!returns).then(|| view! {
                        <p>"Or stop it and put back at once what it has written, by a deployment of its own."</p>
                        <ActionForm action=cancel>
                            <input type="hidden" name="id" value=id.to_string()/>
                            <input type="hidden" name="go_back" value="true"/>
                            <button class="button danger" type="submit" disabled=move || cancel.pending().get()>
                                "Stop and go back"
                            </button>
                        </ActionForm>
                    })}
                </div>
            </details>
            {answer}
        </div>
    }
}
