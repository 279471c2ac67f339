//! What a set's counts say: who was taken for whom, and each class's figures.

use maud::{Markup, html};

use super::SetReport;
use crate::dataset::Subset;
use crate::dataset::name::visible;
use crate::metrics::{ClassScores, Evaluation};
use crate::report::plot::confusion::{TABLE_CLASSES, interval_text, list, table};
use crate::report::text::{grouped, percent};

/// Above this number of classes the table shows those that need attention.
const LISTED_CLASSES: usize = 100;

/// Which set a reader should believe first.
pub(super) fn precedence(set: Subset) -> usize {
    match set {
        Subset::Test => 0,
        Subset::Evaluation => 1,
        Subset::CrossValidation => 2,
        Subset::Validation => 3,
        Subset::Training => 4,
    }
}

pub(super) fn heading(set: Subset) -> &'static str {
    match set {
        Subset::Test => "Test set",
        Subset::Evaluation => "Evaluation",
        Subset::CrossValidation => "Cross-validation",
        Subset::Validation => "Validation set",
        Subset::Training => "Training set",
    }
}

/// What the set is for, in a few words.
pub(super) fn phrase(set: Subset) -> &'static str {
    match set {
        Subset::Test => "untouched until the end",
        Subset::Evaluation => "",
        Subset::CrossValidation => "each photo judged by a head that has not seen it",
        Subset::Validation => "held back from training",
        Subset::Training => "learnt from: flatters",
    }
}

pub(super) fn confusion(set: &SetReport) -> Markup {
    super::section("confusion", "Who was taken for whom", confusion_content(&set.evaluation))
}

pub(super) fn classes(set: &SetReport) -> Markup {
    super::section("classes", "Class by class", classes_content(&set.evaluation))
}

/// A further set, folded in.
pub(super) fn other(set: &SetReport) -> Markup {
    html! {
        details class="set" {
            summary { (heading(set.set)) " in full" }
            (confusion_content(&set.evaluation))
            (classes_content(&set.evaluation))
        }
    }
}

fn confusion_content(evaluation: &Evaluation) -> Markup {
    let matrix = &evaluation.confusion_matrix;
    if evaluation.n == 0 {
        return html! { p { "No photos." } };
    }
    if matrix.labels().len() > TABLE_CLASSES {
        let classes = grouped(matrix.labels().len() as u64);
        return html! {
            p class="hint" { "The most frequent mistakes; a table of " (classes) " classes could not be read." }
            (list(matrix))
        };
    }
    html! {
        p class="hint" { "Rows are what the photos show, columns what was answered. Right answers lie on the diagonal." }
        (table(matrix))
    }
}

fn classes_content(evaluation: &Evaluation) -> Markup {
    let report = &evaluation.classification_report;
    let mut rows: Vec<usize> = (0..report.classes.len()).collect();
    let all = rows.len();
    if all > LISTED_CLASSES {
        let f1 = |at: &usize| report.classes[*at].1.f1;
        rows.sort_by(|left, right| f1(left).total_cmp(&f1(right)).then(left.cmp(right)));
        rows.truncate(LISTED_CLASSES);
    }
    let empty = report.classes.iter().filter(|(_, scores)| scores.support == 0).count();
    html! {
        @if all > rows.len() {
            p class="hint" { "The " (rows.len()) " classes with the lowest F1 of " (grouped(all as u64)) "; "
                code { "metrics.json" } " has them all." }
        }
        div class="scroll" tabindex="0" role="region" aria-label="Figures of each class" {
            table class="figures" {
                thead { tr {
                    th scope="col" { "Class" } th class="number" scope="col" { "Photos" }
                    th class="number" scope="col" { "Precision" } th class="number" scope="col" { "Recall" }
                    th class="number quiet" scope="col" { "95 % interval" } th class="number" scope="col" { "F1" }
                } }
                tbody {
                    @for at in rows {
                        @let (name, scores) = &report.classes[at];
                        @let right = evaluation.confusion_matrix.count(at, at);
                        (row(&visible(name), scores, &interval_text(right, scores.support)))
                    }
                }
                tfoot {
                    (row("macro average", &report.macro_average, ""))
                    (row("weighted average", &report.weighted_average, ""))
                }
            }
        }
        p class="hint" {
            "Precision: of the photos called so, the share that are. Recall: of the photos that are so, the share that \
            was found. F1: their harmonic mean. In percent, as scikit-learn computes them; a fraction over zero counts \
            as 0."
            @if empty > 0 {
                " " (grouped(empty as u64)) @if empty == 1 { " class has" } @else { " classes have" }
                " no photos here: counted in the macro average as 0, without weight in the weighted one."
            }
        }
    }
}

fn row(name: &str, scores: &ClassScores, interval: &str) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td class="number" { (grouped(scores.support)) }
            td class="number" { (percent(scores.precision)) }
            td class="number" { (percent(scores.recall)) }
            td class="number quiet" { (interval) }
            td class="number" { (percent(scores.f1)) }
        }
    }
}
