//! Every deployment of every service, newest first. Filters, and how many rows are shown, stand in the URL.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use release_manager::deployment::{CauseKind, HistoryPage as Rows, HistoryRow, Status};
use release_manager::views::Overview;

use crate::app_data::use_overview;
use crate::components::{
    AfterView, Age, Badge, Elapsed, Empty, EvidenceView, Field, Icon, Loaded, Sha, Symbol, VersionText, Versions, words,
};
use crate::error::RpcError;
use crate::pages::rollback_url;
use crate::rpc;
use crate::view::{self, HistoryQuery, Tone};

/// `/history`
#[component]
pub fn HistoryPage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(HistoryQuery::of));
    let rows = Resource::new(move || asked.get(), |asked| rpc::history(asked.filter()));
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
            <Table page=rows asked/>
        </Loaded>
    }
}

/// A choice or a text for each property; a plain form where there is no WASM.
#[component]
fn Filters(asked: Memo<HistoryQuery>, overview: Resource<Result<Overview, RpcError>>) -> impl IntoView {
    let statuses = Status::ALL.map(|known| (known.as_str().to_owned(), view::status(known).word.to_owned()));
    let causes = CauseKind::ALL.map(|known| (known.as_str().to_owned(), view::cause_kind(known).to_owned()));
    let status =
        Signal::derive(move || asked.with(|asked| asked.status.map(Status::as_str).unwrap_or_default().to_owned()));
    let cause =
        Signal::derive(move || asked.with(|asked| asked.cause.map(CauseKind::as_str).unwrap_or_default().to_owned()));
    let text = |pick: fn(&HistoryQuery) -> &String| Signal::derive(move || asked.with(|asked| pick(asked).clone()));
    // On a narrow screen they are folded, unless one of them is set.
    let open = asked.with_untracked(HistoryQuery::is_narrowed);
    view! {
        <details class="fold" open=open>
            <summary class="button small"><Icon symbol=Symbol::Sliders/>"Filters"</summary>
            <form class="filters wide" method="get" action="/history" role="search" aria-label="History" data-follows="steps">
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
                            {choice("environment", "Environment", "All", environments(known.as_ref()), environment)}
                            {choice("service", "Service", "All", services(known.as_ref()), service)}
                        }
                    }}
                </Transition>
                {choice("status", "Status", "Any", statuses.to_vec(), status)}
                {choice("cause", "Cause", "Any", causes.to_vec(), cause)}
                {field("actor", "search", "By", text(|asked| &asked.actor))}
                {field("from", "date", "From", text(|asked| &asked.from))}
                {field("to", "date", "To", text(|asked| &asked.to))}
                <button class="button before-wasm" type="submit">"Filter"</button>
                <a class="button small clear" class:hidden=move || !asked.with(HistoryQuery::is_narrowed) href="/history">
                    "Clear"
                </a>
            </form>
        </details>
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
            <select name=name>
                <option value="" selected=move || chosen.with(String::is_empty)>{all}</option>
                {words.into_iter().map(option).collect_view()}
            </select>
        </label>
    }
    .into_any()
}

fn field(name: &'static str, kind: &'static str, label: &'static str, text: Signal<String>) -> AnyView {
    view! {
        <label>
            <span class="filter-name">{label}</span>
            <input
                type=kind
                name=name
                value=text.get_untracked()
            />
        </label>
    }
    .into_any()
}

#[component]
fn Table(page: RwSignal<Rows>, asked: Memo<HistoryQuery>) -> impl IntoView {
    let rows = Memo::new(move |_| page.with(|page| page.rows.clone()));
    let next = move || {
        let last = rows.with(|rows| rows.last().map(|row| row.id));
        page.with(|page| page.more).then(|| asked.with(|asked| asked.further(last)))
    };
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
                    {history_row(row)}
                </For>
            </table>
            <footer class="card-foot">
                <p class="muted" role="status">{shown}</p>
                {move || next().map(|further| view! {
                    <a class="button" href=further.url>{further.title}</a>
                })}
            </footer>
        </div>
    }
}

fn history_row(row: HistoryRow) -> impl IntoView {
    let (key, id) = (row.id.to_string(), format!("details-{}", row.id));
    let label = format!("Details of {} {} in {}", row.service, row.version, row.environment);
    let version = Some(row.version.to_string());
    let degraded = row.after.is_some();
    let said = view::status(row.status);
    let deployment = format!("/deployments/{}", row.deployment);
    view! {
        <tbody role="rowgroup" data-key=key>
            <tr role="row">
                <td role="cell" data-label="Environment">{row.environment.to_string()}</td>
                <th role="rowheader" scope="row" class="name">
                    <a class="name" href=format!("/services/{}", row.service)>{row.service.to_string()}</a>
                </th>
                <td role="cell" data-label="Version"><VersionText version/></td>
                <td role="cell" data-label="Status">
                    <Badge tone=said.tone text=said.word/>
                    {degraded.then(|| view! {
                        <Badge tone=Tone::Bad text="Degraded since" title="A task ended after the deployment had succeeded"/>
                    })}
                </td>
                <td role="cell" data-label="Time">
                    <a class="quiet" href=deployment><Age at=row.started_at/></a>
                </td>
                <td role="cell" data-label="By">{view::actor(&row.actor)}</td>
                <td role="cell" class="row-action">
                    <button
                        class="icon-button expand after-wasm"
                        type="button"
                        aria-label=label
                        aria-expanded="false"
                        aria-controls=id.clone()
                    >
                        <Icon symbol=Symbol::Chevron/>
                    </button>
                </td>
            </tr>
            <tr role="row" class="details-row" id=id hidden=true data-opened-by="button">
                <td role="cell" colspan="7">{row_details(row)}</td>
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
            {message.map(|message| view! { <p class="wrap">{words(&message)}</p> })}
            {row.evidence.map(|evidence| view! { <EvidenceView evidence/> })}
            {row.after.map(|after| view! { <AfterView after/> })}
            {back.map(|href| view! {
                <a class="button small" href=href><Icon symbol=Symbol::History/>"Roll back to this…"</a>
            })}
        </div>
    }
}
