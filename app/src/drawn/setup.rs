//! What is followed, and what this program is.

use leptos::prelude::*;
use release_manager::pipeline::Environment;
use release_manager::views::Setup;

use super::html;
use crate::view;

/// The environments and the rhythm.
pub(crate) fn setup(setup: &Setup) -> String {
    let rows = setup.environments.iter().map(environment);
    let seconds = |seconds: u64| view::duration(std::time::Duration::from_secs(seconds).as_secs_f64());
    html(view! {
        <section class="card" aria-labelledby="environments-title">
            <header class="card-head"><h2 id="environments-title">"Environments"</h2></header>
            <ol class="setup">{rows.collect_view()}</ol>
        </section>
        <section class="card" aria-labelledby="rhythm-title">
            <header class="card-head"><h2 id="rhythm-title">"Rhythm"</h2></header>
            <dl class="facts card-note">
                {fact("The source is asked every", seconds(setup.poll_seconds))}
                {fact("A service proves itself for", seconds(setup.stability_seconds))}
                {fact("A deployment takes at most", seconds(setup.timeout_seconds))}
            </dl>
        </section>
    })
}

pub(super) fn fact(name: &'static str, value: impl IntoView + 'static) -> AnyView {
    view! { <div class="field"><dt>{name}</dt><dd class="wrap">{value}</dd></div> }.into_any()
}

fn environment(known: &Environment) -> impl IntoView + use<> {
    let (word, meaning) = view::mode(known.mode);
    let files: Vec<String> = known.stack_files.iter().map(ToString::to_string).collect();
    let origin = known.promotes_from.as_ref().map_or_else(|| "git".to_owned(), ToString::to_string);
    view! {
        <li class="setup-item">
            <h3>{view::title(known.name.as_str())} " " <span class="badge idle" title=meaning>{word}</span></h3>
            <dl class="facts">
                {fact("Releases come from", origin)}
                {fact("Stack in the Swarm", view! { <code>{known.stack.to_string()}</code> })}
                {fact("Env file", view! { <code>{known.env_file.to_string()}</code> })}
                {fact(if files.len() == 1 { "Stack file" } else { "Stack files" }, view! { <code>{files.join(", ")}</code> })}
            </dl>
        </li>
    }
}

/// Name, version, licences.
pub(crate) fn about() -> String {
    html(view! {
        <section class="card" aria-labelledby="program-title">
            <header class="card-head"><h2 id="program-title">"Release Manager"</h2></header>
            <dl class="facts card-note">
                {fact("Version", env!("CARGO_PKG_VERSION"))}
                {fact("Licence", "MIT or Apache-2.0, as you like")}
                {fact("Made of", view! { <a href="/licences.txt" rel="external">"the work of others, and its licences"</a> })}
                {fact("REST API", view! { <a href="/api/docs" rel="external">"/api/docs"</a> })}
            </dl>
            <details class="spec">
                <summary><strong>"The MIT licence"</strong></summary>
                <pre class="licence" tabindex="0">{include_str!("../../../LICENSE-MIT")}</pre>
            </details>
            <details class="spec">
                <summary><strong>"The Apache licence"</strong></summary>
                <pre class="licence" tabindex="0">{include_str!("../../../LICENSE-APACHE")}</pre>
            </details>
        </section>
    })
}
