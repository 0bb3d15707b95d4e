//! The dialog that starts a promotion: above the page where there are scripts, without them where it stands, opened by the
//! form's own question. What has to be typed the field itself insists on.

use std::collections::BTreeSet;

use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use release_manager::diff::{ChangeType, ServiceChange};
use release_manager::names::ServiceName;
use release_manager::views::Comparison;

use super::changes::Choosing;
use super::orders::{OrderForm, Refusals, refused};
use crate::components::{Banner, Findings, Seen, Symbol, VersionText, Versions, each, follow, memo, words};
use crate::error::{RpcError, RpcErrorKind};
use crate::rpc::Promote;
use crate::view::{self, Tone};

/// The dialog. `confirming`: whether it is open.
#[component]
pub(super) fn Confirm(all: Choosing, confirming: RwSignal<bool>) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    show_above(dialog, confirming);
    let refusals = use_context::<Refusals>();
    let all = as_opened(all, confirming, refusals);
    let Choosing { everything, chosen, plan, .. } = all;
    let closed = move |_| {
        confirming.set(false);
        if let Some(refusals) = refusals {
            refusals.0.set(None);
        }
    };
    let open = confirming.get_untracked() && !chosen.with_untracked(BTreeSet::is_empty);
    let (from, to) = everything.with_untracked(|comparison| (comparison.from.to_string(), comparison.to.to_string()));
    let heading = {
        let to = to.clone();
        move || format!("Deploy {} to {to}?", view::count(chosen.with(BTreeSet::len), "service", "services"))
    };
    let refused = refused(Promote::PATH);
    let warnings = memo(move || plan.with(|plan| plan.as_ref().map(|plan| plan.warnings.clone()).unwrap_or_default()));
    view! {
        <dialog node_ref=dialog id="confirm" class="dialog" aria-labelledby="confirm-title" open=open on:close=closed>
            <h2 id="confirm-title">{move || heading()}</h2>
            <p class="muted">{format!("{to} gets what {from} has proved, with the very same images.")}</p>
            <ul class="confirm-list">
                {each(move || names(chosen), move |name| confirmed(&name, everything))}
            </ul>
            <Findings tone=Tone::Warn title="Worth knowing" findings=warnings/>
            <div role="alert">{move || refused.get().map(refusal)}</div>
            <div class="dialog-actions">
                <form method="dialog">
                    <button class="button" type="submit">"Cancel"</button>
                </form>
                <Order all to/>
            </div>
        </dialog>
    }
}

/// The choice and its plan as they were when the dialog was opened: nobody confirms what they have not read. Where another
/// plan has come meanwhile the server refuses the order, and only then that plan is shown.
fn as_opened(now: Choosing, confirming: RwSignal<bool>, refusals: Option<Refusals>) -> Choosing {
    let live = move || (now.everything.get(), now.chosen.get(), now.plan.get());
    let opened = follow(untrack(live), move || {
        let is_refused = refusals.is_some_and(|refusals| refusals.0.with(Option::is_some));
        match (confirming.get(), is_refused) {
            (false, _) => Some(live()),
            (true, true) => Some(untrack(live)),
            (true, false) => None,
        }
    });
    let everything = memo(move || opened.with(|(everything, ..)| everything.clone()));
    Choosing {
        everything,
        changed: memo(move || everything.with(Comparison::changed)),
        chosen: memo(move || opened.with(|(_, chosen, _)| chosen.clone())),
        plan: memo(move || opened.with(|(.., plan)| plan.clone())),
        ..now
    }
}

/// Puts the dialog above the page as soon as it is wanted.
#[cfg(feature = "browser")]
fn show_above(dialog: NodeRef<Dialog>, confirming: RwSignal<bool>) {
    Effect::new(move || {
        if let Some(dialog) = dialog.get().filter(|_| confirming.get()) {
            // One that was opened by the question in the address is not modal.
            let _ = dialog.remove_attribute("open");
            let _ = dialog.show_modal();
        }
    });
}

#[cfg(not(feature = "browser"))]
fn show_above(_: NodeRef<Dialog>, _: RwSignal<bool>) {}

fn names(chosen: Seen<BTreeSet<ServiceName>>) -> Vec<ServiceName> {
    chosen.with(|chosen| chosen.iter().cloned().collect())
}

/// The order itself: the choice, and the plan that was seen.
#[component]
fn Order(all: Choosing, to: String) -> impl IntoView {
    let Choosing { changed, chosen, plan, .. } = all;
    let seen = memo(move || plan.with(|plan| plan.as_ref()?.plan_hash.clone()));
    let whole = memo(move || chosen.with(|chosen| changed.with(|changed| chosen == changed)));
    let removed = memo(move || plan.with(|plan| plan.as_ref().map(view::removed).unwrap_or_default()));
    let blocked = memo(move || seen.with(Option::is_none) || chosen.with(BTreeSet::is_empty));
    let service =
        |name: ServiceName| view! { <input type="hidden" name="services[]" value=name.to_string()/> }.into_any();
    view! {
        <OrderForm path=Promote::PATH>
            <input type="hidden" name="environment" value=to.clone()/>
            <input type="hidden" name="all" value=move || whole.get().to_string()/>
            <input type="hidden" name="seen" value=move || seen.get().unwrap_or_default()/>
            {each(move || names(chosen), service)}
            {
                let to = to.clone();
                move || removed.with(|removed| (!removed.is_empty()).then(|| confirmation(removed, &to)))
            }
            <button class="button primary" type="submit" disabled=move || blocked.get()>
                "Confirm deploy"
            </button>
        </OrderForm>
    }
}

/// Services go: whoever means that says so by typing where.
fn confirmation(removed: &[ServiceName], to: &str) -> AnyView {
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
            />
        </label>
    }
    .into_any()
}

/// What a service gets: another version, or the same one with other settings.
fn confirmed(name: &ServiceName, everything: Seen<Comparison>) -> AnyView {
    let change = {
        let name = name.clone();
        memo(move || everything.with(|sides| sides.changes.iter().find(|change| change.service == name).cloned()))
    };
    view! {
        <li>
            <strong class="name">{name.to_string()}</strong>
            {move || change.get().map(versions)}
        </li>
    }
    .into_any()
}

fn versions(change: ServiceChange) -> AnyView {
    let (from, to) = (change.from.map(|version| version.to_string()), change.to.map(|version| version.to_string()));
    if change.change_type == ChangeType::NoChange {
        view! { <span class="versions"><span class="muted">"settings of"</span><VersionText version=to/></span> }
            .into_any()
    } else {
        view! { <Versions from to/> }.into_any()
    }
}

fn refusal(error: RpcError) -> AnyView {
    let (tone, text) = match error.kind {
        RpcErrorKind::Busy { id } => {
            let link = view! {
                "Another deployment is in progress: "
                <a href=format!("/deployments/{id}")>{format!("look at deployment {id}")}</a>
                "."
            };
            (Tone::Warn, link.into_any())
        }
        RpcErrorKind::Stale => {
            let text = "Something has changed since you looked. This is the new plan: look at it again, then confirm.";
            (Tone::Warn, text.into_any())
        }
        _ => (Tone::Bad, view! { <span class="wrap">{words(&error.message)}</span> }.into_any()),
    };
    view! { <Banner tone symbol=Symbol::Warning>{text}</Banner> }.into_any()
}
