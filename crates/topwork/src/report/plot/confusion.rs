//! The confusion matrix as a shaded table, and as a list of mistakes where a table would be too large to read.

use maud::{Markup, html};

use crate::dataset::name::visible;
use crate::metrics::{Confusion, ConfusionMatrix, wilson};
use crate::report::text::{grouped, percent};

/// Above this number of classes the mistakes are listed instead.
pub(crate) const TABLE_CLASSES: usize = 30;
/// Up to this number of classes the column heads fit upright.
const WIDE_CLASSES: usize = 8;
/// How many kinds of mistakes the list shows.
const LISTED: usize = 20;

/// Rows are true classes, columns predicted ones; shading is the share of the row.
pub(crate) fn table(matrix: &ConfusionMatrix) -> Markup {
    let labels: Vec<String> = matrix.labels().iter().map(|label| visible(label)).collect();
    let narrow = labels.len() > WIDE_CLASSES;
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix" {
            table class=(format!("confusion{}{}", if narrow { " narrow" } else { "" }, if labels.len() > 3 { " several" } else { "" })) {
                thead {
                    tr {
                        td class="corner" { "true ↓" br; "predicted →" }
                        @for label in &labels { th scope="col" title=(label) { span { (label) } } }
                    }
                }
                tbody {
                    @for (actual, row) in matrix.rows().iter().enumerate() {
                        tr {
                            th scope="row" title=(labels[actual]) { (labels[actual]) }
                            @for (predicted, count) in row.iter().enumerate() {
                                (cell(*count, matrix.support()[actual], actual == predicted))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(count: u64, support: u64, right: bool) -> Markup {
    let share = if support == 0 { 0.0 } else { count as f64 / support as f64 };
    // A single mistake among thousands must still be seen; half opacity keeps the digits readable in both schemes.
    let shade = if count == 0 { 0.0 } else { 0.08 + 0.42 * share };
    let kind = match (count, right) {
        (0, false) => "none",
        (_, true) => "right",
        _ => "wrong",
    };
    html! { td class=(kind) style=(format!("--shade:{shade:.2}")) { (grouped(count)) } }
}

/// The most frequent mistakes, and how many other kinds there are.
pub(crate) fn list(matrix: &ConfusionMatrix) -> Markup {
    let kinds = matrix.cells().filter(|(actual, predicted, _)| actual != predicted).count();
    let worst = matrix.worst(LISTED);
    let position = |name: &str| matrix.labels().iter().position(|label| label == name).unwrap_or(0);
    if worst.is_empty() {
        return html! { p { "No photo was taken for another class." } };
    }
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Most frequent confusions" {
            table class="figures" {
                thead { tr {
                    th scope="col" { "True class" } th scope="col" { "Taken for" }
                    th class="number" scope="col" { "Photos" } th class="number" scope="col" { "of the class" }
                } }
                tbody {
                    @for Confusion { actual, predicted, count } in &worst {
                        @let support = matrix.support()[position(actual)];
                        tr {
                            th scope="row" { (visible(actual)) } td { (visible(predicted)) }
                            td class="number" { (grouped(*count)) }
                            td class="number" { (percent(*count as f64 / support as f64)) " %" }
                        }
                    }
                }
            }
        }
        @if kinds > worst.len() {
            p class="more" { "and " (grouped((kinds - worst.len()) as u64)) " rarer kinds of mistakes: "
                code { "metrics.json" } " has them all." }
        }
    }
}

/// "97.4–99.5" for a share of counts; a dash without photos.
pub(crate) fn interval_text(successes: u64, n: u64) -> String {
    match wilson(successes, n) {
        Some(interval) => format!("{}–{}", percent(interval.low), percent(interval.high)),
        None => "–".to_owned(),
    }
}
