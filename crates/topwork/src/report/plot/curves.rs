//! Lines over the epochs as one SVG that scales, reads in black and white, and has a title and a description.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::{labels, ticks};

/// One line of a plot.
pub(crate) struct Curve {
    /// What it shows, beside the line.
    pub(crate) name: &'static str,
    /// Class of the style sheet: `training` is solid, `validation` dashed.
    pub(crate) class: &'static str,
    /// (x, y); what is not finite is left out.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A plot of lines.
pub(crate) struct Plot<'a> {
    /// Distinguishes the plots of one page in the ids.
    pub(crate) id: &'a str,
    pub(crate) title: &'a str,
    pub(crate) x_axis: &'a str,
    pub(crate) y_axis: &'a str,
    pub(crate) curves: &'a [Curve],
    /// A marked x, with its text.
    pub(crate) mark: Option<(f64, String)>,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 46.0;

/// The plot as `<svg role="img">`; nothing where no point is finite.
pub(crate) fn svg(plot: &Plot<'_>) -> Markup {
    let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let points: Vec<(f64, f64)> =
        plot.curves.iter().flat_map(|c| c.points.iter().filter(finite)).copied().collect();
    if points.is_empty() {
        return html! {};
    }
    let range = |value: fn(&(f64, f64)) -> f64| {
        points
            .iter()
            .map(value)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (x_range, y_range) = (range(|p| p.0), range(|p| p.1));
    let x_ticks: Vec<f64> = ticks(x_range.0, x_range.1, 6)
        .into_iter()
        .filter(|tick| *tick >= x_range.0 && *tick <= x_range.1 && tick.fract() == 0.0)
        .collect();
    let y_ticks = ticks(y_range.0, y_range.1, 5);
    let (y_low, y_high) = (y_ticks[0], y_ticks[y_ticks.len() - 1]);
    let x = |value: f64| {
        let share = if x_range.1 > x_range.0 { (value - x_range.0) / (x_range.1 - x_range.0) } else { 0.5 };
        LEFT + share * (WIDTH - LEFT - RIGHT)
    };
    let y = |value: f64| HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM);
    let path = |curve: &Curve| {
        let mut path = String::new();
        for point in thinned(&curve.points).iter().filter(finite) {
            let _ = write!(path, "{:.1},{:.1} ", x(point.0), y(point.1));
        }
        path
    };
    let (title_id, text_id) = (format!("{}-title", plot.id), format!("{}-text", plot.id));
    html! {
        svg class="plot" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
            aria-labelledby=(format!("{title_id} {text_id}")) {
            title id=(title_id) { (plot.title) }
            desc id=(text_id) { (description(plot)) }
            @for (tick, label) in y_ticks.iter().zip(labels(&y_ticks)) {
                line class="gridline" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(pixel(y(*tick))) y2=(pixel(y(*tick))) {}
                text class="tick" x=(LEFT - 8.0) y=(pixel(y(*tick) + 4.0)) text-anchor="end" { (label) }
            }
            @for (tick, label) in x_ticks.iter().zip(labels(&x_ticks)) {
                text class="tick" x=(pixel(x(*tick))) y=(HEIGHT - BOTTOM + 18.0) text-anchor="middle" { (label) }
            }
            line class="axis" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
            text class="label" x=((LEFT + WIDTH - RIGHT) / 2.0) y=(HEIGHT - 8.0) text-anchor="middle" { (plot.x_axis) }
            text class="label" x=(LEFT) y="14" { (plot.y_axis) }
            @for (at, curve) in plot.curves.iter().enumerate() {
                @let left = WIDTH - RIGHT - 112.0 * (plot.curves.len() - at) as f64;
                line class=(format!("curve {}", curve.class)) x1=(left) x2=(left + 22.0) y1="10" y2="10" {}
                text class="legend" x=(left + 28.0) y="14" { (curve.name) }
            }
            @if let Some((at, text)) = &plot.mark {
                @let right = x(*at) > WIDTH / 2.0;
                line class="mark" x1=(pixel(x(*at))) x2=(pixel(x(*at))) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                text class="legend" x=(pixel(x(*at) + if right { 6.0 } else { -6.0 })) y=(TOP - 7.0)
                    text-anchor=(if right { "end" } else { "start" }) { (text) }
            }
            @for curve in plot.curves {
                @if curve.points.len() == 1 {
                    @for point in curve.points.iter().filter(finite) {
                        circle class=(format!("point {}", curve.class)) r="3.5" cx=(pixel(x(point.0))) cy=(pixel(y(point.1))) {}
                    }
                } @else {
                    polyline class=(format!("curve {}", curve.class)) points=(path(curve).trim_end()) {}
                }
            }
        }
    }
}

fn pixel(value: f64) -> String {
    format!("{value:.1}")
}

/// At most about 1,000 points a line: every k-th, and the last.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(1000).max(1);
    let kept = points.iter().step_by(step);
    let last = points.last().filter(|_| !points.is_empty() && !(points.len() - 1).is_multiple_of(step));
    kept.chain(last).copied().collect()
}

/// What a reader who cannot see the lines must know: where each starts and ends.
fn description(plot: &Plot<'_>) -> String {
    let mut text = String::new();
    for curve in plot.curves {
        if let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) {
            let _ = write!(
                text,
                "{}: from {:.3} at {} {} to {:.3} at {} {}. ",
                curve.name,
                first.1,
                plot.x_axis.to_lowercase(),
                first.0,
                last.1,
                plot.x_axis.to_lowercase(),
                last.0
            );
        }
    }
    text.trim_end().to_owned()
}
