//! The services of a deployment, each in a line: where it is, and what became of it.

use std::collections::BTreeMap;

use leptos::prelude::*;
use release_manager::deployment::Status;
use release_manager::names::ServiceName;

use super::deployment::Told;
use crate::components::{AfterView, Badge, EvidenceView, Seen, Versions, Watching, each, memo, words};
use crate::view::{self, ServiceLine};

/// Every service that is touched.
#[component]
pub(super) fn Lines(told: Told) -> impl IntoView {
    let lines = memo(move || {
        told.data.with(|view| told.progress.with(|progress| view::lines(&view.deployment, progress.as_ref())))
    });
    let names = memo(move || lines.with(|lines| lines.keys().cloned().collect::<Vec<_>>()));
    view! {
        <ul class="lines">{each(move || names.get(), move |name| line(&name, lines, told))}</ul>
        {move || names.with(Vec::is_empty).then(|| view! {
            <p class="muted card-note">
                {if told.status.get() == Status::InProgress { "The plan is being made…" } else { "No service was touched." }}
            </p>
        }.into_any())}
    }
}

fn line(name: &ServiceName, lines: Seen<BTreeMap<ServiceName, ServiceLine>>, told: Told) -> AnyView {
    let line = {
        let name = name.clone();
        memo(move || lines.with(|lines| lines.get(&name).cloned()))
    };
    let part =
        move |pick: fn(&ServiceLine) -> Option<String>| memo(move || line.with(|line| line.as_ref().and_then(pick)));
    let (from, to) = (part(|line| line.from.clone()), part(|line| line.to.clone()));
    let (tasks, message) = (part(|line| Some(line.tasks.clone())), part(|line| line.message.clone()));
    let state = memo(move || line.with(|line| line.as_ref().map(|line| (line.word.clone(), line.tone))));
    view! {
        <li class="line" data-key=name.to_string()>
            <div class="line-head">
                <a class="name" href=format!("/services/{name}")>{name.to_string()}</a>
                <Versions from to/>
                <span class="line-tasks" title="Tasks that run, of those that should">{move || tasks.get()}</span>
                {move || state.get().map(|(word, tone)| view! { <Badge tone text=word/> }.into_any())}
            </div>
            {bar(name, line)}
            {move || message.get().map(|message| view! { <p class="line-message wrap">{words(&message)}</p> }.into_any())}
            {proof(line)}
            <Watching deployment=told.id service=name.clone()/>
            {after(name, told)}
        </li>
    }
    .into_any()
}

fn bar(name: &ServiceName, line: Seen<Option<ServiceLine>>) -> AnyView {
    let label = format!("Progress of {name}");
    let percent = memo(move || line.with(|line| line.as_ref().and_then(|line| line.percent)));
    let runs = memo(move || percent.with(Option::is_some));
    view! {
        {move || runs.get().then(|| view! {
            <progress
                max="100"
                value=move || percent.get().unwrap_or(100).to_string()
                aria-label=label.clone()
            ></progress>
        }.into_any())}
    }
    .into_any()
}

/// What the verdict rests on, where that says more than the verdict.
fn proof(line: Seen<Option<ServiceLine>>) -> AnyView {
    let evidence = memo(move || {
        let outcome = line.with(|line| line.as_ref().and_then(|line| line.outcome.clone()));
        outcome.map(|outcome| outcome.evidence).filter(|evidence| {
            evidence.failing_task.is_some() || evidence.old_tasks_serve || !evidence.log_lines.is_empty()
        })
    });
    view! { {move || evidence.get().map(|evidence| view! { <EvidenceView evidence/> }.into_any())} }.into_any()
}

/// What came after a success that did not last.
fn after(name: &ServiceName, told: Told) -> AnyView {
    let name = name.clone();
    let after = memo(move || {
        told.data.with(|view| view.rows.iter().find(|row| row.service == name).and_then(|row| row.after.clone()))
    });
    view! { {move || after.get().map(|after| view! { <AfterView after/> }.into_any())} }.into_any()
}
