//! A saved classifier on photos whose classes are known.

use serde::{Deserialize, Serialize};

use super::advice;
use super::files::{Parts, RunFiles, RunInfo};
use super::job::{Job, Stage};
use super::results::Results;
use super::session::Session;
use super::skipped::SkippedFiles;
use super::stopwatch::Stopwatch;
use crate::classifier::Classifier;
use crate::dataset::split::{Conflicts, Rule, split};
use crate::dataset::{Dataset, Subset};
use crate::error::{Error, ErrorKind, Result};
use crate::features::extract::Progress;
use crate::features::look_warnings;
use crate::notice::Notice;
use crate::report::{Report, counted};

/// The seed of the random photos in the report; an evaluation has nothing else to draw.
const SEED: u64 = 42;

/// What an evaluation can be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EvaluationOptions {
    /// What to do with identical photos in two classes.
    pub conflicts: Conflicts,
}

/// What an evaluation gives.
#[non_exhaustive]
pub struct EvaluatedRun<'a> {
    /// The classifier.
    pub classifier: &'a Classifier,
    /// Predictions of the photos, and their figures.
    pub results: Results,
    /// Files that were not used.
    pub skipped: SkippedFiles,
    /// What a reader of the figures must know.
    pub warnings: Vec<Notice>,
    /// How many photos became features, and the time it took.
    pub progress: Progress,
    /// Name and seconds of each stage.
    pub seconds: Vec<(String, f64)>,
    threads: usize,
}

/// Predicts photos whose classes are known, as [`dataset::open_as`](crate::dataset::open_as) reads them for the classifier's classes.
///
/// # Errors
/// [`ErrorKind::Configuration`] if the classes are not the classifier's; [`ErrorKind::Dataset`] if no photo can be used, or
/// identical ones are in two classes and are not to be skipped; [`ErrorKind::Interrupted`] if it was cancelled.
pub fn evaluate<'a>(
    classifier: &'a Classifier,
    dataset: &Dataset,
    options: &EvaluationOptions,
    session: &Session,
    job: &Job,
) -> Result<EvaluatedRun<'a>> {
    let classes = &classifier.record().classes;
    if dataset.classes != *classes {
        let message = "the classes of the photos are not those of the classifier";
        return Err(Error::new(ErrorKind::Configuration, message));
    }
    advice::tell(dataset, job);
    let mut stopwatch = Stopwatch::start();
    let (_, extraction) = session.extract(classifier.extractor(), &dataset.photos(), &[], job)?;
    stopwatch.stage("features");
    let formats = advice::tell_formats(&extraction, job)?;

    job.stage(Stage::Evaluation);
    let split = split(dataset, &extraction.usable_digests(), Rule::AllTrain, options.conflicts)?;
    let mut results = Results::new(classes, SEED);
    results.predict(classifier, dataset, &split, &extraction, Subset::Evaluation, job)?;
    results.evaluate();
    stopwatch.stage("evaluation");

    let mut warnings = split.warnings.clone();
    warnings.extend(look_warnings(dataset, &extraction));
    warnings.iter().for_each(|warning| job.notice(warning));
    let warnings = [dataset.warnings.clone(), formats, warnings].concat();
    let skipped = SkippedFiles::new(dataset, &extraction, &split);
    let (progress, seconds) = (extraction.progress, stopwatch.stages());
    Ok(EvaluatedRun { classifier, results, skipped, warnings, progress, seconds, threads: session.threads() })
}

impl EvaluatedRun<'_> {
    /// The files of the run: `metrics.json`, `predictions.csv`, `skipped.csv`, `report.html` and `run.json`.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if one cannot be made.
    pub fn files(&self, info: &RunInfo) -> Result<RunFiles> {
        let classes = counted(self.results.classes().len(), "class");
        let photos = counted(self.results.predictions().len(), "photo");
        let page = Report {
            summary: format!("A saved classifier of {classes} on {photos}."),
            notes: self.warnings.iter().map(ToString::to_string).collect(),
            ..Report::default()
        };
        let parts = Parts {
            results: &self.results,
            classifier: self.classifier,
            settings: &self.classifier.record().settings,
            skipped: &self.skipped,
            progress: &self.progress,
            seconds: &self.seconds,
            own: Vec::new(),
            page,
        };
        parts.files(info, self.threads)
    }
}
