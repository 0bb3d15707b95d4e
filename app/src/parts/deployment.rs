//! One deployment: its progress while it runs, its evidence for ever after.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use release_manager::access::Operation;
use release_manager::deployment::{Cause, Status};
use release_manager::live::Progress;
use release_manager::names::{DeploymentId, EnvironmentName};
use release_manager::views::DeploymentView;

use super::fresh::{Answer, keep_fresh};
use super::lines::Lines;
use super::orders::{OrderForm, RefusedOrder};
use super::use_rights;
use crate::components::{Age, Badge, Elapsed, Field, Icon, Seen, Sha, Steps, Symbol, memo, words};
use crate::live::use_live;
use crate::rpc::{self, Cancel, Retry};
use crate::view;

/// What is known of the deployment: from history once it is over, until then from the process that runs it.
#[derive(Clone, Copy)]
pub(super) struct Told {
    /// Its number.
    pub(super) id: DeploymentId,
    /// As history keeps it.
    pub(super) data: RwSignal<DeploymentView>,
    /// How far it is.
    pub(super) progress: Seen<Option<Progress>>,
    /// Where it stands.
    pub(super) status: Seen<Status>,
}

impl Told {
    fn new(data: RwSignal<DeploymentView>) -> Self {
        let live = use_live();
        let id = data.with_untracked(|view| view.deployment.id);
        let progress = memo(move || live.progress(id).or_else(|| data.with(|view| view.progress.clone())));
        // History is the last word; until it has spoken, the running process is asked.
        let status = memo(move || match data.with(|view| view.deployment.status()) {
            Status::InProgress => {
                progress.with(|progress| progress.as_ref().map_or(Status::InProgress, |now| now.status))
            }
            ended => ended,
        });
        Self { id, data, progress, status }
    }

    fn environment(self) -> EnvironmentName {
        self.data.with_untracked(|view| view.deployment.environment.clone())
    }
}

/// The page of a deployment, below its heading.
#[component]
pub fn DeploymentProgress(data: RwSignal<DeploymentView>) -> impl IntoView {
    let told = Told::new(data);
    keep_fresh(move || {
        // The end is recorded a little before or after it is told.
        told.status.track();
        Some(Box::pin(async move {
            let answer = rpc::deployment(told.id).await?;
            Ok(Box::new(move || data.set(answer)) as Answer)
        }))
    });
    view! {
        <Summary told/>
        <Notes told/>
        <div class="deployment-body">
            <section class="card" aria-labelledby="steps-title">
                <header class="card-head"><h2 id="steps-title">"Steps"</h2></header>
                <StepsOf told/>
                <Orders told/>
            </section>
            <section class="card grow" aria-labelledby="services-title">
                <header class="card-head"><h2 id="services-title">"Services"</h2></header>
                <Lines told/>
            </section>
        </div>
    }
}

#[component]
fn StepsOf(told: Told) -> impl IntoView {
    let steps = memo(move || {
        told.data.with(|view| told.progress.with(|progress| view::steps(&view.deployment, progress.as_ref())))
    });
    view! { <Steps steps/> }
}

/// What, where, why, by whom, and how far.
#[component]
fn Summary(told: Told) -> impl IntoView {
    let Told { data, progress, status, .. } = told;
    let first = data.with_untracked(|view| view.deployment.clone());
    let environment = first.environment.to_string();
    let percent = memo(move || match status.get() {
        Status::InProgress => progress.with(|progress| progress.as_ref().map_or(0, view::percent)),
        _ => 100,
    });
    let ended = memo(move || data.with(|view| view.deployment.ended.as_ref().map(|(at, _)| *at)));
    let spoken = {
        let environment = environment.clone();
        // Every tenth part is told aloud, not each percent.
        memo(move || view::status_sentence(status.get(), &environment, percent.get() / 10 * 10))
    };
    view! {
        <section class="card summary" aria-label="Summary">
            <div class="summary-head">
                <h2>{view::title(&environment)}</h2>
                {move || {
                    let said = view::status(status.get());
                    view! { <Badge tone=said.tone text=said.word/> }.into_any()
                }}
                {move || matches!(status.get(), Status::InProgress | Status::Success).then(|| view! {
                    <span class="progress-number">{move || format!("{} %", percent.get())}</span>
                }.into_any())}
            </div>
            <progress
                class=move || view::status(status.get()).tone.class()
                max="100"
                value=move || percent.get().to_string()
                aria-label="Progress of the deployment"
            ></progress>
            <p class="sr-only" aria-live="polite">{move || spoken.get()}</p>
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

/// Why it ended, and what is worth knowing besides the verdicts.
#[component]
fn Notes(told: Told) -> impl IntoView {
    let Told { data, progress, .. } = told;
    let error = memo(move || {
        let recorded = data.with(|view| view.deployment.ended.as_ref().and_then(|(_, end)| end.error_message.clone()));
        recorded.or_else(|| progress.with(|progress| progress.as_ref().and_then(|now| now.error.clone())))
    });
    let notes = memo(move || data.with(|view| view.deployment.notes.clone()));
    view! {
        {move || error.get().map(|message| view! {
            <section class="findings bad">
                <h2><Icon symbol=Symbol::Warning/>"Why it ended"</h2>
                <p class="wrap">{words(&message)}</p>
            </section>
        }.into_any())}
        {move || (!notes.with(Vec::is_empty)).then(|| view! {
            <section class="findings warn">
                <h2><Icon symbol=Symbol::Info/>"Worth knowing"</h2>
                <ul>
                    {notes.get().into_iter().map(|note| view! { <li class="wrap">{words(&note)}</li> }).collect_view()}
                </ul>
            </section>
        }.into_any())}
    }
}

/// What can be done about it, as it stands.
#[component]
fn Orders(told: Told) -> impl IntoView {
    let Told { id, status, .. } = told;
    let environment = told.environment();
    let may_cancel = use_rights().may(Operation::Cancel, &environment);
    let back = format!("/rollback/{environment}/{id}");
    view! {
        {move || match status.get() {
            Status::InProgress => view! {
                <Tell id/>
                {may_cancel.then(|| view! { <CancelButton told/> })}
            }.into_any(),
            Status::Success => view! {
                <div class="cancel">
                    <a class="button" href=back.clone()><Icon symbol=Symbol::History/>"Roll back to this…"</a>
                </div>
            }.into_any(),
            Status::Failed | Status::RolledBack | Status::Cancelled => view! { <Again told/> }.into_any(),
        }}
    }
}

/// Lets the browser say when it ends, also while one looks at something else. Asked for, never pushed.
#[component]
fn Tell(id: DeploymentId) -> impl IntoView {
    view! {
        <p class="tell after-wasm">
            <button class="button small" type="button" aria-pressed="false" data-tell=id.to_string()>
                <Icon symbol=Symbol::Bell/>
                <span class="not-pressed">"Tell me when it ends"</span>
                <span class="pressed">"You will be told when it ends"</span>
            </button>
        </p>
    }
}

/// What can be done about one that did not succeed: the newest revision once more, or another promotion.
#[component]
fn Again(told: Told) -> impl IntoView {
    let environment = told.environment();
    let cause = told.data.with_untracked(|view| view.deployment.cause.clone());
    let way = match cause {
        Cause::Sync | Cause::Retry { .. } if use_rights().may(Operation::Retry, &environment) => Some(
            view! {
                <OrderForm path=Retry::PATH>
                    <input type="hidden" name="environment" value=environment.to_string()/>
                    <button class="button" type="submit">
                        <Icon symbol=Symbol::Retry/>
                        "Retry the newest revision"
                    </button>
                </OrderForm>
            }
            .into_any(),
        ),
        Cause::Promotion { .. } => Some(
            view! {
                <a class="button" href=format!("/changes/{environment}")>
                    <Icon symbol=Symbol::Promote/>
                    {format!("Look at the changes to {environment}")}
                </a>
            }
            .into_any(),
        ),
        _ => None,
    };
    view! {
        <div class="again">
            {way}
            <RefusedOrder path=Retry::PATH/>
        </div>
    }
}

/// Asks before it stops anything, with and without WASM.
#[component]
fn CancelButton(told: Told) -> impl IntoView {
    const ASKED: &str = "Asked to stop. It ends at the next safe point.";
    let id = told.id;
    let returns = told.data.with_untracked(|view| matches!(view.deployment.cause, Cause::Return { .. }));
    view! {
        <div class="cancel">
            <details class="ask">
                <summary class="button danger-outline">"Cancel deployment…"</summary>
                <div class="ask-body">
                    <p>"It stops at the next safe point. What has been written stays as it is, and the record says what that is."</p>
                    <OrderForm path=Cancel::PATH done=ASKED>
                        <input type="hidden" name="id" value=id.to_string()/>
                        <button class="button danger" type="submit">"Stop this deployment"</button>
                    </OrderForm>
                    {(!returns).then(|| view! {
                        <p>"Or stop it and put back at once what it has written, by a deployment of its own."</p>
                        <OrderForm path=Cancel::PATH done=ASKED>
                            <input type="hidden" name="id" value=id.to_string()/>
                            <input type="hidden" name="go_back" value="true"/>
                            <button class="button danger" type="submit">"Stop and go back"</button>
                        </OrderForm>
                    })}
                </div>
            </details>
            <RefusedOrder path=Cancel::PATH/>
        </div>
    }
}
