//! What a promotion would change, which services take part, and the confirmation.

use std::collections::BTreeSet;

use leptos::html::Dialog;
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use release_manager::access::Operation;
use release_manager::diff::{ChangeType, ServiceChange};
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::Comparison;

use crate::access::use_looker;
use crate::browser;
use crate::components::{
    Banner, ChangeTable, Choice, Drawn, Empty, Findings, Icon, Loaded, PageHead, PlanDetails, Sha, SoakNotes, Symbol,
    VersionText, Versions,
};
use crate::error::{RpcError, RpcErrorKind};
use crate::live::use_live;
use crate::pages::NotFoundPage;
use crate::rpc::{self, Promote};
use crate::view::{self, Tone};

/// `/changes/:environment`
#[component]
pub fn ChangesPage() -> impl IntoView {
    let params = use_params_map();
    let target = Memo::new(move |_| {
        params.with(|params| params.get_str("environment").and_then(|name| name.parse::<EnvironmentName>().ok()))
    });
    move || match target.get() {
        Some(target) => view! { <Changes target/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

/// Which of the changes are to be promoted.
#[derive(Debug, Clone, PartialEq)]
enum Selection {
    All,
    Only(BTreeSet<ServiceName>),
}

impl Selection {
    /// What a form without WASM has put into the URL. Once it was sent, nothing chosen is nothing and not everything.
    fn of_query(services: Option<Vec<String>>, sent: bool) -> Self {
        let services: BTreeSet<_> = services.iter().flatten().filter_map(|name| name.parse().ok()).collect();
        if services.is_empty() && !sent { Self::All } else { Self::Only(services) }
    }

    fn among(&self, changed: &BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
        match self {
            Self::All => changed.clone(),
            Self::Only(services) => services.intersection(changed).cloned().collect(),
        }
    }

    fn toggled(&self, changed: &BTreeSet<ServiceName>, service: ServiceName, chosen: bool) -> Self {
        let mut services = self.among(changed);
        if chosen {
            services.insert(service);
        } else {
            services.remove(&service);
        }
        if services == *changed { Self::All } else { Self::Only(services) }
    }
}

#[component]
fn Changes(target: EnvironmentName) -> impl IntoView {
    let live = use_live();
    let again = RwSignal::new(0_u32);
    let asked = target.clone();
    let everything =
        Resource::new(move || (live.epoch(), again.get()), move |_| rpc::compare(asked.clone(), true, Vec::new()));
    view! {
        <PageHead
            title=format!("Changes to {target}")
            lead="Choose what goes further, look at the plan, then deploy."
        />
        <Loaded resource=everything let:everything>
            <Choosing everything again/>
        </Loaded>
    }
}

#[component]
fn Choosing(everything: RwSignal<Comparison>, again: RwSignal<u32>) -> impl IntoView {
    let live = use_live();
    let query = use_query_map();
    let selection =
        RwSignal::new(query.with_untracked(|query| {
            Selection::of_query(query.get_all("services"), query.get_str("confirm").is_some())
        }));
    let changed = Memo::new(move |_| everything.with(view::changed));
    let chosen = Memo::new(move |_| changed.with(|changed| selection.with(|selection| selection.among(changed))));
    let subset = Memo::new(move |_| chosen.with(|chosen| changed.with(|changed| chosen != changed)));
    let target = everything.with_untracked(|comparison| comparison.to.clone());
    let part = Resource::new(
        move || (live.epoch(), again.get(), subset.get().then(|| chosen.get())),
        move |(_, _, services)| {
            let target = target.clone();
            async move {
                match services {
                    Some(services) if !services.is_empty() => {
                        let answer = rpc::compare(target, false, services.iter().cloned().collect()).await;
                        Some((services, answer))
                    }
                    _ => None,
                }
            }
        },
    );
    // A plan is shown only while it is the plan of what is chosen.
    let plan = Signal::derive(move || -> Option<Result<Comparison, RpcError>> {
        if !subset.get() {
            return Some(Ok(everything.get()));
        }
        let (services, answer) = part.get().flatten()?;
        (services == chosen.get()).then_some(answer)
    });
    view! {
        <Revisions everything/>
        <Selecting everything selection changed chosen plan again/>
        <Plan plan chosen/>
        <Committed everything/>
    }
}

/// What was committed between what runs and what would.
#[component]
fn Committed(everything: RwSignal<Comparison>) -> impl IntoView {
    let range =
        Memo::new(move |_| everything.with(|comparison| comparison.from_sha.clone().zip(comparison.to_sha.clone())));
    let commits = Resource::new(
        move || range.get().filter(|(from, to)| from != to),
        |range| async move {
            match range {
                Some((from, to)) => rpc::commits(from, to).await,
                None => Ok(String::new()),
            }
        },
    );
    let differ = Memo::new(move |_| range.with(|range| range.as_ref().is_some_and(|(from, to)| from != to)));
    view! {
        <section class="card" class:hidden=move || !differ.get() aria-label="Commits">
            <Drawn resource=commits/>
        </section>
    }
}

/// From which revision to which.
#[component]
fn Revisions(everything: RwSignal<Comparison>) -> impl IntoView {
    view! {
        {move || {
            let (from, to, from_sha, to_sha, known) = everything.with(|comparison| (
                comparison.from.to_string(),
                comparison.to.to_string(),
                comparison.from_sha.clone(),
                comparison.to_sha.clone(),
                comparison.changes.iter().any(|change| change.from.is_some()),
            ));
            let sha = |sha, otherwise: &'static str| match sha {
                Some(sha) => view! { <Sha sha/> }.into_any(),
                None => view! { {otherwise} }.into_any(),
            };
            let running = if known { "an adopted stack" } else { "nothing yet" };
            view! {
                <p class="revisions">
                    <span>{to}" runs "{sha(from_sha, running)}</span>
                    <Icon symbol=Symbol::ArrowRight/>
                    <span>{from}" has proved "{sha(to_sha, "nothing yet")}</span>
                </p>
            }
        }}
    }
}

#[component]
fn Selecting(
    everything: RwSignal<Comparison>,
    selection: RwSignal<Selection>,
    changed: Memo<BTreeSet<ServiceName>>,
    chosen: Memo<BTreeSet<ServiceName>>,
    plan: Signal<Option<Result<Comparison, RpcError>>>,
    again: RwSignal<u32>,
) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let (from, to) = everything.with_untracked(|comparison| (comparison.from.clone(), comparison.to.clone()));
    let choice = Choice {
        chosen: Callback::new(move |service: ServiceName| chosen.with(|chosen| chosen.contains(&service))),
        choose: Callback::new(move |(service, wanted)| {
            changed.with_untracked(|changed| {
                selection.update(|selection| *selection = selection.toggled(changed, service, wanted));
            });
        }),
    };
    let may = use_looker().may_in(Operation::Promote, &to);
    let ready = Memo::new(move |_| {
        let planned =
            plan.with(|plan| matches!(plan, Some(Ok(plan)) if plan.plan_hash.is_some() && plan.blockers.is_empty()));
        may && planned && chosen.with(|chosen| !chosen.is_empty())
    });
    let summary = move || {
        let (chosen, changed) = (chosen.with(BTreeSet::len), changed.with(BTreeSet::len));
        format!("{chosen} of {} chosen", view::count(changed, "change", "changes"))
    };
    let planned = Memo::new(move |_| everything.with(|comparison| comparison.plan_hash.is_some()));
    let same = format!("{to} runs what {from} runs.");
    let label = format!("Deploy to {to}…");
    let open = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        browser::show_modal(dialog);
    };
    view! {
        {move || (planned.get() && changed.with(BTreeSet::is_empty)).then(|| view! {
            <Empty symbol=Symbol::Check title="Nothing to deploy" text=same.clone()/>
        })}
        <form class="card" method="get" on:submit=open>
            <ChangeTable comparison=everything choose=choice/>
            <SoakNotes comparison=everything services=Signal::derive(move || chosen.get().into_iter().collect())/>
            <footer class="card-foot sticky">
                <p class="muted" role="status">{summary}</p>
                {(!may).then(|| view! { <p class="muted">"Your role allows you to look, not to deploy here."</p> })}
                <button
                    class="button primary"
                    type="submit"
                    name="confirm"
                    value="1"
                    disabled=move || !ready.get()
                >
                    <Icon symbol=Symbol::Promote/>
                    {label}
                </button>
            </footer>
        </form>
        {may.then(|| view! { <Confirm dialog everything chosen changed plan again/> })}
    }
}

/// The dialog that starts the promotion. Without WASM it opens where it stands, by the form's own query.
#[component]
fn Confirm(
    dialog: NodeRef<Dialog>,
    everything: RwSignal<Comparison>,
    chosen: Memo<BTreeSet<ServiceName>>,
    changed: Memo<BTreeSet<ServiceName>>,
    plan: Signal<Option<Result<Comparison, RpcError>>>,
    again: RwSignal<u32>,
) -> impl IntoView {
    let query = use_query_map();
    let asked = query.with_untracked(|query| query.get_str("confirm").is_some());
    let promote = ServerAction::<Promote>::new();
    // Without WASM the field itself insists on what has to be typed.
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    let (from, to) = everything.with_untracked(|comparison| (comparison.from.to_string(), comparison.to.to_string()));
    Effect::new(move |_| {
        if asked {
            browser::show_modal(dialog);
        }
    });
    Effect::new(move |_| {
        if matches!(promote.value().get(), Some(Err(error)) if error.kind == RpcErrorKind::Stale) {
            again.update(|again| *again += 1);
        }
    });
    let refused = move || promote.value().get().and_then(Result::err);
    let seen = move || {
        plan.with(|plan| plan.as_ref().and_then(|plan| plan.as_ref().ok()).and_then(|plan| plan.plan_hash.clone()))
    };
    let all = move || chosen.with(|chosen| changed.with(|changed| chosen == changed));
    let removed = Memo::new(move |_| {
        plan.with(|plan| plan.as_ref().and_then(|plan| plan.as_ref().ok()).map(view::removed).unwrap_or_default())
    });
    let destroys = Memo::new(move |_| removed.with(|removed| !removed.is_empty()));
    let typed = RwSignal::new(String::new());
    let unconfirmed = {
        let to = to.clone();
        move || destroys.get() && typed.with(|typed| typed.trim() != to)
    };
    let blocked = move || {
        seen().is_none() || promote.pending().get() || chosen.with(BTreeSet::is_empty) || (alive.get() && unconfirmed())
    };
    let listed = move || {
        everything.with(|comparison| {
            let picked =
                comparison.changes.iter().filter(|change| chosen.with(|chosen| chosen.contains(&change.service)));
            picked.cloned().collect::<Vec<_>>()
        })
    };
    let heading = format!("Deploy {{}} to {to}?");
    let warnings =
        Signal::derive(move || plan.get().and_then(Result::ok).map(|plan| plan.warnings).unwrap_or_default());
    view! {
        <dialog node_ref=dialog class="dialog" aria-labelledby="confirm-title" open=asked>
            <h2 id="confirm-title">
                {move || heading.replace("{}", &view::count(chosen.with(BTreeSet::len), "service", "services"))}
            </h2>
            <p class="muted">{format!("{to} gets what {from} has proved, with the very same images.")}</p>
            <ul class="confirm-list">
                <For
                    each=listed
                    key=|change| (change.service.clone(), change.from.clone(), change.to.clone())
                    let:change
                >
                    <li>
                        <strong class="name">{change.service.to_string()}</strong>
                        {confirmed(change)}
                    </li>
                </For>
            </ul>
            <Findings tone=Tone::Warn title="Worth knowing" findings=warnings/>
            <div role="alert">{move || refused().map(refusal)}</div>
            <div class="dialog-actions">
                <form method="dialog">
                    <button class="button" type="submit">"Cancel"</button>
                </form>
                <ActionForm action=promote>
                    <input type="hidden" name="environment" value=to.clone()/>
                    <input type="hidden" name="all" value=move || all().to_string()/>
                    <input type="hidden" name="seen" value=move || seen().unwrap_or_default()/>
                    <For each=move || chosen.get() key=Clone::clone let:service>
                        <input type="hidden" name="services[]" value=service.to_string()/>
                    </For>
                    {
                        let to = to.clone();
                        move || destroys.get().then(|| confirmation(&removed.get(), &to, typed))
                    }
                    <button class="button primary" type="submit" disabled=blocked>
                        {move || if promote.pending().get() { "Starting…" } else { "Confirm deploy" }}
                    </button>
                </ActionForm>
            </div>
        </dialog>
    }
}

/// Services go: whoever means that says so by typing where.
fn confirmation(removed: &[ServiceName], to: &str, typed: RwSignal<String>) -> impl IntoView + use<> {
    let names = removed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let words = view::count(removed.len(), "service", "services");
    view! {
        <label class="typed">
            <span>
                "This takes out " {words} " (" <strong class="wrap">{names}</strong> "). Type "
                <strong>{to.to_owned()}</strong> " to go on."
            </span>
            <input
                type="text"
                required=true
                pattern=to.to_owned()
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                on:input=move |event| typed.set(event_target_value(&event))
            />
        </label>
    }
}

/// What a service gets: another version, or the same one with other settings.
fn confirmed(change: ServiceChange) -> impl IntoView {
    let (from, to) = (change.from.map(|version| version.to_string()), change.to.map(|version| version.to_string()));
    if change.change_type == ChangeType::NoChange {
        view! { <span class="versions"><span class="muted">"settings of"</span><VersionText version=to/></span> }
            .into_any()
    } else {
        view! { <Versions from to/> }.into_any()
    }
}

fn refusal(error: RpcError) -> impl IntoView {
    match error.kind {
        RpcErrorKind::Busy { id } => view! {
            <Banner tone=Tone::Warn symbol=Symbol::Warning>
                "Another deployment is in progress: "
                <a href=format!("/deployments/{id}")>{format!("look at deployment {id}")}</a>
                "."
            </Banner>
        }
        .into_any(),
        RpcErrorKind::Stale => view! {
            <Banner tone=Tone::Warn symbol=Symbol::Warning>
                "Something has changed since you looked. This is the new plan: look at it again, then confirm."
            </Banner>
        }
        .into_any(),
        _ => view! {
            <Banner tone=Tone::Bad symbol=Symbol::Warning>
                <span class="wrap">{error.message}</span>
            </Banner>
        }
        .into_any(),
    }
}

/// What would be done, and what speaks against it.
#[component]
fn Plan(plan: Signal<Option<Result<Comparison, RpcError>>>, chosen: Memo<BTreeSet<ServiceName>>) -> impl IntoView {
    let ready = Memo::new(move |_| plan.get().and_then(Result::ok));
    let refused = move || plan.get().and_then(Result::err);
    let pending = move || plan.with(Option::is_none) && chosen.with(|chosen| !chosen.is_empty());
    let part = move |pick: fn(Comparison) -> Vec<release_manager::diff::Finding>| {
        Signal::derive(move || ready.get().map(pick).unwrap_or_default())
    };
    let actions = Signal::derive(move || {
        ready.get().map(|plan| plan.actions.into_iter().collect::<Vec<_>>()).unwrap_or_default()
    });
    view! {
        <section class="card" aria-labelledby="plan-title" aria-busy=move || pending().to_string()>
            <header class="card-head">
                <h2 id="plan-title">"Plan"</h2>
                {move || pending().then(|| view! { <span class="muted"><span class="spinner"></span>"Planning…"</span> })}
            </header>
            {move || refused().map(|error| view! { <p class="error-text wrap card-note">{error.message}</p> })}
            <Findings tone=Tone::Bad title="This cannot be deployed" findings=part(|plan| plan.blockers)/>
            <Findings tone=Tone::Warn title="Worth knowing" findings=part(|plan| plan.warnings)/>
            {move || (actions.with(Vec::is_empty) && !pending()).then(|| view! {
                <p class="muted card-note">"No service would be touched."</p>
            })}
            <PlanDetails actions/>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &str) -> BTreeSet<ServiceName> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn choosing_every_change_is_choosing_all() {
        let changed = set("a b");
        let without = Selection::All.toggled(&changed, "b".parse().unwrap(), false);
        assert_eq!(without, Selection::Only(set("a")));
        assert_eq!(without.toggled(&changed, "b".parse().unwrap(), true), Selection::All);
    }

    #[test]
    fn what_no_longer_changes_is_no_longer_chosen() {
        assert_eq!(Selection::Only(set("a gone")).among(&set("a b")), set("a"));
    }

    #[test]
    fn a_query_without_services_chooses_all() {
        assert_eq!(Selection::of_query(None, false), Selection::All);
        assert_eq!(Selection::of_query(Some(vec![]), false), Selection::All);
        assert_eq!(Selection::of_query(Some(vec!["a".into(), "<b>".into()]), false), Selection::Only(set("a")));
    }

    #[test]
    fn a_form_without_services_chooses_none() {
        assert_eq!(Selection::of_query(None, true), Selection::Only(set("")));
    }
}
