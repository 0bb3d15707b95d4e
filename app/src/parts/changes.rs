//! What a promotion would change, which services take part, and the plan for those.

use std::collections::BTreeSet;

use leptos::prelude::*;
use release_manager::access::Operation;
use release_manager::diff::Finding;
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::Comparison;
use serde::{Deserialize, Serialize};

use super::address::{use_address, use_around};
use super::confirm::Confirm;
use super::fresh::{Answer, keep_fresh};
use super::selection::Selection;
use super::use_rights;
use crate::components::{
    ChangeTable, Choice, Empty, Findings, Icon, PlanDetails, Seen, Sha, SoakNotes, Symbol, follow, memo, words,
};
use crate::error::{RpcError, RpcErrorKind};
use crate::read::structures;
use crate::rpc;
use crate::view::{self, Tone};

/// What the page shows besides the live state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangesData {
    waiting: Waiting,
    planned: Planned,
}

/// Everything that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    everything: Comparison,
    /// What was committed between what runs and what would, as the server draws it.
    commits: Option<String>,
}

/// The plan for some of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Planned {
    chosen: BTreeSet<ServiceName>,
    /// `None` where nothing is chosen.
    plan: Option<Result<Comparison, RpcError>>,
}

structures! {
    ChangesData { waiting, planned }
    Waiting { everything, commits }
    Planned { chosen, plan }
}

impl ChangesData {
    /// Asks the server.
    pub async fn ask(target: EnvironmentName, selection: Selection) -> Result<Self, RpcError> {
        let waiting = Waiting::ask(target.clone()).await?;
        let planned = Planned::ask(&target, &selection, &waiting.everything).await?;
        Ok(Self { waiting, planned })
    }
}

impl Waiting {
    async fn ask(target: EnvironmentName) -> Result<Self, RpcError> {
        let everything = rpc::compare(target, true, Vec::new()).await?;
        let range = everything.commits_from.clone().zip(everything.commits_to.clone()).filter(|(from, to)| from != to);
        let commits = match range {
            // What cannot be said does not keep anybody from promoting.
            Some((from, to)) => rpc::commits(from, to).await.ok(),
            None => None,
        };
        Ok(Self { everything, commits })
    }
}

impl Planned {
    async fn ask(target: &EnvironmentName, selection: &Selection, everything: &Comparison) -> Result<Self, RpcError> {
        let changed = everything.changed();
        let chosen = selection.among(&changed);
        let plan = if chosen == changed {
            Some(Ok(everything.clone()))
        } else if chosen.is_empty() {
            None
        } else {
            match rpc::compare(target.clone(), false, chosen.iter().cloned().collect()).await {
                // That is no answer: it is asked for again.
                Err(error) if matches!(error.kind, RpcErrorKind::Unavailable | RpcErrorKind::LoggedOut) => {
                    return Err(error);
                }
                answer => Some(answer),
            }
        };
        Ok(Self { chosen, plan })
    }
}

/// What is chosen, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Choosing {
    /// Everything that waits.
    pub(super) everything: Seen<Comparison>,
    /// The services that would change.
    pub(super) changed: Seen<BTreeSet<ServiceName>>,
    /// Those of them that are chosen.
    pub(super) chosen: Seen<BTreeSet<ServiceName>>,
    /// The plan for those; `None` where there is none, or not yet.
    pub(super) plan: Seen<Option<Comparison>>,
    /// Whether the plan is on its way.
    pub(super) pending: Seen<bool>,
}

/// The changes, the choice, the plan, the confirmation.
#[component]
pub fn Changes(data: RwSignal<ChangesData>) -> impl IntoView {
    let address = use_address();
    let asked = move || Selection::of_query(&address.all("services"), address.has("chosen"));
    let selection = RwSignal::new(untrack(asked));
    Effect::new(move |before: Option<()>| {
        let asked = asked();
        if before.is_some() {
            selection.set(asked);
        }
    });
    let everything = memo(move || data.with(|data| data.waiting.everything.clone()));
    follow_changes(data, everything, selection);
    let changed = memo(move || everything.with(Comparison::changed));
    let chosen = memo(move || changed.with(|changed| selection.with(|selection| selection.among(changed))));
    // A plan is shown only while it is the plan of what is chosen.
    let pending = memo(move || data.with(|data| chosen.with(|chosen| data.planned.chosen != *chosen)));
    let answer = memo(move || data.with(|data| data.planned.plan.clone()).filter(|_| !pending.get()));
    let plan = memo(move || answer.get().and_then(Result::ok));
    let refused = memo(move || answer.get().and_then(Result::err).map(|error| error.message));
    let all = Choosing { everything, changed, chosen, plan, pending };
    let confirming = RwSignal::new(untrack(|| address.has("confirm")));
    view! {
        <Revisions everything/>
        <Selecting all selection confirming/>
        <Plan all refused/>
        <Committed data/>
    }
}

/// Asks again for what waits when history has changed, and for the plan when something else is chosen.
fn follow_changes(data: RwSignal<ChangesData>, everything: Seen<Comparison>, selection: RwSignal<Selection>) {
    let target = everything.with_untracked(|everything| everything.to.clone());
    keep_fresh({
        let target = target.clone();
        move || {
            let target = target.clone();
            Some(Box::pin(async move {
                let waiting = Waiting::ask(target).await?;
                Ok(Box::new(move || data.update(|data| data.waiting = waiting)) as Answer)
            }))
        }
    });
    keep_fresh(move || {
        let (target, selection, everything) = (target.clone(), selection.get(), everything.get());
        Some(Box::pin(async move {
            let planned = Planned::ask(&target, &selection, &everything).await?;
            // The part may be gone by now.
            let is_known = data.try_with_untracked(|data| data.planned == planned).unwrap_or(true);
            let apply = move || {
                if !is_known {
                    data.update(|data| data.planned = planned);
                }
            };
            Ok(Box::new(apply) as Answer)
        }))
    });
}

/// From which revision to which.
#[component]
fn Revisions(everything: Seen<Comparison>) -> impl IntoView {
    let (from, to) = everything.with_untracked(|comparison| (comparison.from.to_string(), comparison.to.to_string()));
    let is_adopted = memo(move || everything.with(|sides| sides.changes.iter().any(|change| change.from.is_some())));
    let from_sha = memo(move || everything.with(|comparison| comparison.from_sha.clone()));
    let to_sha = memo(move || everything.with(|comparison| comparison.to_sha.clone()));
    view! {
        <p class="revisions">
            <span>
                {to}" runs "
                {move || match from_sha.get() {
                    Some(sha) => view! { <Sha sha/> }.into_any(),
                    None if is_adopted.get() => "an adopted stack".into_any(),
                    None => "nothing yet".into_any(),
                }}
            </span>
            <Icon symbol=Symbol::ArrowRight/>
            <span>
                {from}" has proved "
                {move || match to_sha.get() {
                    Some(sha) => view! { <Sha sha/> }.into_any(),
                    None => "nothing yet".into_any(),
                }}
            </span>
        </p>
    }
}

#[component]
fn Selecting(all: Choosing, selection: RwSignal<Selection>, confirming: RwSignal<bool>) -> impl IntoView {
    let Choosing { everything, changed, chosen, plan, .. } = all;
    let (from, to) = everything.with_untracked(|comparison| (comparison.from.clone(), comparison.to.clone()));
    let choose = choice(all, selection, to.clone());
    let may = use_rights().may(Operation::Promote, &to);
    let ready = memo(move || {
        let planned =
            plan.with(|plan| plan.as_ref().is_some_and(|plan| plan.plan_hash.is_some() && plan.blockers.is_empty()));
        may && planned && chosen.with(|chosen| !chosen.is_empty())
    });
    let summary = move || {
        let (chosen, changed) = (chosen.with(BTreeSet::len), changed.with(BTreeSet::len));
        format!("{chosen} of {} chosen", view::count(changed, "change", "changes"))
    };
    let nothing = memo(move || changed.with(BTreeSet::is_empty) && everything.with(|known| known.plan_hash.is_some()));
    let same = format!("{to} runs what {from} runs.");
    let label = format!("Deploy to {to}…");
    let services = memo(move || chosen.with(|chosen| chosen.iter().cloned().collect::<Vec<_>>()));
    view! {
        {move || nothing.get().then(|| view! {
            <Empty symbol=Symbol::Check title="Nothing to deploy" text=same.clone()/>
        }.into_any())}
        <form
            class="card"
            method="get"
            data-own=""
            on:submit=move |event| {
                event.prevent_default();
                confirming.set(true);
            }
        >
            // A form that was sent without a service has chosen none.
            <input type="hidden" name="chosen" value="1"/>
            <ChangeTable comparison=everything choose/>
            <SoakNotes comparison=everything services/>
            <footer class="card-foot sticky">
                <p class="muted" role="status">{move || summary()}</p>
                {(!may).then(|| view! { <p class="muted">"Your role allows you to look, not to deploy here."</p> })}
                <button class="button primary" type="submit" name="confirm" value="1" disabled=move || !ready.get()>
                    <Icon symbol=Symbol::Promote/>
                    {label}
                </button>
            </footer>
        </form>
        {may.then(|| view! { <Confirm all confirming/> })}
    }
}

/// What is chosen stands in the address too: it outlives a reload, and an answer that is a page begins with it.
fn choice(all: Choosing, selection: RwSignal<Selection>, to: EnvironmentName) -> Choice {
    let around = use_around();
    let Choosing { changed, chosen, .. } = all;
    Choice {
        chosen: Callback::new(move |service: ServiceName| chosen.with(|chosen| chosen.contains(&service))),
        choose: Callback::new(move |(service, wanted)| {
            changed.with_untracked(|changed| {
                selection.update(|selection| *selection = selection.toggled(changed, service, wanted));
            });
            if let Some(around) = around {
                around.replace.run(selection.with_untracked(|selection| selection.url(&to)));
            }
        }),
    }
}

/// What would be done, and what speaks against it.
#[component]
fn Plan(all: Choosing, refused: Seen<Option<String>>) -> impl IntoView {
    let Choosing { plan, pending, .. } = all;
    let part = move |pick: fn(&Comparison) -> &Vec<Finding>| {
        memo(move || plan.with(|plan| plan.as_ref().map(|plan| pick(plan).clone()).unwrap_or_default()))
    };
    let (blockers, warnings) = (part(|plan| &plan.blockers), part(|plan| &plan.warnings));
    // What was planned stays on the page until there is a plan for what is chosen now.
    let actions = follow(Vec::new(), move || {
        let actions = plan.with(|plan| plan.iter().flat_map(|plan| plan.actions.clone()).collect());
        (!pending.get()).then_some(actions)
    });
    let none = memo(move || actions.with(Vec::is_empty) && refused.with(Option::is_none) && !pending.get());
    view! {
        <section class="card" aria-labelledby="plan-title" aria-busy=move || pending.get().to_string()>
            <header class="card-head">
                <h2 id="plan-title">"Plan"</h2>
                {move || pending.get().then(|| view! {
                    <span class="muted"><span class="spinner"></span>"Planning…"</span>
                }.into_any())}
            </header>
            {move || refused.get().map(|message| view! { <p class="error-text wrap card-note">{words(&message)}</p> }.into_any())}
            <Findings tone=Tone::Bad title="This cannot be deployed" findings=blockers/>
            <Findings tone=Tone::Warn title="Worth knowing" findings=warnings/>
            {move || none.get().then(|| view! {
                <p class="muted card-note">"No service would be touched."</p>
            }.into_any())}
            <PlanDetails actions/>
        </section>
    }
}

/// What was committed between what runs and what would. The server has escaped whatever came from outside.
#[component]
fn Committed(data: RwSignal<ChangesData>) -> impl IntoView {
    let commits = memo(move || data.with(|data| data.waiting.commits.clone()));
    view! {
        {move || commits.get().map(|html| view! {
            <section class="card" aria-label="Commits">
                <div class="drawn" inner_html=html></div>
            </section>
        }.into_any())}
    }
}
