//! What is watched besides health: what came after a success, who leads, what somebody else has changed, and how a
//! version has stood.

use leptos::prelude::*;
use release_manager::deployment::TaskEvidence;
use release_manager::names::{DeploymentId, EnvironmentName, ServiceName};
use release_manager::time::Timestamp;
use release_manager::views::Comparison;
use release_manager::watched::{After, Drift, Lead, ServiceDrift, Soak};

use super::basics::{Age, Badge, Elapsed, Field};
use super::icon::{Icon, Symbol};
use super::plan::Fields;
use super::reactive::{Seen, memo};
use crate::clock::use_clock;
use crate::live::use_live;
use crate::view::{self, Tone};

/// Says where another Release Manager leads, so that nothing can be changed from here.
#[component]
pub fn LeadNote(environment: EnvironmentName) -> impl IntoView {
    let still: Option<Timestamp> = None;
    let live = use_live();
    let lead = {
        let environment = environment.clone();
        memo(move || live.environment(&environment, |known| known.watched.lead.clone()))
    };
    view! {
        {move || match lead.get() {
            Some(Lead::Other { place, since }) => Some(view! {
                <section class="findings warn">
                    <h3><Icon symbol=Symbol::Warning/>"Read only"</h3>
                    <p class="wrap">
                        {format!("Another Release Manager leads {environment}: {place} (seen for ")}
                        <Elapsed from=since to=still/>
                        "). Stop one of the two."
                    </p>
                </section>
            }.into_any()),
            _ => None,
        }}
    }
}

/// The services that somebody else has changed, with the fields that differ.
#[component]
pub fn DriftNote(environment: EnvironmentName) -> impl IntoView {
    let live = use_live();
    let drift = memo(move || live.environment(&environment, |known| known.watched.drift.clone()));
    let checked_at = memo(move || drift.with(|drift| drift.as_ref()?.checked_at));
    // That it was looked at again must not close what somebody has opened.
    let found = memo(move || {
        let drift = drift.get().filter(|drift| !drift.services.is_empty())?;
        Some(Drift { checked_at: None, ..drift })
    });
    view! {
        {move || found.get().map(|drift| drifted(drift, checked_at))}
    }
}

fn drifted(drift: Drift, checked_at: Seen<Option<Timestamp>>) -> AnyView {
    let count = view::count(drift.services.len(), "service differs", "services differ");
    let items = drift.services.into_iter().map(|(service, drift)| {
        let said = view::drift(&drift);
        let fields = match drift {
            ServiceDrift::Changed { fields } => fields,
            ServiceDrift::Missing | ServiceDrift::Foreign => Vec::new(),
        };
        view! {
            <li>
                <strong class="name">{service.to_string()}</strong>
                " "
                <Badge tone=said.tone text=said.word/>
                {(!fields.is_empty()).then(|| view! { <Fields fields/> })}
            </li>
        }
    });
    view! {
        <details class="findings warn drift">
            <summary>
                <Icon symbol=Symbol::Warning/>
                <strong>"Drift: "</strong>
                {format!("{count} from the release")}
            </summary>
            <ul>{items.collect_view()}</ul>
            {drift.not_healed.map(|why| view! { <p class="wrap">{format!("Not brought back: {why}.")}</p> })}
            {move || checked_at.get().map(|at| view! { <p class="muted">"Looked at " <Age at/></p> }.into_any())}
        </details>
    }
    .into_any()
}

/// The services whose success did not last.
#[component]
pub fn AfterNotes(environment: EnvironmentName) -> impl IntoView {
    let live = use_live();
    let lost = memo(move || {
        let probation = live.environment(&environment, |known| known.watched.probation.clone()).unwrap_or_default();
        let lost = probation.into_iter().filter_map(|(service, kept)| Some((service, kept.deployment, kept.after?)));
        lost.collect::<Vec<(ServiceName, DeploymentId, After)>>()
    });
    let item = |(service, deployment, after): (ServiceName, DeploymentId, After)| {
        view! {
            <li>
                <strong class="name">{service.to_string()}</strong>
                ": "
                <span class="wrap">{after.message()}</span>
                ", "
                <Age at=after.at/>
                ". "
                <a href=format!("/deployments/{deployment}")>{format!("Deployment {deployment}")}</a>
            </li>
        }
    };
    view! {
        {move || (!lost.with(Vec::is_empty)).then(|| view! {
            <section class="findings bad">
                <h3><Icon symbol=Symbol::Warning/>"Degraded after success"</h3>
                <ul>{lost.get().into_iter().map(item).collect_view()}</ul>
            </section>
        }.into_any())}
    }
}

/// What came after a success, beside the verdict that stays as it is.
#[component]
pub fn AfterView(after: After) -> impl IntoView {
    let (at, message) = (after.at, after.message());
    let TaskEvidence { task, state, .. } = after.task;
    let logs = (!after.log_lines.is_empty()).then(|| after.log_lines.join("\n"));
    view! {
        <div class="evidence after">
            <p class="line-message wrap">
                <Badge tone=Tone::Bad text="Degraded"/>
                " "
                {message}
                ", "
                <Age at/>
            </p>
            <dl class="facts">
                <Field label="Task"><code class="wrap">{task}</code>{format!(" ({state})")}</Field>
            </dl>
            {logs.map(|logs| view! {
                <figure class="logs">
                    <figcaption>"Its last log lines"</figcaption>
                    <pre tabindex="0">{logs}</pre>
                </figure>
            })}
        </div>
    }
}

/// Until when a success is watched on; nothing once that time is over.
#[component]
pub fn Watching(deployment: DeploymentId, service: ServiceName) -> impl IntoView {
    let live = use_live();
    let clock = use_clock();
    let until = memo(move || {
        live.read(|live| {
            let all = live.environments.values().filter_map(|known| known.watched.probation.get(&service));
            all.filter(|kept| kept.deployment == deployment && kept.after.is_none()).map(|kept| kept.until).next()
        })
        .flatten()
    });
    let left = memo(move || {
        let left = until.get()?.seconds_since(clock.now());
        (left > 0.0).then(|| view::duration(left))
    });
    view! {
        {move || left.get().map(|left| {
            let end = until.get_untracked().map(|until| until.as_millis().to_string());
            view! {
                <p class="muted line-message">"Watched on for another " <span data-left=end>{left}</span> "."</p>
            }
            .into_any()
        })}
    }
}

/// How the versions that would be promoted have stood where they come from.
#[component]
pub fn SoakNotes(
    #[prop(into)] comparison: Seen<Comparison>,
    #[prop(into)] services: Seen<Vec<ServiceName>>,
) -> impl IntoView {
    let rows = memo(move || {
        let wanted = services.get();
        comparison.with(|comparison| {
            let known = wanted.into_iter().filter_map(|service| {
                let soak = comparison.soak.get(&service)?.clone();
                Some((service, soak))
            });
            known.collect::<Vec<(ServiceName, Soak)>>()
        })
    });
    let from = comparison.with_untracked(|comparison| comparison.from.to_string());
    view! {
        {move || (!rows.with(Vec::is_empty)).then(|| view! {
            <section class="soak" aria-label="How these versions have stood">
                <h2 class="soak-title">{format!("How these versions have stood in {from}")}</h2>
                <ul class="soak-list">
                    {rows.get().into_iter().map(|(service, soak)| soak_line(&service, soak)).collect_view()}
                </ul>
            </section>
        }.into_any())}
    }
}

fn soak_line(service: &ServiceName, soak: Soak) -> AnyView {
    let still: Option<Timestamp> = None;
    let said = view::soak(&soak);
    let why = soak.last_failure.and_then(|task| task.error);
    view! {
        <li>
            <strong class="name">{service.to_string()}</strong>
            " ran for "
            <Elapsed from=soak.since to=still/>
            " "
            <Badge tone=said.1 text=said.0/>
            {why.map(|why| view! { " " <span class="error-text wrap">{why}</span> })}
        </li>
    }
    .into_any()
}
