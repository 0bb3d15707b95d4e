//! `/events`: one JSON object per line, as things happen.

use std::{collections::HashMap, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Query, State},
    http::header::CONTENT_TYPE,
    response::IntoResponse,
};
use futures::{StreamExt, stream};
use time::OffsetDateTime;
use tokio_stream::wrappers::BroadcastStream;

use crate::{
    api::{Answer, App, Query1, filters::Filters},
    error::Refusal,
    state::events::Event,
};

pub(super) async fn stream(State(shared): App, Query(query): Query1) -> Answer {
    let filters = Filters::read(&query)?;
    let (since, until) = (moment(&query, "since")?, moment(&query, "until")?);
    let (memory, live) = shared.with(|world| world.events.subscribe());
    let left =
        until.map(|until| Duration::try_from(until - shared.with(|world| world.wall())).unwrap_or(Duration::ZERO));
    let told = memory.into_iter().filter(move |event| {
        since.is_some_and(|since| event.at >= since) && until.is_none_or(|until| event.at <= until)
    });
    // Whoever reads too slowly loses the stream, as does everyone when it is cut.
    let live = BroadcastStream::new(live)
        .take_while(|event| std::future::ready(matches!(event, Ok(Some(_)))))
        .filter_map(|event| std::future::ready(event.ok().flatten()))
        .take_until(async move {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        });
    let lines = stream::iter(told)
        .chain(live)
        .filter(move |event| std::future::ready(is_wanted(&filters, event)))
        .map(|event| Ok::<_, std::convert::Infallible>(Bytes::from(format!("{}\n", event.json()))));
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}

fn is_wanted(filters: &Filters, event: &Event) -> bool {
    let of_kind = |kind: &str| {
        filters.passes(kind, |name| {
            event.kind == kind
                && (event.id.starts_with(name)
                    || event.attributes.get("name").and_then(|name| name.as_str()) == Some(name))
        })
    };
    filters.passes("type", |kind| kind == event.kind)
        && filters.passes("scope", |scope| scope == event.scope)
        && filters.passes("event", |action| action == event.action)
        && ["service", "node", "network", "secret", "config", "container"].into_iter().all(of_kind)
}

/// A time in seconds, whole or with a fraction.
fn moment(query: &HashMap<String, String>, name: &str) -> Result<Option<OffsetDateTime>, Refusal> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty() && *text != "0") else { return Ok(None) };
    let bad = || Refusal::bad(format!("invalid {name}: {text:?} is not a time in seconds"));
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i128 = seconds.parse().map_err(|_| bad())?;
    let nanos: i128 = format!("{fraction:0<9}").get(..9).and_then(|nanos| nanos.parse().ok()).ok_or_else(bad)?;
    OffsetDateTime::from_unix_timestamp_nanos(seconds * 1_000_000_000 + nanos).map(Some).map_err(|_| bad())
}
