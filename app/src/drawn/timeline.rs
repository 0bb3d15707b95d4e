//! The versions of a service over time: one band for each environment.

use leptos::prelude::*;
use release_manager::deployment::{HistoryRow, Status, Verdict};
use release_manager::names::EnvironmentName;
use release_manager::time::Timestamp;

use super::plot::percent;
use super::{html, moment};
use crate::view;

/// The height of a band with its name above it, in pixels; places along the time are shares of the width.
const BAND: u32 = 52;
const NAME: u32 = 14;
const TALL: u32 = 26;
/// The narrowest and the usual width, in pixels: the text of a band is drawn where it fits.
const NARROW: f64 = 250.0;
const USUAL: f64 = 700.0;
/// The width of a letter, roughly.
const LETTER: f64 = 7.5;

/// A time in which an environment ran one version.
#[derive(Debug, Clone, PartialEq)]
struct Segment {
    /// `None` where the service was taken out.
    version: Option<String>,
    from: Timestamp,
    until: Timestamp,
}

/// What failed on the way.
#[derive(Debug, Clone, PartialEq)]
struct Failure {
    version: String,
    at: Timestamp,
}

/// The bands, and the same as a table. `running` is what each environment runs now: an environment without history of
/// the service was adopted with it.
pub(crate) fn timeline(rows: &[HistoryRow], running: &[(EnvironmentName, Option<String>)], now: Timestamp) -> String {
    let begin = rows.iter().map(|row| row.completed_at.unwrap_or(row.started_at)).min();
    let Some(begin) = begin else {
        return html(view! { <p class="muted card-note">"This service has no history yet."</p> });
    };
    let bands: Vec<(EnvironmentName, Vec<Segment>, Vec<Failure>)> = running
        .iter()
        .map(|(environment, version)| {
            let own: Vec<&HistoryRow> = rows.iter().filter(|row| row.environment == *environment).collect();
            (environment.clone(), segments(&own, version.as_deref(), begin, now), failures(&own))
        })
        .collect();
    html(view! {
        {drawing(&bands, begin, now)}
        <details class="numbers">
            <summary>"The same as a table"</summary>
            {table(rows)}
        </details>
    })
}

fn drawing(bands: &[(EnvironmentName, Vec<Segment>, Vec<Failure>)], begin: Timestamp, now: Timestamp) -> AnyView {
    let span = now.seconds_since(begin).max(1.0);
    let place = |at: Timestamp| 100.0 * (at.seconds_since(begin) / span).clamp(0.0, 1.0);
    let height = BAND * u32::try_from(bands.len()).unwrap_or(1);
    let names = bands.iter().map(|(environment, ..)| environment.to_string()).collect::<Vec<_>>().join(", ");
    let said = format!("The versions over time in {names}. The table below says the same.");
    let drawn = bands
        .iter()
        .zip(0_u32..)
        .map(|((environment, segments, failures), index)| band(environment, segments, failures, BAND * index, &place));
    let bottom = height + NAME;
    view! {
        <div class="timeline">
            <svg class="plot" height=height + 20 role="img" aria-label=said>
                {drawn.collect_view()}
                <text class="plot-tick" x="0" y=bottom>{view::age(now, begin)}</text>
                <text class="plot-tick" x="100%" y=bottom text-anchor="end">"now"</text>
            </svg>
        </div>
    }
    .into_any()
}

fn band(
    environment: &EnvironmentName,
    segments: &[Segment],
    failures: &[Failure],
    y: u32,
    place: &impl Fn(Timestamp) -> f64,
) -> AnyView {
    let top = y + NAME + 4;
    let bars = segments.iter().zip(0_u32..).map(|(segment, index)| {
        let (from, until) = (place(segment.from), place(segment.until));
        let wide = (until - from).max(0.3);
        let name = segment.version.clone().unwrap_or_else(|| "taken out".to_owned());
        let short = view::short_version(&name);
        let title = format!("{name}: from {} to {}", view::absolute(segment.from), view::absolute(segment.until));
        let letters = f64::from(u32::try_from(short.chars().count()).unwrap_or(u32::MAX));
        let fits = |width: f64| letters * LETTER + 14.0 < width * wide / 100.0;
        let text_class = if fits(NARROW) { "band-text" } else { "band-text plot-spare" };
        let class = match (&segment.version, index % 2) {
            (None, _) => "band band-out",
            (Some(_), 0) => "band",
            (Some(_), _) => "band band-odd",
        };
        view! {
            <g>
                <title>{title}</title>
                <rect class=class x=percent(from) y=top width=percent(wide) height=TALL rx="4"></rect>
                {fits(USUAL).then(|| view! {
                    <text class=text_class x=percent(from) dx="8" y=top + TALL / 2 + 1 dominant-baseline="middle">{short}</text>
                })}
            </g>
        }
    });
    let marks = failures.iter().map(|failure| {
        let title = format!("{} failed, {}", failure.version, view::absolute(failure.at));
        view! {
            <g>
                <title>{title}</title>
                <circle class="band-failure" cx=percent(place(failure.at)) cy=top r="4.5"></circle>
            </g>
        }
    });
    view! {
        <text class="band-name" x="0" y=y + NAME - 2>{environment.to_string()}</text>
        {bars.collect_view()}
        {marks.collect_view()}
    }
    .into_any()
}

/// What ran from when to when. Rows come newest first; `running` is what runs now, `begin` where the drawing starts.
fn segments(rows: &[&HistoryRow], running: Option<&str>, begin: Timestamp, now: Timestamp) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    // What was there before the first success: the version that it replaced, or what was adopted.
    let first = rows.iter().rev().find(|row| row.status == Status::Success);
    let before = match first {
        Some(row) => row.from.as_ref().map(ToString::to_string),
        None => running.map(ToOwned::to_owned),
    };
    if before.is_some() {
        segments.push(Segment { version: before, from: begin, until: now });
    }
    for row in rows.iter().rev().filter(|row| row.status == Status::Success) {
        let at = row.completed_at.unwrap_or(row.started_at);
        let version = (row.verdict != Some(Verdict::Pruned)).then(|| row.version.to_string());
        match segments.last_mut() {
            Some(last) if last.version == version => continue,
            Some(last) => last.until = at,
            None => (),
        }
        segments.push(Segment { version, from: at, until: now });
    }
    segments
}

fn failures(rows: &[&HistoryRow]) -> Vec<Failure> {
    let failed = rows.iter().filter(|row| matches!(row.status, Status::Failed | Status::RolledBack));
    failed
        .map(|row| Failure { version: row.version.to_string(), at: row.completed_at.unwrap_or(row.started_at) })
        .collect()
}

/// More rows than anybody reads; history has them all.
const MOST_ROWS: usize = 50;

fn table(rows: &[HistoryRow]) -> impl IntoView + use<> {
    let rows = rows.iter().take(MOST_ROWS).map(|row| {
        let said = view::status(row.status);
        view! {
            <tr>
                <td>{moment(row.completed_at.unwrap_or(row.started_at))}</td>
                <td>{row.environment.to_string()}</td>
                <th scope="row"><code class="version">{view::short_version(row.version.as_str())}</code></th>
                <td><span class=format!("badge {}", said.tone.class())>{said.word}</span></td>
                <td><a href=format!("/deployments/{}", row.deployment)>{format!("Deployment {}", row.deployment)}</a></td>
            </tr>
        }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label="Versions over time, as a table">
            <table class="numbers-table">
                <thead>
                    <tr>
                        <th scope="col">"Time"</th>
                        <th scope="col">"Environment"</th>
                        <th scope="col">"Version"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Deployment"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use release_manager::names::{Actor, DeploymentId};

    use super::*;

    fn row(id: i64, version: &str, status: Status, at: i64) -> HistoryRow {
        let at = Timestamp::from_millis(at * 1000);
        HistoryRow {
            id,
            deployment: DeploymentId(id),
            environment: "prod".parse().unwrap(),
            service: "web".parse().unwrap(),
            version: version.parse().unwrap(),
            from: None,
            commit_sha: None,
            status,
            actor: Actor::System,
            verdict: None,
            evidence: None,
            started_at: at,
            completed_at: Some(at),
            after: None,
        }
    }

    #[test]
    fn a_version_runs_until_the_next_one_has_succeeded() {
        let rows = [
            row(4, "3", Status::Success, 40),
            row(3, "2", Status::Success, 30),
            row(2, "9", Status::Failed, 20),
            row(1, "2", Status::Success, 10),
        ];
        let rows: Vec<&HistoryRow> = rows.iter().collect();
        let told: Vec<_> = segments(&rows, None, Timestamp::from_millis(0), Timestamp::from_millis(50_000))
            .into_iter()
            .map(|segment| {
                (segment.version.unwrap(), segment.from.as_millis() / 1000, segment.until.as_millis() / 1000)
            })
            .collect();
        assert_eq!(told, [("2".to_owned(), 10, 40), ("3".to_owned(), 40, 50)]);
        assert_eq!(failures(&rows).len(), 1);
    }

    #[test]
    fn what_was_there_before_the_first_success_is_shown() {
        let (begin, now) = (Timestamp::from_millis(0), Timestamp::from_millis(50_000));
        let adopted = segments(&[], Some("7"), begin, now);
        assert_eq!(adopted, [Segment { version: Some("7".to_owned()), from: begin, until: now }]);
        let replaced = HistoryRow { from: Some("6".parse().unwrap()), ..row(1, "7", Status::Success, 10) };
        let versions: Vec<_> =
            segments(&[&replaced], Some("7"), begin, now).into_iter().filter_map(|segment| segment.version).collect();
        assert_eq!(versions, ["6", "7"]);
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let html = timeline(
            &[row(1, "1", Status::Success, 1)],
            &[("prod".parse().unwrap(), None)],
            Timestamp::from_millis(5000),
        );
        assert!(html.contains("band-name") && html.contains("/deployments/1"), "{html}");
        assert!(timeline(&[], &[], Timestamp::from_millis(0)).contains("no history"));
    }
}
