//! The environments as releases flow through them, and what waits to be promoted.

use leptos::prelude::*;
use release_manager::names::EnvironmentName;
use release_manager::views::{Comparison, Overview};

use crate::app_data::use_overview;
use crate::components::{ChangeTable, Empty, EnvironmentCard, Findings, Icon, Loaded, PageHead, Symbol, follow};
use crate::error::RpcError;
use crate::live::use_live;
use crate::rpc;
use crate::view::{self, Tone};

/// `/`
#[component]
pub fn DashboardPage() -> impl IntoView {
    let overview = use_overview();
    let live = use_live();
    // Made out here: what is made inside of a boundary is fetched anew each time the server goes over that.
    let comparisons = Resource::new(move || live.epoch(), |_| comparisons());
    view! {
        <PageHead title="Dashboard" lead="What runs where, and what waits to go further."/>
        <Loaded resource=overview let:overview>
            <Pipeline overview/>
        </Loaded>
        <Loaded resource=comparisons let:comparisons>
            <Promotions comparisons/>
        </Loaded>
    }
}

#[component]
fn Pipeline(overview: RwSignal<Overview>) -> impl IntoView {
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
                            <EnvironmentCard environment/>
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
