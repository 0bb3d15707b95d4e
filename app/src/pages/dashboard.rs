//! The environments as releases flow through them, and what waits to be promoted.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use release_manager::names::EnvironmentName;
use release_manager::views::{Comparison, Overview};

use crate::app_data::use_overview;
use crate::browser;
use crate::components::{
    ChangeTable, Empty, EnvironmentCard, Findings, Icon, Loaded, PageHead, SourceStrip, Symbol, follow,
};
use crate::error::RpcError;
use crate::live::use_live;
use crate::rpc;
use crate::view::{self, ServiceFilter, ServiceState, Tone};

/// `/`
#[component]
pub fn DashboardPage() -> impl IntoView {
    let overview = use_overview();
    let live = use_live();
    // Made out here: what is made inside of a boundary is fetched anew each time the server goes over that.
    let comparisons = Resource::new(move || live.epoch(), |_| comparisons());
    let query = use_query_map();
    let filter = RwSignal::new(query.with_untracked(ServiceFilter::of));
    // The address follows the fields letter by letter; the fields follow it when one goes back.
    Effect::new(move |before: Option<ServiceFilter>| {
        let asked = query.with(ServiceFilter::of);
        if before.is_some_and(|before| before != asked) {
            filter.set(asked.clone());
        }
        asked
    });
    view! {
        <PageHead title="Dashboard" lead="What runs where, and what waits to go further.">
            <Filters filter/>
        </PageHead>
        <Loaded resource=overview let:overview>
            <SourceStrip poll_seconds=Signal::derive(move || overview.with(|overview| overview.poll_seconds))/>
            <Pipeline overview filter/>
        </Loaded>
        <Loaded resource=comparisons let:comparisons>
            <Promotions comparisons/>
        </Loaded>
    }
}

/// Letters of a name, and a state; a plain form where there is no WASM.
#[component]
fn Filters(filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let change = move |change: &dyn Fn(&mut ServiceFilter)| {
        filter.update(|filter| change(filter));
        browser::replace_address(&filter.with_untracked(ServiceFilter::url));
    };
    let option = move |state: ServiceState| {
        let selected = move || filter.with(|filter| filter.state == Some(state));
        view! { <option value=state.word() selected=selected>{state.title()}</option> }
    };
    let first = filter.with_untracked(|filter| filter.name.clone());
    view! {
        <form class="filters" method="get" action="/" role="search" aria-label="Services">
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
                    on:input=move |event| change(&|filter| filter.name = event_target_value(&event))
                />
            </label>
            <label>
                <span class="sr-only">"State"</span>
                <select
                    name="state"
                    on:change=move |event| {
                        let word = event_target_value(&event);
                        let state = ServiceState::ALL.into_iter().find(|state| state.word() == word);
                        change(&|filter| filter.state = state);
                    }
                >
                    <option value="" selected=move || filter.with(|filter| filter.state.is_none())>"Any state"</option>
                    {ServiceState::ALL.map(option).collect_view()}
                </select>
            </label>
            <button class="button before-wasm" type="submit">"Filter"</button>
        </form>
    }
}

#[component]
fn Pipeline(overview: RwSignal<Overview>, filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let find = move |name: &EnvironmentName| {
        overview.with(|overview| overview.environments.iter().find(|found| found.name == *name).cloned())
    };
    view! {
        <ol class="pipeline" aria-label="Environments in the order in which releases flow">
            <For
                each=move || overview.with(|overview| overview.environments.clone())
                key=|environment| environment.name.clone()
                let:environment
            >
                {
                    let name = environment.name.clone();
                    let environment = follow(environment, move || find(&name));
                    view! {
                        <li>
                            <EnvironmentCard environment filter/>
                        </li>
                    }
                }
            </For>
        </ol>
        {move || overview.with(|overview| overview.environments.is_empty()).then(|| view! {
            <Empty symbol=Symbol::Box title="No environments" text="The pipeline has no environment to show."/>
        })}
    }
}

/// What waits before each environment that takes releases from another.
async fn comparisons() -> Result<Vec<Comparison>, RpcError> {
    let mut comparisons = Vec::new();
    for environment in rpc::overview().await?.environments {
        if environment.promotes_from.is_some() {
            comparisons.push(rpc::compare(environment.name, true, Vec::new()).await?);
        }
    }
    Ok(comparisons)
}

#[component]
fn Promotions(comparisons: RwSignal<Vec<Comparison>>) -> impl IntoView {
    let find = move |target: &EnvironmentName| {
        comparisons.with(|comparisons| comparisons.iter().find(|found| found.to == *target).cloned())
    };
    view! {
        <For each=move || comparisons.get() key=|comparison| comparison.to.clone() let:comparison>
            {
                let target = comparison.to.clone();
                let comparison = follow(comparison, move || find(&target));
                view! { <Promotion comparison/> }
            }
        </For>
    }
}

#[component]
fn Promotion(comparison: Memo<Comparison>) -> impl IntoView {
    let target = comparison.with_untracked(|comparison| comparison.to.clone());
    let heading = format!("changes-{target}");
    let labelled_by = heading.clone();
    view! {
        <section class="card" aria-labelledby=labelled_by>
            <header class="card-head">
                <h2 id=heading>{format!("Changes to deploy to {target}")}</h2>
            </header>
            <Waiting comparison/>
        </section>
    }
}

#[component]
fn Waiting(comparison: Memo<Comparison>) -> impl IntoView {
    let (from, to) = comparison.with_untracked(|comparison| (comparison.from.clone(), comparison.to.clone()));
    let number = Memo::new(move |_| comparison.with(|comparison| view::changed(comparison).len()));
    let href = format!("/changes/{to}");
    let to_name = to.to_string();
    let planned = Memo::new(move |_| comparison.with(|comparison| comparison.plan_hash.is_some()));
    let caption = move || match number.get() {
        0 if !planned.get() => format!("Nothing of {from} can be brought to {to} yet."),
        0 => format!("{to} runs what {from} runs."),
        number => format!("{} in {from} that {to} does not have.", view::count(number, "change", "changes")),
    };
    view! {
        <ChangeTable comparison/>
        <Findings
            tone=Tone::Bad
            title="This cannot be deployed"
            findings=Signal::derive(move || comparison.with(|comparison| comparison.blockers.clone()))
        />
        <footer class="card-foot">
            <p class="muted">{caption}</p>
            {move || if number.get() == 0 && !planned.get() {
                ().into_any()
            } else if number.get() == 0 {
                view! { <span class="done"><Icon symbol=Symbol::Check/>"Nothing to deploy"</span> }.into_any()
            } else {
                view! {
                    <a class="button primary" href=href.clone()>
                        <Icon symbol=Symbol::Promote/>
                        {format!("Deploy to {to_name}…")}
                    </a>
                }.into_any()
            }}
        </footer>
    }
}
