//! Who is told of what happens, and how that goes.

use std::collections::BTreeSet;

use leptos::prelude::*;
use release_manager::notice::{Event, Told};

use super::setup::fact;
use super::{html, moment};
use crate::view;

/// Every place that is told.
pub(crate) fn told(told: &[Told]) -> String {
    let none = told.is_empty();
    let places = told.iter().map(place).collect_view();
    html(view! {
        <section class="card" aria-labelledby="told-title">
            <header class="card-head"><h2 id="told-title">"Notifications"</h2></header>
            {none.then(|| view! {
                <p class="muted card-note">
                    "Nobody is told of anything: " <code>"[[notify]]"</code> " in " <code>"release-manager.toml"</code>
                    " names who is."
                </p>
            })}
            <ul class="setup">{places}</ul>
        </section>
    })
}

fn place(told: &Told) -> AnyView {
    let queue = &told.queue;
    let environments = told.environments.as_ref().map(|names| names.iter().map(ToString::to_string).collect());
    let waiting = match queue.waiting {
        0 => "Nothing".to_owned(),
        number => {
            let number = view::count(usize::try_from(number).unwrap_or(usize::MAX), "notice", "notices");
            queue.next_at.map_or(number.clone(), |at| format!("{number}; the next is tried at {}", view::absolute(at)))
        }
    };
    let sent = match queue.sent_at {
        Some(at) => moment(at),
        None => "Nothing in the last thirty days".into_any(),
    };
    view! {
        <li class="setup-item">
            <h3>{told.name.clone()} " " <span class="badge idle">{told.kind.replace('_', " ")}</span></h3>
            <dl class="facts">
                {fact("Environments", listed(environments))}
                {fact("Events", listed(told.events.as_ref().map(words)))}
                {fact("Waits", waiting)}
                {fact("Arrived last", sent)}
            </dl>
            {queue.trouble.as_ref().map(|(at, why)| view! {
                <div class="findings bad">
                    <h4>"It did not arrive: a notice of " {moment(*at)}</h4>
                    <p class="wrap">{why.clone()}</p>
                </div>
            })}
        </li>
    }
    .into_any()
}

fn words(events: &BTreeSet<Event>) -> Vec<String> {
    events.iter().map(|event| event.as_str().replace('_', " ")).collect()
}

fn listed(names: Option<Vec<String>>) -> String {
    names.map_or_else(|| "all".to_owned(), |names| names.join(", "))
}

#[cfg(test)]
mod tests {
    use release_manager::notice::Queue;
    use release_manager::time::Timestamp;

    use super::*;

    #[test]
    fn a_place_is_shown_with_what_waits_and_what_went_wrong() {
        let at = Timestamp::from_millis(0);
        let trouble = Some((at, "the answer was 500: <b>no</b>".to_owned()));
        let place = Told {
            name: "phone".to_owned(),
            kind: "commit_status",
            environments: Some(["prod".parse().unwrap()].into()),
            events: Some([Event::RolledBack, Event::Failed].into()),
            queue: Queue { waiting: 2, next_at: Some(at), sent_at: None, trouble },
        };
        let html = told(&[place]);
        for expected in [
            "phone",
            "commit status",
            ">prod<",
            "failed, rolled back",
            "2 notices; the next is tried at 1 Jan 1970, 00:00:00 UTC",
            "500: &lt;b&gt;no",
        ] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert!(told(&[]).contains("Nobody is told of anything"));
    }
}
