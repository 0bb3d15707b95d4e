//! Plots: bars over time, as SVG that a screen reader hears as one sentence. The numbers stand in a table beside it.

use leptos::prelude::*;

/// The drawing area, in its own units; CSS gives it its size.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 130.0;
const LEFT: f64 = 34.0;
const BOTTOM: f64 = 20.0;
const TOP: f64 = 8.0;

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
    let (width, height) = (WIDTH - LEFT, HEIGHT - TOP - BOTTOM);
    let number = u32::try_from(bars.len().max(1)).unwrap_or(u32::MAX);
    let step = width / f64::from(number);
    let lines = [0.0, 0.5, 1.0].map(|share| {
        let y = text(TOP + height * (1.0 - share));
        let label_y = text(TOP + height * (1.0 - share) + 3.5);
        view! {
            <line class="plot-grid" x1=text(LEFT) x2=text(WIDTH) y1=y.clone() y2=y></line>
            <text class="plot-tick" x=text(LEFT - 6.0) y=label_y text-anchor="end">{tick(top * share)}</text>
        }
    });
    // Not every step has room for its name.
    let every = bars.len().div_ceil(6).max(1);
    let columns = bars.iter().zip(0_u32..).map(|(bar, place)| {
        let x = LEFT + step * f64::from(place);
        let mut y = TOP + height;
        let parts: Vec<_> = bar
            .parts
            .iter()
            .filter(|(value, _)| *value > 0.0)
            .map(|(value, class)| {
                let tall = (height * value / top).max(2.0);
                y -= tall;
                view! {
                    <rect class=*class x=text(x + step * 0.14) y=text(y) width=text(step * 0.72) height=text(tall) rx="2"></rect>
                }
            })
            .collect();
        let label = (usize::try_from(place).unwrap_or(0) % every == 0).then(|| bar.label.clone());
        view! {
            <g>
                <title>{bar.title.clone()}</title>
                <rect class="plot-hit" x=text(x) y=text(TOP) width=text(step) height=text(height)></rect>
                {parts}
                {label.map(|label| view! {
                    <text class="plot-tick" x=text(x + step / 2.0) y=text(HEIGHT - 5.0) text-anchor="middle">{label}</text>
                })}
            </g>
        }
    });
    view! {
        <svg class="plot" viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="img" aria-label=said>
            {lines.collect_view()}
            {columns.collect_view()}
        </svg>
    }
    .into_any()
}

/// A number of the drawing, to a tenth.
pub(super) fn text(value: f64) -> String {
    format!("{value:.1}")
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
