//! The services of an environment, each in a line.

use std::collections::BTreeMap;

use leptos::prelude::*;
use release_manager::names::ServiceName;
use release_manager::views::EnvironmentView;

use super::basics::{Badge, HealthDot, VersionText};
use super::reactive::{Seen, each, memo};
use crate::live::{LiveState, use_live};
use crate::view::{self, ServiceFilter, ServiceRow, Tone};

/// Every service of an environment, with what is known of it just now.
pub fn rows_of(live: LiveState, environment: &EnvironmentView) -> BTreeMap<ServiceName, ServiceRow> {
    let known = live.environment(&environment.name, |known| view::services(environment, Some(known)));
    known.unwrap_or_else(|| view::services(environment, None))
}

/// The services that the filter lets through, and how many it does not.
#[component]
pub fn Services(environment: Seen<EnvironmentView>, filter: RwSignal<ServiceFilter>) -> impl IntoView {
    let live = use_live();
    let rows = memo(move || environment.with(|environment| rows_of(live, environment)));
    let names = memo(move || {
        rows.with(|rows| {
            filter.with(|filter| {
                let shown = rows.iter().filter(|(name, row)| filter.takes(name, row));
                shown.map(|(name, _)| name.clone()).collect::<Vec<_>>()
            })
        })
    });
    let hidden = memo(move || rows.with(|rows| rows.len() - names.with(Vec::len).min(rows.len())));
    let none = memo(move || rows.with(BTreeMap::is_empty));
    view! {
        <ul class="services" aria-label="Services">
            {each(move || names.get(), move |name| service(name, rows))}
            {move || Some(hidden.get()).filter(|hidden| *hidden > 0).map(|hidden| view! {
                <li class="muted services-hidden">{format!("{} not shown", view::count(hidden, "service", "services"))}</li>
            }.into_any())}
        </ul>
        {move || none.get().then(|| view! { <p class="muted card-note">"No services."</p> }.into_any())}
    }
}

fn service(name: ServiceName, rows: Seen<BTreeMap<ServiceName, ServiceRow>>) -> AnyView {
    let row = {
        let name = name.clone();
        memo(move || rows.with(|rows| rows.get(&name).cloned()))
    };
    let status = memo(move || row.with(|row| row.as_ref()?.health.as_ref().map(|health| health.status)));
    let newer = memo(move || row.with(|row| row.as_ref().is_some_and(|row| row.newer)));
    let drift = memo(move || row.with(|row| row.as_ref()?.drift));
    let version = memo(move || row.with(|row| row.as_ref()?.version.clone()));
    let replicas = memo(move || {
        row.with(|row| {
            let health = row.as_ref()?.health.as_ref().filter(|health| health.running != health.desired)?;
            Some(format!("{}/{}", health.running, health.desired))
        })
    });
    view! {
        <li class="service" class:newer=move || newer.get() data-key=name.to_string()>
            <HealthDot status/>
            <a class="name" href=format!("/services/{name}")>{name.to_string()}</a>
            {move || replicas.get().map(|replicas| view! { <span class="replicas">{replicas}</span> }.into_any())}
            {move || drift.get().map(|word| view! { <Badge tone=Tone::Warn text="DRIFT" title=word/> }.into_any())}
            {move || newer.get().then(|| view! {
                <Badge tone=Tone::Fresh text="NEWER" title="Another version than in the environment that comes next"/>
            }.into_any())}
            <VersionText version/>
        </li>
    }
    .into_any()
}
