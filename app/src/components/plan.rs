//! What would be done to each service, field by field.

use leptos::prelude::*;
use release_manager::diff::FieldChange;
use release_manager::names::ServiceName;
use release_manager::views::PlannedAction;

use super::basics::Badge;
use super::icon::{Icon, Symbol};
use super::reactive::{Seen, each};
use crate::view::{self, Tone};

/// What would be done to each service.
#[component]
pub fn PlanDetails(#[prop(into)] actions: Seen<Vec<(ServiceName, PlannedAction)>>) -> impl IntoView {
    let names = move || actions.with(|actions| actions.iter().map(|(name, _)| name.clone()).collect());
    let draw = move |name: ServiceName| {
        let found = {
            let name = name.clone();
            move || {
                actions.with(|actions| actions.iter().find(|(known, _)| *known == name).map(|known| known.1.clone()))
            }
        };
        let action = super::memo(found);
        let key = name.to_string();
        view! {
            <li data-key=key>
                {move || action.get().map(|action| planned(&name, action))}
            </li>
        }
        .into_any()
    };
    view! { <ul class="plan">{each(names, draw)}</ul> }
}

fn planned(name: &ServiceName, action: PlannedAction) -> AnyView {
    let tone = match action.verb.as_str() {
        "create" => Tone::Good,
        "remove" => Tone::Bad,
        _ => Tone::Fresh,
    };
    let has_fields = !action.fields.is_empty();
    view! {
        <details class="plan-item">
            <summary>
                <Icon symbol=Symbol::Chevron/>
                <strong class="name">{name.to_string()}</strong>
                <Badge tone text=view::title(&action.verb)/>
                <span class="muted">{view::reason(&action.reason)}</span>
            </summary>
            {if has_fields {
                view! { <Fields fields=action.fields/> }.into_any()
            } else {
                view! { <p class="muted plan-note">"No field to show."</p> }.into_any()
            }}
        </details>
    }
    .into_any()
}

/// Field by field: what is and what would be.
#[component]
pub(crate) fn Fields(fields: Vec<FieldChange>) -> impl IntoView {
    let value = |text: Option<String>| match text {
        Some(text) => view! { <code class="wrap" title=text.clone()>{view::short_digest(&text)}</code> }.into_any(),
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
