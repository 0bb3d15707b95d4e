//! How every service of every environment is, as it is seen now.

use leptos::prelude::*;
use release_manager::access::Operation;
use release_manager::health::{EnvironmentHealth, HealthStatus, ServiceHealth};
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::release::ServiceVersion;

use crate::access::use_looker;
use crate::app_data::use_overview;
use crate::clock::use_clock;
use crate::components::{
    Age, Badge, Empty, Field, HealthDot, Icon, Loaded, PageHead, Seen, Symbol, VersionText, follow, memo,
};
use crate::error::RpcError;
use crate::live::use_live;
use crate::rpc::{self, DrawnLooks};
use crate::view;

/// `/health`
#[component]
pub fn HealthPage() -> impl IntoView {
    let overview = use_overview();
    let looked = Resource::new(
        || (),
        move |()| async move {
            let looks = rpc::close_looks().await?;
            Ok::<_, RpcError>((overview.await?, looks))
        },
    );
    view! {
        <PageHead title="Health" lead="Every service as the Swarm shows it, updated by itself."/>
        <Loaded resource=looked let:looked>
            {
                let looks = StoredValue::new(looked.with_untracked(|(_, looks)| looks.clone()));
                let names = memo(move || {
                    looked.with(|(overview, _)| {
                        overview.environments.iter().map(|found| found.name.clone()).collect::<Vec<_>>()
                    })
                });
                view! {
                    <div class="health-grid">
                        <For each=move || names.get() key=Clone::clone let:name>
                            <EnvironmentCard name looks/>
                        </For>
                    </div>
                }
            }
        </Loaded>
    }
}

#[component]
fn EnvironmentCard(name: EnvironmentName, looks: StoredValue<DrawnLooks>) -> impl IntoView {
    let live = use_live();
    let heading = format!("health-{name}");
    let labelled_by = heading.clone();
    let title = view::title(name.as_str());
    let environment = name.clone();
    let key = name.to_string();
    let health = memo(move || live.environment(&name, |environment| environment.health.clone()));
    let checked = memo(move || health.with(|health| health.as_ref().and_then(|health| health.checked_at)));
    let rolled_up = memo(move || health.with(|health| health.as_ref().map(view::roll_up)));
    let names = memo(move || health.with(|health| health.as_ref().map(worst_first).unwrap_or_default()));
    let none = memo(move || names.with(Vec::is_empty));
    view! {
        <section class="card" aria-labelledby=labelled_by data-key=key>
            <header class="card-head">
                <h2 id=heading>{title}</h2>
                {move || rolled_up.get().map(|(tone, text)| view! {
                    <span class=format!("roll-up {}", tone.class())>
                        <span class=format!("dot {}", tone.class())></span>
                        {text}
                    </span>
                })}
                <span class="muted card-age">
                    {move || match checked.get() {
                        Some(at) => view! { "checked " <Age at/> }.into_any(),
                        None => view! { "not checked yet" }.into_any(),
                    }}
                </span>
            </header>
            <ul class="health-list">
                <For each=move || names.get() key=Clone::clone let:name>
                    {service(environment.clone(), name, health, looks)}
                </For>
            </ul>
            {move || none.get().then(|| match checked.get() {
                Some(_) => view! {
                    <Empty symbol=Symbol::Health title="Nothing to see" text="No service of this environment was found in the Swarm."/>
                }.into_any(),
                None => view! {
                    <Empty symbol=Symbol::Health title="Not checked yet" text="The Swarm has not been looked at so far."/>
                }.into_any(),
            })}
        </section>
    }
}

/// What needs a look comes first; within that, by name.
fn worst_first(health: &EnvironmentHealth) -> Vec<ServiceName> {
    let rank = |status| match status {
        HealthStatus::Unhealthy => 0,
        HealthStatus::Unknown => 1,
        HealthStatus::Progressing => 2,
        HealthStatus::Healthy => 3,
    };
    let mut names: Vec<(u8, &ServiceName)> =
        health.services.iter().map(|(name, service)| (rank(service.status), name)).collect();
    names.sort_unstable();
    names.into_iter().map(|(_, name)| name.clone()).collect()
}

fn service(
    environment: EnvironmentName,
    name: ServiceName,
    health: Seen<Option<EnvironmentHealth>>,
    looks: StoredValue<DrawnLooks>,
) -> impl IntoView {
    let look = looks.with_value(|looks| looks.get(&environment)?.get(&name).cloned());
    let may_restart = use_looker().may_in(Operation::Restart, &environment);
    let key = name.to_string();
    let first = ServiceHealth {
        status: HealthStatus::Unknown,
        running: 0,
        desired: 0,
        error: None,
        running_since: None,
        image: String::new(),
        restarts: 0,
        unreachable: 0,
    };
    let service = follow(first, {
        let name = name.clone();
        move || health.with(|health| health.as_ref().and_then(|health| health.services.get(&name).cloned()))
    });
    let status = memo(move || service.with(|service| service.status));
    let replicas = memo(move || service.with(|service| format!("{}/{}", service.running, service.desired)));
    let version = memo(move || {
        service.with(|service| ServiceVersion::of_image(&service.image).map(|read| read.version.to_string()))
    });
    let error = memo(move || service.with(|service| service.error.clone()));
    // What a task has died of stands at the task.
    let is_explained = look.is_some();
    let unexplained = memo(move || error.get().filter(|_| !is_explained || status.get() == HealthStatus::Unknown));
    view! {
        <li data-key=key>
            <details class="health-item">
                <summary>
                    <HealthDot status=memo(move || Some(status.get()))/>
                    <strong class="name">{name.to_string()}</strong>
                    <span class="replicas" title="Tasks that run, of those that should">{move || replicas.get()}</span>
                    <VersionText version/>
                    <Icon symbol=Symbol::Chevron/>
                    {move || error.get().map(|error| view! { <span class="error-text health-error">{error}</span> })}
                </summary>
                <Details service status error=unexplained/>
                {look.map(|html| view! { <div class="close-look" inner_html=html></div> })}
                <p class="health-more"><a href=format!("/services/{name}")>"Log, versions and spec"</a></p>
                {may_restart.then(|| view! { <Restart environment name/> })}
            </details>
        </li>
    }
}

/// Starts all tasks of a service anew, after a question.
#[component]
fn Restart(environment: EnvironmentName, name: ServiceName) -> impl IntoView {
    let restart = ServerAction::<rpc::Restart>::new();
    let refused = move || restart.value().get().and_then(Result::err);
    view! {
        <details class="ask details">
            <summary class="button small" aria-label=format!("Restart {name} in {environment}…")>
                <Icon symbol=Symbol::Retry/>
                "Restart…"
            </summary>
            <div class="ask-body">
                <p>"All its tasks are started anew, as its update settings say, and watched to a verdict."</p>
                <ActionForm action=restart>
                    <input type="hidden" name="environment" value=environment.to_string()/>
                    <input type="hidden" name="service" value=name.to_string()/>
                    <button class="button" type="submit" disabled=move || restart.pending().get()>
                        {format!("Restart {name}")}
                    </button>
                </ActionForm>
                {move || refused().map(|error| view! { <p class="error-text wrap" role="alert">{error.message}</p> })}
            </div>
        </details>
    }
}

#[component]
fn Details(service: Seen<ServiceHealth>, status: Seen<HealthStatus>, error: Seen<Option<String>>) -> impl IntoView {
    let clock = use_clock();
    let image = memo(move || service.with(|service| service.image.clone()));
    let since = memo(move || service.with(|service| service.running_since));
    let restarts = memo(move || service.with(|service| service.restarts.to_string()));
    let unreachable = memo(move || service.with(|service| service.unreachable));
    let lost = memo(move || unreachable.get() > 0);
    let uptime = memo(move || since.get().map(|since| view::duration(clock.now().seconds_since(since))));
    view! {
        <div class="details">
            <dl class="facts">
                <Field label="Status">
                    {move || {
                        let said = view::health(Some(status.get()));
                        view! { <Badge tone=said.tone text=said.word/> }
                    }}
                </Field>
                <Field label="Uptime">{move || uptime.get().unwrap_or_else(|| "not running".to_owned())}</Field>
                <Field label="Running since">
                    {move || match since.get() {
                        Some(at) => view::absolute(at).into_any(),
                        None => view! { "—" }.into_any(),
                    }}
                </Field>
                <Field label="Restarts in the last hour">{move || restarts.get()}</Field>
                {move || lost.get().then(|| view! {
                    <Field label="Unreachable">{move || format!("{} on unreachable node", unreachable.get())}</Field>
                })}
                <Field label="Image"><code class="wrap">{move || image.get()}</code></Field>
            </dl>
            {move || error.get().map(|error| view! { <pre class="error-text" tabindex="0">{error}</pre> })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_needs_a_look_comes_first() {
        let of = |status| ServiceHealth {
            status,
            running: 0,
            desired: 0,
            error: None,
            running_since: None,
            image: String::new(),
            restarts: 0,
            unreachable: 0,
        };
        let services: BTreeMap<ServiceName, ServiceHealth> = [
            ("a", HealthStatus::Healthy),
            ("b", HealthStatus::Unhealthy),
            ("c", HealthStatus::Progressing),
            ("d", HealthStatus::Unhealthy),
        ]
        .map(|(name, status)| (name.parse().unwrap(), of(status)))
        .into();
        let names = worst_first(&EnvironmentHealth { checked_at: None, services });
        let names: Vec<&str> = names.iter().map(ServiceName::as_str).collect();
        assert_eq!(names, ["b", "d", "c", "a"]);
    }
}
