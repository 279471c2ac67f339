//! `report.html`: one page that opens without a network and reads without scripts.
//!
//! This file holds what the page is drawn from and the order of its sections; each section is a file in `html/`. Markup
//! is built by `maud`, which escapes every text; a content policy in the head forbids scripts and every load.

mod pictures;
mod run;
mod sets;
mod summary;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::Picture;
use crate::dataset::name::visible;
use crate::dataset::{Skipped, Subset};
use crate::metrics::Evaluation;
use crate::train::{History, LinearChoice};

const STYLE: &str = include_str!("html/style.css");

/// Everything that a report shows. Plain data; empty lists leave their sections out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Heading: usually the name of the folder of photos.
    pub title: String,
    /// One line under it: classes, photos, what was done.
    pub summary: String,
    /// The command as it was typed.
    pub command: String,
    /// What the reader must know before believing the figures: warnings, small data, conflicts.
    pub notes: Vec<String>,
    /// The evaluated sets; the page puts test before evaluation, cross-validation, validation and training.
    pub sets: Vec<SetReport>,
    /// The worst mistakes of the first set, most confident first.
    pub mistakes: Vec<Picture>,
    /// Random photos of the first set.
    pub grid: Vec<Picture>,
    /// How training went.
    pub history: Option<History>,
    /// What one row of the history is: "epoch" or "iteration"; empty means "epoch".
    pub history_step: String,
    /// How the linear head's strength of regularisation, and its features, were chosen.
    pub choice: Option<LinearChoice>,
    /// Files that were not used.
    pub skipped: Vec<Skipped>,
    /// Name and value of each setting.
    pub settings: Vec<(String, String)>,
    /// Name and version of each part.
    pub versions: Vec<(String, String)>,
    /// Name and digest of what the result was made from.
    pub digests: Vec<(String, String)>,
    /// Name and seconds of each stage.
    pub seconds: Vec<(String, f64)>,
}

/// One evaluated set.
#[derive(Clone, Debug, PartialEq)]
pub struct SetReport {
    /// Which one.
    pub set: Subset,
    /// Its figures.
    pub evaluation: Evaluation,
}

/// The page.
pub fn html(report: &Report) -> String {
    let mut sets: Vec<&SetReport> = report.sets.iter().collect();
    sets.sort_by_key(|set| sets::precedence(set.set));
    let first = sets.first().copied();
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; img-src data:; style-src 'unsafe-inline'";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(concat!("topwork ", env!("CARGO_PKG_VERSION")));
                title { (visible(&report.title)) " – topwork report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p class="brand" { "topwork report" }
                    h1 { (visible(&report.title)) }
                    @if !report.summary.is_empty() { p class="lead" { (visible(&report.summary)) } }
                }
                main {
                    (summary::section(report, &sets))
                    @if let Some(first) = first {
                        (pictures::mistakes(report, first))
                        (sets::confusion(first))
                        (sets::classes(first))
                        (pictures::grid(report))
                    }
                    (run::training(report))
                    @for set in sets.iter().skip(1) { (sets::other(set)) }
                    (run::skipped(&report.skipped))
                    (run::settings(report))
                }
                footer {
                    p { "This page is one file: it loads nothing, runs no script, and holds small copies of the photos \
                        that it shows, without their metadata." }
                }
            }
        }
    };
    page.into_string()
}

/// A section with its heading; `id` is for links.
fn section(id: &str, heading: &str, content: Markup) -> Markup {
    markup! {
        section id=(id) aria-labelledby=(format!("{id}-heading")) {
            h2 id=(format!("{id}-heading")) { (heading) }
            (content)
        }
    }
}
