//! The environments as releases flow through them, and what waits to be promoted.

use std::collections::BTreeSet;

use leptos::prelude::*;
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::{Comparison, Overview};
use serde::{Deserialize, Serialize};

use super::address::{use_address, use_around};
use super::fresh::{Answer, keep_fresh};
use crate::components::{
    ChangeTable, Empty, EnvironmentCard, Findings, Heading, Icon, Refused, Seen, SoakNotes, SourceStrip, Symbol, each,
    follow, memo, rows_of,
};
use crate::error::RpcError;
use crate::live::use_live;
use crate::read::structures;
use crate::rpc;
use crate::view::{self, ServiceFilter, ServiceState, Tone};

/// What the dashboard shows besides the live state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DashboardData {
    /// Every environment and what it runs.
    pub overview: Overview,
    /// What waits before each environment that takes releases from another, or why that cannot be said.
    pub waiting: Result<Vec<Comparison>, RpcError>,
}

structures! {
    DashboardData { overview, waiting }
}

impl DashboardData {
    /// Asks the server.
    pub async fn ask() -> Result<Self, RpcError> {
        let overview = rpc::overview().await?;
        let waiting = waiting(&overview).await;
        Ok(Self { overview, waiting })
    }
}

async fn waiting(overview: &Overview) -> Result<Vec<Comparison>, RpcError> {
    let mut waiting = Vec::new();
    for environment in overview.environments.iter().filter(|environment| environment.promotes_from.is_some()) {
        waiting.push(rpc::compare(environment.name.clone(), true, Vec::new()).await?);
    }
    Ok(waiting)
}

/// The dashboard.
#[component]
pub fn Dashboard(data: RwSignal<DashboardData>) -> impl IntoView {
    keep_fresh(move || {
        Some(Box::pin(async move {
            let answer = DashboardData::ask().await?;
            Ok(Box::new(move || data.set(answer)) as Answer)
        }))
    });
    let filter = use_filter();
    let poll_seconds = memo(move || data.with(|data| data.overview.poll_seconds));
    let actions = view! { <Filters filter/> }.into_any();
    view! {
        <Heading title="Dashboard" lead=Some(LEAD) actions=Some(actions)/>
        <SourceStrip poll_seconds/>
        <Pipeline data filter/>
        <Promotions data filter/>
    }
}

/// What stands under the heading.
pub(crate) const LEAD: &str = "What runs where, and what waits to go further.";

/// What the address asks for, and what is typed from then on.
fn use_filter() -> RwSignal<ServiceFilter> {
    let address = use_address();
    let asked = move || ServiceFilter::of(address.value("q"), &address.value("state"));
    let filter = RwSignal::new(untrack(asked));
    // One may come to the dashboard from the dashboard.
    Effect::new(move |before: Option<ServiceFilter>| {
        let asked = asked();
        if before.is_some() {
            filter.set(asked.clone());
        }
        asked
    });
    filter
}

/// Letters of a name, and a state: what is typed is found at once. Without scripts it is a form.
#[component]
fn Filters(filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let around = use_around();
    let change = move |change: Box<dyn FnOnce(&mut ServiceFilter)>| {
        filter.update(change);
        if let Some(around) = around {
            around.replace.run(filter.with_untracked(ServiceFilter::url));
        }
    };
    let option = move |state: ServiceState| {
        let selected = move || filter.with(|filter| filter.state == Some(state));
        view! { <option value=state.word() selected=selected>{state.title()}</option> }.into_any()
    };
    let first = filter.with_untracked(|filter| filter.name.clone());
    view! {
        <form
            class="filters"
            method="get"
            action="/"
            role="search"
            aria-label="Services"
            data-own=""
            on:submit=move |event| event.prevent_default()
        >
            <label class="search">
                <span class="sr-only">"Service"</span>
                <Icon symbol=Symbol::Search/>
                <input
                    type="search"
                    name="q"
                    placeholder="Service"
                    autocomplete="off"
                    data-search=""
                    value=first
                    prop:value=move || filter.with(|filter| filter.name.clone())
                    on:input=move |event| {
                        let letters = event_target_value(&event);
                        change(Box::new(|filter| filter.name = letters));
                    }
                />
            </label>
            <label>
                <span class="sr-only">"State"</span>
                <select
                    name="state"
                    on:change=move |event| {
                        let state = ServiceState::of_word(&event_target_value(&event));
                        change(Box::new(move |filter| filter.state = state));
                    }
                >
                    <option value="" selected=move || filter.with(|filter| filter.state.is_none())>"Any state"</option>
                    {ServiceState::ALL.map(option).into_iter().collect_view()}
                </select>
            </label>
            <button class="button before-wasm" type="submit">"Filter"</button>
        </form>
    }
}

#[component]
fn Pipeline(data: RwSignal<DashboardData>, filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let names = memo(move || {
        data.with(|data| data.overview.environments.iter().map(|known| known.name.clone()).collect::<Vec<_>>())
    });
    let find = move |name: &EnvironmentName| {
        data.with(|data| data.overview.environments.iter().find(|found| found.name == *name).cloned())
    };
    let draw = move |name: EnvironmentName| {
        let first = untrack(|| find(&name))?;
        let key = name.to_string();
        let environment = follow(first, move || find(&name));
        Some(view! { <li data-key=key><EnvironmentCard environment filter/></li> })
    };
    view! {
        <ol class="pipeline" aria-label="Environments in the order in which releases flow">
            {each(move || names.get(), move |name| draw(name).into_any())}
        </ol>
        {move || names.with(Vec::is_empty).then(|| view! {
            <Empty symbol=Symbol::Box title="No environments" text="The pipeline has no environment to show."/>
        }.into_any())}
    }
}

#[component]
fn Promotions(data: RwSignal<DashboardData>, filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let shown = shown(data, filter);
    let names = memo(move || {
        data.with(|data| data.waiting.iter().flatten().map(|comparison| comparison.to.clone()).collect::<Vec<_>>())
    });
    let refused = memo(move || data.with(|data| data.waiting.as_ref().err().cloned()));
    let find = move |target: &EnvironmentName| {
        data.with(|data| data.waiting.as_ref().ok()?.iter().find(|found| found.to == *target).cloned())
    };
    let draw = move |target: EnvironmentName| {
        let first = untrack(|| find(&target))?;
        let comparison = follow(first, move || find(&target));
        Some(view! { <Promotion comparison shown/> })
    };
    view! {
        {each(move || names.get(), move |name| draw(name).into_any())}
        {move || refused.get().map(|error| view! { <Refused error/> }.into_any())}
    }
}

/// The services that the filter lets through in any environment.
fn shown(data: RwSignal<DashboardData>, filter: RwSignal<ServiceFilter>) -> Seen<BTreeSet<ServiceName>> {
    let live = use_live();
    memo(move || {
        let mut shown = BTreeSet::new();
        data.with(|data| {
            for environment in &data.overview.environments {
                let rows = rows_of(live, environment);
                filter.with(|filter| {
                    shown.extend(rows.into_iter().filter(|(name, row)| filter.takes(name, row)).map(|(name, _)| name));
                });
            }
        });
        shown
    })
}

#[component]
fn Promotion(comparison: Seen<Comparison>, shown: Seen<BTreeSet<ServiceName>>) -> impl IntoView {
    let target = comparison.with_untracked(|comparison| comparison.to.clone());
    let heading = format!("changes-{target}");
    let labelled_by = heading.clone();
    view! {
        <section class="card" aria-labelledby=labelled_by data-key=target.to_string()>
            <header class="card-head">
                <h2 id=heading>{format!("Changes to deploy to {target}")}</h2>
            </header>
            <Waiting comparison shown/>
        </section>
    }
}

#[component]
fn Waiting(comparison: Seen<Comparison>, shown: Seen<BTreeSet<ServiceName>>) -> impl IntoView {
    let (from, to) = comparison.with_untracked(|comparison| (comparison.from.clone(), comparison.to.clone()));
    let services = memo(move || comparison.with(|comparison| comparison.changed().into_iter().collect::<Vec<_>>()));
    let number = memo(move || services.with(Vec::len));
    let href = format!("/changes/{to}");
    let to_name = to.to_string();
    let planned = memo(move || comparison.with(|comparison| comparison.plan_hash.is_some()));
    let blockers = memo(move || comparison.with(|comparison| comparison.blockers.clone()));
    let caption = move || match number.get() {
        0 if !planned.get() => format!("Nothing of {from} can be brought to {to} yet."),
        0 => format!("{to} runs what {from} runs."),
        number => format!("{} in {from} that {to} does not have.", view::count(number, "change", "changes")),
    };
    view! {
        <ChangeTable comparison shown/>
        <Findings tone=Tone::Bad title="This cannot be deployed" findings=blockers/>
        <SoakNotes comparison services/>
        <footer class="card-foot">
            <p class="muted">{move || caption()}</p>
            {move || if number.get() == 0 && !planned.get() {
                ().into_any()
            } else if number.get() == 0 {
                view! { <span class="done"><Icon symbol=Symbol::Check/>"Nothing to deploy"</span> }.into_any()
            } else {
                // What cannot be deployed as a whole may be in part.
                let (class, text) = if blockers.with(Vec::is_empty) {
                    ("button primary", format!("Deploy to {to_name}…"))
                } else {
                    ("button", format!("Look at the changes to {to_name}"))
                };
                view! {
                    <a class=class href=href.clone()>
                        <Icon symbol=Symbol::Promote/>
                        {text}
                    </a>
                }.into_any()
            }}
        </footer>
    }
}
