//! Plots: bars over time, as SVG that a screen reader hears as one sentence. The numbers stand in a table beside it.
//!
//! Everything is placed in shares of the room that there is, and text has the size of text: a plot is as readable on a
//! phone as on a wall.

use leptos::prelude::*;

/// Every so many steps have a name below them, where there is room; on a phone every second of those.
const NAMES: usize = 6;

/// One bar: what stands below it, and its parts from the bottom up with the class of each.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) parts: Vec<(f64, &'static str)>,
    /// What is said where one points at it.
    pub(super) title: String,
}

/// Bars over time. `said` is the sentence for screen readers; `tick` writes a value of the axis.
pub(super) fn bars(bars: &[Bar], said: String, tick: impl Fn(f64) -> String) -> AnyView {
    let highest = bars.iter().map(|bar| bar.parts.iter().map(|(value, _)| value).sum::<f64>()).fold(0.0, f64::max);
    let top = nice(highest);
    let step = 100.0 / f64::from(u32::try_from(bars.len().max(1)).unwrap_or(u32::MAX));
    let (ticks, lines): (Vec<_>, Vec<_>) = [0.0, 0.5, 1.0]
        .map(|share| {
            let y = percent(100.0 * (1.0 - share));
            let tick = view! {
                <text class="plot-tick" x="100%" y=y.clone() text-anchor="end" dominant-baseline="middle">{tick(top * share)}</text>
            };
            (tick, view! { <line class="plot-grid" x1="0" x2="100%" y1=y.clone() y2=y></line> })
        })
        .into_iter()
        .unzip();
    let place = |index: usize| step * f64::from(u32::try_from(index).unwrap_or(u32::MAX));
    let columns = bars.iter().enumerate().map(|(index, bar)| column(bar, place(index), step, top));
    // Not every step has room for its name.
    let every = bars.len().div_ceil(NAMES).max(1);
    let names = bars.iter().enumerate().step_by(every).map(|(index, bar)| {
        let class = if index % (2 * every) == 0 { "plot-tick" } else { "plot-tick plot-spare" };
        let x = percent(place(index) + step / 2.0);
        view! { <text class=class x=x y="1em" text-anchor="middle">{bar.label.clone()}</text> }
    });
    view! {
        <div class="plot bars" role="img" aria-label=said>
            <svg class="plot-axis" aria-hidden="true">{ticks}</svg>
            <svg class="plot-bars" aria-hidden="true">{lines}{columns.collect_view()}</svg>
            <svg class="plot-names" aria-hidden="true">{names.collect_view()}</svg>
        </div>
    }
    .into_any()
}

/// One bar at `x`, `step` wide with the room around it.
fn column(bar: &Bar, x: f64, step: f64, top: f64) -> impl IntoView + use<> {
    let mut y = 100.0;
    let parts = bar.parts.iter().filter(|(value, _)| *value > 0.0).map(|(value, class)| {
        // What is there can be seen.
        let tall = (100.0 * value / top).max(1.5);
        y -= tall;
        let (x, wide) = (percent(x + step * 0.14), percent(step * 0.72));
        view! { <rect class=*class x=x y=percent(y) width=wide height=percent(tall) rx="2"></rect> }
    });
    let parts = parts.collect_view();
    view! {
        <g>
            <title>{bar.title.clone()}</title>
            <rect class="plot-hit" x=percent(x) y="0" width=percent(step) height="100%"></rect>
            {parts}
        </g>
    }
}

/// A share of the drawing.
pub(super) fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

/// The next number that people like to read at the end of an axis.
fn nice(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    let mut step = 1.0;
    while step * 10.0 < highest {
        step *= 10.0;
    }
    while step >= highest {
        step /= 10.0;
    }
    let nice = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].into_iter().map(|factor| factor * step);
    nice.into_iter().find(|nice| *nice >= highest).unwrap_or(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_with_a_number_that_people_like() {
        for (highest, expected) in
            [(0.0, 1.0), (1.0, 1.0), (3.0, 4.0), (7.0, 8.0), (11.0, 20.0), (0.3, 0.4), (95.0, 100.0)]
        {
            assert!((nice(highest) - expected).abs() < 1e-9, "{highest}");
        }
    }
}
