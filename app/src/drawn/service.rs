//! A service as the Swarm runs it: its tasks, and what it was told.

use leptos::prelude::*;
use release_manager::diff::FieldChange;
use release_manager::health;
use release_manager::views::{CloseLook, LastWords, RunningService, TaskView};

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
            {task.since.map(|since| view! { <span class="muted">{moment(since)}</span> })}
            <code class="task-id">{short_task(&task.id)}</code>
            {task.error.clone().map(|error| {
                let code = task.exit_code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
                view! { <p class="error-text wrap task-error">{error}{code}</p> }
            })}
        </li>
    }
}

/// The tasks of a service in one environment, and what the newest of them that failed has written last. Everything stands
/// in it that there is to say about a failure before one reads the whole log.
pub(crate) fn close_look(look: &CloseLook) -> String {
    let rows = look.details.tasks.iter().take(MOST_CLOSE).map(|known| task(&seen(known)));
    let none = look.details.tasks.is_empty();
    let older = look.details.tasks.len().saturating_sub(MOST_CLOSE);
    html(view! {
        {none.then(|| view! { <p class="muted">"The Engine keeps no task of it."</p> })}
        <ul class="tasks">{rows.collect_view()}</ul>
        {(older > 0).then(|| view! { <p class="muted task-older">{format!("and {older} older ones")}</p> })}
        {look.last_words.as_ref().map(last_words)}
    })
}

/// So many tasks have room beside each other.
const MOST_CLOSE: usize = 6;

fn last_words(words: &LastWords) -> impl IntoView + use<> {
    let task = short_task(&words.task);
    let said = match &words.lines {
        Ok(lines) if lines.is_empty() => view! { <p class="muted">"It has written nothing."</p> }.into_any(),
        Ok(lines) => view! { <pre tabindex="0">{lines.join("\n")}</pre> }.into_any(),
        Err(why) => view! { <p class="muted wrap">{format!("They cannot be read: {why}.")}</p> }.into_any(),
    };
    view! {
        <figure class="logs">
            <figcaption>"The last log lines of task " <code>{task}</code></figcaption>
            {said}
        </figure>
    }
}

fn short_task(id: &str) -> String {
    id.chars().take(12).collect()
}

/// As it was seen last, in the words of what is asked of the Engine now.
fn seen(task: &health::TaskView) -> TaskView {
    TaskView {
        id: task.id.clone(),
        slot: task.slot,
        node: task.node.clone(),
        state: task.state.clone(),
        since: task.since,
        wanted: matches!(task.desired_state.as_str(), "running" | "ready" | "complete"),
        error: task.error.clone(),
        exit_code: task.exit_code.filter(|code| *code != 0),
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
        let evil = || "<img src=x onerror=alert(1)>".to_owned();
        let task = TaskView {
            id: evil(),
            slot: Some(1),
            node: Some(evil()),
            state: evil(),
            since: None,
            wanted: true,
            error: Some(evil()),
            exit_code: Some(1),
        };
        let spec_field = FieldChange { field: evil(), from: None, to: Some(evil()) };
        let running = RunningService {
            environment: "prod".parse().unwrap(),
            full_name: evil(),
            spec: vec![spec_field],
            tasks: vec![task],
        };
        let look = CloseLook {
            details: health::ServiceDetails {
                tasks: vec![health::TaskView {
                    id: evil(),
                    slot: None,
                    node: Some(evil()),
                    node_answers: true,
                    state: evil(),
                    desired_state: "running".to_owned(),
                    since: None,
                    current: true,
                    error: Some(evil()),
                    exit_code: None,
                }],
                last_errors: Vec::new(),
            },
            last_words: Some(LastWords { task: evil(), lines: Ok(vec![evil()]) }),
        };
        for html in [tasks(std::slice::from_ref(&running)), spec(&[running]), close_look(&look)] {
            assert!(!html.contains("<img") && html.contains("&lt;img"), "{html}");
        }
    }
}
