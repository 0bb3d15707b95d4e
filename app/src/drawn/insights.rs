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

/// The parts of a bar, each with its class, and what they say.
type Drawn = (Vec<(f64, &'static str)>, String);

fn plots(steps: &[Step], days: &[Timestamp], name: &str) -> AnyView {
    let succeeded: u32 = steps.iter().map(|step| step.succeeded).sum();
    let failed: u32 = steps.iter().map(|step| step.failed).sum();
    let of = |part: &dyn Fn(&Step) -> Drawn| -> Vec<Bar> {
        let bar = |(step, day): (&Step, &Timestamp)| {
            let (parts, said) = part(step);
            Bar { label: view::day(*day), parts, title: format!("From {}: {said}", view::date(*day)) }
        };
        steps.iter().zip(days).map(bar).collect()
    };
    let frequency = of(&|step| {
        let parts = vec![(f64::from(step.succeeded), "plot-good"), (f64::from(step.failed), "plot-bad")];
        (parts, format!("{} succeeded, {} failed", step.succeeded, step.failed))
    });
    let failures = of(&|step| (vec![(step.failure_rate().unwrap_or_default(), "plot-bad")], rate(step)));
    let time = |what: &'static str, class: &'static str, of_step: fn(&Step) -> Option<f64>| {
        let (unit, unit_name) = unit(steps.iter().filter_map(of_step).fold(0.0, f64::max));
        let bars = of(&|step| {
            let value = of_step(step);
            (vec![(value.unwrap_or_default() / unit, class)], seconds(value))
        });
        figure_of(format!("{what}, in {unit_name}"), (), &bars, said(&format!("Median {}", what.to_lowercase()), name))
    };
    let legend = view! {
        <span class="legend"><span class="swatch plot-good-swatch"></span>"succeeded"</span>
        <span class="legend"><span class="swatch plot-bad-swatch"></span>"failed"</span>
    };
    let counted = format!("{}; {succeeded} succeeded and {failed} failed.", said("Deployments", name));
    view! {
        <div class="plots">
            {figure_of("Deployments".to_owned(), legend, &frequency, counted)}
            {time("Lead time", "plot-lead", |step| step.lead_time)}
            {figure_of("Failure rate, in %".to_owned(), (), &failures, said("The failure rate of deployments", name))}
            {time("Time to restore", "plot-restore", |step| step.restore_time)}
        </div>
        <details class="numbers">
            <summary>"The numbers as a table"</summary>
            {table(steps, days, name)}
        </details>
    }
    .into_any()
}

/// The sentence for screen readers.
fn said(what: &str, name: &str) -> String {
    format!("{what} to {name} over time. The table below has the numbers")
}

fn figure_of(caption: String, legend: impl IntoView + 'static, drawn: &[Bar], said: String) -> AnyView {
    view! {
        <figure>
            <figcaption>{caption}{legend}</figcaption>
            {bars(drawn, said, whole)}
        </figure>
    }
    .into_any()
}

fn table(steps: &[Step], days: &[Timestamp], name: &str) -> impl IntoView + use<> {
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
        <div class="scroll" tabindex="0" role="region" aria-label=format!("The numbers of {name}")>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_four_figures_is_drawn_over_time_with_its_scale() {
        let bad = Step { succeeded: 1, failed: 3, lead_time: Some(7_200.0), restore_time: Some(600.0) };
        let known =
            Insights { environment: "prod".parse().unwrap(), steps: vec![Step::default(), bad.clone()], whole: bad };
        let html = insights(&[known], Span { steps: 2, days: 7 }, Timestamp::from_millis(0));
        for caption in ["Deployments", "Lead time, in hours", "Failure rate, in %", "Time to restore, in minutes"] {
            assert!(html.contains(&format!("<figcaption>{caption}")), "{caption}: {html}");
        }
        assert_eq!(html.matches("role=\"img\"").count(), 4);
        assert!(html.contains(": 75 %<!></title>") && html.contains(": 10 min<!></title>"), "{html}");
    }
}
