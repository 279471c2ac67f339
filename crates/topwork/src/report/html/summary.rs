//! The first screen: how good it is, how sure that is, and what to watch out for.

use maud::{Markup, html};

use super::sets::{heading, phrase};
use super::{Report, SetReport};
use crate::dataset::name::visible;
use crate::metrics::{Evaluation, Interval};
use crate::report::text::{grouped, percent, verdict};

pub(super) fn section(report: &Report, sets: &[&SetReport]) -> Markup {
    html! {
        @if let Some(first) = sets.first() { (headline(first)) } @else { p { "Nothing was evaluated." } }
        @if !report.notes.is_empty() {
            aside class="notes" aria-label="Notes" {
                ul { @for note in &report.notes { li { (visible(note)) } } }
            }
        }
        @if sets.len() > 1 { (comparison(sets)) }
    }
}

fn headline(set: &SetReport) -> Markup {
    let evaluation = &set.evaluation;
    html! {
        section class="headline" aria-label=(heading(set.set)) {
            div class="score" {
                p class="set" { (heading(set.set)) }
                @if let (Some(accuracy), Some(interval)) = (evaluation.accuracy, evaluation.accuracy_interval) {
                    p class="accuracy" { (percent(accuracy)) span { " %" } }
                    p class="of" {
                        (grouped(evaluation.confusion_matrix.correct())) " of " (grouped(evaluation.n))
                        " photos right"
                    }
                    (scale(evaluation, accuracy, interval))
                } @else {
                    p class="accuracy" { "–" }
                    p class="of" { "no photos" }
                }
            }
            div class="judgement" {
                p class="verdict" { (verdict(evaluation)) }
                (figures(evaluation))
            }
        }
    }
}

/// Where the accuracy, its interval and the baseline lie between 0 and 100 %.
fn scale(evaluation: &Evaluation, accuracy: f64, interval: Interval) -> Markup {
    let at = |share: f64| format!("{:.2}%", 100.0 * share);
    html! {
        div class="scale" aria-hidden="true" {
            span class="range" style=(format!("left:{};width:{}", at(interval.low), at(interval.high - interval.low))) {}
            @if let Some(baseline) = &evaluation.baseline {
                span class="base" style=(format!("left:{}", at(baseline.accuracy))) {}
            }
            span class="dot" style=(format!("left:{}", at(accuracy))) {}
        }
        div class="ends" aria-hidden="true" { span { "0 %" } span { "100 %" } }
        p class="interval" {
            "95 % interval " (percent(interval.low)) "–" (percent(interval.high)) " %"
            @if let Some(baseline) = &evaluation.baseline {
                " · baseline " (percent(baseline.accuracy)) " %"
            }
        }
    }
}

fn figures(evaluation: &Evaluation) -> Markup {
    let number = |value: Option<f64>| match value {
        Some(value) if (0.9995..1.0).contains(&value) => "> 0.999".to_owned(),
        Some(value) => format!("{value:.3}"),
        None => "–".to_owned(),
    };
    let share = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{} %", percent(value)));
    html! {
        dl class="figures" {
            (figure("Log loss", &number(evaluation.log_loss), "0 is perfect"))
            @if let Some(positive) = &evaluation.positive_class {
                (figure("ROC AUC", &number(evaluation.roc_auc), &format!("of “{}”", visible(positive))))
            }
            @if let Some(top5) = evaluation.top5_accuracy {
                (figure("Top 5", &share(Some(top5)), "right among the five likeliest"))
            }
            (figure("Balanced accuracy", &share(evaluation.balanced_accuracy), "mean recall of the classes"))
            @if let Some(worst) = &evaluation.worst_confusion {
                (figure("Worst confusion", &format!("{} ×", grouped(worst.count)),
                    &format!("{} taken for {}", visible(&worst.actual), visible(&worst.predicted))))
            }
        }
    }
}

fn figure(name: &str, value: &str, explanation: &str) -> Markup {
    html! { div { dt { (name) } dd { b { (value) } " " small { (explanation) } } } }
}

/// One row a set.
fn comparison(sets: &[&SetReport]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="All sets" {
            table class="figures sets" {
                thead { tr {
                    th scope="col" { "Set" } th class="number" scope="col" { "Photos" }
                    th class="number" scope="col" { "Accuracy" } th class="number" scope="col" { "95 % interval" }
                    th class="number" scope="col" { "Baseline" } th class="number" scope="col" { "Log loss" }
                } }
                tbody {
                    @for set in sets {
                        @let evaluation = &set.evaluation;
                        tr {
                            th scope="row" { (heading(set.set)) " " small { (phrase(set.set)) } }
                            td class="number" { (grouped(evaluation.n)) }
                            @if let (Some(accuracy), Some(interval), Some(baseline)) =
                                (evaluation.accuracy, evaluation.accuracy_interval, &evaluation.baseline) {
                                td class="number" { (percent(accuracy)) " %" }
                                td class="number" { (percent(interval.low)) "–" (percent(interval.high)) " %" }
                                td class="number" { (percent(baseline.accuracy)) " %" }
                            } @else { td class="number" { "–" } td class="number" { "–" } td class="number" { "–" } }
                            td class="number" {
                                (evaluation.log_loss.map_or("–".to_owned(), |loss| format!("{loss:.3}")))
                            }
                        }
                    }
                }
            }
        }
    }
}
