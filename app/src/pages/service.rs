//! One service in every environment: what runs, since when, on which tasks, and what it was told.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::Overview;

use crate::app_data::use_overview;
use crate::clock::use_clock;
use crate::components::{Drawn, Empty, HealthDot, Loaded, LogPlace, PageHead, Symbol, VersionText, memo};
use crate::live::use_live;
use crate::pages::NotFoundPage;
use crate::rpc;
use crate::view;

/// `/services/:service`
#[component]
pub fn ServicePage() -> impl IntoView {
    let params = use_params_map();
    let service =
        memo(move || params.with(|params| params.get_str("service").and_then(|name| name.parse::<ServiceName>().ok())));
    move || match service.get() {
        Some(service) => view! { <Service service/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

#[component]
fn Service(service: ServiceName) -> impl IntoView {
    let overview = use_overview();
    let asked = |service: &ServiceName| {
        let service = service.clone();
        move || service.clone()
    };
    let (for_timeline, for_tasks, for_spec) = (asked(&service), asked(&service), asked(&service));
    let timeline = Resource::new(|| (), move |()| rpc::timeline(for_timeline()));
    let tasks = Resource::new(|| (), move |()| rpc::tasks(for_tasks()));
    let spec = Resource::new(|| (), move |()| rpc::spec(for_spec()));
    let running = {
        let of_all = |live: &release_manager::live::Live| {
            let known = live.environments.iter().filter(|(_, known)| known.health.services.contains_key(&service));
            known.map(|(name, _)| name.clone()).collect::<Vec<EnvironmentName>>()
        };
        use_live().read(of_all).unwrap_or_default()
    };
    let history = format!("/history?service={service}");
    let name = service.clone();
    view! {
        <PageHead title=service.to_string() lead="In every environment.">
            <a class="button" href=history>"History"</a>
        </PageHead>
        <Loaded resource=overview let:overview>
            <Environments overview service=name.clone()/>
        </Loaded>
        <section class="card" aria-labelledby="timeline-title">
            <header class="card-head"><h2 id="timeline-title">"Versions over time"</h2></header>
            <Drawn resource=timeline/>
        </section>
        <section class="card" aria-labelledby="tasks-title">
            <header class="card-head"><h2 id="tasks-title">"Tasks"</h2></header>
            <Drawn resource=tasks/>
        </section>
        <section class="card" aria-labelledby="log-title">
            <header class="card-head"><h2 id="log-title">"Log"</h2></header>
            <p class="muted card-note before-wasm">"The log is live, so it needs scripts. The REST API has the last lines."</p>
            <LogPlace service environments=running/>
        </section>
        <section class="card" aria-labelledby="spec-title">
            <header class="card-head"><h2 id="spec-title">"Running spec"</h2></header>
            <Drawn resource=spec/>
        </section>
    }
}

/// Version and health in each environment.
#[component]
fn Environments(overview: RwSignal<Overview>, service: ServiceName) -> impl IntoView {
    let names = memo(move || {
        overview.with(|overview| overview.environments.iter().map(|known| known.name.clone()).collect::<Vec<_>>())
    });
    let known = {
        let service = service.clone();
        memo(move || {
            overview.with(|overview| {
                let mut releases = overview.environments.iter().filter_map(|known| known.release.as_ref());
                releases.any(|release| release.services.contains_key(&service))
            })
        })
    };
    view! {
        <ul class="service-environments">
            <For each=move || names.get() key=Clone::clone let:name>
                {place(name, service.clone(), overview)}
            </For>
        </ul>
        {move || (!known.get()).then(|| view! {
            <Empty symbol=Symbol::Box title="Not part of any release" text="No environment runs a service of this name."/>
        })}
    }
}

fn place(name: EnvironmentName, service: ServiceName, overview: RwSignal<Overview>) -> impl IntoView {
    let live = use_live();
    let clock = use_clock();
    let title = view::title(name.as_str());
    let version = {
        let (name, service) = (name.clone(), service.clone());
        memo(move || {
            overview.with(|overview| {
                let known = overview.environments.iter().find(|known| known.name == name)?.release.as_ref()?;
                known.services.get(&service).map(|known| known.version.to_string())
            })
        })
    };
    let health = memo(move || {
        live.environment(&name, |environment| environment.health.services.get(&service).cloned()).flatten()
    });
    let status = memo(move || health.with(|health| health.as_ref().map(|health| health.status)));
    let text = memo(move || {
        health.with(|health| match health {
            Some(health) => {
                let tasks = format!("{}/{} tasks", health.running, health.desired);
                match health.running_since {
                    Some(since) => format!("{tasks}, up {}", view::duration(clock.now().seconds_since(since))),
                    None => tasks,
                }
            }
            None => "not running".to_owned(),
        })
    });
    let error = memo(move || health.with(|health| health.as_ref().and_then(|health| health.error.clone())));
    view! {
        <li class="card service-environment">
            <p class="service-environment-head">
                <HealthDot status/>
                <strong>{title}</strong>
                <VersionText version/>
            </p>
            <p class="muted">{move || text.get()}</p>
            {move || error.get().map(|error| view! { <p class="error-text wrap">{error}</p> })}
        </li>
    }
}
