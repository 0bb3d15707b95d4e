//! Two environments side by side, and what was found about a promotion.

use std::collections::BTreeSet;

use leptos::prelude::*;
use release_manager::diff::{ChangeType, Finding, ServiceChange};
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::Comparison;

use super::basics::{Badge, VersionText, words};
use super::icon::{Icon, Symbol};
use super::reactive::{Seen, each, follow, memo};
use crate::view::{self, Tone};

/// Every service of both sides. With `choose`, each change can be left out; with `shown`, only those stand there.
#[component]
pub fn ChangeTable(
    #[prop(into)] comparison: Seen<Comparison>,
    #[prop(optional)] choose: Option<Choice>,
    #[prop(optional)] shown: Option<Seen<BTreeSet<ServiceName>>>,
) -> impl IntoView {
    let titled = |name: &EnvironmentName| view::title(name.as_str());
    let (from_title, to_title) = comparison.with_untracked(|sides| {
        // An environment beside an earlier release of itself.
        let is_earlier = sides.from == sides.to;
        if is_earlier { ("Then".to_owned(), "Now".to_owned()) } else { (titled(&sides.from), titled(&sides.to)) }
    });
    let names = memo(move || {
        let all = comparison.with(|known| known.changes.iter().map(|known| known.service.clone()).collect::<Vec<_>>());
        match shown {
            Some(shown) => shown.with(|shown| all.into_iter().filter(|name| shown.contains(name)).collect()),
            None => all,
        }
    });
    let hidden = memo(move || comparison.with(|known| known.changes.len()) - names.with(Vec::len));
    let sides = [to_title.clone(), from_title.clone()];
    let rows = each(move || names.get(), move |name| change_row(&name, comparison, choose, sides.clone()));
    let chosen_head =
        choose.map(|_| view! { <th role="columnheader" class="choose"><span class="sr-only">"Take part"</span></th> });
    view! {
        <table class="table changes" role="table">
            <thead role="rowgroup">
                <tr role="row">
                    {chosen_head}
                    <th role="columnheader">"Service"</th>
                    <th role="columnheader">{to_title}</th>
                    <th role="columnheader">{from_title}</th>
                    <th role="columnheader">"Change"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">{rows}</tbody>
        </table>
        {move || Some(hidden.get()).filter(|hidden| *hidden > 0).map(|hidden| view! {
            <p class="muted card-note services-hidden">
                {format!("{} not shown", view::count(hidden, "service", "services"))}
            </p>
        }.into_any())}
    }
}

/// Which changes are chosen, and how to choose others.
#[derive(Clone, Copy)]
pub struct Choice {
    /// Whether a service is chosen.
    pub chosen: Callback<ServiceName, bool>,
    /// Chooses a service, or leaves it out.
    pub choose: Callback<(ServiceName, bool)>,
}

fn change_row(
    name: &ServiceName,
    comparison: Seen<Comparison>,
    choose: Option<Choice>,
    [to_title, from_title]: [String; 2],
) -> AnyView {
    let goes_back = comparison.with_untracked(|sides| sides.from == sides.to);
    let find = |name: ServiceName| {
        move || comparison.with(|sides| sides.changes.iter().find(|change| change.service == name).cloned())
    };
    let nothing = ServiceChange { service: name.clone(), from: None, to: None, change_type: ChangeType::NoChange };
    let change = follow(nothing, find(name.clone()));
    let reason = memo({
        let name = name.clone();
        move || comparison.with(|comparison| comparison.actions.get(&name).map(|action| action.reason.clone()))
    });
    // What an earlier release cannot bring back is told beside it, as a finding.
    let stays =
        memo(move || goes_back && reason.with(Option::is_none) && comparison.with(|sides| sides.plan_hash.is_some()));
    let same_version = memo(move || change.with(|change| change.change_type == ChangeType::NoChange));
    let changes_now = memo(move || !stays.get() && (!same_version.get() || reason.with(Option::is_some)));
    let version = |pick: fn(&ServiceChange) -> Option<String>| memo(move || change.with(pick));
    let (from, to) = (version(|change| text(change.from.as_ref())), version(|change| text(change.to.as_ref())));
    let chosen = choose.map(|choice| {
        let name = name.clone();
        let field = move || changes_now.get().then(|| checkbox(&name, choice, goes_back));
        view! { <td role="cell" class="choose">{move || field()}</td> }
    });
    view! {
        <tr role="row" class=move || if changes_now.get() { "changed" } else { "unchanged" } data-key=name.to_string()>
            {chosen}
            <th role="rowheader" scope="row" class="name">{name.to_string()}</th>
            <td role="cell" data-label=to_title><VersionText version=from/></td>
            <td role="cell" data-label=from_title><VersionText version=to/></td>
            <td role="cell" data-label="Change">
                {move || match reason.get().filter(|_| same_version.get()) {
                    Some(reason) => view! {
                        <Badge tone=Tone::Fresh text="Settings"/>
                        <span class="bump">{view::reason(&reason)}</span>
                    }.into_any(),
                    None => change.with(|change| badges(change, stays.get())),
                }}
            </td>
        </tr>
    }
    .into_any()
}

fn checkbox(name: &ServiceName, choice: Choice, goes_back: bool) -> AnyView {
    let label = if goes_back { format!("Roll back {name}") } else { format!("Promote {name}") };
    let value = name.to_string();
    let (first, current, changed) = (name.clone(), name.clone(), name.clone());
    let checked = untrack(move || choice.chosen.run(first));
    view! {
        <input
            type="checkbox"
            name="services"
            value=value
            aria-label=label
            checked=checked
            prop:checked=move || choice.chosen.run(current.clone())
            on:change=move |event| choice.choose.run((changed.clone(), event_target_checked(&event)))
        />
    }
    .into_any()
}

fn text(version: Option<&release_manager::names::Version>) -> Option<String> {
    version.map(ToString::to_string)
}

fn badges(change: &ServiceChange, stays: bool) -> AnyView {
    let said = view::change(change.change_type);
    let bump = match (&change.from, &change.to) {
        (Some(from), Some(to)) => view::bump(from.as_str(), to.as_str()),
        _ => None,
    };
    let (said, bump) = match bump {
        _ if stays && change.change_type != ChangeType::NoChange => (view::said("Stays as it is", Tone::Idle), None),
        // A bump that goes down is none.
        Some(view::Bump::Downgrade) => (view::Bump::Downgrade.said(), None),
        bump => (said, bump.map(view::Bump::said)),
    };
    view! {
        <Badge tone=said.tone text=said.word/>
        {bump.map(|bump| view! { <span class=format!("bump {}", bump.tone.class())>{bump.word}</span> })}
    }
    .into_any()
}

/// What was found before anything was written. What is said of several services is said once.
#[component]
pub fn Findings(tone: Tone, title: &'static str, #[prop(into)] findings: Seen<Vec<Finding>>) -> impl IntoView {
    view! {
        {move || {
            let items = findings.with(|findings| view::grouped(findings)).into_iter().map(|(services, message)| view! {
                <li>
                    {(!services.is_empty()).then(|| view! { <strong class="wrap">{services}": "</strong> })}
                    <span class="wrap">{words(&message)}</span>
                </li>
            });
            let items: Vec<_> = items.collect();
            (!items.is_empty()).then(|| view! {
                <section class=format!("findings {}", tone.class())>
                    <h3><Icon symbol=Symbol::Warning/>{title}</h3>
                    <ul>{items}</ul>
                </section>
            }.into_any())
        }}
    }
}
