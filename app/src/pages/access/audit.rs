//! What was changed, and what was refused.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use release_manager::access::{AuditPage as Lines, AuditResult, AuditRow};

use crate::components::{Age, Badge, Empty, Loaded, Symbol};
use crate::pages::settings::SettingsFrame;
use crate::rpc_access::audit;
use crate::view::Tone;

/// `/audit`
#[component]
pub fn AuditPage() -> impl IntoView {
    let query = use_query_map();
    let before = Memo::new(move |_| query.with(|query| query.get_str("before").and_then(|id| id.parse::<i64>().ok())));
    let lines = Resource::new(move || before.get(), audit);
    view! {
        <SettingsFrame title="Audit log" lead="Every change, and every attempt that was refused, newest first.">
            <Loaded resource=lines let:lines>
                <Table lines/>
            </Loaded>
        </SettingsFrame>
    }
}

#[component]
fn Table(lines: RwSignal<Lines>) -> impl IntoView {
    let empty = Memo::new(move |_| lines.with(|page| page.rows.is_empty()));
    view! {
        {move || empty.get().then(|| view! {
            <Empty symbol=Symbol::History title="Nothing yet" text="The first change will stand here."/>
        })}
        <div class="card" class:hidden=empty>
            <table class="table audit" role="table">
                <thead role="rowgroup">
                    <tr role="row">
                        <th role="columnheader">"Time"</th>
                        <th role="columnheader">"Who"</th>
                        <th role="columnheader">"From"</th>
                        <th role="columnheader">"What"</th>
                        <th role="columnheader">"To what"</th>
                        <th role="columnheader">"Result"</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    <For each=move || lines.with(|page| page.rows.clone()) key=|row| row.id let:row>{line(row)}</For>
                </tbody>
            </table>
            <footer class="card-foot">
                <a class="button" href="/api/audit?limit=1000&format=csv" rel="external" download="">"Export CSV"</a>
                {move || lines.with(|page| page.next).map(|next| view! {
                    <a class="button" href=format!("/audit?before={next}")>"Older"</a>
                })}
            </footer>
        </div>
    }
}

fn line(row: AuditRow) -> impl IntoView {
    let tone = match row.result {
        AuditResult::Done => Tone::Good,
        AuditResult::Refused => Tone::Bad,
        AuditResult::Failed => Tone::Warn,
    };
    let result = match row.times {
        1 => row.result.as_str().to_owned(),
        times => format!("{} {times} times", row.result.as_str()),
    };
    view! {
        <tr role="row">
            <td role="cell" data-label="Time"><Age at=row.at/></td>
            <th role="rowheader" scope="row" class="name">{row.actor}</th>
            <td role="cell" data-label="From">{row.address}</td>
            <td role="cell" data-label="What">{row.operation.replace('_', " ")}</td>
            <td role="cell" data-label="To what" class="wrap">{row.target}</td>
            <td role="cell" data-label="Result">
                <Badge tone text=result/>
                {row.detail.map(|detail| view! { <p class="muted wrap">{detail}</p> })}
            </td>
        </tr>
    }
}
