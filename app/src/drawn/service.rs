//! A service as the Swarm runs it: its tasks, and what it was told.

use leptos::prelude::*;
use release_manager::diff::FieldChange;
use release_manager::views::{RunningService, TaskView};

use super::{html, moment};
use crate::view::{self, Tone};

/// Most of what the Engine keeps is old; the rest is there for whoever asks the Engine itself.
const MOST_TASKS: usize = 20;

/// The tasks of every environment.
pub(crate) fn tasks(running: &[RunningService]) -> String {
    if running.is_empty() {
        return html(view! { <p class="muted card-note">"This service runs in no environment."</p> });
    }
    let parts = running.iter().map(|service| {
        let rows = service.tasks.iter().take(MOST_TASKS).map(task);
        let none = service.tasks.is_empty();
        view! {
            <h3 class="part-title">{view::title(service.environment.as_str())} " " <code>{service.full_name.clone()}</code></h3>
            {none.then(|| view! { <p class="muted card-note">"The Engine keeps no task of it."</p> })}
            <ul class="tasks">{rows.collect_view()}</ul>
        }
    });
    html(parts.collect_view())
}

fn task(task: &TaskView) -> impl IntoView + use<> {
    let tone = match (task.state.as_str(), task.wanted) {
        ("running" | "complete", _) => Tone::Good,
        ("failed" | "rejected" | "orphaned", _) => Tone::Bad,
        (_, true) => Tone::Busy,
        _ => Tone::Idle,
    };
    let place = match (task.slot.filter(|slot| *slot > 0), &task.node) {
        (Some(slot), Some(node)) => format!("slot {slot} on {node}"),
        (Some(slot), None) => format!("slot {slot}, no node yet"),
        (None, Some(node)) => format!("on {node}"),
        (None, None) => "no node yet".to_owned(),
    };
    let class = if task.wanted { "task" } else { "task past" };
    view! {
        <li class=class>
            <span class=format!("badge {}", tone.class())>{task.state.clone()}</span>
            <span>{place}</span>
            {task.since.map(|since| view! { <span class="muted">"since " {moment(since)}</span> })}
            <code class="task-id">{task.id.chars().take(12).collect::<String>()}</code>
            {task.error.clone().map(|error| {
                let code = task.exit_code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
                view! { <p class="error-text wrap task-error">{error}{code}</p> }
            })}
        </li>
    }
}

/// What each environment was told to run.
pub(crate) fn spec(running: &[RunningService]) -> String {
    let parts = running.iter().map(|service| {
        let number = view::count(service.spec.len(), "field", "fields");
        let rows = service.spec.iter().map(field);
        view! {
            <details class="spec">
                <summary>
                    <strong>{view::title(service.environment.as_str())}</strong>
                    <span class="muted">{number}</span>
                </summary>
                <dl class="spec-fields">{rows.collect_view()}</dl>
            </details>
        }
    });
    html(view! {
        {parts.collect_view()}
        <p class="muted card-note">"Values of variables, and whatever else may be secret, are not shown."</p>
    })
}

fn field(field: &FieldChange) -> impl IntoView + use<> {
    let value = field.to.clone().unwrap_or_else(|| "not shown".to_owned());
    view! {
        <div>
            <dt class="wrap" title=field.field.clone()>{view::field(&field.field).to_owned()}</dt>
            <dd><code class="wrap">{value}</code></dd>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_is_text_and_never_markup() {
        let evil = "<img src=x onerror=alert(1)>".to_owned();
        let task = TaskView {
            id: evil.clone(),
            slot: Some(1),
            node: Some(evil.clone()),
            state: evil.clone(),
            since: None,
            wanted: true,
            error: Some(evil.clone()),
            exit_code: Some(1),
        };
        let spec_field = FieldChange { field: evil.clone(), from: None, to: Some(evil.clone()) };
        let running = RunningService {
            environment: "prod".parse().unwrap(),
            full_name: evil,
            spec: vec![spec_field],
            tasks: vec![task],
        };
        for html in [tasks(std::slice::from_ref(&running)), spec(&[running])] {
            assert!(!html.contains("<img") && html.contains("&lt;img"), "{html}");
        }
    }
}
