//! Going back to a release of history: what would change, which services take part, and the order itself.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use release_manager::diff::Finding;
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use release_manager::views::{Comparison, RollbackPlan};

use crate::components::{
    Age, Banner, ChangeTable, Choice, Findings, Icon, Loaded, PageHead, PlanDetails, Symbol, memo,
};
use crate::error::{RpcError, RpcErrorKind};
use crate::pages::NotFoundPage;
use crate::rpc;
use crate::view::{self, Tone};

/// `/rollback/:environment/:id`
#[component]
pub fn RollbackPage() -> impl IntoView {
    let params = use_params_map();
    let asked = Memo::new(move |_| {
        params.with(|params| {
            let environment = params.get_str("environment")?.parse::<EnvironmentName>().ok()?;
            let id = params.get_str("id")?.parse::<i64>().ok()?;
            Some((environment, DeploymentId(id)))
        })
    });
    move || match asked.get() {
        Some((environment, to)) => view! { <Rollback environment to/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

/// The address of the page on which a rollback to a deployment is ordered.
pub fn rollback_url(environment: &EnvironmentName, to: DeploymentId) -> String {
    format!("/rollback/{environment}/{to}")
}

/// The services that the URL chooses; none: everything.
fn chosen_in(services: Option<Vec<String>>) -> BTreeSet<ServiceName> {
    services.into_iter().flatten().filter_map(|name| name.parse().ok()).collect()
}

#[component]
fn Rollback(environment: EnvironmentName, to: DeploymentId) -> impl IntoView {
    let query = use_query_map();
    let chosen = Memo::new(move |_| query.with(|query| chosen_in(query.get_all("services"))));
    let url = rollback_url(&environment, to);
    let target = environment.clone();
    let everything = Resource::new(|| (), move |()| rpc::rollback_plan(target.clone(), to, true, Vec::new()));
    let target = environment.clone();
    let plan = Resource::new(
        move || chosen.get(),
        move |services| rpc::rollback_plan(target.clone(), to, services.is_empty(), services.into_iter().collect()),
    );
    view! {
        <PageHead
            title=format!("Roll {environment} back")
            lead="The release as it was stored: the same images, settings, secrets and configs."
        />
        <Loaded resource=everything let:everything>
            <Release everything/>
            <Services everything chosen url=url.clone()/>
        </Loaded>
        <Loaded resource=plan let:plan>
            <Plan plan chosen/>
        </Loaded>
    }
}

/// Which release that is.
#[component]
fn Release(everything: RwSignal<RollbackPlan>) -> impl IntoView {
    let (to, at, holds) = everything.with_untracked(|plan| (plan.to, plan.started_at, plan.holds));
    view! {
        <p class="revisions">
            <span>"To what "<a href=format!("/deployments/{to}")>{format!("deployment {to}")}</a>" left, "<Age at/></span>
        </p>
        {holds.then(|| view! {
            <Banner tone=Tone::Fresh symbol=Symbol::Pause>
                "This environment follows git. It will be held, and deploy nothing new, until a newer revision comes or \
                 you resume it."
            </Banner>
        })}
    }
}

/// What would change, service by service; those that are ticked go back alone.
#[component]
fn Services(everything: RwSignal<RollbackPlan>, chosen: Memo<BTreeSet<ServiceName>>, url: String) -> impl IntoView {
    let comparison = memo(move || everything.with(|plan| plan.comparison.clone()));
    let choose = Choice {
        chosen: Callback::new(move |service: ServiceName| chosen.with(|chosen| chosen.contains(&service))),
        // The form does.
        choose: Callback::new(|_| ()),
    };
    let all = memo(move || comparison.with(|comparison| comparison.actions.len()));
    let is_planned = comparison.with_untracked(|comparison| comparison.plan_hash.is_some());
    let summary = move || match (chosen.with(BTreeSet::len), all.get()) {
        (0, 0) if is_planned => "Nothing goes back: what runs is that release, as far as it is stored.".to_owned(),
        (0, 0) => "There is no plan: below is why.".to_owned(),
        (0, all) => {
            let goes = view::count(all, "service goes", "services go");
            format!("{goes} back. Tick services to take back only those.")
        }
        (number, _) => format!("Only {} back.", view::count(number, "service goes", "services go")),
    };
    view! {
        <form class="card" method="get" action=url data-follows="fields">
            <ChangeTable comparison choose/>
            <footer class="card-foot">
                <p class="muted" role="status">{summary}</p>
                <button class="button before-wasm" type="submit">"Plan"</button>
            </footer>
        </form>
    }
}

/// The plan for what is chosen, and the order.
#[component]
fn Plan(plan: RwSignal<RollbackPlan>, chosen: Memo<BTreeSet<ServiceName>>) -> impl IntoView {
    let part =
        move |pick: fn(&Comparison) -> &Vec<Finding>| memo(move || plan.with(|plan| pick(&plan.comparison).clone()));
    let actions = memo(move || plan.with(|plan| plan.comparison.actions.clone().into_iter().collect::<Vec<_>>()));
    view! {
        <section class="card" aria-labelledby="plan-title">
            <header class="card-head"><h2 id="plan-title">"Plan"</h2></header>
            <Findings tone=Tone::Bad title="This cannot be deployed" findings=part(|plan| &plan.blockers)/>
            <Findings tone=Tone::Warn title="Worth knowing" findings=part(|plan| &plan.warnings)/>
            {move || actions.with(Vec::is_empty).then(|| view! {
                <p class="muted card-note">"No service would be touched."</p>
            })}
            <PlanDetails actions/>
            <Order plan chosen/>
        </section>
    }
}

#[component]
fn Order(plan: RwSignal<RollbackPlan>, chosen: Memo<BTreeSet<ServiceName>>) -> impl IntoView {
    let rollback = ServerAction::<rpc::Rollback>::new();
    let (environment, to) = plan.with_untracked(|plan| (plan.comparison.to.to_string(), plan.to));
    let seen = move || plan.with(|plan| plan.comparison.plan_hash.clone());
    let useless = move || {
        plan.with(|plan| {
            let comparison = &plan.comparison;
            comparison.plan_hash.is_none() || !comparison.blockers.is_empty() || comparison.actions.is_empty()
        })
    };
    let refused = move || rollback.value().get().and_then(Result::err);
    view! {
        <footer class="card-foot">
            <div role="alert">{move || refused().map(refusal)}</div>
            <ActionForm action=rollback>
                <input type="hidden" name="environment" value=environment.clone()/>
                <input type="hidden" name="to" value=to.to_string()/>
                <input type="hidden" name="all" value=move || chosen.with(BTreeSet::is_empty).to_string()/>
                <input type="hidden" name="seen" value=move || seen().unwrap_or_default()/>
                <For each=move || chosen.get() key=Clone::clone let:service>
                    <input type="hidden" name="services[]" value=service.to_string()/>
                </For>
                <button class="button danger" type="submit" disabled=move || useless() || rollback.pending().get()>
                    <Icon symbol=Symbol::History/>
                    {format!("Roll {environment} back")}
                </button>
            </ActionForm>
        </footer>
    }
}

fn refusal(error: RpcError) -> impl IntoView {
    match error.kind {
        RpcErrorKind::Busy { id } => view! {
            <p>
                "Another deployment is in progress: "
                <a href=format!("/deployments/{id}")>{format!("look at deployment {id}")}</a>
                "."
            </p>
        }
        .into_any(),
        RpcErrorKind::Stale => view! {
            <p>"Something has changed since you looked. This is the new plan: look at it again, then confirm."</p>
        }
        .into_any(),
        _ => view! { <p class="error-text wrap">{error.message}</p> }.into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_url_does_not_name_is_not_chosen() {
        assert!(chosen_in(None).is_empty());
        let chosen = chosen_in(Some(vec!["web".into(), "<b>".into()]));
        assert_eq!(chosen.into_iter().map(|name| name.to_string()).collect::<Vec<_>>(), ["web"]);
    }
}
