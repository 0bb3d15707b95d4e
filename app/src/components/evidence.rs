//! What a verdict rests on.

use leptos::prelude::*;
use release_manager::deployment::{Evidence, TaskEvidence};
use release_manager::names::Digest;

use super::basics::Field;
use crate::view;

/// The failing task, its last words, and whether the old ones still serve.
#[component]
pub fn EvidenceView(evidence: Evidence) -> impl IntoView {
    let Evidence { failing_task, log_lines, old_tasks_serve, tasks, digest_before, digest_after, hint } = evidence;
    let digest = |digest: Digest| view::short_version(digest.as_str());
    let logs = (!log_lines.is_empty()).then(|| log_lines.join("\n"));
    view! {
        <div class="evidence">
            {hint.map(|hint| view! { <p class="hint wrap"><strong>"What to look at: "</strong>{hint}</p> })}
            <dl class="facts">
                {(!tasks.is_empty()).then(|| view! { <Field label="Tasks">{tasks}</Field> })}
                {failing_task.map(|task| view! { <FailingTask task/> })}
                {digest_before.map(|before| view! {
                    <Field label="Digest before"><code class="wrap" title=before.to_string()>{digest(before.clone())}</code></Field>
                })}
                {digest_after.map(|after| view! {
                    <Field label="Digest written"><code class="wrap" title=after.to_string()>{digest(after.clone())}</code></Field>
                })}
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
