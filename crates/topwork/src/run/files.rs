//! The files of a run, as bytes.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::results::Results;
use super::skipped::SkippedFiles;
use super::stopwatch::Stopwatch;
use crate::classifier::Classifier;
use crate::dataset::name;
use crate::error::{Error, ErrorKind, Result};
use crate::features::extract::Progress;
use crate::report::{self, Report};

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFile {
    /// Its name in the run's folder, such as `report.html`.
    pub name: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The files of a run, and how long it took.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFiles {
    /// All files.
    pub files: Vec<RunFile>,
    /// Name and seconds of each stage.
    pub seconds: Vec<(String, f64)>,
}

/// What only the caller knows of a run, for its files. Models do not depend on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunInfo {
    /// The heading of the report.
    pub title: String,
    /// What started the run, as it can be shown: a command line, a function call.
    pub command: String,
    /// The number of threads that was asked for; `None` if none was.
    pub threads: Option<usize>,
    /// Stages before the run, with their seconds: the listing of photos.
    pub before: Vec<(String, f64)>,
}

impl RunInfo {
    /// A title for photos at that place.
    pub fn title_of(data: &Path) -> String {
        let title = data.canonicalize().ok().and_then(|data| data.file_name().map(name::escape_part));
        title.unwrap_or_else(|| "photos".to_owned())
    }
}

/// What the files of trainings and evaluations have in common.
pub(super) struct Parts<'a> {
    pub(super) results: &'a Results,
    pub(super) classifier: &'a Classifier,
    pub(super) settings: &'a Value,
    pub(super) skipped: &'a SkippedFiles,
    pub(super) progress: &'a Progress,
    pub(super) seconds: &'a [(String, f64)],
    /// The files that this kind of run has alone.
    pub(super) own: Vec<RunFile>,
    /// The page with what this kind of run has alone, given the page that follows from the results.
    pub(super) page: Report,
}

impl Parts<'_> {
    pub(super) fn files(self, info: &RunInfo, threads: usize) -> Result<RunFiles> {
        let Parts { results, classifier, settings, skipped, progress, seconds, own: mut files, page } = self;
        let mut stopwatch = Stopwatch::after(info.before.iter().chain(seconds).cloned().collect());
        let mut add = |name, bytes| files.push(RunFile { name, bytes });
        let sets = results.evaluations().iter().map(|(set, evaluation)| (*set, evaluation));
        add("metrics.json", report::metrics_json(sets));
        add("predictions.csv", report::predictions_csv(results.classes(), results.predictions()));
        let rows = skipped.files().iter().map(|file| (file.name.as_str(), &file.reason));
        add("skipped.csv", report::skipped_csv(rows));

        let extractor = classifier.extractor();
        let Report { sets, mistakes, grid, .. } = results.page(extractor.isa(), threads);
        let mut page = Report { sets, mistakes, grid, ..page };
        page.title.clone_from(&info.title);
        page.command.clone_from(&info.command);
        page.skipped = skipped.files().to_vec();
        page.settings = flat(settings);
        page.settings.push(("precision".to_owned(), classifier.record().precision.as_str().to_owned()));
        page.settings.push(("instruction set".to_owned(), extractor.isa().name().to_owned()));
        page.versions = vec![("topwork".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
        page.digests = vec![
            (
                format!("weights of {}", extractor.backbone().name),
                classifier.record().backbone.digest.clone(),
            ),
            ("extractor".to_owned(), blake3::Hash::from_bytes(*extractor.identity()).to_hex().to_string()),
        ];
        if let Some(ranges) = &classifier.record().ranges {
            page.digests.push(("ranges".to_owned(), ranges.clone()));
        }
        stopwatch.stage("report");
        let seconds = stopwatch.stages();
        page.seconds.clone_from(&seconds);
        add("report.html", report::html(&page).into_bytes());

        let pairs = |pairs: &[(String, String)]| -> Map<String, Value> {
            pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
        };
        let stages: Map<String, Value> =
            seconds.iter().map(|(name, seconds)| (name.clone(), json!(seconds))).collect();
        let run = json!({
            "command": page.command,
            "settings": settings,
            "seed": results.seed(),
            "versions": pairs(&page.versions),
            "digests": pairs(&page.digests),
            "threads": info.threads,
            "precision": extractor.precision().as_str(),
            "instruction_set": extractor.isa().name(),
            "features": {
                "extracted": progress.computed,
                "from_store": progress.known,
                "refused": progress.failed,
                "seconds_of_all_threads": {
                    "read": progress.seconds.read,
                    "hash": progress.seconds.hash,
                    "store": progress.seconds.store,
                    "decode": progress.seconds.decode,
                    "resize": progress.seconds.resize,
                    "network": progress.seconds.network,
                },
            },
            "seconds": stages,
        });
        let mut text = serde_json::to_vec_pretty(&run)
            .map_err(|error| Error::new(ErrorKind::Bug, "run.json cannot be written").with_source(error))?;
        text.push(b'\n');
        add("run.json", text);
        Ok(RunFiles { files, seconds })
    }
}

/// Settings as lines of name and value.
fn flat(settings: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    settings
        .as_object()
        .map(|object| object.iter().map(|(name, value)| (name.replace('_', " "), text(value))).collect())
        .unwrap_or_default()
}
