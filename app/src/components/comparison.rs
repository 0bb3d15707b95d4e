//! Two environments side by side, and what a promotion would do.

use leptos::prelude::*;
use release_manager::diff::{ChangeType, FieldChange, Finding, ServiceChange};
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::{Comparison, PlannedAction};

use super::basics::{Badge, VersionText};
use super::follow;
use super::icon::{Icon, Symbol};
use crate::view::{self, Tone};

/// Every service of both sides. With `choose`, each change can be left out.
#[component]
pub fn ChangeTable(
    #[prop(into)] comparison: Signal<Comparison>,
    #[prop(optional)] choose: Option<Choice>,
) -> impl IntoView {
    let titled = |name: &EnvironmentName| view::title(name.as_str());
    let (from_title, to_title) = comparison.with_untracked(|sides| {
        // An environment beside an earlier release of itself.
        let is_earlier = sides.from == sides.to;
        if is_earlier { ("Then".to_owned(), "Now".to_owned()) } else { (titled(&sides.from), titled(&sides.to)) }
    });
    let changes = move || comparison.with(|comparison| comparison.changes.clone());
    let chosen_head =
        choose.map(|_| view! { <th role="columnheader" class="choose"><span class="sr-only">"Take part"</span></th> });
    view! {
        <table class="table changes" role="table">
            <thead role="rowgroup">
                <tr role="row">
                    {chosen_head}
                    <th role="columnheader">"Service"</th>
                    <th role="columnheader">{to_title.clone()}</th>
                    <th role="columnheader">{from_title.clone()}</th>
                    <th role="columnheader">"Change"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                <For each=changes key=|change| change.service.clone() let:change>
                    {change_row(change, comparison, choose, [to_title.clone(), from_title.clone()])}
                </For>
            </tbody>
        </table>
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
    first: ServiceChange,
    comparison: Signal<Comparison>,
    choose: Option<Choice>,
    [to_title, from_title]: [String; 2],
) -> impl IntoView {
    let name = first.service.clone();
    let goes_back = comparison.with_untracked(|sides| sides.from == sides.to);
    let change = follow(first, {
        let name = name.clone();
        move || comparison.with(|sides| sides.changes.iter().find(|change| change.service == name).cloned())
    });
    let action = Memo::new({
        let name = name.clone();
        move |_| comparison.with(|comparison| comparison.actions.get(&name).cloned())
    });
    let same_version = Memo::new(move |_| change.with(|change| change.change_type == ChangeType::NoChange));
    let changes_now = Memo::new(move |_| !same_version.get() || action.with(Option::is_some));
    let class = move || if changes_now.get() { "changed" } else { "unchanged" };
    view! {
        <tr role="row" class=class>
            {choose.map(|choice| view! {
                <td role="cell" class="choose">
                    {let name = name.clone(); move || changes_now.get().then(|| checkbox(name.clone(), choice, goes_back))}
                </td>
            })}
            <th role="rowheader" scope="row" class="name">{name.to_string()}</th>
            <td role="cell" data-label=to_title>
                <VersionText version=Signal::derive(move || change.with(|change| text(change.from.as_ref())))/>
            </td>
            <td role="cell" data-label=from_title>
                <VersionText version=Signal::derive(move || change.with(|change| text(change.to.as_ref())))/>
            </td>
            <td role="cell" data-label="Change">
                {move || match action.get().filter(|_| same_version.get()) {
                    Some(action) => view! {
                        <Badge tone=Tone::Fresh text="Settings"/>
                        <span class="bump">{action.reason}</span>
                    }.into_any(),
                    None => change.with(badges).into_any(),
                }}
            </td>
        </tr>
    }
}

fn checkbox(name: ServiceName, choice: Choice, goes_back: bool) -> impl IntoView {
    let label = if goes_back { format!("Roll back {name}") } else { format!("Promote {name}") };
    let value = name.to_string();
    let (first, current) = (name.clone(), name.clone());
    let checked = untrack(move || choice.chosen.run(first));
    view! {
        <input
            type="checkbox"
            name="services"
            value=value
            aria-label=label
            checked=checked
            prop:checked=move || choice.chosen.run(current.clone())
            on:change=move |event| choice.choose.run((name.clone(), event_target_checked(&event)))
        />
    }
}

fn text(version: Option<&release_manager::names::Version>) -> Option<String> {
    version.map(ToString::to_string)
}

fn badges(change: &ServiceChange) -> impl IntoView + use<> {
    let said = view::change(change.change_type);
    let bump = match (&change.from, &change.to) {
        (Some(from), Some(to)) => view::bump(from.as_str(), to.as_str()).map(view::Bump::said),
        _ => None,
    };
    view! {
        <Badge tone=said.tone text=said.word/>
        {bump.map(|bump| view! { <span class=format!("bump {}", bump.tone.class())>{bump.word}</span> })}
    }
}

/// What was found before anything was written.
#[component]
pub fn Findings(tone: Tone, title: &'static str, #[prop(into)] findings: Signal<Vec<Finding>>) -> impl IntoView {
    view! {
        {move || {
            let findings = findings.get();
            (!findings.is_empty()).then(|| {
                let items = findings.into_iter().map(|finding| view! {
                    <li>
                        {finding.service.map(|service| view! { <strong>{service.to_string()}": "</strong> })}
                        <span class="wrap">{finding.message}</span>
                    </li>
                });
                view! {
                    <section class=format!("findings {}", tone.class())>
                        <h3><Icon symbol=Symbol::Warning/>{title}</h3>
                        <ul>{items.collect_view()}</ul>
                    </section>
                }
            })
        }}
    }
}

/// What would be done to each service, field by field.
#[component]
pub fn PlanDetails(#[prop(into)] actions: Signal<Vec<(ServiceName, PlannedAction)>>) -> impl IntoView {
    view! {
        <ul class="plan">
            <For each=move || actions.get() key=|(name, action)| (name.clone(), format!("{action:?}")) let:entry>
                {planned(entry.0, entry.1)}
            </For>
        </ul>
    }
}

fn planned(name: ServiceName, action: PlannedAction) -> impl IntoView {
    let tone = match action.verb.as_str() {
        "create" => Tone::Good,
        "remove" => Tone::Bad,
        _ => Tone::Fresh,
    };
    let has_fields = !action.fields.is_empty();
    view! {
        <li>
            <details class="plan-item">
                <summary>
                    <Icon symbol=Symbol::Chevron/>
                    <strong class="name">{name.to_string()}</strong>
                    <Badge tone text=view::title(&action.verb)/>
                    <span class="muted">{action.reason}</span>
                </summary>
                {if has_fields {
                    view! { <Fields fields=action.fields/> }.into_any()
                } else {
                    view! { <p class="muted plan-note">"No field to show."</p> }.into_any()
                }}
            </details>
        </li>
    }
}

/// Field by field: what is and what would be.
#[component]
pub(crate) fn Fields(fields: Vec<FieldChange>) -> impl IntoView {
    let value = |text: Option<String>| match text {
        Some(text) => view! { <code class="wrap">{text}</code> }.into_any(),
        None => view! { <span class="muted">"not set, or not shown"</span> }.into_any(),
    };
    let rows = fields.into_iter().map(|field| {
        view! {
            <div class="field-change">
                <dt class="wrap" title=field.field.clone()>{view::field(&field.field).to_owned()}</dt>
                <dd class="old"><span class="sr-only">"from "</span>{value(field.from)}</dd>
                <dd class="new"><span class="sr-only">"to "</span>{value(field.to)}</dd>
            </div>
        }
    });
    view! { <dl class="field-changes">{rows.collect_view()}</dl> }
}
