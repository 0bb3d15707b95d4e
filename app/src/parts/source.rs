//! What the frame of every page tells of the live state: how the source is, and what is in trouble.

use leptos::prelude::*;
use release_manager::live::Problem;
use release_manager::time::Timestamp;

use crate::components::{Age, Banner, Elapsed, Icon, Sha, Symbol, memo, words};
use crate::live::use_live;
use crate::view::{self, Tone};

/// The source in a line: branch, newest revision, when it last answered.
#[component]
pub fn SourceLine() -> impl IntoView {
    let live = use_live();
    let text = move |pick: fn(&release_manager::live::SourceState) -> &String| {
        memo(move || live.read(|live| pick(&live.source).clone()))
    };
    let (name, branch) = (text(|source| &source.name), text(|source| &source.branch));
    let checked = memo(move || live.read(|live| live.source.checked_at).flatten());
    let head = memo(move || live.read(|live| live.source.head.as_ref().map(|head| head.sha.clone())).flatten());
    let class = memo(move || match live.read(|live| live.source.problem.is_some()) {
        Some(true) => "dot warn",
        Some(false) => "dot good",
        None => "dot idle",
    });
    view! {
        <div class="source" title=move || name.get()>
            <span class=move || class.get()></span>
            <Icon symbol=Symbol::Branch/>
            <span class="source-branch">{move || branch.get()}</span>
            {move || head.get().map(|sha| view! { <Sha sha/> }.into_any())}
            <span class="source-age">
                {move || checked.get().map(|at| view! { "checked " <Age at/> }.into_any())}
            </span>
        </div>
    }
}

/// A database, an Engine or a source that cannot be used.
#[component]
pub fn Problems() -> impl IntoView {
    let live = use_live();
    let engine = memo(move || live.read(|live| live.engine_problem.clone()).flatten());
    let database = memo(move || live.read(|live| live.database_problem.clone()).flatten());
    let source = memo(move || live.read(|live| live.source.problem.clone()).flatten());
    view! {
        {move || database.get().map(|problem| banner(Tone::Bad, "The database cannot be written", problem))}
        {move || engine.get().map(|problem| banner(Tone::Bad, "The Docker Engine cannot be used", problem))}
        {move || source.get().map(|problem| banner(Tone::Warn, "The source cannot be read", problem))}
    }
}

fn banner(tone: Tone, title: &'static str, problem: Problem) -> AnyView {
    let still: Option<Timestamp> = None;
    view! {
        <Banner tone symbol=Symbol::Warning>
            <strong>{title}</strong>
            // The region is told aloud, as a whole, whenever something in it changes: what ticks is for eyes alone.
            <span aria-hidden="true">" for " <Elapsed from=problem.since to=still/></span>
            <span class="sr-only">{format!(" since {}", view::absolute(problem.since))}</span>
            ". "
            <span class="wrap">{words(&problem.message)}</span>
        </Banner>
    }
    .into_any()
}
