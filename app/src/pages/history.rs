//! Every deployment of every service, newest first. Filters and length stand in the URL.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use release_manager::deployment::{HistoryPage as Rows, HistoryRow};
use release_manager::names::{EnvironmentName, ServiceName};
use release_manager::views::Overview;

use crate::app_data::use_overview;
use crate::components::{
    Age, Badge, Elapsed, Empty, EvidenceView, Field, Icon, Loaded, Sha, Symbol, VersionText, Versions, follow,
};
use crate::error::RpcError;
use crate::live::use_live;
use crate::rpc;
use crate::view;

const PAGE: u32 = 25;
const LONGEST: u32 = 500;

/// What the URL asks for.
#[derive(Debug, Clone, Default, PartialEq)]
struct Asked {
    environment: Option<EnvironmentName>,
    service: Option<ServiceName>,
    limit: u32,
    offset: u32,
}

impl Asked {
    fn of(query: &leptos_router::params::ParamsMap) -> Self {
        let number = |name| query.get_str(name).and_then(|text| text.parse::<u32>().ok());
        Self {
            environment: query.get_str("environment").and_then(|name| name.parse().ok()),
            service: query.get_str("service").and_then(|name| name.parse().ok()),
            limit: number("limit").unwrap_or(PAGE).clamp(1, LONGEST),
            offset: number("offset").unwrap_or(0),
        }
    }

    fn url(&self) -> String {
        let mut query = Vec::new();
        if let Some(environment) = &self.environment {
            query.push(format!("environment={environment}"));
        }
        if let Some(service) = &self.service {
            query.push(format!("service={service}"));
        }
        if self.limit != PAGE {
            query.push(format!("limit={}", self.limit));
        }
        if self.offset != 0 {
            query.push(format!("offset={}", self.offset));
        }
        if query.is_empty() { "/history".to_owned() } else { format!("/history?{}", query.join("&")) }
    }

    /// The URL that shows more: a longer page, or the next one when this one is as long as a page may be.
    fn more(&self, total: u64) -> Option<String> {
        let shown = u64::from(self.offset) + u64::from(self.limit);
        if shown >= total {
            return None;
        }
        let more = if self.limit < LONGEST {
            Self { limit: (self.limit + PAGE).min(LONGEST), ..self.clone() }
        } else {
            Self { offset: self.offset + self.limit, limit: PAGE, ..self.clone() }
        };
        Some(more.url())
    }
}

/// `/history`
#[component]
pub fn HistoryPage() -> impl IntoView {
    let live = use_live();
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(Asked::of));
    let rows = Resource::new(
        move || (asked.get(), live.epoch()),
        |(asked, _)| rpc::history(asked.environment, asked.service, asked.limit, asked.offset),
    );
    view! {
        <Title text="History"/>
        <div class="page-head">
            <div>
                <h1>"History"</h1>
                <p class="lead">"Every deployment of every service, newest first."</p>
            </div>
            <Filters asked overview=use_overview()/>
        </div>
        <Loaded resource=rows let:rows>
            <Table rows asked/>
        </Loaded>
    }
}

/// Two choices; a plain form where there is no WASM.
#[component]
fn Filters(asked: Memo<Asked>, overview: Resource<Result<Overview, RpcError>>) -> impl IntoView {
    let navigate = use_navigate();
    let go = StoredValue::new(move |asked: Asked| {
        navigate(&asked.url(), NavigateOptions { scroll: false, ..NavigateOptions::default() });
    });
    let pick_environment = move |event| {
        let environment = event_target_value(&event).parse().ok();
        go.with_value(|go| go(Asked { environment, limit: PAGE, offset: 0, ..asked.get_untracked() }));
    };
    let pick_service = move |event| {
        let service = event_target_value(&event).parse().ok();
        go.with_value(|go| go(Asked { service, limit: PAGE, offset: 0, ..asked.get_untracked() }));
    };
    view! {
        <form class="filters" method="get" action="/history">
            <Transition>
                {move || {
                    let known = overview.get().and_then(Result::ok);
                    let environments = environments(known.as_ref());
                    let services = services(known.as_ref());
                    view! {
                        <label>
                            <span class="sr-only">"Environment"</span>
                            <select name="environment" on:change=pick_environment>
                                {options("All environments", environments, move || {
                                    asked.with(|asked| asked.environment.as_ref().map(ToString::to_string))
                                })}
                            </select>
                        </label>
                        <label>
                            <span class="sr-only">"Service"</span>
                            <select name="service" on:change=pick_service>
                                {options("All services", services, move || {
                                    asked.with(|asked| asked.service.as_ref().map(ToString::to_string))
                                })}
                            </select>
                        </label>
                    }
                }}
            </Transition>
            <button class="button before-wasm" type="submit">"Filter"</button>
        </form>
    }
}

fn environments(overview: Option<&Overview>) -> Vec<String> {
    overview.into_iter().flat_map(|overview| &overview.environments).map(|found| found.name.to_string()).collect()
}

fn services(overview: Option<&Overview>) -> Vec<String> {
    let releases =
        overview.into_iter().flat_map(|overview| &overview.environments).filter_map(|found| found.release.as_ref());
    let mut names: Vec<String> =
        releases.flat_map(|release| release.services.keys()).map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn options(
    all: &'static str,
    mut names: Vec<String>,
    chosen: impl Fn() -> Option<String> + Copy + Send + Sync + 'static,
) -> impl IntoView {
    // What the URL asks for can be chosen although nothing of that name runs any more.
    if let Some(asked) = untrack(chosen).filter(|asked| !names.contains(asked)) {
        names.push(asked);
    }
    let option = move |name: String| {
        let (value, text) = (name.clone(), name.clone());
        view! { <option value=value selected=move || chosen().as_deref() == Some(name.as_str())>{text}</option> }
    };
    view! {
        <option value="" selected=move || chosen().is_none()>{all}</option>
        {names.into_iter().map(option).collect_view()}
    }
}

#[component]
fn Table(rows: RwSignal<Rows>, asked: Memo<Asked>) -> impl IntoView {
    let total = Memo::new(move |_| rows.with(|page| page.total));
    let empty = Memo::new(move |_| rows.with(|page| page.rows.is_empty()));
    let filtered = Memo::new(move |_| asked.with(|asked| asked.environment.is_some() || asked.service.is_some()));
    let shown = move || format!("{} of {}", rows.with(|page| page.rows.len()), total.get());
    view! {
        {move || empty.get().then(|| if filtered.get() {
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
                <For each=move || rows.with(|page| page.rows.clone()) key=|row| row.id let:row>
                    {history_row(row, rows)}
                </For>
            </table>
            <footer class="card-foot">
                <p class="muted" role="status">{shown}</p>
                {move || asked.with(|asked| asked.more(total.get())).map(|href| view! {
                    <a class="button" href=href data-noscroll="">"Load more"</a>
                })}
            </footer>
        </div>
    }
}

fn history_row(first: HistoryRow, rows: RwSignal<Rows>) -> impl IntoView {
    let id = first.id;
    let row = follow(first.clone(), move || rows.with(|page| page.rows.iter().find(|row| row.id == id).cloned()));
    let open = RwSignal::new(false);
    let details = format!("details-{id}");
    let status = Memo::new(move |_| row.with(|row| row.status));
    let label = format!("Details of {} {} in {}", first.service, first.version, first.environment);
    let version = Signal::stored(Some(first.version.to_string()));
    view! {
        <tbody role="rowgroup" class:open=open>
            <tr role="row">
                <td role="cell" data-label="Environment">{first.environment.to_string()}</td>
                <th role="rowheader" scope="row" class="name">{first.service.to_string()}</th>
                <td role="cell" data-label="Version"><VersionText version/></td>
                <td role="cell" data-label="Status">
                    {move || {
                        let said = view::status(status.get());
                        view! { <Badge tone=said.tone text=said.word/> }
                    }}
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
            {row.evidence.map(|evidence| view! { <EvidenceView evidence/> })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(limit: u32, offset: u32) -> Asked {
        Asked { environment: Some("prod".parse().unwrap()), service: None, limit, offset }
    }

    #[test]
    fn what_is_usual_is_not_in_the_url() {
        assert_eq!(Asked { limit: PAGE, ..Asked::default() }.url(), "/history");
        assert_eq!(asked(50, 0).url(), "/history?environment=prod&limit=50");
    }

    #[test]
    fn a_page_grows_to_its_limit_and_then_the_next_begins() {
        for (limit, offset, total, expected) in [
            (25, 0, 25, None),
            (25, 0, 26, Some("/history?environment=prod&limit=50")),
            (490, 0, 1000, Some("/history?environment=prod&limit=500")),
            (500, 0, 1000, Some("/history?environment=prod&offset=500")),
            (500, 500, 1000, None),
        ] {
            assert_eq!(asked(limit, offset).more(total).as_deref(), expected);
        }
    }
}
