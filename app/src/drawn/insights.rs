//! How often, how fast and how well.

use leptos::prelude::*;
use release_manager::insights::{Insights, Span, Step};
use release_manager::time::Timestamp;

use super::html;
use super::plot::{Bar, bars};
use crate::view;

/// The figures of every environment with their plots and their tables.
pub(crate) fn insights(insights: &[Insights], span: Span, now: Timestamp) -> String {
    let cards = insights.iter().map(|known| environment(known, span, now));
    html(view! { <div class="insights">{cards.collect_view()}</div> })
}

fn environment(known: &Insights, span: Span, now: Timestamp) -> impl IntoView + use<> {
    let name = known.environment.to_string();
    let title = view::title(&name);
    let heading = format!("insights-{name}");
    let labelled_by = heading.clone();
    let (whole, weeks) = (&known.whole, f64::from(span.steps * span.days) / 7.0);
    let per_week = f64::from(whole.deployments()) / weeks;
    let none = whole.deployments() == 0;
    let days: Vec<Timestamp> = (0..known.steps.len()).map(|step| span.begin_of(now, step)).collect();
    view! {
        <section class="card insight" aria-labelledby=labelled_by>
            <header class="card-head"><h2 id=heading>{title}</h2></header>
            <dl class="figures">
                {figure("Deployments", whole.deployments().to_string(), format!("{per_week:.1} a week"))}
                {figure("Lead time", seconds(whole.lead_time), "median from commit to here".to_owned())}
                {figure("Failure rate", rate(whole), format!("{} of {} failed", whole.failed, whole.deployments()))}
                {figure("Time to restore", seconds(whole.restore_time), "median from failure to success".to_owned())}
            </dl>
            {if none {
                view! { <p class="muted card-note">"Nothing was deployed here in this time."</p> }.into_any()
            } else {
                plots(&known.steps, &days, &name)
            }}
        </section>
    }
}

fn figure(name: &'static str, value: String, note: String) -> impl IntoView + use<> {
    view! {
        <div class="figure">
            <dt>{name}</dt>
            <dd class="figure-value">{value}</dd>
            <dd class="muted figure-note">{note}</dd>
        </div>
    }
}

fn plots(steps: &[Step], days: &[Timestamp], name: &str) -> AnyView {
    let whole_succeeded: u32 = steps.iter().map(|step| step.succeeded).sum();
    let whole_failed: u32 = steps.iter().map(|step| step.failed).sum();
    let frequency: Vec<Bar> = steps
        .iter()
        .zip(days)
        .map(|(step, day)| Bar {
            label: view::day(*day),
            parts: vec![(f64::from(step.succeeded), "plot-good"), (f64::from(step.failed), "plot-bad")],
            title: format!("From {}: {} succeeded, {} failed", view::date(*day), step.succeeded, step.failed),
        })
        .collect();
    let longest = steps.iter().filter_map(|step| step.lead_time).fold(0.0, f64::max);
    let (unit, unit_name) = unit(longest);
    let lead: Vec<Bar> = steps
        .iter()
        .zip(days)
        .map(|(step, day)| Bar {
            label: view::day(*day),
            parts: vec![(step.lead_time.unwrap_or_default() / unit, "plot-lead")],
            title: format!("From {}: {}", view::date(*day), seconds(step.lead_time)),
        })
        .collect();
    let frequency_said = format!(
        "Deployments to {name} over time: {whole_succeeded} succeeded and {whole_failed} failed. The table below has the numbers."
    );
    let lead_said = format!("Median lead time to {name} over time. The table below has the numbers.");
    view! {
        <div class="plots">
            <figure>
                <figcaption>
                    "Deployments"
                    <span class="legend"><span class="swatch plot-good-swatch"></span>"succeeded"</span>
                    <span class="legend"><span class="swatch plot-bad-swatch"></span>"failed"</span>
                </figcaption>
                {bars(&frequency, frequency_said, whole)}
            </figure>
            <figure>
                <figcaption>{format!("Lead time, in {unit_name}")}</figcaption>
                {bars(&lead, lead_said, whole)}
            </figure>
        </div>
        <details class="numbers">
            <summary>"The numbers as a table"</summary>
            {table(steps, days, name)}
        </details>
    }
    .into_any()
}

fn table(steps: &[Step], days: &[Timestamp], name: &str) -> impl IntoView + use<> {
    let label = format!("The numbers of {name}");
    let rows = steps.iter().zip(days).filter(|(step, _)| step.deployments() > 0).map(|(step, day)| {
        view! {
            <tr>
                <th scope="row">{view::date(*day)}</th>
                <td>{step.succeeded}</td>
                <td>{step.failed}</td>
                <td>{rate(step)}</td>
                <td>{seconds(step.lead_time)}</td>
                <td>{seconds(step.restore_time)}</td>
            </tr>
        }
    });
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=label>
            <table class="numbers-table">
                <thead>
                    <tr>
                        <th scope="col">"From"</th>
                        <th scope="col">"Succeeded"</th>
                        <th scope="col">"Failed"</th>
                        <th scope="col">"Failure rate"</th>
                        <th scope="col">"Lead time"</th>
                        <th scope="col">"Time to restore"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
    }
}

/// The unit in which a length of time is a number that people like to read.
fn unit(longest: f64) -> (f64, &'static str) {
    match longest {
        ..120.0 => (1.0, "seconds"),
        120.0..7200.0 => (60.0, "minutes"),
        7200.0..172_800.0 => (3600.0, "hours"),
        _ => (86_400.0, "days"),
    }
}

/// A value of an axis; what is no whole number has no room.
fn whole(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { String::new() }
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "—".to_owned(), view::duration)
}

fn rate(step: &Step) -> String {
    step.failure_rate().map_or_else(|| "—".to_owned(), |rate| format!("{rate:.0} %"))
}
