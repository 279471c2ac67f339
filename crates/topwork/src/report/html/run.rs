//! How the result came about: training, the files left out, and what was run.

use maud::{Markup, html};

use super::Report;
use crate::dataset::Skipped;
use crate::dataset::name::visible;
use crate::report::plot::curves::{Curve, Plot, svg};
use crate::report::text::grouped;
use crate::train::{Epoch, Gain, History, LinearChoice};

/// How many rows of a long table the page holds; the files beside it have them all.
const LISTED_EPOCHS: usize = 100;
const LISTED_SKIPPED: usize = 20;
const FOLDED_SKIPPED: usize = 500;
/// Characters of a skipped file's detail.
const DETAIL: usize = 300;

pub(super) fn training(report: &Report) -> Markup {
    let history = report.history.as_ref().filter(|history| !history.epochs.is_empty());
    if history.is_none() && report.choice.is_none() {
        return html! {};
    }
    let step = if report.history_step.is_empty() { "epoch" } else { &report.history_step };
    let content = html! {
        @if let Some(history) = history { (curves(history, step)) }
        @if let Some(found) = &report.choice { (choice(found)) }
    };
    super::section("training", "Training", content)
}

fn curves(history: &History, step: &str) -> Markup {
    let line = |value: fn(&Epoch) -> Option<f64>| -> Vec<(f64, f64)> {
        history.epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, value(epoch)?))).collect()
    };
    let pair = |training: Vec<(f64, f64)>, validation: Vec<(f64, f64)>| {
        let mut curves = vec![Curve { name: "training", class: "training", points: training }];
        if !validation.is_empty() {
            curves.push(Curve { name: "validation", class: "validation", points: validation });
        }
        curves
    };
    let loss = pair(line(|epoch| Some(epoch.loss)), line(|epoch| epoch.val_loss));
    let accuracy = pair(
        line(|epoch| Some(100.0 * epoch.accuracy)),
        line(|epoch| epoch.val_accuracy.map(|share| 100.0 * share)),
    );
    let mark = || history.best_epoch.map(|best| (best as f64, format!("kept: {step} {best}")));
    let x_axis = match step {
        "epoch" => "Epoch",
        "iteration" => "Iteration",
        other => other,
    };
    html! {
        div class="plots" {
            (svg(&Plot { id: "loss", title: "Loss", x_axis, y_axis: "Loss (nats)", curves: &loss, mark: mark() }))
            (svg(&Plot {
                id: "accuracy", title: "Accuracy", x_axis, y_axis: "Accuracy (%)", curves: &accuracy, mark: mark()
            }))
        }
        details {
            summary { "The numbers" }
            (numbers(history, x_axis))
        }
    }
}

fn numbers(history: &History, x_axis: &str) -> Markup {
    let cell = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Training, row by row" {
            table class="figures" {
                thead { tr {
                    @for head in [x_axis, "Loss", "Accuracy", "Validation loss", "Validation accuracy", "Step size"] {
                        th class="number" scope="col" { (head) }
                    }
                } }
                tbody {
                    @for epoch in history.epochs.iter().take(LISTED_EPOCHS) {
                        tr {
                            th class="number" scope="row" { (epoch.epoch) }
                            td class="number" { (cell(Some(epoch.loss))) }
                            td class="number" { (cell(Some(epoch.accuracy))) }
                            td class="number" { (cell(epoch.val_loss)) }
                            td class="number" { (cell(epoch.val_accuracy)) }
                            td class="number" { (scientific(epoch.learning_rate)) }
                        }
                    }
                }
            }
        }
        @if history.epochs.len() > LISTED_EPOCHS {
            p class="more" { "and " (grouped((history.epochs.len() - LISTED_EPOCHS) as u64)) " more in "
                code { "history.csv" } }
        }
    }
}

fn choice(choice: &LinearChoice) -> Markup {
    let Some(folds) = choice.folds else {
        return html! {
            h3 { "Strength of regularisation" }
            p class="hint" { "C = " (scientific(choice.strength)) ": no class has two photos, so nothing could be held \
                out to choose it." }
        };
    };
    let mut columns: Vec<f64> = choice.trials.iter().map(|trial| trial.tap_weight).collect();
    columns.dedup();
    let mut rows: Vec<f64> = choice.trials.iter().map(|trial| trial.strength).collect();
    rows.sort_by(f64::total_cmp);
    rows.dedup();
    let trial = |strength: f64, tap_weight: f64| {
        choice.trials.iter().find(|trial| (trial.strength, trial.tap_weight) == (strength, tap_weight))
    };
    let photos = choice.trials.iter().map(|trial| trial.photos).max().unwrap_or(0);
    html! {
        h3 { "Strength of regularisation and features" }
        p class="hint" { "Chosen on the training photos alone: log loss of " (grouped(photos as u64)) " photos held out \
            in " (folds) @if folds == 1 { " fold" } @else { " folds" } ". Settings that could no longer win met fewer \
            folds. C below is the weight of the loss against the penalty." }
        @if choice.is_at_the_end() {
            p class="hint" { "The best C is the last one tried; a better one may lie beyond." }
        }
        @if let Some(gain) = choice.gain { (self::gain(choice, gain)) }
        div class="scroll" tabindex="0" role="region" aria-label="Strength of regularisation and features" {
            table class="figures compact" {
                thead { tr {
                    th class="number" scope="col" { "C" }
                    @for tap_weight in &columns {
                        th class="number" scope="col" {
                            @if *tap_weight == 0.0 { "Last layer" } @else { "With the middle × " (tap_weight) }
                        }
                    }
                } }
                tbody {
                    @for strength in rows {
                        tr {
                            th class="number" scope="row" { (scientific(strength)) }
                            @for tap_weight in &columns {
                                @let chosen = (strength, *tap_weight) == (choice.strength, choice.tap_weight);
                                td class=(if chosen { "number chosen" } else { "number" }) {
                                    @if let Some(trial) = trial(strength, *tap_weight) {
                                        (format!("{:.4}", trial.log_loss))
                                        @if trial.photos < photos { " (" (grouped(trial.photos as u64)) ")" }
                                        @if chosen { " ← chosen" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn gain(choice: &LinearChoice, gain: Gain) -> Markup {
    let change = format!("{:.4} ± {:.4}", gain.log_loss.abs(), gain.standard_error);
    html! {
        p class="hint" {
            @if choice.tap_weight > 0.0 {
                "The head uses the middle of the network beside its last layer: on photos held out it lowers the log loss \
                by " (change) " (± one standard error)."
            } @else {
                "The head uses the last layer alone: with the middle of the network the log loss of photos held out was "
                (change) " (± one standard error) " @if gain.log_loss > 0.0 { "lower" } @else { "higher" }
                ", and it must be lower by more than two standard errors, or more where few photos were held out."
            }
        }
    }
}

/// Three digits, as people write them: 0.01, 0.00316, 1.2e-5.
fn scientific(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e5).contains(&value.abs()) {
        return format!("{value:.2e}");
    }
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    rounded.to_string()
}

pub(super) fn skipped(skipped: &[Skipped]) -> Markup {
    if skipped.is_empty() {
        return super::section("skipped", "Files left out", html! { p { "None." } });
    }
    let mut reasons: Vec<(&str, u64)> = Vec::new();
    let mut codes: Vec<&str> = skipped.iter().map(|file| file.reason.code()).collect();
    codes.sort_unstable();
    for same in codes.chunk_by(|left, right| left == right) {
        reasons.push((same[0], same.len() as u64));
    }
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let content = html! {
        p class="hint" {
            (grouped(skipped.len() as u64)) @if skipped.len() == 1 { " file was" } @else { " files were" } " not used:"
        }
        ul class="reasons" {
            @for (reason, count) in reasons.iter().take(LISTED_SKIPPED) {
                li { b { (grouped(*count)) } " " (visible(reason)) }
            }
        }
        (files(&skipped[..skipped.len().min(LISTED_SKIPPED)]))
        @if skipped.len() > LISTED_SKIPPED {
            @let end = skipped.len().min(FOLDED_SKIPPED);
            details {
                summary { (grouped((end - LISTED_SKIPPED) as u64)) " more" }
                (files(&skipped[LISTED_SKIPPED..end]))
            }
        }
        @if skipped.len() > FOLDED_SKIPPED {
            p class="more" { "and " (grouped((skipped.len() - FOLDED_SKIPPED) as u64)) " others: the complete list is "
                code { "skipped.csv" } "." }
        }
    };
    super::section("skipped", "Files left out", content)
}

fn files(files: &[Skipped]) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Files left out" {
            table class="figures files" {
                thead { tr { th scope="col" { "File" } th scope="col" { "Reason" } th scope="col" { "What was found" } } }
                tbody {
                    @for file in files {
                        tr {
                            th scope="row" { (visible(&shortened(&file.name))) }
                            td { (file.reason.code()) }
                            td { (visible(&shortened(&file.reason.detail()))) }
                        }
                    }
                }
            }
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(DETAIL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn settings(report: &Report) -> Markup {
    let total: f64 = report.seconds.iter().map(|(_, seconds)| seconds).sum();
    let content = html! {
        @if !report.command.is_empty() { pre { code { (visible(&report.command)) } } }
        div class="columns" {
            (pairs("Settings", &report.settings, ""))
            div {
                @if !report.seconds.is_empty() { (durations(&report.seconds, total)) }
                (pairs("Versions", &report.versions, ""))
            }
        }
        (pairs("Digests", &report.digests, "digests"))
    };
    super::section("run", "What was run", content)
}

fn durations(seconds: &[(String, f64)], total: f64) -> Markup {
    html! {
        h3 { "Time" }
        table class="pairs time" {
            @for (stage, seconds) in seconds {
                @let share = if total > 0.0 { 100.0 * seconds / total } else { 0.0 };
                tr {
                    th scope="row" { (visible(stage)) }
                    td class="bar" aria-hidden="true" { span style=(format!("width:{share:.1}%")) {} }
                    td class="number" { (duration(*seconds)) }
                }
            }
            tr class="total" { th scope="row" { "together" } td {} td class="number" { (duration(total)) } }
        }
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 9.995 => format!("{seconds:.2} s"),
        seconds if seconds < 119.5 => format!("{seconds:.1} s"),
        seconds => format!("{} min {:.0} s", (seconds / 60.0) as u64, seconds % 60.0),
    }
}

fn pairs(heading: &str, pairs: &[(String, String)], class: &str) -> Markup {
    html! {
        @if !pairs.is_empty() {
            div {
                h3 { (heading) }
                table class=(format!("pairs {class}")) {
                    @for (name, value) in pairs {
                        tr { th scope="row" { (visible(name)) } td { (visible(value)) } }
                    }
                }
            }
        }
    }
}
