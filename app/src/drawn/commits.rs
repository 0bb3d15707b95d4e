//! What was committed between two revisions.

use leptos::prelude::*;
use release_manager::names::CommitSha;
use release_manager::views::Commits;

use super::{html, moment, sha};
use crate::view;

/// The commits, and the way to the host's own comparison.
pub(crate) fn commits(commits: &Commits, host: Option<&str>, [from, to]: [&CommitSha; 2]) -> String {
    let number = commits.revisions.len();
    let more = if commits.more { "More than " } else { "" };
    let title = format!("{more}{}", view::count(number, "commit", "commits"));
    let compare = host.and_then(|host| view::compare_url(host, from.as_str(), to.as_str()));
    let rows = commits.revisions.iter().map(|revision| {
        let body = revision.message.trim();
        let subject = revision.subject().to_owned();
        let has_more = body.len() > subject.len();
        view! {
            <li class="commit-row">
                <div class="commit-row-text">
                    <p class="wrap"><strong>{subject}</strong></p>
                    <p class="commit-meta"><span>{revision.author.clone()}</span><span>"committed " {moment(revision.committed_at)}</span></p>
                    {has_more.then(|| view! {
                        <details class="commit-body">
                            <summary>"The whole message"</summary>
                            <pre tabindex="0">{body.to_owned()}</pre>
                        </details>
                    })}
                </div>
                {sha(&revision.sha, host)}
            </li>
        }
    });
    html(view! {
        <header class="card-head">
            <h2 id="commits-title">{title}</h2>
            {compare.map(|href| view! {
                <a class="card-age" href=href rel="noreferrer">"Compare at the host"</a>
            })}
        </header>
        <ul class="commit-rows">{rows.collect_view()}</ul>
        {(number == 0).then(|| view! {
            <p class="muted card-note">"No commit lies between: what waits is older, or another setting."</p>
        })}
    })
}
