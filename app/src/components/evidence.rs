//! What a verdict rests on.

use leptos::prelude::*;
use release_manager::deployment::{Evidence, TaskEvidence};

use super::basics::Field;

/// The failing task, its last words, and whether the old ones still serve.
#[component]
pub fn EvidenceView(evidence: Evidence) -> impl IntoView {
    let Evidence { failing_task, log_lines, old_tasks_serve, tasks } = evidence;
    let logs = (!log_lines.is_empty()).then(|| log_lines.join("\n"));
    view! {
        <div class="evidence">
            <dl class="facts">
                {(!tasks.is_empty()).then(|| view! { <Field label="Tasks">{tasks}</Field> })}
                {failing_task.map(|task| view! { <FailingTask task/> })}
                {old_tasks_serve.then(|| view! {
                    <Field label="Still serving">"Tasks of the earlier version were still running"</Field>
                })}
            </dl>
            {logs.map(|logs| view! {
                <figure class="logs">
                    <figcaption>"Last log lines of the failing task"</figcaption>
                    <pre tabindex="0">{logs}</pre>
                </figure>
            })}
        </div>
    }
}

#[component]
fn FailingTask(task: TaskEvidence) -> impl IntoView {
    view! {
        {task.error.map(|error| view! {
            <Field label="Error"><span class="error-text wrap">{error}</span></Field>
        })}
        {task.exit_code.map(|code| view! { <Field label="Exit code"><code>{code.to_string()}</code></Field> })}
        <Field label="Failing task">
            <code class="wrap">{task.task}</code>
            {format!(" ({})", task.state)}
        </Field>
        {task.node.map(|node| view! { <Field label="Node">{node}</Field> })}
    }
}
