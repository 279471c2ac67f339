//! Photos with what was said about them. Right and wrong are told by a word and a mark, and by colour only besides.

use maud::{Markup, html};

use super::{Report, SetReport};
use crate::dataset::name::visible;
use crate::report::Picture;
use crate::report::text::{grouped, percent};

pub(super) fn mistakes(report: &Report, set: &SetReport) -> Markup {
    let wrong = set.evaluation.n - set.evaluation.confusion_matrix.correct();
    if wrong == 0 && set.evaluation.n > 0 {
        let text = format!("None: all {} photos were answered rightly.", grouped(set.evaluation.n));
        return super::section("mistakes", "Mistakes", html! { p { (text) } });
    }
    if report.mistakes.is_empty() {
        return html! {};
    }
    let shown = report.mistakes.len() as u64;
    let hint = if shown < wrong {
        format!("The {} most confident of {} mistakes.", grouped(shown), grouped(wrong))
    } else if wrong == 1 {
        "There is one.".to_owned()
    } else {
        format!("All {}, the most confident first.", grouped(wrong))
    };
    let content = html! {
        p class="hint" { (hint) " Look at the labels too: a confident mistake is often a photo in the wrong folder." }
        div class="pictures" { @for picture in &report.mistakes { (figure(picture)) } }
    };
    super::section("mistakes", "Worst mistakes", content)
}

pub(super) fn grid(report: &Report) -> Markup {
    if report.grid.is_empty() {
        return html! {};
    }
    let right = report.grid.iter().filter(|picture| picture.right() == Some(true)).count();
    let content = html! {
        p class="hint" {
            (report.grid.len()) " photos drawn at random, " (right) " answered rightly."
        }
        div class="pictures five" { @for picture in &report.grid { (figure(picture)) } }
    };
    super::section("sample", "A random sample", content)
}

fn figure(picture: &Picture) -> Markup {
    let predicted = visible(&picture.predicted);
    let probability = format!("{} %", percent(picture.probability));
    let name = visible(&picture.name);
    let (class, mark, word) = match picture.right() {
        Some(true) => ("right", "✓", "right"),
        Some(false) => ("wrong", "✗", "wrong"),
        None => ("unknown", "·", "unknown"),
    };
    html! {
        figure class=(class) {
            @match &picture.thumbnail {
                Some(small) => {
                    img src=(small.data_uri()) width=(small.width) height=(small.height) alt=(name) decoding="async";
                }
                None => { div class="absent" { "no picture" } }
            }
            figcaption {
                span class="said" {
                    span class="mark" role="img" aria-label=(word) { (mark) } " "
                    b { (predicted) } " " span class="probability" { (probability) }
                }
                @if let (Some(false), Some(actual)) = (picture.right(), &picture.actual) {
                    span class="actual" { "is " b { (visible(actual)) } }
                }
                // A long path breaks between folders first.
                span class="name" title=(name) { @for part in name.split_inclusive('/') { (part) wbr; } }
            }
        }
    }
}
