//! Where releases come from: the newest revision, and how the source is.

use leptos::prelude::*;
use release_manager::time::Timestamp;

use super::basics::{Age, Commit, Elapsed};
use super::icon::{Icon, Symbol};
use super::reactive::{Seen, memo};
use crate::clock::use_clock;
use crate::live::use_live;
use crate::view;

/// The source in front of the first environment.
#[component]
pub fn SourceStrip(#[prop(into)] poll_seconds: Seen<u64>) -> impl IntoView {
    let still: Option<Timestamp> = None;
    let live = use_live();
    let clock = use_clock();
    let head = memo(move || live.read(|live| live.source.head.clone()).flatten());
    let name = memo(move || live.read(|live| format!("{} · {}", live.source.name, live.source.branch)));
    let checked = memo(move || live.read(|live| live.source.checked_at).flatten());
    let problem = memo(move || live.read(|live| live.source.problem.clone()).flatten());
    let next = memo(move || {
        let since = clock.now().seconds_since(checked.get()?);
        let every = std::time::Duration::from_secs(poll_seconds.get()).as_secs_f64();
        #[expect(clippy::cast_possible_truncation, reason = "an interval is short")]
        let end = checked.get()?.as_millis() + (every * 1000.0) as i64;
        (since < every).then(|| (end, view::duration((every - since).max(1.0))))
    });
    let class = move || if problem.with(Option::is_some) { "source-strip warn" } else { "source-strip" };
    view! {
        <section class=class aria-label="Source">
            <span class="source-mark"><Icon symbol=Symbol::Branch/></span>
            <div class="source-what">
                {move || match head.get() {
                    Some(revision) => view! { <Commit revision/> }.into_any(),
                    None => view! { <p class="muted">"No revision has been read yet."</p> }.into_any(),
                }}
            </div>
            <div class="source-state">
                <p class="source-name">{move || name.get()}</p>
                <p class="muted">
                    {move || match (problem.get(), checked.get()) {
                        (Some(problem), _) => view! {
                            <span class="source-problem">"cannot be read for " <Elapsed from=problem.since to=still/></span>
                        }.into_any(),
                        (None, Some(at)) => view! {
                            "checked " <Age at/>
                            {move || next.get().map(|(end, text)| view! {
                                <span class="source-next">", again in " <span data-left=end.to_string()>{text}</span></span>
                            }.into_any())}
                        }.into_any(),
                        (None, None) => view! { "not checked yet" }.into_any(),
                    }}
                </p>
            </div>
        </section>
    }
}
