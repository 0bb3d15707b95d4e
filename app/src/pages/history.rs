//! Every deployment of every service, newest first. Filters stand in the URL; older rows are added to those shown.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use release_manager::deployment::{CauseKind, HistoryPage as Rows, HistoryRow, Status};
use release_manager::views::Overview;

use crate::app_data::use_overview;
use crate::components::{
    AfterView, Age, Badge, Elapsed, Empty, EvidenceView, Field, Icon, Loaded, Sha, Symbol, VersionText, Versions,
    follow,
};
use crate::error::RpcError;
use crate::live::use_live;
use crate::pages::rollback_url;
use crate::rpc;
use crate::toasts::use_toasts;
use crate::view::{self, HistoryQuery, Tone};

/// `/history`
#[component]
pub fn HistoryPage() -> impl IntoView {
    let live = use_live();
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(HistoryQuery::of));
    let rows = Resource::new(move || (asked.get(), live.epoch()), |(asked, _)| rpc::history(asked.filter()));
    let older = RwSignal::new(Older::default());
    let export = move |format: &'static str| move || asked.with(|asked| asked.export_url(format));
    view! {
        <Title text="History"/>
        <div class="page-head">
            <div>
                <h1>"History"</h1>
                <p class="lead">"Every deployment of every service, newest first."</p>
            </div>
            <p class="page-actions">
                <a class="button small" href=export("csv") rel="external" download="history.csv">"Export CSV"</a>
                <a class="button small" href=export("json") rel="external" download="history.json">"Export JSON"</a>
            </p>
        </div>
        <Filters asked overview=use_overview()/>
        <Loaded resource=rows let:rows>
            <Table page=rows asked older/>
        </Loaded>
    }
}

/// A choice or a text for each property; a plain form where there is no WASM.
#[component]
fn Filters(asked: Memo<HistoryQuery>, overview: Resource<Result<Overview, RpcError>>) -> impl IntoView {
    let navigate = StoredValue::new(use_navigate());
    // One callback for all fields: each changes its part of what is asked for, and the list begins anew.
    let set = Callback::new(move |(name, value): (&'static str, String)| {
        let mut next = HistoryQuery { before: None, ..asked.get_untracked() };
        match name {
            "environment" => next.environment = value.parse().ok(),
            "service" => next.service = value.parse().ok(),
            "status" => next.status = Status::of_word(&value),
            "cause" => next.cause = CauseKind::of_word(&value),
            "actor" => value.trim().clone_into(&mut next.actor),
            "from" => next.from = value,
            _ => next.to = value,
        }
        let options = NavigateOptions { scroll: false, ..NavigateOptions::default() };
        navigate.with_value(|navigate| navigate(&next.url(), options));
    });
    let statuses = Status::ALL.map(|known| (known.as_str().to_owned(), view::status(known).word.to_owned()));
    let causes = CauseKind::ALL.map(|known| (known.as_str().to_owned(), view::cause_kind(known).to_owned()));
    let status =
        Signal::derive(move || asked.with(|asked| asked.status.map(Status::as_str).unwrap_or_default().to_owned()));
    let cause =
        Signal::derive(move || asked.with(|asked| asked.cause.map(CauseKind::as_str).unwrap_or_default().to_owned()));
    let text = |pick: fn(&HistoryQuery) -> &String| Signal::derive(move || asked.with(|asked| pick(asked).clone()));
    view! {
        <form class="filters wide" method="get" action="/history" role="search" aria-label="History">
            <Transition>
                {move || {
                    let known = overview.get().and_then(Result::ok);
                    let environment = Signal::derive(move || {
                        asked.with(|asked| asked.environment.as_ref().map(ToString::to_string).unwrap_or_default())
                    });
                    let service = Signal::derive(move || {
                        asked.with(|asked| asked.service.as_ref().map(ToString::to_string).unwrap_or_default())
                    });
                    view! {
                        {choice("environment", "Environment", "All environments", environments(known.as_ref()), environment, set)}
                        {choice("service", "Service", "All services", services(known.as_ref()), service, set)}
                    }
                }}
            </Transition>
            {choice("status", "Status", "Any status", statuses.to_vec(), status, set)}
            {choice("cause", "Cause", "Any cause", causes.to_vec(), cause, set)}
            {field("actor", "search", "By", text(|asked| &asked.actor), set)}
            {field("from", "date", "From", text(|asked| &asked.from), set)}
            {field("to", "date", "To", text(|asked| &asked.to), set)}
            <button class="button before-wasm" type="submit">"Filter"</button>
            <a class="button small clear" class:hidden=move || !asked.with(HistoryQuery::is_narrowed) href="/history">
                "Clear"
            </a>
        </form>
    }
}

fn environments(overview: Option<&Overview>) -> Vec<(String, String)> {
    let known = overview.into_iter().flat_map(|overview| &overview.environments);
    known.map(|known| known.name.to_string()).map(|name| (name.clone(), name)).collect()
}

fn services(overview: Option<&Overview>) -> Vec<(String, String)> {
    let releases =
        overview.into_iter().flat_map(|overview| &overview.environments).filter_map(|found| found.release.as_ref());
    let mut names: Vec<String> =
        releases.flat_map(|release| release.services.keys()).map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (name.clone(), name)).collect()
}

/// One of several words. What the URL asks for can be chosen although nothing of that name runs any more.
fn choice(
    name: &'static str,
    label: &'static str,
    all: &'static str,
    mut words: Vec<(String, String)>,
    chosen: Signal<String>,
    set: Callback<(&'static str, String)>,
) -> AnyView {
    let asked = chosen.get_untracked();
    if !asked.is_empty() && !words.iter().any(|(word, _)| *word == asked) {
        words.push((asked.clone(), asked));
    }
    let option = move |(word, title): (String, String)| {
        let value = word.clone();
        view! { <option value=value selected=move || chosen.with(|chosen| *chosen == word)>{title}</option> }
    };
    view! {
        <label>
            <span class="filter-name">{label}</span>
            <select name=name on:change=move |event| set.run((name, event_target_value(&event)))>
                <option value="" selected=move || chosen.with(String::is_empty)>{all}</option>
                {words.into_iter().map(option).collect_view()}
            </select>
        </label>
    }
    .into_any()
}

fn field(
    name: &'static str,
    kind: &'static str,
    label: &'static str,
    text: Signal<String>,
    set: Callback<(&'static str, String)>,
) -> AnyView {
    view! {
        <label>
            <span class="filter-name">{label}</span>
            <input
                type=kind
                name=name
                value=text.get_untracked()
                prop:value=move || text.get()
                on:change=move |event| set.run((name, event_target_value(&event)))
            />
        </label>
    }
    .into_any()
}

/// What has been shown of one question besides its newest page.
#[derive(Debug, Clone, Default, PartialEq)]
struct Older {
    question: HistoryQuery,
    rows: Vec<HistoryRow>,
    more: bool,
}

impl Older {
    /// The rows, if they answer this question.
    fn of(&self, question: &HistoryQuery) -> &[HistoryRow] {
        if self.question == *question { &self.rows } else { &[] }
    }
}

#[component]
fn Table(page: RwSignal<Rows>, asked: Memo<HistoryQuery>, older: RwSignal<Older>) -> impl IntoView {
    let rows = Memo::new(move |_| {
        older.with(|older| page.with(|page| asked.with(|asked| view::merged(&page.rows, older.of(asked)))))
    });
    let more = Memo::new(move |_| {
        let older_more = older.with(|older| asked.with(|asked| (!older.of(asked).is_empty()).then_some(older.more)));
        older_more.unwrap_or_else(|| page.with(|page| page.more))
    });
    let toasts = use_toasts();
    let load = Action::new(move |(question, before): &(HistoryQuery, i64)| {
        let (question, before) = (question.clone(), *before);
        async move {
            match rpc::history(HistoryQuery { before: Some(before), ..question.clone() }.filter()).await {
                // Another question may have been asked meanwhile.
                Ok(found) if asked.with_untracked(|asked| *asked == question) => {
                    let mut shown = rows.get_untracked();
                    shown.extend(found.rows);
                    older.set(Older { question, rows: shown, more: found.more });
                }
                Ok(_) => (),
                Err(error) => toasts.show(Tone::Bad, error.message, None),
            }
        }
    });
    let next = Memo::new(move |_| rows.with(|rows| rows.last().map(|row| row.id)).filter(|_| more.get()));
    let next_url = move |before| asked.with(|asked| HistoryQuery { before: Some(before), ..asked.clone() }.url());
    let empty = Memo::new(move |_| rows.with(Vec::is_empty));
    let shown = move || {
        let (total, counted) = page.with(|page| (page.total, page.counted));
        format!("{} of {}{}", rows.with(Vec::len), total, if counted { "" } else { " or more" })
    };
    view! {
        {move || empty.get().then(|| if asked.with(HistoryQuery::is_narrowed) {
            view! { <Empty symbol=Symbol::History title="Nothing matches" text="No deployment matches these filters."/> }
        } else {
            view! { <Empty symbol=Symbol::History title="No history yet" text="The first deployment will stand here."/> }
        })}
        <div class="card" class:hidden=empty>
            <table class="table history" role="table">
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader">"Environment"</th>
                        <th role="columnheader">"Service"</th>
                        <th role="columnheader">"Version"</th>
                        <th role="columnheader">"Status"</th>
                        <th role="columnheader">"Time"</th>
                        <th role="columnheader">"By"</th>
                        <th role="columnheader"><span class="sr-only">"Details"</span></th>
                    </tr>
                </thead>
                <For each=move || rows.get() key=|row| row.id let:row>
                    {history_row(row, rows)}
                </For>
            </table>
            <footer class="card-foot">
                <p class="muted" role="status">{shown}</p>
                {move || next.get().map(|before| view! {
                    <a class="button before-wasm" href=next_url(before)>"Older"</a>
                    <button
                        class="button after-wasm"
                        type="button"
                        disabled=move || load.pending().get()
                        on:click=move |_| {
                            load.dispatch((asked.get_untracked(), before));
                        }
                    >
                        {move || if load.pending().get() { "Loading…" } else { "Load more" }}
                    </button>
                })}
            </footer>
        </div>
    }
}

fn history_row(first: HistoryRow, rows: Memo<Vec<HistoryRow>>) -> impl IntoView {
    let id = first.id;
    let row = follow(first.clone(), move || rows.with(|rows| rows.iter().find(|row| row.id == id).cloned()));
    let open = RwSignal::new(false);
    let details = format!("details-{id}");
    let status = Memo::new(move |_| row.with(|row| row.status));
    let degraded = Memo::new(move |_| row.with(|row| row.after.is_some()));
    let label = format!("Details of {} {} in {}", first.service, first.version, first.environment);
    let version = Signal::stored(Some(first.version.to_string()));
    view! {
        <tbody role="rowgroup" class:open=open>
            <tr role="row">
                <td role="cell" data-label="Environment">{first.environment.to_string()}</td>
                <th role="rowheader" scope="row" class="name">
                    <a class="name" href=format!("/services/{}", first.service)>{first.service.to_string()}</a>
                </th>
                <td role="cell" data-label="Version"><VersionText version/></td>
                <td role="cell" data-label="Status">
                    {move || {
                        let said = view::status(status.get());
                        view! { <Badge tone=said.tone text=said.word/> }
                    }}
                    {move || degraded.get().then(|| view! {
                        <Badge tone=Tone::Bad text="Degraded since" title="A task ended after the deployment had succeeded"/>
                    })}
                </td>
                <td role="cell" data-label="Time">
                    <a class="quiet" href=format!("/deployments/{}", first.deployment)><Age at=first.started_at/></a>
                </td>
                <td role="cell" data-label="By">{view::actor(&first.actor)}</td>
                <td role="cell" class="row-action">
                    <button
                        class="icon-button expand"
                        type="button"
                        aria-label=label
                        aria-expanded=move || open.get().to_string()
                        aria-controls=details.clone()
                        on:click=move |_| open.update(|open| *open = !*open)
                    >
                        <Icon symbol=Symbol::Chevron/>
                    </button>
                </td>
            </tr>
            <tr role="row" class="details-row" id=details class:hidden=move || !open.get()>
                <td role="cell" colspan="7">
                    {move || open.get().then(|| row_details(row.get()))}
                </td>
            </tr>
        </tbody>
    }
}

fn row_details(row: HistoryRow) -> impl IntoView {
    let message = row.verdict.as_ref().and_then(view::verdict_message);
    let verdict = row.verdict.as_ref().map(view::verdict);
    let id = row.deployment;
    let back = (row.status == Status::Success).then(|| rollback_url(&row.environment, id));
    let versions = (Some(row.version.to_string()), row.from.as_ref().map(ToString::to_string));
    view! {
        <div class="details">
            <dl class="facts">
                {verdict.map(|said| view! { <Field label="Verdict"><Badge tone=said.tone text=said.word/></Field> })}
                <Field label="Change"><Versions from=versions.1 to=versions.0/></Field>
                <Field label="Duration"><Elapsed from=row.started_at to=row.completed_at/></Field>
                {row.commit_sha.map(|sha| view! { <Field label="Commit"><Sha sha/></Field> })}
                <Field label="Deployment"><a href=format!("/deployments/{id}")>{format!("Deployment {id}")}</a></Field>
            </dl>
            {message.map(|message| view! { <p class="wrap">{message}</p> })}
            {back.map(|href| view! {
                <a class="button small" href=href><Icon symbol=Symbol::History/>"Roll back to this…"</a>
            })}
            {row.evidence.map(|evidence| view! { <EvidenceView evidence/> })}
            {row.after.map(|after| view! { <AfterView after/> })}
        </div>
    }
}
